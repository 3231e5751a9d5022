"""A day of models: failing, slow, stalled, without money, in an outage, in maintenance, unasked.

Checks are four minutes apart, those of one model a day; what a service's own check sees differs.
"""

from __future__ import annotations

from typing import Any

from exporter.config import Maintenance, ModelTarget
from exporter.config.models import FirstToken
from exporter.model import Outcome, Reason, Verdict
from exporter.models import ModelResult, Skip
from exporter.probers import Endpoint
from exporter.streams import Reading
from tests.alerting.day import START, Check, Day
from tests.fleet import Situation, between, seen

_SHUT = Maintenance(start=START + 600.0, end=START + 1800.0)


def _model(id_: str, **changes: Any) -> ModelTarget:
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


def _answered(first: float, *, gap: float = 0.25) -> Check:
    return lambda at: ModelResult(
        at=at,
        outcome=Outcome(reason=Reason.OK, duration=first + gap),
        reading=Reading(first_text=first, gaps=[gap], ended=True),
        verdict=Verdict.OK,
        spent=1,
    )


def _broke(reason: Reason, verdict: Verdict = Verdict.PROVIDER, *, text: bool = False) -> Check:
    reading = Reading(first_text=0.5, last_text=1.0) if text else Reading()
    return lambda at: ModelResult(
        at=at,
        outcome=Outcome(reason=reason, duration=10.0),
        reading=reading,
        verdict=verdict,
        spent=1,
    )


def _checks(
    service: str, model: str, first: float, *checks: Check
) -> dict[float, dict[tuple[str, str], Check]]:
    """Return *checks* of a model, four minutes apart from a minute on."""
    return {first + 4 * number: {(service, model): one} for number, one in enumerate(checks)}


def _together(
    *scripts: dict[float, dict[tuple[str, str], Check]],
) -> dict[float, dict[tuple[str, str], Check]]:
    found: dict[float, dict[tuple[str, str], Check]] = {}
    for script in scripts:
        for minute, checks in script.items():
            found.setdefault(minute, {}).update(checks)
    return found


_WELL, _LATE, _GONE = _answered(0.5), _answered(14.0), _broke(Reason.TIMEOUT)
MODEL_DAY = Day(
    minutes=70,
    services={
        "ai": Situation(
            script=lambda minute: seen(),
            provider="openai",
            changes={
                "models": (
                    *map(_model, ("big", "slow", "stalls", "steady", "lost", "dear")),
                    _model("night", severity="critical", interval=86_400.0),
                )
            },
        ),
        "down": Situation(
            script=between(20, 40, Reason.SERVER_ERROR, status=500),
            provider="mistral",
            changes={"models": (_model("m"),)},
        ),
        "shut": Situation(
            script=lambda minute: seen(),
            changes={"models": (_model("m"),), "maintenance": (_SHUT,)},
        ),
    },
    models=_together(
        _checks("ai", "steady", 1, *[_WELL] * 17),
        _checks(
            "ai",
            "big",
            2,
            *[_WELL] * 3,
            *[_GONE] * 4,
            _broke(Reason.CLIENT_ERROR, Verdict.REQUEST),
            *[_WELL] * 6,
        ),
        _checks("ai", "slow", 2, *[_WELL] * 3, _LATE, _GONE, _LATE, _LATE, *[_WELL] * 8),
        _checks("ai", "stalls", 3, _WELL, _answered(0.5, gap=8.5), _WELL, _WELL),
        _checks("ai", "stalls", 27, _broke(Reason.TIMEOUT, text=True), *[_WELL] * 8),
        _checks("ai", "lost", 2, _GONE, _GONE),
        _checks("ai", "dear", 2, _WELL, Skip.BUDGET_MODEL, Skip.BUDGET_MODEL, Skip.BUDGET_ALL),
        _checks("ai", "dear", 26, _WELL, Skip.MAINTENANCE, _WELL),
        _checks("ai", "night", 2, _GONE),
        _checks("ai", "night", 9, _GONE),
        _checks("down", "m", 21, *[_GONE] * 5, *[_WELL] * 5),
        _checks("shut", "m", 8, *[_GONE] * 5, _WELL),
    ),
)
