"""The open pages: each view drawn once for all who look at it, and what changed sent to them.

The work gives way after every millisecond and takes at most a twentieth of the loop's time: with
more services or views the pages become slower, not the probes. A viewer who does not keep up is
dropped and comes back to a full picture, so nothing here grows.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.page.assets import served, version
from exporter.page.board import SHARE, LoopShare, Sources
from exporter.page.templates import environment
from exporter.page.views import Drawer, NothingHereError, Page, PageView

_log = logging.getLogger(__name__)
PERIOD = 1.0
BEAT = 10.0
"""Seconds between two signs of life; a page that hears none says that it is old."""
BACKLOG = 8
"""Events that may wait for one viewer."""
AT_ONCE = 16
"""Viewers that are sent to before others have their turn."""
IDLE = 60.0
"""Seconds without a viewer after which nothing is remembered."""
RETRY_MS = 2000


class FullError(Exception):
    """There are as many viewers as there may be, or none may be any more."""


class Viewer:
    """One open page: the events that wait for it. None at the end means: no more."""

    def __init__(self, hang_up: Callable[[], None], gone: Callable[[], bool]) -> None:
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
        self.hang_up, self.gone = hang_up, gone


@dataclass(slots=True)
class _Scene:
    """A view with those who look at it, and what they have seen."""

    viewers: set[Viewer] = field(default_factory=set)
    entering: int = 0
    seen: Page | None = None


class Live:
    """Draws pages for requests, and keeps the open ones true."""

    def __init__(self, sources: Sources) -> None:
        environment(), served()  # no request waits for files and compilers
        self.sources = sources
        self.drawer = Drawer(sources)
        self._scenes: dict[PageView, _Scene] = {}
        self._pen = asyncio.Lock()
        self._number = 0
        self._closed = False
        self._used = sources.clock.tick()

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return sum(len(scene.viewers) + scene.entering for scene in self._scenes.values())

    async def page(self, view: PageView) -> Page:
        """Return the page of *view* as it is now.

        Raises:
            NothingHereError: there is nothing to see.
        """
        self._used = self.sources.clock.tick()
        return await view.page(self.drawer, LoopShare(self.sources.clock))

    async def enter(self, view: PageView, viewer: Viewer) -> None:
        """Let *viewer* see all of *view*, and from now on what changes.

        Raises:
            NothingHereError: there is nothing to see.
            FullError: there is no room.
        """
        if self._closed or self.viewers >= self.sources.viewers:
            raise FullError
        scene = self._scenes.setdefault(view, _Scene())
        scene.entering += 1
        try:
            async with self._pen:
                await asyncio.sleep(0)  # all come at once after a restart: one drawing at a time
                page = await self.page(view)  # never older than the page it is for
                await self._publish(scene, page, LoopShare(self.sources.clock))
                if self._closed:
                    raise FullError
                viewer.waiting.put_nowait(_hello(self.sources.clock.now()))
                viewer.waiting.put_nowait(self._event(None, page))
                scene.viewers.add(viewer)
        finally:
            scene.entering -= 1
            self._tidy(view)

    def leave(self, view: PageView, viewer: Viewer) -> None:
        """Forget *viewer*."""
        if (scene := self._scenes.get(view)) is not None:
            scene.viewers.discard(viewer)
            self._tidy(view)

    def _tidy(self, view: PageView) -> None:
        scene = self._scenes.get(view)
        if scene is not None and not scene.viewers and not scene.entering:
            del self._scenes[view]

    # -- the loop ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what changes until cancelled; then end every stream."""
        clock = self.sources.clock
        beat, rest = clock.tick() + BEAT, PERIOD
        try:
            while True:
                await clock.sleep(rest)
                share = LoopShare(clock)
                due = clock.tick() >= beat
                if due:
                    beat = clock.tick() + BEAT
                try:
                    await self._round(share, beat=due)
                except Exception:  # the exporter is more than its page
                    _log.exception("bug in the open pages")
                share.rest()
                rest = max(PERIOD, share.spent * (1 / SHARE - 1))
        finally:
            self._closed = True
            self._end()

    async def _round(self, share: LoopShare, *, beat: bool) -> None:
        if not self.sources.enabled():
            self._end()
        if not self._scenes and self.sources.clock.tick() - self._used > IDLE:
            self.drawer.rest()
        await self._renew_all(share)
        for scene in list(self._scenes.values()) if beat else ():
            await self._send(scene, _beat(self.sources.clock.now()), share)

    async def _renew_all(self, share: LoopShare) -> None:
        for view, scene in list(self._scenes.items()):
            for viewer in [one for one in scene.viewers if one.gone()]:
                self.leave(view, viewer)
            if not scene.viewers:
                self._tidy(view)
                continue
            share.rest()
            async with self._pen:
                share.resume()
                await self._renew(view, scene, share)

    async def _renew(self, view: PageView, scene: _Scene, share: LoopShare) -> None:
        try:
            page = await view.page(self.drawer, share)
        except NothingHereError:  # the service was removed: a new look says so
            await self._send(scene, _line("gone", {}), share)
            return
        except Exception:
            _log.exception("bug in a page")
            return
        await self._publish(scene, page, share)

    async def _publish(self, scene: _Scene, page: Page, share: LoopShare) -> None:
        former, scene.seen = scene.seen, page
        if former is not None and scene.viewers and (event := self._event(former, page)):
            await self._send(scene, event, share)

    async def _send(self, scene: _Scene, event: bytes, share: LoopShare) -> None:
        """Give *event* to all, few at a time: each is a write of its own."""
        for number, viewer in enumerate(tuple(scene.viewers), 1):
            try:
                viewer.waiting.put_nowait(event)
            except asyncio.QueueFull:
                scene.viewers.discard(viewer)
                viewer.hang_up()
            if not number % AT_ONCE:
                share.rest()
                await asyncio.sleep(0)
                share.resume()

    def _end(self) -> None:
        for scene in self._scenes.values():
            for viewer in scene.viewers:
                while not viewer.waiting.empty():
                    viewer.waiting.get_nowait()
                viewer.waiting.put_nowait(None)
        self._scenes.clear()

    def _event(self, former: Page | None, page: Page) -> bytes:
        """Return what is new in *page*, or all of it; empty if nothing is."""
        known: Mapping[str, str] = former.regions if former is not None else {}
        regions = {id_: html for id_, html in page.regions.items() if known.get(id_) != html}
        told: dict[str, object] = {"regions": regions} if regions else {}
        for name in ("title", "said", "rows"):
            value = getattr(page, name)
            if value is not None and (former is None or getattr(former, name) != value):
                told[name] = value
        if not told:
            return b""
        self._number += 1
        return _line("page", told, self._number)


def _line(event: str, told: object, number: int | None = None) -> bytes:
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    head = "" if number is None else f"id: {version()}-{number}\n"
    return f"{head}event: {event}\ndata: {text}\n\n".encode()


def _hello(now: float) -> bytes:
    told = {"version": version(), "now": now, "beat": BEAT}
    return f"retry: {RETRY_MS}\n".encode() + _line("hello", told)


def _beat(now: float) -> bytes:
    return b": alive\n" + _line("beat", {"now": now})
