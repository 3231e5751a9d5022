"""An event loop that is held: reported with its place; the process can be ended all the same."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from exporter.metrics import OwnMetrics
from exporter.serving import Watchdog
from tests.patience import patient

SENTINEL = "sk-SENTINEL-q7W9xZ2mK4vT8nB1"


class Stalls:
    """Counts what a watchdog of 0.2 s reports; `hold` holds the loop until it does."""

    def __init__(self) -> None:
        self.count = 0
        self.reported = threading.Event()
        self.watchdog = Watchdog(self.add, stall_seconds=0.2)

    def add(self) -> None:
        self.count += 1
        self.reported.set()

    def hold(self, api_key: str = SENTINEL) -> None:
        self.reported.clear()
        assert self.reported.wait(30), "no stall was reported"
        assert api_key


@contextlib.asynccontextmanager
async def watched(stalls: Stalls) -> AsyncIterator[None]:
    watching = asyncio.create_task(stalls.watchdog.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        watching.cancel()


async def said(caplog: pytest.LogCaptureFixture, words: str, count: int) -> None:
    async with patient(30):
        while sum(words in record.message for record in caplog.records) < count:
            await asyncio.sleep(0.01)


async def test_a_held_loop_is_reported_once_with_its_place_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    stalls = Stalls()

    async with watched(stalls):
        stalls.hold()
        await said(caplog, "the event loop is held", 1)
        await said(caplog, "the event loop runs again", 1)
        stalls.hold()
        await said(caplog, "the event loop runs again", 2)

    assert stalls.count == 2
    held = [record for record in caplog.records if "is held" in record.message]
    assert len(held) == 2
    fields = held[0].__dict__["fields"]
    assert "test_watchdog.py" in fields["stack"]
    assert " hold > " in fields["stack"]
    assert fields["seconds"] >= 0.2
    assert SENTINEL not in str([record.__dict__ for record in caplog.records])


async def test_a_stall_that_lasts_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    stalls = Stalls()

    async with watched(stalls):
        stalls.hold()
        stalls.reported.clear()
        assert not stalls.reported.wait(1.0)  # five times as long as a stall must last

    assert stalls.count == 1


async def test_a_loop_that_runs_is_not_reported() -> None:
    stalls = Stalls()

    async with watched(stalls):
        begun = stalls.watchdog.beat_at
        async with patient(30):
            while stalls.watchdog.beat_at < begun + 1.0:
                await asyncio.sleep(0.01)
        threads = [thread.name for thread in threading.enumerate()]

    assert stalls.count == 0
    assert "watchdog" in threads
    async with patient(30):  # its thread ends with it
        while "watchdog" in [thread.name for thread in threading.enumerate()]:
            await asyncio.sleep(0.01)


def test_a_stall_is_counted_from_zero() -> None:
    own = OwnMetrics("1")
    assert b"exporter_event_loop_stalls_total 0.0" in own.page(openmetrics=False)

    own.loop_stalls.inc()

    assert b"exporter_event_loop_stalls_total 1.0" in own.page(openmetrics=False)


_SERVE = """
import asyncio, functools, logging, sys, threading
from pathlib import Path
from exporter.app import App, Options
from exporter.cli import serving
from exporter.config import read_files
from exporter.log import configure
from exporter.serving import Watchdog, stop_on_signals

path, hold, grace = sys.argv[1:]
redaction = configure()
options = Options(source=lambda: read_files([Path(path)], {}), environment={}, port=0)
app = App(options, redaction=redaction)
app.watchdog = Watchdog(app.own.loop_stalls.inc, stall_seconds=0.3)
serving.stop_on_signals = functools.partial(stop_on_signals, grace_seconds=float(grace))

def say(word):
    print(word, flush=True)

def hold_loop():
    say("held")
    if hold == "in Python":
        while True:
            pass
    if hold == "in C":
        threading.Event().wait()
    if hold == "with the log":
        logging.getLogger().handlers[0].acquire()
        threading.Event().wait()
    if hold == "for a while":
        while not app.own.loop_stalls._value.get():
            pass

def started(app):
    if hold == "at the end":
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
        say("held")
    elif hold == "never":
        say("held")
    else:
        asyncio.get_running_loop().call_later(0.1, hold_loop)

with asyncio.Runner(loop_factory=serving.loop_factory()) as runner:
    runner.run(serving.serve(app, started))
say("ended")
"""


@contextlib.contextmanager
def serving(tmp_path: Path, hold: str, grace: float) -> Iterator[subprocess.Popen[str]]:
    """Run a real exporter whose loop is held in the way of *hold*; yield it once it is."""
    config = tmp_path / "services.yaml"
    config.write_text(
        "services: [{id: a, base_url: http://127.0.0.1:1, provider: custom, "
        f"api_key: {SENTINEL}, health_check: {{enabled: false}}}}]\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(config), hold, str(grace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str], words: str) -> Iterator[str]:
    """Yield the lines of the log that hold *words*, as they come."""
    assert process.stderr is not None
    return (line for line in process.stderr if words in line)


@pytest.mark.parametrize("hold", ["in Python", "in C", "with the log", "at the end"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_held_process_ends_after_its_grace(
    tmp_path: Path, hold: str, number: signal.Signals
) -> None:
    with serving(tmp_path, hold, 1.0) as process:
        process.send_signal(number)
        code = process.wait(30)
        assert process.stderr is not None
        log = process.stderr.read()

    assert code == 128 + number
    assert SENTINEL not in log
    if hold != "with the log":
        assert "the process ends without it" in log


@pytest.mark.parametrize("hold", ["in Python", "in C", "with the log"])
def test_a_second_signal_ends_a_held_process_at_once(tmp_path: Path, hold: str) -> None:
    with serving(tmp_path, hold, 1e6) as process:
        code = None
        for _ in range(100):  # those of the first second are one wish
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(0.25)
                break

    assert code == 128 + signal.SIGTERM


def test_two_signals_at_once_are_one(tmp_path: Path) -> None:
    with serving(tmp_path, "never", 1e6) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "ended\n"


def test_a_stall_is_in_the_log_with_its_place(tmp_path: Path) -> None:
    with serving(tmp_path, "for a while", 1e6) as process:
        held = next(lines(process, "the event loop is held"))
        after = next(lines(process, "runs again"))
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
        assert "hold_loop" in held
        assert "level=error" in held
        assert SENTINEL not in held + after
