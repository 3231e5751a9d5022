"""What the scheduler knows of each service and host: its place, when it is next due, its limits.

Pure; the caller brings the time: ticks of the clock, and Unix times where it says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.budget import Budget
from exporter.config import Target
from exporter.model import REJECTED_INTERVAL_SECONDS
from exporter.schedule.slots import Slots

NEVER = float("-inf")


def share(service: str) -> float:
    """Return the place of *service* in every interval, from 0 to 1: the same after a restart."""
    digest = hashlib.blake2b(service.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def first_round_seconds(services: int) -> float:
    """Return over how many seconds the first probes of so many *services* are spread."""
    return max(2.0, services / 100)


@dataclass(slots=True)
class Entry:
    """One service that is probed."""

    target: Target
    due: float
    budget: Budget
    share: float
    """Its place in every interval, from 0 to 1."""
    generation: int = 0
    slowed: bool = False
    """Whether the provider rejects the key."""
    not_before: float = NEVER
    """The tick before which the provider wants no further probe."""
    hidden: bool = False
    """Whether our own network hid it from the last probe."""
    again: bool = False
    has_begun: bool = False
    """Whether the probe that is under way has sent a request; before, it waits for its turn."""

    @property
    def held_up(self) -> bool:
        """Whether it is probed less often than its interval says."""
        return self.slowed or self.not_before > NEVER

    def free(self) -> None:
        """Go back to the interval: the key or the request is another one."""
        self.slowed, self.not_before = False, NEVER

    def next_due(self, last: float, tick: float, now: float) -> float:
        """Return the next start after the one at *last*: on its own grid, without drift or backlog.

        *tick* and *now* are the present; *now* is a Unix time that goes on as the ticks do.
        """
        interval = self.target.interval
        if self.slowed:
            return tick + max(interval, REJECTED_INTERVAL_SECONDS)
        phase = self.share * interval
        # The grid is that of the wall clock, so that a restart keeps every service's place in it.
        due = tick + (phase - now) % interval
        # Just probed: a probe that was late, or a grid point right behind it, is not repeated.
        if due - last < interval / 2:
            due += interval
        return max(due, self.not_before)


@dataclass(slots=True)
class Host:
    """What the services of one host share."""

    budget: Budget
    slots: Slots
    limits: tuple[int | None, int | None]
    """Of the budget: requests in a minute and in an hour."""

    def spend(self, entry: Entry, now: float) -> float:
        """Spend one request of the host and of *entry* at the tick *now*.

        If one of the two has none left, spend nothing and return for how many seconds to wait.
        """
        wait = max(entry.budget.wait(now), self.budget.wait(now))
        if wait <= 0:
            entry.budget.spend(now)
            self.budget.spend(now)
        return wait


def largest(limits: Iterable[int | None]) -> int | None:
    """Return the largest of *limits*; None, for no limit, if none is one."""
    known = [limit for limit in limits if limit is not None]
    return max(known) if known else None
