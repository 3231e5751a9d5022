"""Answers wrong tokens and passwords more slowly the more of them an address has sent.

The delay comes after the check: a right token is answered at once, also from an address that sends
wrong ones, so that nobody is locked out by a stranger behind the same proxy.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from exporter.api.addresses import network_of
from exporter.clock import Clock

FIRST_DELAY_SECONDS = 0.1
"""After the first wrong one; each further one doubles it."""
MAX_DELAY_SECONDS = 3.0
FORGET_SECONDS = 60.0
"""Time without a wrong one after which an address starts again."""
MAX_ADDRESSES = 1024
MAX_WAITING = 32
"""Answers that are delayed at once; they hold connections, so further ones are not."""


class Guesses:
    """How many wrong tokens and passwords came from where lately."""

    def __init__(self, clock: Clock, count: Callable[[str], None]) -> None:
        """*count* is called with admin, receiver, status_page or password."""
        self._clock, self._count = clock, count
        self._wrong: dict[str, tuple[int, float]] = {}
        self._waiting = 0

    async def slow_down(self, address: str | None, what: str) -> None:
        """Count a wrong *what* from *address*; return after the delay that is due."""
        self._count(what)
        delay = self._delay(network_of(address or "")[0])
        if self._waiting >= MAX_WAITING:
            return
        self._waiting += 1
        try:
            await self._clock.sleep(delay)
        finally:
            self._waiting -= 1

    def _delay(self, network: str) -> float:
        now = self._clock.tick()
        times, at = self._wrong.pop(network, (0, now))
        times = 1 if now - at > FORGET_SECONDS else times + 1
        while len(self._wrong) >= MAX_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]  # the one that was wrong the longest time ago
        self._wrong[network] = (times, now)
        return min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(times - 1, 16))


GUESSES: web.AppKey[Guesses] = web.AppKey("GUESSES", Guesses)
