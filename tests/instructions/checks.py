"""What a check of a model is beside its stream: reserved, read, judged, settled, kept on the disk.

Everything that `ModelChecks` does, with the store of `serve`; in the place of libcurl something
that hands over the pieces of one recorded answer, as an engine does for each packet.
"""

from __future__ import annotations

import json
from pathlib import Path

from exporter.config import make_target, read_text
from exporter.model import Result
from exporter.models import ModelChecks, ModelStates
from exporter.probers import Answer, Probers, Request
from exporter.registry import RegistryChange
from exporter.store import Store
from tests.bench.streaming import events
from tests.fakes import FakeClock

TOKENS = 16
_CONFIG = {
    "budgets": {"model_checks": {"day": 1000, "month": 1000}},
    "services": [
        {
            "id": "ai",
            "base_url": "https://ai.example/v1",
            "health_check": {"endpoint": "/models"},
            "models": [
                {"id": "m", "protocol": "openai_chat", "price": {"input": 1, "output": 2}},
            ],
        }
    ],
}


class Recorded:
    """A transport that answers every request with the same stream."""

    def __init__(self) -> None:
        self._pieces = list(events(TOKENS))

    async def fetch(self, request: Request) -> Answer:
        """Hand over the pieces, one by one."""
        assert request.watch is not None
        for piece in self._pieces:
            request.watch(piece)
        return Answer(
            status=200,
            headers={"content-type": "text/event-stream", "x-request-id": "req_0123456789abcdef"},
            body=b"".join(self._pieces),
            duration=0.5,
            phases=(0.01, 0.02, 0.03, 0.24, 0.2),
            address="203.0.113.7:443",
            http_version=1.1,
        )


class _Network:
    async def confirm(self, since: float) -> bool:
        return True


def _no_result(service: str) -> Result | None:
    return None


class Checking:
    """One model, and everything that its checks need; `check` is one of them."""

    def __init__(self, folder: Path) -> None:
        clock, states = FakeClock(), ModelStates()
        self._store = Store.open(folder, clock, None)
        configuration = read_text(json.dumps(_CONFIG), "services.yaml", {})
        self._checks = ModelChecks(
            Probers(Recorded(), clock),
            self._store.model_spend,
            states,
            clock,
            last=_no_result,
            network=_Network(),
            spread=lambda name: 1.0,
            remembers=True,
            figures=self._store.models,
        )
        self._checks.follow_configuration(configuration)
        (declared,) = configuration.services
        self._checks.follow(RegistryChange(added=(make_target(declared, {}),)))
        (self._state,) = states

    async def check(self) -> None:
        """Make one check, which must succeed."""
        result = await self._checks.check(self._state, "interval")
        assert result.success, result
        assert result.reading.usage.output == TOKENS

    def close(self) -> None:
        self._store.close()
