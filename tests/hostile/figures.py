"""Runs the whole table against the exporter and returns what came of it.

    figures = await run_all()
    print(figures.count, figures.wrong, figures.worst_lateness, figures.worst_memory)

Three processes: the hostile servers, the exporter that is attacked, and this one, which has the
well-behaved neighbour and scrapes. Rows run beside each other: what many may cost together is what
one may cost. Those of a round that cost more are run again, at last each alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from exporter.model import MAX_WAIT_SECONDS, Reason, Verdict
from tests.fakes import KEY
from tests.hostile.behaviours import ROWS
from tests.hostile.table import LIMIT_SECONDS, MARK, USUAL_MEMORY, Misdeed
from tests.hostile.watch import Watch
from tests.patience import within
from tests.vendor import Peer, Seen, Vendor, answer

NEIGHBOUR, NEIGHBOUR_SECONDS = "neighbour", 0.05
TOGETHER, ALONE = 2, 5
"""Tries of a row: what a busy machine did to it is over at the next one, and a defect is not."""
FIRST = ("certificate: below 90 authorities", "HTTP/2: an answer", "gzip bomb")
ROOT = Path(__file__).parents[2]
ERROR_SECONDS = 0.05
"""By so much may a duration that was measured beside attackers be wrong, or be measured late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one row cost, in its own units; `faults` says what is not as it has to be."""

    row: Misdeed
    detail: str
    """What the exporter says of it."""
    lateness: float
    memory: float
    lag: float
    error: float
    """Seconds by which a duration of the neighbour was wrong."""
    left: int
    faults: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Figures:
    """The figures of a whole run."""

    rows: dict[str, Figure] = field(default_factory=dict)
    baseline_lag: float = 0.0
    """Seconds for which the loop is held by a well-behaved server."""
    stolen: int = -1
    """Requests to another origin that had the key or our body."""
    redirected: int = 0
    """Requests to another origin at all."""
    pages_elsewhere: int = -1
    """Requests for a status page behind a redirect."""
    log_lines: int = 0
    log_leaks: int = -1
    """Lines of the log with the key, or with a text that a server sent."""

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def wrong(self) -> list[str]:
        """Rows that were not as expected, each with why."""
        return [f"{f.row.name}: {'; '.join(f.faults)}" for f in self.rows.values() if f.faults]

    @property
    def worst_lateness(self) -> float:
        """The longest probe, in time limits."""
        return max(f.lateness for f in self.rows.values())

    @property
    def worst_memory(self) -> float:
        """The most memory that a row cost for a moment, in MiB."""
        return max(f.memory for f in self.rows.values())

    @property
    def worst_lag(self) -> float:
        """Seconds for which a row held the loop, those of a well-behaved server included."""
        return max(f.lag for f in self.rows.values())

    @property
    def worst_error(self) -> float:
        """Seconds by which a duration of the neighbour was wrong at most."""
        return max(f.error for f in self.rows.values())


class Child:
    """A process of this package that answers lines with lines."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self._log = process, log

    async def read(self) -> Any:
        assert self._process.stdout is not None
        line = await within(60, self._process.stdout.readline())
        assert line, f"the process has ended: {self._log.read_text(errors='replace')[-2000:]}"
        return json.loads(line)

    async def ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        await self._process.stdin.drain()
        return await self.read()

    def finish(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


@contextlib.asynccontextmanager
async def child(module: str, log: Path, *arguments: str) -> AsyncIterator[Child]:
    """Run *module* of this package; what it writes to standard error is kept in *log*."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"tests.hostile.{module}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=1 << 24,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    made = Child(process, log)
    try:
        yield made
        made.finish()
        await within(20, process.wait())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def rounds(rows: Iterable[Misdeed]) -> Iterator[list[Misdeed]]:
    """Yield *rows* in the groups that are run beside each other."""

    def kind(row: Misdeed) -> tuple[bool, float, bool]:
        return bool(row.adapter), row.memory, row.reason is Reason.TIMEOUT

    for (_, memory, _), same in groupby(sorted(rows, key=kind), key=kind):
        members = list(same)
        size = 16 if memory == USUAL_MEMORY else 4
        yield from (members[i : i + size] for i in range(0, len(members), size))


class Range:
    """Where the table is run: all processes, the neighbour, and what is known of them."""

    def __init__(self, subject: Child, port: int, known: dict[str, Any], neighbour: Vendor) -> None:
        self._subject, self._port, self._known = subject, port, known
        self._neighbour, self._watch = neighbour, Watch()
        self._took: deque[tuple[float, float]] = deque()
        """When the neighbour was asked, and for how many seconds it let wait."""
        neighbour.on("/", self._answer)

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()

    async def _answer(self, peer: Peer, seen: Seen) -> None:
        """Answer well, and note how long that took: it is what a probe must measure.

        It is noted before it is sent: this process may lose its core to whom it wakes by sending,
        and who has the answer has to find the note.
        """
        asked = time.monotonic()
        await asyncio.sleep(NEIGHBOUR_SECONDS)
        self._took.append((asked, time.monotonic() - asked))
        await answer(body="ok")(peer, seen)

    def _service(self, row: Misdeed) -> dict[str, Any]:
        url = self._known["urls"][row.id]
        check = dict(row.check)
        if url.startswith("https"):
            check["tls"] = {"ca_file": self._known["authority"]} | check.get("tls", {})
        made = {"id": row.id, "base_url": url, "api_key": "${KEY}", "health_check": check}
        if row.adapter:
            page = {"url": url, "endpoint": url, "adapter": row.adapter}
            page["allow_private_addresses"] = True
            made |= {"base_url": self._neighbour.url(), "status_page": page}
        return made

    def _config(self, rows: list[Misdeed]) -> str:
        check = {
            "interval": "1h",
            "timeout": f"{round(LIMIT_SECONDS * 1000)}ms",
            "retries": 0,
            "allow_private_addresses": True,
        }
        neighbour: dict[str, Any] = {
            "id": NEIGHBOUR,
            "base_url": self._neighbour.url(),
            "api_key": "${KEY}",
        }
        neighbour["health_check"] = {"timeout": "8s"}
        services = [neighbour, *map(self._service, rows)]
        return json.dumps({"defaults": {"health_check": check}, "services": services})

    async def play(self, rows: list[Misdeed], *, counts: bool = True) -> dict[str, Any]:
        """Run *rows* beside each other; return what the exporter saw of them, and its pages."""
        self._watch.begin()
        question = {
            "config": self._config(rows),
            "services": [row.id for row in rows],
            "neighbour": NEIGHBOUR,
            "counts": counts,
        }
        seen: dict[str, Any] = await self._subject.ask(question)
        seen["error"] = self._error(seen)
        seen["shown"] = await self._shown()
        seen["metrics"] = await asyncio.to_thread(successes, seen["shown"]["/metrics"])
        return seen

    def _error(self, seen: dict[str, Any]) -> float:
        """Return by how much a duration of the neighbour is wrong, a busy machine apart."""
        worst = 0.0 if seen["neighbours"] else float("inf")
        for probe in seen["neighbours"]:
            ended = probe["ended"]
            waited = probe["waited"] + self._watch.waited(ended - probe["seconds"], ended)
            worst = max(worst, abs(probe["duration"] - self._last_before(ended)) - waited)
        return worst

    def _last_before(self, ended: float) -> float:
        """Return how long the last answer before *ended* took, and forget it; infinite if none."""
        took = float("inf")
        while self._took and self._took[0][0] < ended:
            _, took = self._took.popleft()
        return took

    async def _shown(self) -> dict[str, str]:
        """Return the pages that a hostile text might get to."""
        paths = ("/metrics", "/api/services", "/api/health", "/")
        base, close = f"http://127.0.0.1:{self._port}", {"Connection": "close"}
        async with aiohttp.ClientSession(headers=close) as session:
            found = {}
            for path in paths:
                async with session.get(base + path) as response:
                    found[path] = (await response.read()).decode("utf-8", "surrogateescape")
            return found


def judged(row: Misdeed, seen: dict[str, Any], baseline: float) -> Figure:
    """Return the figure of *row* in a round in which *seen* was seen."""
    mine = seen["rows"].get(row.id)
    limit = 10.0 if row.adapter else LIMIT_SECONDS
    faults = [*_cost(row, seen, baseline), *_pages(row, seen)]
    lateness = float("inf")
    if mine is None or (row.adapter and "state" not in mine):
        faults.append("has not ended")
    else:
        lateness = max(0.0, mine["seconds"] - mine["starved"]) / limit
        got = (mine["reason"], mine["verdict"], mine.get("state", row.state))
        if got != (row.reason, row.verdict, row.state):
            faults.append(f"is {' '.join(got)}: {mine['detail']}")
        if lateness > row.lateness:
            faults.append(f"took {lateness:.2f} time limits")
        faults.extend(_oddities(mine))
    return Figure(
        row=row,
        detail=mine["detail"] if mine else "",
        lateness=lateness,
        memory=seen["memory"],
        lag=seen["lag"],
        error=seen["error"],
        left=seen["left"],
        faults=tuple(faults),
    )


def _oddities(mine: dict[str, Any]) -> Iterator[str]:
    if abs(mine["phases"] - mine["duration"]) > 0.001:
        yield "has phases that are not its duration"
    if not mine["detail"].isprintable():
        yield "has an odd detail"
    if not 0 <= mine["wait"] <= MAX_WAIT_SECONDS:
        yield f"is waited for {mine['wait']} s"


def _cost(row: Misdeed, seen: dict[str, Any], baseline: float) -> Iterator[str]:
    if seen["memory"] > row.memory:
        yield f"took {seen['memory']:.1f} MiB"
    if seen["lag"] > baseline + row.lag:
        yield f"held the loop for {seen['lag']:.3f} s"
    if seen["left"]:
        yield f"left {seen['left']} descriptors open"
    if any(one["verdict"] != Verdict.OK for one in seen["neighbours"]):
        yield "took its neighbour down"
    if seen["error"] > ERROR_SECONDS:
        yield f"falsified its neighbour's duration by {seen['error']:.3f} s"


def _pages(row: Misdeed, seen: dict[str, Any]) -> Iterator[str]:
    for path, page in seen["shown"].items():
        if KEY in page or MARK in page:
            yield f"shows what a server sent, or the key, at {path}"
        if not all(c.isprintable() or c == "\n" for c in page):
            yield f"has an odd character at {path}"
    up = {NEIGHBOUR: 1.0, row.id: float(row.verdict is Verdict.OK)}
    found = seen["metrics"]
    if found is None:
        yield "made /metrics unreadable"
    elif any(found.get(service) != value for service, value in up.items()):
        yield "is not shown at /metrics as it is"


def successes(page: str) -> dict[str, float] | None:
    """Return `probe_success` of each service; None if Prometheus' own parser refuses the *page*."""
    try:
        return {
            sample.labels["service"]: sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == "probe_success"
        }
    except ValueError:
        return None


async def _figures(place: Range, rows: list[Misdeed]) -> Figures:
    figures = Figures()
    # What is made by first probes is not counted: threads, the resolver, buffers.
    await place.play([row for row in ROWS if row.name in FIRST], counts=False)
    quiet = await place.play([])
    figures.baseline_lag = quiet["lag"]
    for members in rounds(rows):
        left = members
        for tried in range(TOGETHER + ALONE):
            # At last each alone: then a fault of one is not that of others as well.
            together = tried < TOGETHER and left
            for group in [left] if together else [[row] for row in left]:
                seen = await place.play(group)
                for row in group:
                    figures.rows[row.id] = judged(row, seen, figures.baseline_lag)
            left = [row for row in left if figures.rows[row.id].faults]
    return figures


async def run_all(rows: Iterable[Misdeed] = ROWS) -> Figures:
    """Run *rows* and return the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "exporter.log"
        async with Vendor() as neighbour, child("servers", folder / "servers.log", name) as servers:
            known = await servers.read()
            async with child("subject", log) as subject:
                port = (await subject.read())["port"]
                async with Range(subject, port, known, neighbour) as place:
                    figures = await _figures(place, list(rows))
            servers.finish()
            seen = await servers.read()
        figures.stolen, figures.redirected = seen["stolen"], seen["redirected"]
        figures.pages_elsewhere = seen["pages"]
        text = log.read_bytes()
        figures.log_lines = text.count(b"\n")
        figures.log_leaks = text.count(KEY.encode()) + text.count(MARK.encode())
        return figures
