"""Results as Prometheus text, rendered soon after a result comes in and only joined when scraped.

A naive exposition of 10,000 services blocks the loop for seconds, and a 50 ms target then reads
2 s. Here each service's lines of each family are kept as bytes, but for the longest ones; a scrape
makes those and joins all in slices, and lets the loop run between two slices. What equal services
have in common is rendered and kept once. Removing a service removes its lines: nothing is stale.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.config import Target
from exporter.metrics.family import Family, When
from exporter.metrics.incidents import IncidentMetrics
from exporter.metrics.kept import each, length, packed, shared, unpacked, written
from exporter.metrics.lines import (
    PageNews,
    ServiceState,
    Snapshot,
    Terms,
    state_of,
    terms_of,
    with_examples,
)
from exporter.metrics.models import model_pieces
from exporter.metrics.own import OwnMetrics
from exporter.metrics.rhythm import Rhythm
from exporter.metrics.selection import families
from exporter.metrics.starts import LONG_AGO, with_starts
from exporter.models import ModelState
from exporter.registry import RegistryChange
from exporter.results import Results, status_of
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
PLAIN_CHUNK_BYTES = 32 * 1024
"""Sent at once if not compressed; a client that does not read it leaves so much in memory."""
SLICE_RENDERED = 4
"""Services that are rendered before the loop runs again: a third of a millisecond, if all of their
lines are."""
LOAD = 250
"""Services whose lines are all rendered between two calls of who follows that."""
SLICE_MADE = 32
"""Services whose lines of a PAGE family make one slice: a third of a millisecond."""
STATES = 512
"""States whose lines are kept for further services."""
RENDER_SECONDS = 2.0
"""So long before a page is due what has changed is rendered: it finds little left. Many services at
once cost half of what each costs by itself, and a result that another one follows costs nothing."""


@dataclass(slots=True)
class _Row:
    """The lines of one service as they are `kept`, by the place of their family among its like."""

    labels: bytes
    """The three that every line of the service has, without braces."""
    terms: Terms
    own: list[bytes]
    """Of the TARGET and RESULT families."""
    common: Sequence[bytes]
    """Of the STATE families: one object for all services in the same state."""
    snapshot: Snapshot | None = None
    """What they were made from; None until every line is."""
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
        self._common = tuple(f for f in self._families if f.when is When.STATE)
        self._own_lines = tuple(f for f in self._families if f.when in (When.TARGET, When.RESULT))
        self._blank = (b"",) * len(self._common)
        self._states: dict[ServiceState, tuple[ServiceState, Sequence[bytes]]] = {}
        self._models, self._began = models, began
        self._rows: dict[str, _Row] = {}
        self._maintenance: set[str] = set()
        self._changed: OrderedDict[str, Target] = OrderedDict()
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
        terms = terms_of(target)
        blank = _Row(labels, terms, [b""] * len(self._own_lines), self._blank)
        row = self._rows.setdefault(target.id, blank)
        row.labels, row.terms, row.snapshot = labels, terms, None
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
        """Render what has changed until now; the loop runs in between.

        What changes meanwhile is left to the next page: where results come in faster than they
        are rendered, a page that waited for the last of them would never come.
        """
        left = len(self._changed)
        while left and self._changed:
            turn = min(SLICE_RENDERED, left, len(self._changed))
            left -= turn
            for _ in range(turn):
                service, target = self._changed.popitem(last=False)
                try:
                    self._refresh(target)
                except Exception:
                    self._own.render_errors.inc()
                    _log.exception("bug in rendering %s", service)
            await asyncio.sleep(0)

    def _refresh(self, target: Target) -> None:
        row = self._rows[target.id]
        before, snapshot = row.snapshot, self._snapshot(target, row.terms)
        self._count(row, snapshot)
        if before is None or before.state != snapshot.state:
            snapshot.state, row.common = self._of_state(snapshot)
        else:
            snapshot.state = before.state
        row.snapshot = snapshot
        for i, family in enumerate(self._own_lines):
            if before is None or family.when is not When.TARGET:
                row.own[i] = self._lines(family, snapshot)
        if before is None:
            self._loaded += 1
            if not self._loaded % LOAD:
                for listener in self._listeners:
                    listener()

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

    def _snapshot(self, target: Target, terms: Terms) -> Snapshot:
        tally, maintenance = self._results.of(target.id), target.id in self._maintenance
        return Snapshot(
            target,
            state_of(
                target,
                tally,
                self._page(target),
                terms=terms,
                rotated_at=self._rotated_at(target.id),
                news=self._news(target),
                maintenance=maintenance,
            ),
            tally,
        )

    def _of_state(self, snapshot: Snapshot) -> tuple[ServiceState, Sequence[bytes]]:
        """Return the one object of all states that equal that of *snapshot*, and its lines."""
        found = self._states.get(snapshot.state)
        if found is None:
            if len(self._states) >= STATES:
                self._states.clear()
            lines = tuple(shared(self._lines(family, snapshot)) for family in self._common)
            found = self._states[snapshot.state] = (snapshot.state, lines)
        return found

    def _lines(self, family: Family, snapshot: Snapshot, *, examples: bool = False) -> bytes:
        """Return the lines of *family*; with *examples* those that have exemplars show them."""
        try:
            lines = family.render(snapshot)
            if examples and family.exemplars and snapshot.tally.exemplars:
                found = family.exemplars(snapshot.tally)
                lines = packed(with_examples(unpacked(lines), found))
            return lines
        except Exception:
            self._own.render_errors.inc()
            _log.exception("bug in the renderer of %s", family.name)
            return b""

    def _count(self, row: _Row, snapshot: Snapshot) -> None:
        target = snapshot.target
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
            del piece
            if size >= chunk_bytes:
                size = 0
                yield _taken(pending)
            if loop.time() - turn >= SLICE_SECONDS:
                await asyncio.sleep(0)
                turn = loop.time()
        yield _taken(pending)

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
        """Yield all families in pieces; each is made in about as long as the loop may wait."""
        began = self._began if starts else None
        yield from self._of_services(openmetrics, starts)
        yield from self._incidents.pieces(openmetrics=openmetrics, began=began)
        yield from model_pieces(self._models, openmetrics=openmetrics, began=began)
        yield from self._own.pieces(openmetrics=openmetrics)

    def _of_services(self, openmetrics: bool, starts: bool) -> Iterator[bytes]:
        rows = tuple(self._rows.values())
        labels = [row.labels for row in rows]
        parts = {When.STATE: ([row.common for row in rows], self._common)}
        own = ([row.own for row in rows], self._own_lines)
        for family in self._families:
            if family.when is When.PAGE:
                slices = self._made(family, [row.snapshot for row in rows], openmetrics)
            else:
                lines, families = parts.get(family.when, own)
                slices = _slices(lines, labels, families.index(family))
            first = head(family.name, family.kind, family.help, openmetrics=openmetrics).encode()
            at = 0
            for kept in slices:
                mine = labels[at : at + len(kept)]
                at += len(kept)
                if not any(kept):
                    continue
                if starts and family.kind != "gauge":
                    yield first + b"".join(with_starts(each(kept, mine), self._began))
                else:
                    yield first + written(kept, mine)
                first = b""

    def _made(
        self, family: Family, sources: Sequence[Snapshot | None], openmetrics: bool
    ) -> Iterator[list[bytes]]:
        """Yield the lines of *family*, one of those that each page makes, some services at once."""
        for at in range(0, len(sources), SLICE_MADE):
            yield [
                self._lines(family, source, examples=openmetrics) if source else b""
                for source in sources[at : at + SLICE_MADE]
            ]


def _taken(pieces: list[bytes]) -> bytes:
    """Return *pieces* as one, and empty their list.

    Whoever yields that keeps no copy of it: a client that does not read would leave two in memory.
    """
    joined = b"".join(pieces)
    pieces.clear()
    return joined


def _slices(
    rows: Sequence[Sequence[bytes]], labels: Sequence[bytes], family: int
) -> Iterator[list[bytes]]:
    """Yield the lines of *family*, of so many services at once that they make one slice."""
    first = zip(rows[:16], labels, strict=False)
    longest = max((length(row[family], own) for row, own in first), default=0)
    step = max(16, min(1024, SLICE_BYTES // (longest + 1)))
    for at in range(0, len(rows), step):
        yield [row[family] for row in rows[at : at + step]]
