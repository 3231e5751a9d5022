"""One `Prober` for every kind of probe: `endpoint.prober` names the kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

from exporter.clock import Clock
from exporter.listing import module_in, names_in
from exporter.model import Outcome
from exporter.probers.echoes import holds_secret, is_in
from exporter.probers.endpoint import Endpoint, Prober
from exporter.probers.streaming import Streamed, StreamProber
from exporter.probers.transport import Transport
from exporter.streams import StreamProtocol

KINDS_FOLDER = "probers/kinds"


class Probers:
    """A `Prober` that passes each endpoint to the prober of its kind.

    *holds_key* returns whether a key of any service is in a text: an outcome is shown without a
    request id or names of a certificate that hold one. Each prober gets it too, to look for keys
    that are encoded, beside its endpoint's own.

    Example:

        outcome = await Probers(CurlTransport(), SystemClock()).probe(endpoint)
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        holds_key: Callable[[str], bool] = lambda text: False,
    ) -> None:
        self._holds_key = holds_key
        self._by_kind: dict[str, Prober] = {
            kind: module_in(KINDS_FOLDER, kind).make(transport, clock, holds_key)
            for kind in names_in(KINDS_FOLDER)
        }
        http = module_in(KINDS_FOLDER, "http").make(transport, clock, holds_key)
        self._streams = StreamProber(http, clock)

    async def probe(self, endpoint: Endpoint) -> Outcome:
        """Return what one attempt at *endpoint* saw."""
        return self._without_keys(await self._by_kind[endpoint.prober].probe(endpoint))

    async def ask(self, endpoint: Endpoint, protocol: StreamProtocol) -> Streamed:
        """Return what one request to *endpoint* saw whose answer is streamed as *protocol* says."""
        streamed = await self._streams.ask(endpoint, protocol)
        named = streamed.reading.model
        if is_in(named, self._holds_key) or holds_secret(endpoint, named):
            streamed.reading.model = ""
        return replace(streamed, outcome=self._without_keys(streamed.outcome))

    def _without_keys(self, outcome: Outcome) -> Outcome:
        if outcome.request_id and self._holds(outcome.request_id):
            outcome = replace(outcome, request_id="")
        seen = outcome.certificate
        if seen is not None and self._holds(f"{seen.subject}\n{seen.issuer}"):
            outcome = replace(outcome, certificate=replace(seen, subject="", issuer=""))
        return outcome

    def _holds(self, text: str) -> bool:
        return self._holds_key(text) or ("%" in text and self._holds_key(unquote(text)))


def command_line(endpoint: Endpoint) -> str:
    """Return the shell command that sends the same request, with every secret masked."""
    command: str = module_in(KINDS_FOLDER, endpoint.prober).command(endpoint)
    return command
