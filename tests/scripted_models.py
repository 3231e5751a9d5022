"""Models as a configuration makes them, and what a check of one sees; nothing is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.config import ModelTarget
from exporter.config.models import FirstToken
from exporter.model import Outcome, Reason, Verdict
from exporter.models import ModelResult, ModelState, Skip
from exporter.probers import Endpoint
from exporter.streams import Reading

Check = Callable[[float], ModelResult] | Skip
"""From the time of its start to what was seen; or why it was not sent."""


def take(state: ModelState | None, check: Check, at: float) -> None:
    """Have *state* know what became of a check."""
    assert state is not None
    if isinstance(check, Skip):
        state.skip(check, at)
    else:
        state.add(check(at))


def model(id_: str, **changes: Any) -> ModelTarget:
    usual: dict[str, Any] = {
        "endpoint": Endpoint(url="https://ai.example/", shown="ai.example", timeout=10.0),
        "protocol": "openai_chat",
        "interval": 240.0,
        "max_tokens": 16,
        "first_token": FirstToken(threshold=2.0),
        "failures": 2,
        "token_gap": 5.0,
        "severity": "high",
        "currency": "USD",
        "input_price": 1,
        "output_price": 1,
        "most_input": 99,
    }
    return ModelTarget(id=id_, **(usual | changes))


def answered(first: float, *, gap: float = 0.25) -> Check:
    return lambda at: ModelResult(
        at=at,
        outcome=Outcome(reason=Reason.OK, duration=first + gap),
        reading=Reading(first_text=first, gaps=[gap], ended=True),
        verdict=Verdict.OK,
        spent=1,
    )


def broke(reason: Reason, verdict: Verdict = Verdict.PROVIDER, *, text: bool = False) -> Check:
    reading = Reading(first_text=0.5, last_text=1.0) if text else Reading()
    return lambda at: ModelResult(
        at=at,
        outcome=Outcome(reason=reason, duration=10.0),
        reading=reading,
        verdict=verdict,
        spent=1,
    )
