"""Takes the alerts of every evaluation, decides what is told to whom, and has it sent.

Every decision is written to the outbox before it is sent and every delivery after it, so that a
process killed at any point loses nothing: at worst the messages under way, one for each entry, are
sent once more, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from exporter.clock import Clock, in_slices
from exporter.config import Configuration, Notification
from exporter.incidents.model import Alert, Told
from exporter.log import event
from exporter.notifying import kept
from exporter.notifying.book import Book
from exporter.notifying.failing import failing_alerts, is_about
from exporter.notifying.groups import Group
from exporter.notifying.media import Medium
from exporter.notifying.messages import Waiting
from exporter.notifying.routes import GroupKey, group_of, receivers, route_of
from exporter.notifying.sending import Entry, Sender, woken_or_after
from exporter.notifying.trying import Trial, try_entries
from exporter.secret import Secret

_log = logging.getLogger(__name__)
RESULTS = ("sent", "failed", "gave_up")
MOST_WAITING = 2000
"""Messages on their way to one entry; what comes beyond is decided when there is room again."""
_SLICE = 250
_LONGEST_LOOK_SECONDS, _SHORTEST_LOOK_SECONDS = 15.0, 1.0
_SAVE_AGAIN_SECONDS = 5.0


class EntryState(NamedTuple):
    """How one entry of `notify:` fares."""

    name: str
    medium: str
    waiting: int
    """Messages on their way."""
    failing_since: float | None
    """A Unix time; None while it works, or was not needed yet."""
    why: str


class Making(Protocol):
    """Makes media of entries."""

    def make(self, entry: Notification) -> Medium:
        """Return the medium of *entry*."""

    async def close(self) -> None:
        """End what its media share."""


class Counts(Protocol):
    """Counts what becomes of messages."""

    def announce_media(self, media: Sequence[str]) -> None:
        """Note the names of all entries that there are now."""

    def count_notification(self, medium: str, result: str) -> None:
        """Count a try of an entry; *result* is one of `RESULTS`."""


class Notifier:
    """Who is told of the alerts, by which medium, and whether they were."""

    def __init__(
        self,
        storage: kept.Storage,
        clock: Clock,
        media: Making,
        counts: Counts,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._storage, self._clock, self._media = storage, clock, media
        self._counts, self._jitter = counts, jitter
        self._entries: dict[str, Entry] = {}
        self._page = ""
        self._book = Book()
        self._routed: dict[str, list[tuple[str, GroupKey]]] = {}
        """By fingerprint: the entries that are told of the alert, and its group."""
        self._restored = self._taken = False
        self._lock, self._saving = asyncio.Lock(), asyncio.Lock()
        self._followed, self._decided = asyncio.Event(), asyncio.Event()

    # -- what is configured --------------------------------------------------------------------

    def follow(self, configuration: Configuration) -> None:
        """Tell the entries of *configuration* from now on. One that is gone is told nothing more.

        The name is what counts: an entry of a new name is told of all that fires.
        """
        page = configuration.monitoring.page_url
        self._page = page.rstrip("/") if page else ""
        wanted = {entry.key: entry for entry in configuration.notify}
        for name in self._entries.keys() - wanted.keys():
            self._drop(self._entries.pop(name).name)
        former = self._entries
        self._entries = {}
        for name, setting in wanted.items():
            known = former.get(name)
            if known is None or known.setting != setting:
                waiting = self._book.waiting.setdefault(name, {})
                known = Entry(setting, self._media.make(setting), waiting)
            self._entries[name] = known
        self._routed.clear()
        self._counts.announce_media(list(self._entries))
        self._followed.set()

    def _drop(self, name: str) -> None:
        if lost := self._book.drop(name):
            what = "an entry of notify is gone; its messages are not sent"
            event(_log, what, level=logging.WARNING, medium=name, messages=lost)

    def secrets(self) -> Iterator[Secret]:
        """Yield what must not be shown: of every entry, as it was last read."""
        for entry in self._entries.values():
            yield from entry.medium.secrets()

    @property
    def states(self) -> list[EntryState]:
        """Return how every entry fares, in the order of the configuration."""
        return [
            EntryState(e.name, e.setting.medium, len(e.waiting), e.failing_since, e.why)
            for e in self._entries.values()
        ]

    def failing(self, cluster: str = "") -> list[Alert]:
        """Return an alert about each entry that fails for minutes; `take` adds them itself.

        The entry itself is not told of it.
        """
        return failing_alerts(self._entries.values(), self._clock.now(), cluster)

    def told(self, fingerprint: str) -> tuple[Told, ...]:
        """Return who knows of the alert, entry by entry; empty if nobody is to."""
        return self._book.told(fingerprint, self._entries)

    async def test(self, name: str | None = None) -> list[Trial]:
        """Send a marked message to every entry, or to that of *name*, at once; return how it went.

        Raises:
            LookupError: there is no entry of that name.
        """
        if name is not None and name not in self._entries:
            raise LookupError(f"there is no such entry; there are: {', '.join(self._entries)}")
        chosen = [self._entries[name]] if name is not None else list(self._entries.values())
        media = [(entry.setting, entry.medium) for entry in chosen]
        return await try_entries(media, self._page, self._clock.now())

    # -- what fires ----------------------------------------------------------------------------

    async def take(self, alerts: Sequence[Alert], now: float) -> None:
        """Take *alerts*, all that fire at the Unix time *now*, those that are inhibited too.

        What fired before and is not among them has ended now. What is due is in the outbox when
        this returns.
        """
        async with self._lock:
            await self._restore()
            tick, current = self._clock.tick(), dict[str, Alert]()
            async for alert in in_slices((*alerts, *self.failing()), _SLICE):
                current[alert.fingerprint] = alert
                for name, key in self._groups_of(alert):
                    self._book.add(alert, key, name, tick, now)
            async for fingerprint in in_slices(self._book.current.keys() - current.keys(), _SLICE):
                self._book.end(fingerprint, tick, now)
                self._routed.pop(fingerprint, None)
            rested = not self._taken
            self._book.current, self._taken = current, True
            await self._decide(now)
            for entry in self._entries.values() if rested else ():
                entry.wake.set()

    def rest(self) -> None:
        """Begin no message before the next `take`, as before the first: another decides."""
        self._taken = False

    def _groups_of(self, alert: Alert) -> list[tuple[str, GroupKey]]:
        """Return the entries that are told of *alert*, with its group."""
        found = self._routed.get(alert.fingerprint)
        if found is None:
            route = route_of(alert.labels)
            if route is None:
                found = []
            else:
                key = group_of(route, alert.labels)
                settings = (entry.setting for entry in self._entries.values())
                heard = [one for one in settings if not is_about(one.key, alert.labels)]
                names = [one.key for one in receivers(heard, alert.labels)]
                names += self._book.leave(alert.fingerprint, names)
                found = [(name, key) for name in names]
            self._routed[alert.fingerprint] = found
        return found

    # -- what is due ---------------------------------------------------------------------------

    async def _decide(self, now: float) -> None:
        """Look at every group that is due, the most urgent first, and write what is to be told."""
        tick, due = self._clock.tick(), defaultdict[int, list[Group]](list)
        async for group in in_slices(self._book.groups.values(), 4 * _SLICE):
            if group.due <= tick:
                due[group.rank].append(group)
        woken = set[str]()
        async for group in in_slices((g for rank in sorted(due) for g in due[rank]), _SLICE // 4):
            entry = self._entries.get(group.entry)
            if entry is None or self._book.groups.get((group.entry, group.key.text)) is not group:
                continue
            waiting = group.waiting
            if not (waiting.under_way if waiting else len(entry.waiting) >= MOST_WAITING):
                self._book.flush(group, tick, now)
                woken.add(entry.name)
        await self._save()
        for name in woken & self._entries.keys():
            self._entries[name].wake.set()
        self._decided.set()

    async def _done(self, entry: Entry, group: Group, waiting: Waiting, result: str) -> None:
        """Note how a try went; *waiting* is what was tried."""
        self._counts.count_notification(entry.name, result)
        if not self._book.is_current(group, waiting):
            return
        if result == "failed":
            self._decided.set()  # what is due may have waited for the end of the try
            return
        tick, now = self._clock.tick(), self._clock.now()
        self._book.done(group, waiting, sent=result == "sent", tick=tick, now=now)
        await self._save()
        self._decided.set()

    # -- what is kept --------------------------------------------------------------------------

    async def _restore(self) -> None:
        """Take over what is kept, once."""
        if self._restored:
            return
        try:
            rows = await asyncio.to_thread(self._storage.load)
        except Exception as error:
            what = "it cannot be read who was told; what fires is told anew"
            event(_log, what, level=logging.ERROR, why=type(error).__name__)
            rows = [], []
        self._restored = True
        tick, now = self._clock.tick(), self._clock.now()
        self._book.restore(rows, self._entries, tick, now)
        for entry in self._entries.values():
            entry.waiting = self._book.waiting.setdefault(entry.name, entry.waiting)
            entry.wake.set()

    async def _save(self) -> None:
        """Write what changed, also if who waits for it is cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._save_now()))

    async def _save_now(self) -> None:
        async with self._saving:
            changes, self._book.changes = self._book.changes, kept.Changes()
            if not changes:
                return
            try:
                await asyncio.to_thread(lambda: self._storage.save(changes.written()))
            except Exception as error:
                # It is written with the next change. Messages are sent all the same: that
                # somebody is told twice is better than not at all.
                self._book.changes = changes.before(self._book.changes)
                what = "messages cannot be kept; a restart may repeat some"
                event(_log, what, level=logging.ERROR, why=type(error).__name__)

    # -- lifetime ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        async with self._lock:
            await self._restore()
        staff: dict[str, tuple[Entry, asyncio.Task[None]]] = {}
        looking = asyncio.create_task(self._look())
        news: asyncio.Task[object] = looking
        try:
            while True:
                self._followed.clear()
                await self._employ(staff)
                news = asyncio.create_task(self._followed.wait())
                tasks = {news, looking, *(task for _, task in staff.values())}
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                for task in done:
                    task.result()
        finally:
            tasks = {looking, news, *(task for _, task in staff.values())}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._save()

    async def close(self) -> None:
        """Free what the media share; nothing can be sent any more."""
        await self._media.close()

    async def _employ(self, staff: dict[str, tuple[Entry, asyncio.Task[None]]]) -> None:
        """Have one sender for each entry as it is configured now."""
        for name, (entry, task) in list(staff.items()):
            if self._entries.get(name) is not entry:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                del staff[name]
        for name, entry in list(self._entries.items()):
            if name not in staff:
                sender = Sender(
                    entry,
                    self._clock,
                    page=lambda: self._page,
                    rests=lambda: not self._taken,
                    done=self._done,
                    jitter=self._jitter,
                )
                staff[name] = (entry, asyncio.create_task(sender.run()))

    async def _look(self) -> None:
        """Decide between two evaluations what is due then, such as after group_wait."""
        while True:
            self._decided.clear()
            tick = self._clock.tick()
            nearest = min((group.due for group in self._book.groups.values()), default=tick + 1e9)
            seconds = min(max(nearest - tick, _SHORTEST_LOOK_SECONDS), _LONGEST_LOOK_SECONDS)
            if self._book.changes:
                seconds = min(seconds, _SAVE_AGAIN_SECONDS)
            await woken_or_after(self._decided, self._clock, seconds)
            # Before the first evaluation it is not known what of what was told still fires.
            if self._taken and self._clock.tick() - tick >= seconds:
                async with self._lock:
                    await self._decide(self._clock.now())
