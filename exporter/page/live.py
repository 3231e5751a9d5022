"""The open pages: each view is drawn once for all its viewers, who are sent what changed.

The updates let other tasks run after each millisecond of work and take at most a twentieth of the
event loop's time: with more services or views the pages become slower, not the probes. A viewer
that does not keep up is disconnected; its browser reconnects and gets the whole page, so that no
queue grows beyond `MAX_QUEUED_EVENTS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.page.assets import assets_by_served_name, path_of, version
from exporter.page.board import MAX_LOOP_SHARE, LoopShare, Sources
from exporter.page.drawer import Drawer, Page, PageNotFoundError, PageView
from exporter.page.templates import environment

_log = logging.getLogger(__name__)
_MIN_PAUSE_SECONDS = 1.0
"""The shortest wait between two updates of the open pages."""
_HEARTBEAT_SECONDS = 10.0
"""Time between two heartbeats; after 2.5 times that without an event the script says "Old"."""
MAX_QUEUED_EVENTS = 8
"""Events that may wait for one viewer."""
_VIEWERS_PER_SLICE = 16
"""Viewers that an event is queued for before other tasks get to run."""
_IDLE_SECONDS = 60.0
"""Time without a request or a viewer after which everything cached is dropped."""
_KEYS = (("title", "title"), ("said", "announcement"), ("rows", "rows"), ("groups", "groups"))
"""The fields of an event as page.js reads them, with those of a `Page`."""
_RECONNECT_MS = 2000
"""How long a browser waits before it reconnects."""


class ViewerRefusedError(Exception):
    """There are as many viewers as are allowed, or the process is ending."""


class Viewer:
    """One open page: its connection, and the events to write to it. None ends the stream."""

    def __init__(self, disconnect: Callable[[], None], is_disconnected: Callable[[], bool]) -> None:
        self.events: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED_EVENTS)
        self.disconnect, self.is_disconnected = disconnect, is_disconnected


def _compile() -> None:
    environment(), assets_by_served_name()


@dataclass(slots=True)
class _OpenView:
    """A view with its viewers and the page that they were sent last."""

    viewers: set[Viewer] = field(default_factory=set)
    entering: int = 0
    """Viewers that wait for their first page."""
    sent: Page | None = None


class Live:
    """Draws pages for requests, and keeps the open ones up to date."""

    def __init__(self, sources: Sources) -> None:
        self._compiling: asyncio.Task[object] | None = None
        self.sources = sources
        self.drawer = Drawer(sources)
        self._open_views: dict[PageView, _OpenView] = {}
        self._drawing = asyncio.Lock()
        self._last_event_id = 0
        self._closed = False
        self._last_use = sources.clock.tick()

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return sum(len(view.viewers) + view.entering for view in self._open_views.values())

    async def prepare(self) -> None:
        """Compile what pages need, if there are to be any: to be awaited before the first probe.

        It holds the interpreter for up to a tenth of a second at a time, from any thread: beside
        probes, one in a hundred of the first ten seconds was measured 15 to 100 ms late.
        """
        if self.sources.enabled():
            with contextlib.suppress(MemoryError, RuntimeError):  # the first view does it then
                await self.compiled()

    async def compiled(self) -> None:
        """Wait until templates and assets are read, in a thread: the loop serves others."""
        if self._compiling is None:
            self._compiling = asyncio.create_task(asyncio.to_thread(_compile))
        if not self._compiling.done():
            # Whoever waits may be cancelled; the others, and those to come, need it all the same.
            await asyncio.shield(self._compiling)

    async def page(self, view: PageView) -> Page:
        """Return the page of *view* as it is now.

        Raises:
            PageNotFoundError: the service or incident of *view* does not exist.
        """
        self._last_use = self.sources.clock.tick()
        await self.compiled()
        return await view.page(self.drawer, LoopShare(self.sources.clock))

    async def enter(self, view: PageView, viewer: Viewer) -> None:
        """Queue all of *view* for *viewer*, and from now on what changes; end it with `leave`.

        Raises:
            PageNotFoundError: the service or incident of *view* does not exist.
            ViewerRefusedError: there are too many viewers, or the process is ending.
        """
        if self._closed or self.viewers >= self.sources.viewers:
            raise ViewerRefusedError
        open_view = self._open_views.setdefault(view, _OpenView())
        open_view.entering += 1
        try:
            async with self._drawing:
                # After a restart every browser reconnects at once: let others run in between.
                await asyncio.sleep(0)
                # Drawn anew: the page that was sent last may be older than the browser's HTML.
                page = await self.page(view)
                # The others need it too: the next changes are those from this page on.
                await self._publish(open_view, page, LoopShare(self.sources.clock))
                if self._closed:
                    raise ViewerRefusedError
                viewer.events.put_nowait(_hello_event(self.sources.clock.now()))
                viewer.events.put_nowait(self._page_event(None, page))
                open_view.viewers.add(viewer)
        finally:
            open_view.entering -= 1
            self._drop_if_unused(view)

    def leave(self, view: PageView, viewer: Viewer) -> None:
        """Send nothing more to *viewer*."""
        if (open_view := self._open_views.get(view)) is not None:
            open_view.viewers.discard(viewer)
            self._drop_if_unused(view)

    def _drop_if_unused(self, view: PageView) -> None:
        open_view = self._open_views.get(view)
        if open_view is not None and not open_view.viewers and not open_view.entering:
            del self._open_views[view]

    # -- the loop ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Update the open pages until cancelled; then end every stream."""
        clock = self.sources.clock
        next_heartbeat, pause = clock.tick() + _HEARTBEAT_SECONDS, _MIN_PAUSE_SECONDS
        try:
            while True:
                await clock.sleep(pause)
                share = LoopShare(clock)
                due = clock.tick() >= next_heartbeat
                if due:
                    next_heartbeat = clock.tick() + _HEARTBEAT_SECONDS
                try:
                    await self._update(share, heartbeat=due)
                except Exception:  # if this loop ended, the exporter would end with it
                    _log.exception("bug in the open pages")
                share.pause()
                pause = max(_MIN_PAUSE_SECONDS, share.spent * (1 / MAX_LOOP_SHARE - 1))
        finally:
            self._closed = True
            self._end_streams()

    async def _update(self, share: LoopShare, *, heartbeat: bool) -> None:
        if not self.sources.enabled():
            self._end_streams()
        if not self._open_views and self.sources.clock.tick() - self._last_use > _IDLE_SECONDS:
            self.drawer.forget()
        await self._redraw_all(share)
        for open_view in list(self._open_views.values()) if heartbeat else ():
            await self._send(open_view, _heartbeat_event(self.sources.clock.now()), share)

    async def _redraw_all(self, share: LoopShare) -> None:
        for view, open_view in list(self._open_views.items()):
            for viewer in [viewer for viewer in open_view.viewers if viewer.is_disconnected()]:
                self.leave(view, viewer)
            if not open_view.viewers:
                self._drop_if_unused(view)
                continue
            share.pause()
            async with self._drawing:
                share.resume()
                await self._redraw(view, open_view, share)

    async def _redraw(self, view: PageView, open_view: _OpenView, share: LoopShare) -> None:
        try:
            page = await view.page(self.drawer, share)
        except PageNotFoundError:  # the service or incident was removed while its page was open
            await self._send(open_view, _sse("gone", {}), share)
            return
        except Exception:
            _log.exception("bug in a page")
            return
        await self._publish(open_view, page, share)

    async def _publish(self, open_view: _OpenView, page: Page, share: LoopShare) -> None:
        former, open_view.sent = open_view.sent, page
        if former is not None and open_view.viewers and (event := self._page_event(former, page)):
            await self._send(open_view, event, share)

    async def _send(self, open_view: _OpenView, event: bytes, share: LoopShare) -> None:
        """Queue *event* for every viewer, a few at a time: each will write it to its socket."""
        for number, viewer in enumerate(tuple(open_view.viewers), 1):
            try:
                viewer.events.put_nowait(event)
            except asyncio.QueueFull:
                open_view.viewers.discard(viewer)
                viewer.disconnect()
            if not number % _VIEWERS_PER_SLICE:
                share.pause()
                await asyncio.sleep(0)
                share.resume()

    def _end_streams(self) -> None:
        for open_view in self._open_views.values():
            for viewer in open_view.viewers:
                # A full queue would refuse the end; what waits in it is not worth sending now.
                while not viewer.events.empty():
                    viewer.events.get_nowait()
                viewer.events.put_nowait(None)
        self._open_views.clear()

    def _page_event(self, former: Page | None, page: Page) -> bytes:
        """Return the event with what *page* has and *former* has not; empty if that is nothing."""
        known: Mapping[str, str] = former.regions if former is not None else {}
        regions = {id_: html for id_, html in page.regions.items() if known.get(id_) != html}
        fields: dict[str, object] = {"regions": regions} if regions else {}
        for key, name in _KEYS:
            value = getattr(page, name)
            if value is not None and (former is None or getattr(former, name) != value):
                fields[key] = value
        if former is None or former.icon != page.icon:
            fields["icon"] = path_of(page.icon)
        if not fields:
            return b""
        self._last_event_id += 1
        return _sse("page", fields, self._last_event_id)


def _sse(event: str, fields: object, number: int | None = None) -> bytes:
    """Return a server-sent event. JSON has no line break in it, which would end the data."""
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    head = "" if number is None else f"id: {version()}-{number}\n"
    return f"{head}event: {event}\ndata: {text}\n\n".encode()


def _hello_event(now: float) -> bytes:
    fields = {"version": version(), "now": now, "beat": _HEARTBEAT_SECONDS}
    return f"retry: {_RECONNECT_MS}\n".encode() + _sse("hello", fields)


def _heartbeat_event(now: float) -> bytes:
    return b": alive\n" + _sse("beat", {"now": now})
