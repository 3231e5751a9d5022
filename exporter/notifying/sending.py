"""One sender for each entry: what fails holds nobody else up. Back-off, Retry-After, giving up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.config import Notification
from exporter.log import event
from exporter.notifying.groups import Group
from exporter.notifying.media import Medium, UndeliveredError
from exporter.notifying.messages import Waiting

_log = logging.getLogger(__name__)
GIVE_UP_SECONDS = 86_400.0
"""For so long a message is tried. What still fires then is a new message at the next look."""
LONGEST_PAUSE_SECONDS = 300.0
LONGEST_ASKED_SECONDS = 3600.0
"""A receiver that asks to wait for longer is asked again after this time."""
_TRY_SECONDS = 90.0
"""No medium may take longer for one message, whatever its own limits are."""


@dataclass(slots=True)
class Entry:
    """One entry of `notify:`, its medium and how that fares."""

    setting: Notification
    medium: Medium
    waiting: dict[str, Group]
    """The groups that have a message on its way, by key."""
    failures: int = 0
    """Tries in a row that failed."""
    failing_since: float | None = None
    """A Unix time; None while it works."""
    why: str = ""
    not_before: float = 0.0
    """A tick."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return self.setting.key

    def next(self, tick: float) -> Group | None:
        """Return the group whose message is to be tried now, None if none is."""
        if tick < self.not_before:
            return None
        due = [(w.order, key) for key, w in self._messages() if w.not_before <= tick]
        return self.waiting[min(due)[1]] if due else None

    def rest(self, tick: float) -> float | None:
        """Return for how many seconds nothing is to be tried; None while nothing waits."""
        ticks = [max(self.not_before, waiting.not_before) for _, waiting in self._messages()]
        return max(0.0, min(ticks) - tick) if ticks else None

    def _messages(self) -> list[tuple[str, Waiting]]:
        found = ((key, group.waiting) for key, group in self.waiting.items())
        return [(key, waiting) for key, waiting in found if waiting is not None]


class Sender:
    """Sends what waits for one entry until it is cancelled."""

    def __init__(
        self,
        entry: Entry,
        clock: Clock,
        *,
        page: Callable[[], str],
        rests: Callable[[], bool],
        done: Callable[[Entry, Group, Waiting, str], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        """While it *rests* nothing is begun.

        *done* is awaited after every try, with sent, failed or gave_up; *jitter*: 0 to 1.
        """
        self._entry, self._clock, self._page, self._rests = entry, clock, page, rests
        self._done, self._jitter = done, jitter

    async def run(self) -> None:
        entry, task = self._entry, asyncio.current_task()
        # `asyncio.wait_for` of Python 3.11, which aiosmtplib uses, may swallow a cancellation that
        # comes with an answer (cpython issue 86296): the end would then be waited for forever.
        while task is None or not task.cancelling():
            entry.wake.clear()
            tick = self._clock.tick()
            if self._rests():
                await entry.wake.wait()
                continue
            if (group := entry.next(tick)) is not None:
                await self._try(group)
                continue
            await woken_or_after(entry.wake, self._clock, entry.rest(tick))

    async def _try(self, group: Group) -> None:
        waiting = group.waiting
        assert waiting is not None
        begun, waiting.begun, waiting.under_way = waiting.begun, True, True
        waiting.attempts += 1
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                await self._entry.medium.send(waiting.message, self._page())
        except UndeliveredError as error:
            waiting.begun = begun or not error.certain
            result = self._failed(waiting, error)
        except TimeoutError:
            result = self._failed(waiting, UndeliveredError("no answer in time"))
        except Exception as error:
            # a defect of ours must not end the sender: nobody would be told of anything any more
            event(_log, "a message cannot be made", level=logging.ERROR, why=type(error).__name__)
            why = f"a fault of the exporter ({type(error).__name__})"
            result = self._failed(waiting, UndeliveredError(why, refused=True))
        else:
            result = "sent"
            self._works()
        finally:
            waiting.under_way = False
        await self._done(self._entry, group, waiting, result)

    def _works(self) -> None:
        entry = self._entry
        if entry.failing_since is not None:
            event(_log, "notifications are delivered again", medium=entry.name)
        entry.failures, entry.failing_since, entry.why, entry.not_before = 0, None, "", 0.0

    def _failed(self, waiting: Waiting, error: UndeliveredError) -> str:
        """Note a try that failed; return failed, or gave_up where it was the last one."""
        entry, tick, now = self._entry, self._clock.tick(), self._clock.now()
        level = logging.WARNING if entry.failing_since is None else logging.DEBUG
        event(_log, "a notification failed", level=level, medium=entry.name, why=str(error))
        entry.failing_since = entry.failing_since or now
        entry.why = waiting.why = str(error)
        waiting.failing_since = waiting.failing_since or now
        if tick - waiting.since >= GIVE_UP_SECONDS:
            self._tell_of_giving_up(waiting)
            return "gave_up"
        if error.refused:
            # another message may fare better
            waiting.not_before = tick + self._spread(LONGEST_PAUSE_SECONDS)
        else:
            entry.failures += 1
            entry.not_before = tick + self._pause(entry.failures, error.retry_after)
        return "failed"

    def _pause(self, failures: int, asked: float | None) -> float:
        if asked is not None:
            return min(asked, LONGEST_ASKED_SECONDS) + self._jitter()
        return self._spread(min(LONGEST_PAUSE_SECONDS, 2.0 ** min(failures - 1, 16)))

    def _spread(self, seconds: float) -> float:
        """Return up to *seconds*, at least half: what failed together does not return together."""
        return seconds * (0.5 + 0.5 * self._jitter())

    def _tell_of_giving_up(self, waiting: Waiting) -> None:
        event(
            _log,
            "a notification is given up after a day of tries",
            level=logging.ERROR,
            medium=self._entry.name,
            alerts=len(waiting.message.alerts),
            why=waiting.why,
        )


async def woken_or_after(wake: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Return once *wake* is set or *seconds* have passed; without them only once it is set."""
    if seconds is None:
        await wake.wait()
        return
    tasks = {asyncio.ensure_future(wake.wait()), asyncio.ensure_future(clock.sleep(seconds))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
