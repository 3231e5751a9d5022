"""One `Prober` for every kind of probe: `endpoint.prober` names the kind."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.listing import module_in, names_in
from exporter.model import Outcome
from exporter.probers.endpoint import Endpoint, Prober
from exporter.probers.transport import Transport

KINDS_FOLDER = "probers/kinds"


class Probers:
    """A `Prober` that passes each endpoint to the prober of its kind.

    Example:

        outcome = await Probers(CurlTransport(), SystemClock()).probe(endpoint)
    """

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._by_kind: dict[str, Prober] = {
            kind: module_in(KINDS_FOLDER, kind).make(transport, clock)
            for kind in names_in(KINDS_FOLDER)
        }

    async def probe(self, endpoint: Endpoint) -> Outcome:
        """Return what one attempt at *endpoint* saw."""
        return await self._by_kind[endpoint.prober].probe(endpoint)


def command_line(endpoint: Endpoint) -> str:
    """Return the shell command that sends the same request, with every secret masked."""
    command: str = module_in(KINDS_FOLDER, endpoint.prober).command(endpoint)
    return command
