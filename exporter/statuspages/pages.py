"""Polls providers' own status pages with their ETags: every five minutes, every minute if needed.

A page is asked once for all services of its provider. It is needed more often while the probes of
one of them fail, and for a while after its webhook rang.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from exporter.clock import Clock
from exporter.log import event
from exporter.probers import Answer, Request, Transport
from exporter.statuspages.declarations import StatusPage
from exporter.statuspages.freshness import Newest, age_of, health_of, modified_at
from exporter.statuspages.incidents import Reading
from exporter.statuspages.reading import further_path_of, path_of, read_further, read_page
from exporter.statuspages.records import Health, PageRecord
from exporter.statuspages.states import State

_log = logging.getLogger(__name__)
INTERVAL_SECONDS = 300.0
HURRIED_SECONDS = 60.0
"""Between two polls while probes of ours fail."""
RUNG_SECONDS = 600.0
"""For so long after a webhook its page is polled as while probes fail: what it announced may be
hidden by a copy at first."""
LEAST_SECONDS = 15.0
"""Between two polls, however often a webhook rings; copies at Statuspage last for 10 s."""
MAX_PAGE_BYTES = 4 * 1024 * 1024
_SHORT_BYTES = 16 * 1024
"""A longer page is read in a thread: the words of a feed are looked for with backtracking."""


def address_of(page: StatusPage) -> str | None:
    """Return the URL of the data of *page*, or None if the page can only be linked."""
    if page.adapter is None:
        return None
    return page.endpoint or page.url.rstrip("/") + path_of(page.adapter)


def _further_address_of(page: StatusPage) -> str | None:
    """Return the URL of the list of incidents, if that is apart; not beside an own endpoint."""
    path = further_path_of(page.adapter or "")
    return page.url.rstrip("/") + path if path and not page.endpoint else None


class Jobs(Protocol):
    """Runs jobs periodically; implemented by `schedule.polling`."""

    def put(self, name: str, interval: float, job: Callable[[], Awaitable[None]]) -> None:
        """Run *job* every *interval* seconds; a known name keeps its place in time."""

    def hasten(self, name: str, seconds: float) -> None:
        """Run the job *name* next when its last run is *seconds* ago, if that is sooner."""

    def drop(self, name: str) -> None:
        """Stop running the job *name*."""


@dataclass(slots=True)
class _Part:
    """One of the one or two addresses of a page."""

    address: str
    is_list: bool = False
    """Whether it is the list of incidents apart from the state."""
    tag: str = ""
    reading: Reading | None = None
    """What was read when the tag came."""
    modified: Newest = field(default_factory=Newest)
    made: Newest = field(default_factory=Newest)


@dataclass(slots=True)
class _Known:
    """What is kept of a page while it is in use."""

    parts: tuple[_Part, ...]
    record: PageRecord = field(default_factory=PageRecord)
    failing: set[str] = field(default_factory=set)
    """The services whose probes fail."""
    asked_at: float | None = None
    rung_at: float | None = None
    """The tick at which a webhook last rang."""
    pace: float = INTERVAL_SECONDS


class StatusPages:
    """The last state of every status page in use; UNKNOWN until a page has been read.

    Example:

        pages = StatusPages(transport, polling, "exporter/1.0", clock)
        pages.set_pages({page})
    """

    def __init__(self, transport: Transport, polling: Jobs, agent: str, clock: Clock) -> None:
        self._transport, self._polling, self._clock = transport, polling, clock
        self._agent = agent
        self._followers: list[Callable[[StatusPage], None]] = []
        self._known: dict[StatusPage, _Known] = {}

    def subscribe(self, follower: Callable[[StatusPage], None]) -> None:
        """Call *follower* with each page of which something has changed."""
        self._followers.append(follower)

    def set_pages(self, pages: set[StatusPage]) -> None:
        """Poll exactly *pages* from now on."""
        for page in self._known.keys() - pages:
            self._polling.drop(_job_name(page))
            del self._known[page]
        for page in pages - self._known.keys():
            self._known[page] = _Known(_parts_of(page))
            if address_of(page) is not None:
                self._polling.put(_job_name(page), INTERVAL_SECONDS, partial(self.poll, page))

    def state(self, page: StatusPage | None) -> State | None:
        """Return the last state of *page*; None if *page* is None."""
        if page is None:
            return None
        known = self._known.get(page)
        return State.UNKNOWN if known is None else known.record.state

    def record(self, page: StatusPage | None) -> PageRecord | None:
        """Return what is known of *page*; None if it is not in use."""
        known = self._known.get(page) if page is not None else None
        return None if known is None else known.record

    # -- how often ---------------------------------------------------------------------------

    def note(self, page: StatusPage | None, service: str, *, failing: bool) -> None:
        """Note whether the probes of a *service* of *page* fail; while they do it is hurried."""
        known = self._known.get(page) if page is not None else None
        if page is None or known is None or failing == (service in known.failing):
            return
        (known.failing.add if failing else known.failing.discard)(service)
        self._set_pace(page, known)

    def forget(self, service: str) -> None:
        """Note that *service* was removed or changed."""
        for page, known in self._known.items():
            if service in known.failing:
                known.failing.discard(service)
                self._set_pace(page, known)

    def ring(self, page: StatusPage) -> None:
        """Have *page* polled at once: something says that it has changed."""
        known = self._known.get(page)
        if known is None or not known.parts:
            return
        known.rung_at = self._clock.tick()
        self._set_pace(page, known)
        self._polling.hasten(_job_name(page), LEAST_SECONDS)

    def _set_pace(self, page: StatusPage, known: _Known) -> None:
        rung = known.rung_at is not None and self._clock.tick() - known.rung_at < RUNG_SECONDS
        pace = HURRIED_SECONDS if known.failing or rung else INTERVAL_SECONDS
        if pace != known.pace and known.parts:
            known.pace = pace
            self._polling.put(_job_name(page), pace, partial(self.poll, page))
            self._polling.hasten(_job_name(page), pace)

    # -- asking ------------------------------------------------------------------------------

    async def poll(self, page: StatusPage) -> None:
        """Request *page* once and notify the followers if something has changed."""
        known = self._known.get(page)
        if known is None or not known.parts:
            return
        pace, before = known.pace, known.asked_at
        began = known.asked_at = self._clock.now()
        health, age, readings = Health.READABLE, 0.0, list[Reading]()
        for part in known.parts:
            answer = await self._ask(page, part)
            health, reading = await self._read(page, part, answer)
            if reading is None:
                break
            readings.append(reading)
            age = max(age, age_of(answer))
        # While this waited, `set_pages` may have removed the page.
        if self._known.get(page) is not known:
            return
        record, at = known.record, self._clock.now()
        face = _face_of(record)
        if health is Health.READABLE:
            gap = pace if before is None else min(pace, max(0.0, began - before))
            record.take(_merged(readings), at, uncertainty=gap + age, age=age)
        else:
            record.miss(health, at, readings[0].state if readings else State.UNKNOWN)
        self._set_pace(page, known)
        if _face_of(record) != face:
            event(_log, "status page changed", page=page.url, state=record.state, health=health)
            for follower in self._followers:
                follower(page)

    async def _ask(self, page: StatusPage, part: _Part) -> Answer:
        headers = [("User-Agent", self._agent), ("Accept", "application/json, */*;q=0.5")]
        if part.tag:
            headers.append(("If-None-Match", part.tag))
        return await self._transport.fetch(
            Request(
                url=part.address,
                method="GET",
                headers=tuple(headers),
                timeout=10.0,
                max_body=MAX_PAGE_BYTES,
                allow_private=page.allow_private_addresses,
            )
        )

    async def _read(
        self, page: StatusPage, part: _Part, answer: Answer
    ) -> tuple[Health, Reading | None]:
        """Return what *answer* says, None where that cannot be believed, and why."""
        health, kept = health_of(answer), part.reading if part.tag else None
        if health is Health.READABLE and part.modified.is_older(
            modified_at(answer), self._clock.now()
        ):
            health = Health.STALE
        if health is Health.READABLE and answer.status == 304:
            if kept is not None:
                return health, kept
            health = Health.UNREADABLE  # it was not asked for
        part.tag, part.reading = "", None
        if health is not Health.READABLE:
            return health, None
        reader = read_further if part.is_list else read_page
        given = (page.adapter or "", answer.body, page.component_filter, self._clock.now())
        if len(answer.body) <= _SHORT_BYTES:
            reading = reader(*given)
        else:
            reading = await asyncio.to_thread(reader, *given)
        if reading.state is State.UNKNOWN:
            return Health.UNREADABLE, None
        if part.made.is_older(reading.made_at, self._clock.now()):
            return Health.STALE, None
        tag = answer.headers.get("etag", "")
        if 0 < len(tag) <= 128 and tag.isprintable():
            part.tag, part.reading = tag, reading
        return health, reading


def _parts_of(page: StatusPage) -> tuple[_Part, ...]:
    first, further = address_of(page), _further_address_of(page)
    if first is None:
        return ()
    parts = (_Part(first),)
    return parts if further is None else (*parts, _Part(further, is_list=True))


def _merged(readings: list[Reading]) -> Reading:
    """Return the state of the first, with the incidents of all."""
    first, *others = readings
    incidents = {one.id: one for reading in readings for one in reading.incidents}
    if not others:
        return first
    return Reading(
        state=first.state,
        incidents=tuple(incidents.values()),
        made_at=first.made_at,
        matched=first.matched,
    )


def _face_of(record: PageRecord) -> object:
    """Return what followers are told of."""
    return record.state, record.health, record.matched, tuple(record.sightings.values())


def _job_name(page: StatusPage) -> str:
    # With all its fields: two pages of one address may differ in adapter or component_filter.
    return f"status page {page!r}"
