"""Polls providers' own status pages: each once in five minutes, with its ETag."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from exporter.log import event
from exporter.probers import Answer, Request, Transport
from exporter.statuspages.declarations import StatusPage
from exporter.statuspages.reading import path_of, read
from exporter.statuspages.states import State

_log = logging.getLogger(__name__)
INTERVAL_SECONDS = 300.0
MAX_PAGE_BYTES = 4 * 1024 * 1024
_SHORT_BYTES = 16 * 1024
"""A longer page is read in a thread: the words of a feed are looked for with backtracking."""


def address_of(page: StatusPage) -> str | None:
    """Return the URL of the data of *page*, or None if the page can only be linked."""
    if page.adapter is None:
        return None
    return page.endpoint or page.url.rstrip("/") + path_of(page.adapter)


class Jobs(Protocol):
    """Runs jobs periodically; implemented by `schedule.polling`."""

    def put(self, name: str, interval: float, job: Callable[[], Awaitable[None]]) -> None:
        """Run *job* every *interval* seconds."""

    def drop(self, name: str) -> None:
        """Stop running the job *name*."""


class StatusPages:
    """The last state of every status page in use; UNKNOWN until a page has been read.

    Example:

        pages = StatusPages(transport, polling, agent="exporter/1.0")
        pages.set_pages({page})
    """

    def __init__(
        self, transport: Transport, polling: Jobs, agent: str, *, allow_private: bool = False
    ) -> None:
        self._transport, self._polling = transport, polling
        self._agent, self._allow_private = agent, allow_private
        self._followers: list[Callable[[StatusPage], None]] = []
        self._states: dict[StatusPage, State] = {}
        self._etags: dict[StatusPage, str] = {}

    def subscribe(self, follower: Callable[[StatusPage], None]) -> None:
        """Call *follower* with each page whose state has changed."""
        self._followers.append(follower)

    def set_pages(self, pages: set[StatusPage]) -> None:
        """Poll exactly *pages* from now on."""
        for page in self._states.keys() - pages:
            self._polling.drop(_job_name(page))
            self._states.pop(page)
            self._etags.pop(page, None)
        for page in pages - self._states.keys():
            self._states[page] = State.UNKNOWN
            if address_of(page) is not None:
                self._polling.put(_job_name(page), INTERVAL_SECONDS, partial(self.poll, page))

    def state(self, page: StatusPage | None) -> State | None:
        """Return the last state of *page*; None if *page* is None."""
        return None if page is None else self._states.get(page, State.UNKNOWN)

    async def poll(self, page: StatusPage) -> None:
        """Request *page* once and notify the followers if its state has changed."""
        address = address_of(page)
        if address is None:
            return
        headers = [("User-Agent", self._agent), ("Accept", "application/json, */*;q=0.5")]
        if tag := self._etags.get(page):
            headers.append(("If-None-Match", tag))
        request = Request(
            url=address,
            method="GET",
            headers=tuple(headers),
            timeout=10.0,
            max_body=MAX_PAGE_BYTES,
            allow_private=self._allow_private,
        )
        answer = await self._transport.fetch(request)
        if answer.failure is None and answer.status == 304 and tag:
            return
        state = await self._read(page, answer)
        # While this waited, `set_pages` may have removed the page: then there is no state.
        before = self._states.get(page)
        if before is None or state is before:
            return
        self._states[page] = state
        event(_log, "status page changed", page=page.url, state=state)
        for follower in self._followers:
            follower(page)

    async def _read(self, page: StatusPage, answer: Answer) -> State:
        self._etags.pop(page, None)
        if answer.failure is not None or answer.status != 200 or answer.truncated:
            return State.UNKNOWN
        given = (page.adapter or "", answer.body, page.component_filter)
        if len(answer.body) <= _SHORT_BYTES:
            state = read(*given)
        else:
            state = await asyncio.to_thread(read, *given)
        tag = answer.headers.get("etag", "")
        readable = state is not State.UNKNOWN and page in self._states
        if readable and 0 < len(tag) <= 128 and tag.isprintable():
            self._etags[page] = tag
        return state


def _job_name(page: StatusPage) -> str:
    # With all its fields: two pages of one address may differ in adapter or component_filter.
    return f"status page {page!r}"
