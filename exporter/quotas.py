"""Further requests that tell what is left of a quota, on their own slow interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from exporter.config import Target
from exporter.polling import Polling
from exporter.probers import Prober

Quotas = Mapping[tuple[str, str], float]
_PREFIX = "quota of "


class QuotaPolling:
    """Asks the quota request of every target that has one and hands on what it tells."""

    def __init__(
        self, prober: Prober, polling: Polling, record: Callable[[Target, Quotas], None]
    ) -> None:
        self._prober, self._polling, self._record = prober, polling, record

    def use(self, targets: Iterable[Target]) -> None:
        """Ask for exactly *targets* from now on."""
        wanted = {_PREFIX + t.id: t for t in targets if t.quota is not None and t.enabled}
        for name in self._polling.names():
            if name.startswith(_PREFIX) and name not in wanted:
                self._polling.drop(name)
        for name, target in wanted.items():
            assert target.quota is not None
            self._polling.put(name, target.quota.interval, partial(self._ask, target))

    async def _ask(self, target: Target) -> None:
        assert target.quota is not None
        outcome = await self._prober.probe(target.quota.endpoint)
        if outcome.quotas:
            self._record(target, outcome.quotas)
