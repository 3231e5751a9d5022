"""Results as Prometheus text, rendered soon after a result comes in and only joined when scraped.

A naive exposition of 10,000 services blocks the loop for seconds, and a 50 ms target then reads
2 s. Here each service's lines of each family are kept as bytes; a scrape joins them in slices
and lets the loop run between two slices. Removing a service removes its lines: nothing is stale.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.config import Target
from exporter.metrics.family import When
from exporter.metrics.incidents import IncidentMetrics
from exporter.metrics.kept import each, length, packed, shared, written
from exporter.metrics.lines import (
    PageNews,
    Registered,
    ServiceState,
    Snapshot,
    state_of,
    with_examples,
)
from exporter.metrics.models import model_page
from exporter.metrics.own import OwnMetrics
from exporter.metrics.rhythm import Rhythm
from exporter.metrics.selection import families
from exporter.metrics.starts import LONG_AGO, page_with_starts, with_starts
from exporter.models import ModelState
from exporter.registry import RegistryChange
from exporter.results import Exemplar, Results, status_of
from exporter.statuspages import State
from exporter.textformat import head, labelled

_log = logging.getLogger(__name__)
SLICE_BYTES = 32 * 1024
"""Joined at once: some hundredths of a millisecond."""
SLICE_SECONDS = 0.001
"""Spent on a page before the loop runs again. Each such turn is as long as what waits for the loop
takes: a page in a hundred turns would come after seconds when many clients are served."""
CHUNK_BYTES = 512 * 1024
"""Compressed at once, in a thread."""
PLAIN_CHUNK_BYTES = 64 * 1024
"""Sent at once if not compressed; a client that does not read it leaves so much in memory."""
SLICE_RENDERED = 4
"""Services that are rendered before the loop runs again: a third of a millisecond, if all of their
lines are."""
LOAD = 250
"""Services whose lines are all rendered between two calls of who follows that."""
RENDER_SECONDS = 2.0
"""So long before a page is due what has changed is rendered: it finds little left. Many services at
once cost half of what each costs by itself, and a result that another one follows costs nothing."""
_Lines = Mapping[int, bytes] | Sequence[bytes]


@dataclass(slots=True)
class _Row:
    """The lines of one service, by the index of their family, as they are `kept`."""

    labels: bytes
    """The three that every line of the service has, without braces."""
    lines: list[bytes]
    marked: dict[int, bytes] | None = None
    """Those with exemplars instead, for OpenMetrics; most services have none."""
    state: ServiceState | None = None
    """None until every line is rendered."""
    status: str = ""


class Exposition:
    """The lines of every service, family by family."""

    def __init__(
        self,
        results: Results,
        own: OwnMetrics,
        incidents: IncidentMetrics,
        *,
        lean: bool = False,
        compact: bool = False,
        page: Callable[[Target], State | None] = lambda target: None,
        news: Callable[[Target], PageNews] = lambda target: PageNews(),
        rotated_at: Callable[[str], float | None] = lambda service: None,
        models: Iterable[ModelState] = (),
        began: float = LONG_AGO,
    ) -> None:
        """*page* and *news* return what the status page says, *rotated_at* when the key was.

        At the Unix time *began* every counter was 0.
        """
        self._results, self._own, self._incidents = results, own, incidents
        self._page, self._news, self._rotated_at = page, news, rotated_at
        self._families = families(lean=lean, compact=compact)
        numbered = tuple(enumerate(self._families))
        self._all = range(len(self._families))
        self._often = tuple(i for i, family in numbered if family.when is When.RESULT)
        self._changing = tuple(i for i, family in numbered if family.when is not When.TARGET)
        self._models, self._began = models, began
        self._rows: dict[str, _Row] = {}
        self._maintenance: set[str] = set()
        self._changed: dict[str, Target] = {}
        self._rhythm = Rhythm()
        self._loaded = 0
        self._listeners: list[Callable[[], None]] = []
        self.statuses: Counter[str] = Counter()
        """How many services are in which state; counted as they are rendered."""

    # -- keeping the lines -------------------------------------------------------------------

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call *listener* each time the lines of `LOAD` further services are in memory."""
        self._listeners.append(listener)

    def put(self, target: Target) -> None:
        """Have every line of *target*, a new or changed one, rendered by the next page."""
        labels = labelled(
            service=target.id, environment=target.environment, provider=target.provider
        ).encode()
        row = self._rows.setdefault(target.id, _Row(labels, [b""] * len(self._families)))
        row.labels, row.state = labels, None
        self._changed[target.id] = target

    def refresh(self, target: Target) -> None:
        """Have the lines of *target* that its newest result changes rendered by the next page."""
        if target.id in self._rows:
            self._changed[target.id] = target

    async def run(self, clock: Clock) -> None:
        """Render what has changed before each page that is to be expected, until cancelled."""
        while True:
            await clock.sleep(RENDER_SECONDS)
            if self._rhythm.expects_one():
                await self.settle()

    async def settle(self) -> None:
        """Render what has changed; the loop runs in between."""
        while self._changed:
            for _ in range(min(SLICE_RENDERED, len(self._changed))):
                service, target = self._changed.popitem()
                try:
                    self._refresh(target)
                except Exception:
                    self._own.render_errors.inc()
                    _log.exception("bug in rendering %s", service)
            await asyncio.sleep(0)

    def _refresh(self, target: Target) -> None:
        row = self._rows[target.id]
        snapshot = self._snapshot(target)
        if row.state is None:
            self._render(row, self._all, snapshot)
            self._loaded += 1
            if not self._loaded % LOAD:
                for listener in self._listeners:
                    listener()
        else:
            same = snapshot.state == row.state
            self._render(row, self._often if same else self._changing, snapshot)

    def follow(self, change: RegistryChange) -> None:
        """Have what was added or changed rendered; forget the lines of what was removed."""
        for target in change.removed:
            self.drop(target.id)
        for target in change.current:
            if not target.maintenance:  # the window that was open may have been taken out
                self._maintenance.discard(target.id)
            self.put(target)

    def drop(self, service: str) -> None:
        """Forget every line of *service*."""
        row = self._rows.pop(service, None)
        self._changed.pop(service, None)
        if row is not None and row.status:
            self.statuses[row.status] -= 1
        self._maintenance.discard(service)

    def set_maintenance(self, target: Target, active: bool) -> None:
        """Note whether a window of *target* is open and render it if that is new."""
        if active != (target.id in self._maintenance):
            (self._maintenance.add if active else self._maintenance.discard)(target.id)
            self.refresh(target)

    def _snapshot(self, target: Target) -> Snapshot:
        tally, maintenance = self._results.of(target.id), target.id in self._maintenance
        return Snapshot(
            Registered(target, self._rotated_at(target.id)),
            state_of(
                target,
                tally,
                self._page(target),
                news=self._news(target),
                maintenance=maintenance,
            ),
            tally,
        )

    def _render(self, row: _Row, indexes: Iterable[int], snapshot: Snapshot) -> None:
        self._count(row, snapshot)
        row.state = snapshot.state
        for i in indexes:
            family = self._families[i]
            try:
                text = family.render(snapshot)
                lines = packed(text)
                row.lines[i] = lines if family.when is When.RESULT else shared(lines)
                if family.exemplars and (row.marked or snapshot.tally.exemplars):
                    _mark(row, i, text, family.exemplars(snapshot.tally))
            except Exception:
                row.lines[i] = b""
                self._own.render_errors.inc()
                _log.exception("bug in the renderer of %s", family.name)

    def _count(self, row: _Row, snapshot: Snapshot) -> None:
        target = snapshot.registered.target
        status = str(status_of(target, snapshot.tally)) if target.enabled else "disabled"
        if status != row.status:
            if row.status:
                self.statuses[row.status] -= 1
            self.statuses[status] += 1
            row.status = status

    # -- the page ----------------------------------------------------------------------------

    async def chunks(
        self,
        *,
        openmetrics: bool = False,
        starts: bool = False,
        chunk_bytes: int = PLAIN_CHUNK_BYTES,
    ) -> AsyncIterator[bytes]:
        """Yield the page, about *chunk_bytes* at a time; the loop runs between two slices.

        *starts* is for a client that looks for start times in OpenMetrics; see `starts`.
        """
        self._rhythm.note()
        await self.settle()
        loop = asyncio.get_running_loop()
        pending: list[bytes] = []
        size, turn = 0, loop.time()
        for piece in self._pieces(openmetrics, starts):
            pending.append(piece)
            size += len(piece)
            if size >= chunk_bytes:
                yield b"".join(pending)
                pending, size = [], 0
            if loop.time() - turn >= SLICE_SECONDS:
                await asyncio.sleep(0)
                turn = loop.time()
        for rest in (
            self._incidents.page(openmetrics=openmetrics),
            model_page(self._models, openmetrics=openmetrics),
        ):
            pending.append(page_with_starts(rest, self._began) if starts else rest)
        pending.append(self._own.page(openmetrics=openmetrics))
        yield b"".join(pending)

    async def compressed(
        self, *, openmetrics: bool = False, starts: bool = False
    ) -> AsyncIterator[bytes]:
        """Yield the page as gzip; large chunks are compressed in a thread, outside the GIL."""
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        chunks = self.chunks(openmetrics=openmetrics, starts=starts, chunk_bytes=CHUNK_BYTES)
        async for chunk in chunks:
            if len(chunk) < CHUNK_BYTES // 8:
                packed = packer.compress(chunk)
            else:
                packed = await asyncio.to_thread(packer.compress, chunk)
            del chunk  # or it would stay in memory until the client has read what follows
            if packed:
                yield packed
        yield packer.flush()

    def _pieces(self, openmetrics: bool, starts: bool) -> Iterator[bytes]:
        plain: list[_Lines] = [row.lines for row in self._rows.values()]
        labels = [row.labels for row in self._rows.values()]
        for i, family in enumerate(self._families):
            rows = plain
            if openmetrics and family.exemplars:
                rows = [_marked(row, i) for row in self._rows.values()]
            first = head(family.name, family.kind, family.help, openmetrics=openmetrics).encode()
            step = _step(rows, labels, i)
            for at in range(0, len(rows), step):
                kept, own = [row[i] for row in rows[at : at + step]], labels[at : at + step]
                if starts and family.kind != "gauge":
                    lines = b"".join(with_starts(each(kept, own), self._began))
                else:
                    lines = written(kept, own)
                if lines:
                    yield first + lines if first else lines
                    first = b""


def _mark(row: _Row, family: int, text: str, examples: dict[str, Exemplar]) -> None:
    """Keep the lines of *family* with their exemplars, where there are any."""
    marked = {i: lines for i, lines in (row.marked or {}).items() if i != family}
    shown = with_examples(text, examples)
    if shown != text:
        marked[family] = packed(shown)
    row.marked = marked or None


def _marked(row: _Row, family: int) -> _Lines:
    return row.marked if row.marked and family in row.marked else row.lines


def _step(rows: Sequence[_Lines], labels: Sequence[bytes], family: int) -> int:
    """Return of how many services the lines of *family* make one slice."""
    first = zip(rows[:16], labels, strict=False)
    longest = max((length(row[family], own) for row, own in first), default=0)
    return max(16, min(1024, SLICE_BYTES // (longest + 1)))
