"""Kill -9 while messages are sent; what arrives must be right.

A process is killed at chosen steps: before and after a write to the store, before and after a
request. Meanwhile alerts come and go, and one of two receivers refuses at times. In between the
process is left alone until what arrived agrees with what fires.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

from exporter.config import Notification, read_text
from exporter.metrics import OwnMetrics
from exporter.notifying import Media, Notifier, OutboxRow, ToldRow, Written
from exporter.notifying.media import Medium
from exporter.notifying.messages import Message
from exporter.store import Store
from tests.alertmanager import Request, Sink
from tests.notifying.stage import alert

TITLE = "kill -9 while messages are sent"
SPEED = 300.0
REPEAT_SECONDS = 14400.0
"""Of the route `critical`."""
SERVICES = [f"api-{number}" for number in range(6)]
ENTRIES = ("steady", "shaky")
_ROUND, _SETTLED_EVERY = 24, 4
"""Kills in one folder, and after how many of them the process is left alone."""


@dataclass(slots=True)
class FastClock:
    """A clock on which seconds pass faster, the same for every process of a run."""

    begun: float
    """A time of the machine."""

    def now(self) -> float:
        return self.begun + (time.time() - self.begun) * SPEED

    def tick(self) -> float:
        return self.now() - self.begun

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Fuse:
    """Kills its own process at a step."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class _Table:
    """The real table; each write is two steps."""

    kept: Any
    fuse: Fuse

    def load(self) -> tuple[list[OutboxRow], list[ToldRow]]:
        found: tuple[list[OutboxRow], list[ToldRow]] = self.kept.load()
        return found

    def save(self, rows: Written) -> None:
        self.fuse.step()
        self.kept.save(rows)
        self.fuse.step()


@dataclass(slots=True)
class _Sending:
    """The real medium; each request is two steps."""

    medium: Medium
    fuse: Fuse

    def secrets(self) -> Any:
        return self.medium.secrets()

    async def send(self, message: Message, page: str) -> None:
        self.fuse.step()
        await self.medium.send(message, page)
        self.fuse.step()


class _Media(Media):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def make(self, entry: Notification) -> Medium:
        return _Sending(super().make(entry), self._fuse)


def child(folder: str, url: str, begun: float, steps: int) -> None:
    """Take what `truth` in *folder* says and send it to *url*, until the step of that number."""
    asyncio.run(_child(Path(folder), url, FastClock(begun), Fuse(steps)))


async def _child(folder: Path, url: str, clock: FastClock, fuse: Fuse) -> None:
    entries = ", ".join(f"{{name: {name}, webhook: {{url: '{url}/{name}'}}}}" for name in ENTRIES)
    store = Store.open(folder / "data", clock, None)
    table = _Table(store.notifications, fuse)
    notifier = Notifier(table, clock, _Media(fuse), OwnMetrics("test"))
    notifier.follow(read_text(f"notify: [{entries}]", "test", {}))
    running = asyncio.create_task(notifier.run())
    while not running.done():
        truth = json.loads((folder / "truth").read_text())
        fires = [alert(service=name, provider=name, at=at) for name, at in truth.items()]
        await notifier.take(fires, clock.now())
        await clock.sleep(15)
    running.result()


@dataclass(slots=True)
class Result:
    """What a run found."""

    kills: int = 0
    messages: int = 0
    repeated: int = 0
    """Messages that came again under the same id."""
    doubled: int = 0
    """Alerts of which it came again under another id that they fire, as it was not known before."""
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.kills += other.kills
        self.messages += other.messages
        self.repeated += other.repeated
        self.doubled += other.doubled
        self.refused += other.refused
        self.wrong += other.wrong


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: who was killed hangs up."""


class Receiver:
    """Takes messages, and refuses those of one entry at times."""

    def __init__(self) -> None:
        self.shaky = False
        self.refused = 0
        self.sink: Sink[Request] = Sink("")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_refused = receiver.shaky and self.path == "/shaky"
                if is_refused:
                    receiver.refused += 1
                else:  # taken before the answer: who is killed then sends it again
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    got = Request(path=self.path, headers=headers, body=json.loads(body))
                    receiver.sink.add(got)
                self.send_response(429 if is_refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.sink.address = f"127.0.0.1:{self.server.server_port}"


class _Run:
    """One run in a folder of its own."""

    def __init__(self, folder: Path, receiver: Receiver, seed: int) -> None:
        self._folder, self._receiver = folder, receiver
        self._random, self.result = random.Random(seed), Result()
        self._clock = FastClock(time.time())
        self._truth: dict[str, float] = {}
        self._context = multiprocessing.get_context("forkserver")
        self._write()

    def _write(self) -> None:
        new = self._folder / "truth.new"
        new.write_text(json.dumps(self._truth))
        new.rename(self._folder / "truth")

    def _change(self) -> None:
        name = self._random.choice(SERVICES)
        if name in self._truth:
            del self._truth[name]
        else:
            self._truth[name] = self._clock.now()
        self._receiver.shaky = self._random.random() < 0.3
        self._write()

    def _started(self, steps: int) -> Any:
        given = (str(self._folder), self._receiver.sink.url, self._clock.begun, steps)
        process = self._context.Process(target=child, args=given, daemon=True)
        process.start()
        return process

    def kill(self) -> None:
        """Run a process until it is killed at a step, while alerts come and go."""
        process = self._started(self._random.randint(1, 12))
        late = time.monotonic() + 30
        while process.is_alive():
            self._change()
            process.join(0.15)
            if time.monotonic() > late:
                process.kill()
                raise TimeoutError("the step was never reached")
        if process.exitcode != -signal.SIGKILL:
            raise AssertionError(f"it ended by itself: {process.exitcode}")
        self.result.kills += 1

    def settle(self) -> None:
        """Let a process run until what arrived agrees with what fires."""
        self._receiver.shaky = False
        process = self._started(0)
        try:
            _until(lambda: not self._differences(), 30, self._differences)
        finally:
            process.kill()
            process.join()

    def _differences(self) -> list[str]:
        last = {key: signs[-1] for key, signs in self.signs().items()}
        found = []
        for entry in ENTRIES:
            for name in SERVICES:
                fires, sign = name in self._truth, last.get((entry, name), "-")
                if fires != (sign == "+"):
                    found.append(f"{entry}: {name} fires: {fires}, last message: {sign}")
        return found

    def signs(self) -> dict[tuple[str, str], list[str]]:
        """Return by entry and service what it was told, + or -, each message once; no repeats."""
        found, known = defaultdict[tuple[str, str], list[str]](list), set[str]()
        last = dict[tuple[str, str], float]()
        for got in list(self._receiver.sink.items):
            if (id_ := got.headers["idempotency-key"]) in known:
                continue
            known.add(id_)
            for one in got.body["alerts"]:
                sign = "+" if one["status"] == "firing" else "-"
                key = (got.path[1:], one["labels"]["service"])
                due = (got.at - last.get(key, 0.0)) * SPEED > REPEAT_SECONDS
                if not (found[key][-1:] == ["+"] and sign == "+" and due):
                    found[key].append(sign)
                last[key] = got.at
        return found

    def judge(self) -> None:
        """Count, and look for what must not be."""
        result, items = self.result, self._receiver.sink.items
        ids = [got.headers["idempotency-key"] for got in items]
        result.messages, result.refused = len(items), self._receiver.refused
        result.repeated = len(ids) - len(set(ids))
        for signs in self.signs().values():
            result.doubled += sum(pair == ("+", "+") for pair in pairwise(signs))
        if result.repeated + result.doubled > result.kills * len(ENTRIES):
            result.wrong.append("more was repeated than was under way at the kills")


def _until(true: Callable[[], bool], seconds: float, what: Callable[[], object]) -> None:
    late = time.monotonic() + seconds
    while not true():
        if time.monotonic() > late:
            raise AssertionError(f"it was lost: {what()}")
        time.sleep(0.02)


def totals(kills: int, seed: int) -> Result:
    """Kill *kills* times, some in each folder; return what was counted."""
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    found = Result()
    while found.kills < kills and not found.wrong:
        receiver = Receiver()
        threading.Thread(target=receiver.server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as folder:
            part = _Run(Path(folder), receiver, seed + found.kills)
            for number in range(min(_ROUND, kills - found.kills)):
                part.kill()
                if number % _SETTLED_EVERY == _SETTLED_EVERY - 1:
                    part.settle()
            part.settle()
            part.judge()
        receiver.server.shutdown()
        receiver.server.server_close()
        found.add(part.result)
    return found


def run(kills: int = 100, seed: int = 1) -> dict[str, float]:
    """Return figures of *kills* kills.

    Raises:
        AssertionError: a message was lost, or more was repeated than was under way.
    """
    found = totals(kills, seed)
    assert not found.wrong, found.wrong
    return {
        "times killed": found.kills,
        "messages that arrived": found.messages,
        "of them again, under the same id": found.repeated,
        "alerts told again under another id": found.doubled,
        "tries that were refused": found.refused,
        "messages lost": 0,
    }
