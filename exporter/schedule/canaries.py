"""Is our own network up? Places that answer while it is, asked on a schedule and on doubt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.clock import Clock
from exporter.config import Canary, Configuration, canary_endpoint
from exporter.log import event
from exporter.model import FACTS, Reason, Verdict
from exporter.probers import Endpoint, Prober
from exporter.schedule.heart import Heart

_log = logging.getLogger(__name__)
OFFLINE_INTERVAL_SECONDS = 14.0
"""Between two checks while no canary answers, at most: the return is noticed within 15 seconds."""
SETTLE_SECONDS = 3.0
"""After the return of our network, for names and routes: a failure that began before is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPlan:
    """One canary: its label and how it is asked; seconds."""

    name: str
    endpoint: Endpoint
    interval: float


def plan_of(canary: Canary) -> CanaryPlan:
    """Return how a declared canary is asked."""
    parts = urlsplit(canary.url)
    return CanaryPlan(
        name=parts.netloc + parts.path.rstrip("/"),
        endpoint=canary_endpoint(canary),
        interval=canary.interval,
    )


class Canaries:
    """Knows whether any canary answers. Without canaries that is always believed."""

    def __init__(
        self,
        plans: tuple[CanaryPlan, ...],
        prober: Prober,
        clock: Clock,
        heart: Heart | None = None,
    ) -> None:
        """*heart* knows when the event loop was held: no answer then shows nothing."""
        self.plans = plans
        self._heart = heart or Heart(clock)
        self._prober, self._clock = prober, clock
        self._up: dict[str, bool] = {}
        self._checked = float("-inf")
        self._settled = float("-inf")
        self._offline_since = 0.0
        self._followers: list[Callable[[], None]] = []
        self._lock = asyncio.Lock()

    @property
    def states(self) -> Mapping[str, bool]:
        """Return whether each canary answered, by name; none before its first check."""
        return self._up

    @property
    def online(self) -> bool:
        """Return whether our network is believed to work."""
        return not self._up or any(self._up.values())

    @property
    def offline_since(self) -> float | None:
        """Return the Unix time of the first check that no canary answered; None while one does."""
        return None if self.online else self._offline_since

    def on_return(self, follower: Callable[[], None]) -> None:
        """Call *follower* when a canary answers again after none did."""
        self._followers.append(follower)

    def follow(self, configuration: Configuration) -> None:
        """Ask the canaries of *configuration* from now on."""
        self.replace(tuple(map(plan_of, configuration.canaries)))

    def replace(self, plans: tuple[CanaryPlan, ...]) -> None:
        """Ask *plans* from now on and forget the answers of the former ones."""
        if plans != self.plans:
            was_online = self.online
            self.plans = plans
            self._up = {}
            self._checked = float("-inf")
            if not was_online:
                self._return()

    async def confirm(self, since: float) -> bool:
        """Return whether our network has worked since the tick *since*.

        That takes a check that began later, and no outage that has ended meanwhile: a request that
        began in it may have failed by it. While no canary answers, doubt asks no more often than
        `run` does: thousands of failing services would ask without a pause.
        """
        if self.plans:
            async with self._lock:
                # Again if the plans were replaced meanwhile.
                while self.plans and self._checked < since and not self._known_offline():
                    await self._check()
        return self.online and since >= self._settled

    async def run(self) -> None:
        """Check at the shortest interval until cancelled."""
        while True:
            if self.plans and self._is_due():
                await self.confirm(self._clock.tick())
            await self._clock.sleep(0.5)

    def _is_due(self) -> bool:
        longest = float("inf") if self.online else OFFLINE_INTERVAL_SECONDS
        interval = min(longest, *(plan.interval for plan in self.plans))
        return self._clock.tick() - self._checked >= interval

    def _known_offline(self) -> bool:
        return not self.online and not self._is_due()

    def _return(self) -> None:
        self._settled = self._clock.tick() + SETTLE_SECONDS
        for follower in self._followers:
            follower()

    async def _check(self) -> None:
        begun, begun_at = self._clock.tick(), self._clock.now()
        before = self.online
        plans = self.plans
        answers = await asyncio.gather(*(self._ask(plan) for plan in plans))
        if plans is not self.plans:
            return
        for plan, up in zip(plans, answers, strict=True):
            if up is not None:
                self._up[plan.name] = up
        self._checked = begun
        if self.online != before:
            message = "network is back" if self.online else "no canary answers: network is down"
            event(_log, message, level=logging.INFO if self.online else logging.WARNING)
            if self.online:
                self._return()
            else:
                self._offline_since = begun_at

    async def _ask(self, plan: CanaryPlan) -> bool | None:
        """Return whether *plan* answers; None if a shortage of the exporter hides it."""
        begun = self._clock.tick()
        try:
            seen = await self._prober.probe(plan.endpoint)
        except Exception:
            _log.exception("bug in a canary check")
            return False
        outcome = self._heart.counted(seen, begun, plan.endpoint.timeout)
        if outcome.reason is Reason.INTERNAL and outcome.shortage is not None:
            return None
        return FACTS[outcome.reason].verdict is Verdict.OK
