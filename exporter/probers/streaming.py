"""A probe of a streamed answer: sent like any other, read as it comes, judged by what came.

The status of a stream says only that it began: errors come inside a 200, and a stream can be cut,
stall, or end without a single visible token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from exporter.clock import Clock
from exporter.matching import number_of
from exporter.model import OFFLINE, Outcome, Reason
from exporter.probers.endpoint import Endpoint, Expectations
from exporter.probers.judging import judge
from exporter.probers.transport import Answer
from exporter.streams import Reading, StreamProtocol, StreamReader

_REFUSED = "the model or its filter refused the prompt: write another one"
_DEFAULT_STATUS = 500
_CODES = ("code", "status", "status_code", "type", "error_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What one streamed probe saw: the verdict on it, and the course of the stream.

    `outcome.phases` and `outcome.duration` are those of the whole stream, `reading` has its times.
    """

    outcome: Outcome
    reading: Reading


class _Watched(Protocol):
    async def probe(
        self, endpoint: Endpoint, watch: Callable[[bytes], None] | None = None
    ) -> Outcome: ...


class StreamProber:
    """Probes streams through a prober that hands on each piece of the body.

    Example:

        streamed = await StreamProber(http, clock).ask(endpoint, protocol("openai_chat"))
        streamed.reading.first_text  # seconds until the first visible token
    """

    def __init__(self, prober: _Watched, clock: Clock) -> None:
        self._prober, self._clock = prober, clock

    async def ask(self, endpoint: Endpoint, protocol: StreamProtocol) -> Streamed:
        """Return what one request to *endpoint* saw, read as *protocol* says."""
        # Not the loop's own time: uvloop's counts whole milliseconds.
        tick, reader = self._clock.tick, StreamReader(protocol)
        begun = tick()
        outcome = await self._prober.probe(
            endpoint, lambda chunk: reader.feed(chunk, tick() - begun)
        )
        reader.end(tick() - begun)
        reading = reader.reading
        judged = judge_stream(outcome, reading, endpoint.expect, protocol)
        return Streamed(outcome=judged, reading=reading)


def judge_stream(
    outcome: Outcome, reading: Reading, expect: Expectations, protocol: StreamProtocol
) -> Outcome:
    """Return *outcome* with the reason that follows from what the stream held."""
    if outcome.status not in expect.statuses:
        return outcome
    if reading.error is not None:
        reason, detail = _judge_error(reading.error, expect, protocol)
    elif outcome.reason in OFFLINE:
        reason, detail = outcome.reason, f"{outcome.detail}, {_progress(reading)}"
    elif outcome.reason is not Reason.OK:
        return outcome
    elif reading.is_unreadable:
        reason, detail = Reason.BAD_BODY, "an event of the stream is larger than any token"
    elif not reading.is_stream:
        reason, detail = Reason.BAD_BODY, "the answer is not a stream of events"
    elif not reading.is_complete:
        reason, detail = Reason.PROTOCOL, f"the stream was cut, {_progress(reading)}"
    else:
        reason, detail = _judge_end(reading)
    return replace(outcome, reason=reason, detail=detail)


def _judge_end(reading: Reading) -> tuple[Reason, str]:
    """Judge a stream that came to its end without an error."""
    if reading.refused and reading.first_text is None:
        return Reason.CLIENT_ERROR, _REFUSED
    if reading.finish == "failed":
        return Reason.SERVER_ERROR, f"the stream ended with a failure, {_progress(reading)}"
    if reading.first_text is not None:
        return Reason.OK, "the stream came to its end"
    if reading.finish == "limit":
        what = "max_tokens was used up before any visible text: the model thinks; raise it"
        return Reason.CLIENT_ERROR, what
    if reading.finish in ("refusal", "filtered"):
        return Reason.CLIENT_ERROR, _REFUSED
    return Reason.BAD_BODY, "the stream ended without visible text"


def _progress(reading: Reading) -> str:
    """Say how far a stream came, in our own words."""
    if reading.last_text is not None:
        pieces = "1 piece" if reading.texts == 1 else f"{reading.texts} pieces"
        return f"after {pieces} of visible text, the last at {reading.last_text:.2f} s"
    if reading.first_reasoning is not None:
        return "after reasoning, before any visible text"
    return "after its first events, before any text" if reading.events else "before any event"


def _judge_error(error: Any, expect: Expectations, protocol: StreamProtocol) -> tuple[Reason, str]:
    """Judge an error inside a stream as the answer that it would have been before the stream."""
    status = next(_statuses(error, protocol), _DEFAULT_STATUS)
    body = {"error": error}
    answer = Answer(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
    )
    reason, _ = judge(answer, replace(expect, statuses=frozenset({200})), lambda: body)
    return reason, f"an error inside the stream, judged as status {status}"


def _statuses(error: Any, protocol: StreamProtocol) -> Iterator[int]:
    """Yield the HTTP status that *error* names, by a number first, else by its code or type."""
    if not isinstance(error, dict):
        return
    named = [error.get(name) for name in _CODES]
    for value in named:
        number = None if isinstance(value, bool) else number_of(value)
        if number is not None and 400 <= number <= 599:
            yield int(number)
    for value in named:
        if isinstance(value, str) and value in protocol.error_statuses:
            yield protocol.error_statuses[value]
