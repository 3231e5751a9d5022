"""The same day judged here and by Prometheus with the shipped rules: the same alerts and words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.alerting import NAMES
from exporter.config import Maintenance, Used
from exporter.model import Certificate, Limit, Outcome, Reason
from exporter.providers import RetirementFact
from exporter.retirement import Notice, Retirement
from exporter.statuspages import State, StatusPage
from tests.alerting.day import (
    START,
    Checked,
    Day,
    Labels,
    Moment,
    Played,
    checked,
    expectation,
    played,
)
from tests.alerting.model_day import MODEL_DAY
from tests.fleet import Situation, between, every, seen

DAY = 86_400.0
FAR = 2
"""Evaluations from a change in which texts are not compared: it may come one sooner or later."""
PAGE = StatusPage(url="https://status.example/", confidence="documented")


def _quota(minute: float) -> Outcome:
    if 40 <= minute < 55:
        return seen(Reason.QUOTA_EXHAUSTED, status=402)
    return seen(quotas={("credits", "usd"): 500.0 - 2 * minute})


def _used_up(minute: float) -> Outcome:
    return seen(quotas={("credits", "usd"): 0.0 if 20 <= minute < 30 else 40.0})


def _first_quota_then_limit(minute: float) -> Outcome:
    if 20 <= minute < 24:
        return seen(Reason.QUOTA_EXHAUSTED, status=402)
    return seen(Reason.RATE_LIMITED, status=429) if 24 <= minute < 44 else seen()


def _certificate(days: float, *, fails_from: float = 1e9) -> Any:
    expiry = START + days * DAY

    def script(minute: float) -> Outcome:
        if minute >= fails_from:
            return seen(Reason.TLS, certificate=Certificate(expiry=expiry, verified=False))
        return seen(certificate=Certificate(expiry=expiry))

    return script


def _headroom(minute: float) -> Outcome:
    left = 3.0 if 10 <= minute < 30 else 80.0
    return seen(
        limits={
            "requests": Limit(limit=100, remaining=left, reset=START + 9 * DAY),
            "tokens": Limit(limit=90_000, remaining=60_000.0),
        }
    )


def _waits(minute: float) -> Outcome:
    if 20 <= minute < 22:
        return seen(Reason.RATE_LIMITED, status=429, retry_after=1200.0)
    return seen()


def _key_expiry(minute: float) -> Outcome:
    return seen(key_expiry=START + 3 * DAY + 7 * minute)


def _ending(minute: float) -> Outcome:
    """Return what announces an end that comes nearer than a step of the ladder."""
    notice = Notice(deprecated=True, sunset_at=START + 30 * DAY + 45 * 60.0)
    return seen(retirement=Retirement(notices={"api": notice}) if 10 <= minute < 60 else None)


def _models(minute: float) -> Outcome:
    there = {"gpt-a": not 20 <= minute < 50, "gpt-b": not 30 <= minute < 40, "gpt-c": False}
    over = {"gpt-a": Notice(sunset_at=START + 600.0)} if minute >= 12 else {}
    return seen(retirement=Retirement(listed=there, notices=over))


def _slow(minute: float) -> Outcome:
    return seen(duration=3.0 if 15 <= minute < 40 else 0.1 + minute / 400)


def _shut(first: float, end: float) -> tuple[Maintenance, ...]:
    return (Maintenance(start=START + 60 * first, end=START + 60 * end),)


def _failing(first: float, end: float, **changes: Any) -> Situation:
    more = {"provider": changes.pop("provider")} if "provider" in changes else {}
    script = between(first, end, Reason.SERVER_ERROR, status=500)
    return Situation(script=script, changes=changes, **more)


def _canaries(minute: float) -> dict[str, bool]:
    """Return two that fail, are replaced meanwhile, and answer at last."""
    if 73 <= minute < 75:
        return {}
    return {"one": not 70 <= minute < 77, "two": not 69 <= minute < 76}


def _no_name(first: float, end: float, provider: str = "custom", **changes: Any) -> Situation:
    return Situation(script=between(first, end, Reason.DNS), provider=provider, changes=changes)


_USES = Used(models=("gpt-a", "gpt-b", "gpt-c"), named=frozenset({"gpt-a", "gpt-b", "gpt-c"}))
_FACT = RetirementFact(
    models="x", sunset="1970-01-20", source="a page", read_at="1970-01", confidence="doc"
)
_ANNOUNCED = Used(models=("x", "w"), facts={"x": _FACT, "w": replace(_FACT, sunset="1970-01-21")})
CANARY_DAY = Day(
    minutes=84,
    services={
        "steady": Situation(script=lambda minute: seen()),
        "down": _failing(10, 40, runbook="https://wiki.example/down"),
        "timeout": Situation(
            script=between(12, 14, Reason.TIMEOUT), changes={"team": "", "interval": 60.0}
        ),
        "blip": _failing(10, 11),
        "again": Situation(script=every("xxxxxx..", 10, 20)),
        "taken": _failing(10, 40),
        "pay": _failing(50, 62, provider="stripe"),
        "refund": _failing(51, 62, provider="stripe"),
        "ledger": _failing(55, 58, provider="stripe", maintenance=_shut(45, 65)),
        "sms": _failing(50, 62, provider="twilio"),
        "call": Situation(script=lambda minute: seen(), provider="twilio"),
        "rejected": Situation(script=between(20, 50, Reason.AUTH_INVALID, status=401)),
        "refused": Situation(
            script=between(20, 50, Reason.AUTH_EXPIRED, status=401), provider="openai"
        ),
        "never": Situation(script=lambda minute: seen(Reason.AUTH_INVALID, status=401)),
        "empty": Situation(script=_quota, provider="openrouter"),
        "spent": Situation(script=_used_up, changes={"environment": "staging"}),
        "mixed": Situation(script=_first_quota_then_limit),
        "limited": Situation(script=between(30, 45, Reason.RATE_LIMITED, status=429)),
        "waits": Situation(script=_waits, provider="openai"),
        "headroom": Situation(script=_headroom),
        "expiring": Situation(script=_key_expiry, provider="openai"),
        "ending": Situation(script=_ending),
        "models": Situation(script=_models, provider="openai", changes={"uses": _USES}),
        "fact": Situation(
            script=lambda minute: seen(), provider="mistral", changes={"uses": _ANNOUNCED}
        ),
        "renew": Situation(script=_certificate(2)),
        "lapsing": Situation(script=_certificate(50 / 1440)),
        "lapsed": Situation(script=_certificate(-1, fails_from=30)),
        "flapping": Situation(script=every("xxx...", 15, 40)),
        "slow": Situation(script=_slow),
        "shut": Situation(
            script=between(25, 45, Reason.MAINTENANCE, status=503),
            changes={"maintenance": _shut(22, 50)},
        ),
        "unprobed": Situation(script=lambda minute: seen()),
        "unknown": Situation(
            script=lambda minute: seen(), changes={"endpoint": None, "key_configured": None}
        ),
        "keyless": Situation(script=lambda minute: seen(), changes={"key_configured": False}),
        "quiet": _failing(41, 67, provider="mailgun", status_page=PAGE),
        "mail": Situation(
            script=lambda minute: seen(), provider="sendgrid", changes={"status_page": PAGE}
        ),
    },
    canaries=_canaries,
    acknowledges={18.0: "taken"},
    unprobed={35.0: "unprobed"},
    busy=lambda minute: 30 <= minute < 55,
    short=lambda minute: 64 <= minute < 67,
    unsaved=lambda minute: 40 <= minute < 46,
    stalls=lambda minute: minute in (25.0, 26.0),
    torn=lambda minute: 30 <= minute < 42,
    lost_rows=(60.0, 61.0),
    refused=lambda minute: 20 <= minute < 40,
    pages=lambda minute: State.MAJOR_OUTAGE if 20 <= minute < 40 else State.OPERATIONAL,
    listed=lambda minute: 60 <= minute < 64,
)


BLIND_DAY = Day(
    minutes=50,
    services={
        "chat": _no_name(10, 14, "openai"),
        "speech": _no_name(10, 14, "openai"),
        "pay": _no_name(10, 30, "stripe"),
        "own": _no_name(10, 14),
        "slow-own": _no_name(10, 14, interval=60.0),
        "shut": _no_name(8, 30, maintenance=_shut(9, 20)),
        "far": _no_name(10, 13, environment="staging"),
        "alone": _no_name(20, 40, environment="staging"),
    },
)
"""Without canaries: that nearly all providers fail at once shows whose fault it is."""
RESTARTS_DAY = Day(
    minutes=50,
    services={
        "steady": Situation(script=lambda minute: seen()),
        "down": _failing(5, 24),
        "back": _failing(5, 14.75),
        "late": _failing(12, 40),
        "shut": _failing(5, 20, maintenance=_shut(2, 30)),
        "rejected": Situation(script=between(8, 30, Reason.AUTH_INVALID, status=401)),
        "pay": _failing(5, 28, provider="stripe"),
        "refund": _failing(5, 28, provider="stripe"),
    },
    canaries=lambda minute: {"one": not 34 <= minute < 38},
    restarts=(15.0, 36.0),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "day",
    [CANARY_DAY, BLIND_DAY, RESTARTS_DAY, MODEL_DAY],
    ids=["canaries", "blind", "restarts", "models"],
)
async def test_a_day_is_judged_here_as_by_prometheus(day: Day, tmp_path: Path) -> None:
    found = await played(day)
    moments = found.moments
    expected = [
        expectation(moments[at], name, at)
        for name in sorted(NAMES)
        for at in _quiet([_of(moment, name) for moment in moments], found.away)
    ]
    said = checked(tmp_path, found.series, len(moments), expected)

    assert not _wrong_changes(found, said)
    assert not said.mistakes
    assert sum(bool(one["exp_alerts"]) for one in expected) > 50


def _of(moment: Moment, name: str) -> frozenset[Labels]:
    return frozenset(labels for labels in moment if ("alertname", name) in labels)


def _quiet(firing: Sequence[frozenset[Labels]], away: set[int]) -> Iterator[int]:
    """Yield evaluations far from a change: after and before each, and some between."""
    changes = {at for at in range(1, len(firing)) if firing[at] != firing[at - 1]}
    changes |= away | {at + 1 for at in away}
    ends = [*sorted(changes), len(firing)]
    for first, end in zip([0, *ends], ends, strict=False):
        begin, last = first + FAR, end - FAR - 1
        if begin <= last:
            yield from sorted({*range(begin, last + 1, 7), last} if firing[begin] else {last})


def _wrong_changes(found: Played, said: Checked) -> list[str]:
    """Return what does not begin and end for both at the same evaluation, or one beside it."""
    present = [at for at in range(len(found.moments)) if at not in found.away]
    ours = [{one for one in found.moments[at] if _name(one) in NAMES} for at in present]
    theirs = [{one for one in said.firing[at] if _name(one) in NAMES} for at in present]
    wrong = []
    for labels in set().union(*ours, *theirs):
        here, there = _changes(ours, labels), _changes(theirs, labels)
        alike = len(here) == len(there) and all(
            abs(a - b) <= 1 for a, b in zip(here, there, strict=True)
        )
        if not alike:
            wrong.append(f"{sorted(labels)}: here {here}, Prometheus {there}")
    return sorted(wrong)


def _changes(firing: Sequence[set[Labels]], labels: Labels) -> list[int]:
    """Return where an alert begins and ends, by its place in the list."""
    states = [False, *(labels in one for one in firing)]
    return [at for at in range(1, len(states)) if states[at] != states[at - 1]]


def _name(labels: Labels) -> str:
    return dict(labels)["alertname"]
