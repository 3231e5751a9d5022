"""Further requests about a service, slow and uncounted: what is left of a quota, the next key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from exporter.config import SideRequest, Target
from exporter.model import Outcome
from exporter.probers import Prober
from exporter.schedule.polling import Polling


class SideChecks:
    """Makes one kind of side request for every target that has it and hands on the outcome."""

    def __init__(
        self,
        kind: str,
        pick: Callable[[Target], SideRequest | None],
        prober: Prober,
        polling: Polling,
        record: Callable[[Target, Outcome], None],
    ) -> None:
        self._prefix, self._pick = f"{kind} of ", pick
        self._prober, self._polling, self._record = prober, polling, record

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Ask for exactly *targets* from now on."""
        wanted = {
            self._prefix + target.id: (target, request)
            for target in targets
            if target.enabled and (request := self._pick(target)) is not None
        }
        for name in self._polling.names():
            if name.startswith(self._prefix) and name not in wanted:
                self._polling.drop(name)
        for name, (target, request) in wanted.items():
            self._polling.put(name, request.interval, partial(self._ask, target, request))

    async def _ask(self, target: Target, request: SideRequest) -> None:
        self._record(target, await self._prober.probe(request.endpoint))
