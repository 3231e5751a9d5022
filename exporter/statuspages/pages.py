"""Providers' own status pages, asked politely: each once in five minutes, with its ETag."""

from __future__ import annotations

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
INTERVAL = 300.0
MAX_PAGE = 4 * 1024 * 1024


def address_of(page: StatusPage) -> str | None:
    """Return where the data of *page* is, or None if it can only be linked."""
    if page.adapter is None:
        return None
    return page.endpoint or page.url.rstrip("/") + path_of(page.adapter)


class Jobs(Protocol):
    """Who runs a job again and again; implemented by `schedule.polling`."""

    def put(self, name: str, interval: float, job: Callable[[], Awaitable[None]]) -> None:
        """Run *job* every *interval* seconds."""

    def drop(self, name: str) -> None:
        """Run it no more."""


class StatusPages:
    """The last word of every status page in use; UNKNOWN until it was read."""

    def __init__(
        self, transport: Transport, polling: Jobs, agent: str, *, allow_private: bool = False
    ) -> None:
        self._transport, self._polling = transport, polling
        self._agent, self._allow_private = agent, allow_private
        self._followers: list[Callable[[StatusPage], None]] = []
        self._states: dict[StatusPage, State] = {}
        self._tags: dict[StatusPage, str] = {}

    def subscribe(self, follower: Callable[[StatusPage], None]) -> None:
        """Call *follower* with every page that says something new."""
        self._followers.append(follower)

    def set_pages(self, pages: set[StatusPage]) -> None:
        """Poll exactly *pages* from now on."""
        for page in self._states.keys() - pages:
            self._polling.drop(_job(page))
            self._states.pop(page)
            self._tags.pop(page, None)
        for page in pages - self._states.keys():
            self._states[page] = State.UNKNOWN
            if address_of(page) is not None:
                self._polling.put(_job(page), INTERVAL, partial(self.poll, page))

    def state(self, page: StatusPage | None) -> State | None:
        """Return what *page* said last; None where there is no page."""
        return None if page is None else self._states.get(page, State.UNKNOWN)

    async def poll(self, page: StatusPage) -> None:
        """Ask *page* once."""
        address = address_of(page)
        if address is None:
            return
        headers = [("User-Agent", self._agent), ("Accept", "application/json, */*;q=0.5")]
        if tag := self._tags.get(page):
            headers.append(("If-None-Match", tag))
        request = Request(
            url=address,
            method="GET",
            headers=tuple(headers),
            timeout=10.0,
            max_body=MAX_PAGE,
            allow_private=self._allow_private,
        )
        answer = await self._transport.fetch(request)
        before = self._states.get(page)
        if before is None or (answer.failure is None and answer.status == 304 and tag):
            return
        state = self._read(page, answer)
        if state is before:
            return
        self._states[page] = state
        event(_log, "status page changed", page=page.url, state=state)
        for follower in self._followers:
            follower(page)

    def _read(self, page: StatusPage, answer: Answer) -> State:
        self._tags.pop(page, None)
        if answer.failure is not None or answer.status != 200 or answer.truncated:
            return State.UNKNOWN
        state = read(page.adapter or "", answer.body, page.component_filter)
        tag = answer.headers.get("etag", "")
        if state is not State.UNKNOWN and 0 < len(tag) <= 128 and tag.isprintable():
            self._tags[page] = tag
        return state


def _job(page: StatusPage) -> str:
    # All its fields: pages of one address may be read in different ways.
    return f"status page {page!r}"
