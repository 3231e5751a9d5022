"""`Sessions`: what makes the sessions and transports of all services, and ends the transports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from exporter.clock import Clock
from exporter.config import Target
from exporter.registry import RegistryChange
from exporter.sessions.calls import Calls, Line
from exporter.sessions.exchange import Exchange, Observe, RateLimiter, Report
from exporter.sessions.session import ServiceSession


class Sessions:
    """Makes the sessions of all services; those of one service share its rate limit."""

    def __init__(self, clock: Clock, observe: Observe, report: Report | None = None) -> None:
        self._clock, self._observe, self._report = clock, observe, report
        self._limiters: dict[str, RateLimiter] = {}
        self._calls: WeakSet[Calls] = WeakSet()
        self._opened: set[Line] = set()
        """Also those of clients that were forgotten: nobody else is left to close them."""

    def of(self, target: Target, **options: Any) -> ServiceSession:
        """Return a new session with *target*; *options* are those of `ServiceSession`."""
        limiter = self._limiter(target)
        return ServiceSession(
            target, self._clock, self._observe, limiter=limiter, report=self._report, **options
        )

    def calls(self, find: Callable[[], Target]) -> Calls:
        """Return what a transport sends through; *find* returns the service as it is now."""
        made = Calls(find, self._line)
        self._calls.add(made)
        return made

    async def close(self) -> None:
        """End all transports: their calls under way fail, and later ones too."""
        for calls in list(self._calls):
            await calls.close()
        for line in tuple(self._opened):
            await line.end()

    def follow(self, change: RegistryChange) -> None:
        """Forget the limits of removed services."""
        for target in change.removed:
            self._limiters.pop(target.id, None)

    def _line(self, target: Target) -> Line:
        exchange = Exchange(
            target,
            self._clock,
            self._observe,
            limiter=self._limiter(target),
            report=self._report,
        )
        return Line(exchange, self._opened)

    def _limiter(self, target: Target) -> RateLimiter:
        limiter = self._limiters.get(target.id)
        if limiter is None or limiter.limit != target.rate_limit:
            limiter = self._limiters[target.id] = RateLimiter(target.rate_limit, self._clock)
        return limiter
