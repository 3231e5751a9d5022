"""A day of models: failing, slow, stalled, without money, in an outage, in maintenance, unasked.

Checks are four minutes apart, those of one model a day; what a service's own check sees differs.
"""

from __future__ import annotations

from exporter.config import Maintenance
from exporter.model import Reason, Verdict
from exporter.models import Skip
from tests.alerting.day import START, Day
from tests.fleet import Situation, between, seen
from tests.scripted_models import Check, answered, broke, model

_SHUT = Maintenance(start=START + 600.0, end=START + 1800.0)


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


_WELL, _LATE, _GONE = answered(0.5), answered(14.0), broke(Reason.TIMEOUT)
MODEL_DAY = Day(
    minutes=70,
    services={
        "ai": Situation(
            script=lambda minute: seen(),
            provider="openai",
            changes={
                "models": (
                    *map(model, ("big", "slow", "stalls", "steady", "lost", "dear")),
                    model("night", severity="critical", interval=86_400.0),
                )
            },
        ),
        "down": Situation(
            script=between(20, 40, Reason.SERVER_ERROR, status=500),
            provider="mistral",
            changes={"models": (model("m"),)},
        ),
        "shut": Situation(
            script=lambda minute: seen(),
            changes={"models": (model("m"),), "maintenance": (_SHUT,)},
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
            broke(Reason.CLIENT_ERROR, Verdict.REQUEST),
            *[_WELL] * 6,
        ),
        _checks("ai", "slow", 2, *[_WELL] * 3, _LATE, _GONE, _LATE, _LATE, *[_WELL] * 8),
        _checks("ai", "stalls", 3, _WELL, answered(0.5, gap=8.5), _WELL, _WELL),
        _checks("ai", "stalls", 27, broke(Reason.TIMEOUT, text=True), *[_WELL] * 8),
        _checks("ai", "lost", 2, _GONE, _GONE),
        _checks("ai", "dear", 2, _WELL, Skip.BUDGET_MODEL, Skip.BUDGET_MODEL, Skip.BUDGET_ALL),
        _checks("ai", "dear", 26, _WELL, Skip.MAINTENANCE, _WELL),
        _checks("ai", "night", 2, _GONE),
        _checks("ai", "night", 9, _GONE),
        _checks("down", "m", 21, *[_GONE] * 5, *[_WELL] * 5),
        _checks("shut", "m", 8, *[_GONE] * 5, _WELL),
    ),
)
