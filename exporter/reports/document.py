"""A report as plain data: what the JSON is, and what every other format is laid out from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from exporter.incidents import Incident
from exporter.providers import Credit, Promise
from exporter.reports import rules
from exporter.reports.availability import Totals, Window, totals, windows
from exporter.reports.facts import Facts, FailedRequest
from exporter.reports.ledger import Stretch, ledger
from exporter.results import Seen
from exporter.results.minutes import MINUTE_SECONDS

Json = dict[str, Any]
MOST_WINDOWS = 500
"""Windows of downtime that are listed, the longest; the others are counted."""
_DAY_SECONDS = 86_400.0


def document(facts: Facts) -> Json:
    """Return the report of *facts*; shares are from 0 to 1, times are RFC 3339 in UTC."""
    stretches = ledger(facts.start, facts.end, facts.kept)
    sums, found = totals(stretches), windows(stretches)
    listed = sorted(sorted(found, key=_longest)[:MOST_WINDOWS], key=lambda one: one.start)
    target = facts.target
    return {
        "service": target.id,
        "name": target.name,
        "provider": target.provider,
        "environment": target.environment,
        "probe": {
            "method": target.endpoint.method if target.endpoint else None,
            "address": target.endpoint.shown if target.endpoint else None,
            "interval_seconds": target.interval,
        },
        "from": instant(facts.start * MINUTE_SECONDS),
        "to": instant(facts.end * MINUTE_SECONDS),
        "generated_at": instant(facts.now),
        "version": facts.version,
        "availability": _number(sums.availability),
        "minutes": _minutes_json(sums),
        "objective": _objective_json(facts, sums),
        "windows": [_window_json(one, facts) for one in listed],
        "windows_left_out": len(found) - len(listed),
        "vendor": None if facts.promise is None else _vendor_json(facts, facts.promise),
        "failures": [_failure_json(one) for one in facts.failures],
        "incidents": _incidents_json(facts.incidents),
        "network": {"canaries": facts.canaries},
        "status_page": list(facts.page_story),
        "status_page_url": target.status_page.url if target.status_page else None,
    }


def instant(at: float) -> str:
    """Return a Unix time as RFC 3339: `2026-11-01T00:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _longest(window: Window) -> tuple[int, int]:
    return window.start - window.end, window.start


def _number(share: Fraction | None) -> float | None:
    return None if share is None else float(share)


def _minutes_json(sums: Totals) -> Json:
    return {
        "total": sums.total,
        "observed": sums.observed,
        "failing": sums.failing,
        "down": round(float(sums.down), 6),
        "unobserved": {
            seen.value: sums.unobserved.get(seen, 0) for seen in Seen if not seen.observed
        },
    }


def _objective_json(facts: Facts, sums: Totals) -> Json | None:
    wanted = facts.target.objectives.availability
    if wanted is None:
        return None
    budget = (1 - Fraction(str(wanted))) * sums.observed
    return {
        "availability": wanted,
        "met": None if sums.availability is None else sums.down <= budget,
        "budget_minutes": round(float(budget), 6),
        "used_minutes": round(float(sums.down), 6),
        "remaining_ratio": float(1 - sums.down / budget) if budget else None,
    }


def _window_json(window: Window, facts: Facts) -> Json:
    begin, end = window.start * MINUTE_SECONDS, window.end * MINUTE_SECONDS
    within = [one for one in facts.failures if begin <= one.at < end]
    return {
        "start": instant(begin),
        "end": instant(end),
        "minutes": window.end - window.start,
        "probes": window.probes,
        "failed": window.failed,
        "reasons": dict(window.reasons.most_common()),
        "statuses": {str(status): count for status, count in window.statuses.most_common()},
        "network": window.network or "unproven",
        "status_page": window.pages,
        "ended": window.after.value if window.after else "open",
        "request_ids": list(dict.fromkeys(one.request_id for one in within if one.request_id)),
    }


def _failure_json(one: FailedRequest) -> Json:
    return {
        "at": instant(one.at),
        "reason": one.reason,
        "status": one.status or None,
        "address": one.address or None,
        "request_id": one.request_id or None,
        "detail": one.detail,
        "answer": one.answer or None,
    }


def _incidents_json(incidents: Sequence[Incident]) -> Json:
    def mean(ends: Sequence[tuple[float, float | None]]) -> float | None:
        spans = [end - start for start, end in ends if end is not None]
        return sum(spans) / len(spans) if spans else None

    return {
        "mttr_seconds": mean([(one.started_at, one.resolved_at) for one in incidents]),
        "mtta_seconds": mean([(one.started_at, one.acknowledged_at) for one in incidents]),
        "list": [
            {
                "id": one.id,
                "severity": one.severity,
                "summary": one.summary,
                "started_at": instant(one.started_at),
                "acknowledged_at": _instant_or_none(one.acknowledged_at),
                "resolved_at": _instant_or_none(one.resolved_at),
            }
            for one in incidents
        ],
    }


def _instant_or_none(at: float | None) -> str | None:
    return None if at is None else instant(at)


# -- the vendor's own rule ---------------------------------------------------------------------


def _vendor_json(facts: Facts, promise: Promise) -> Json:
    """Return what the vendor says itself; a number of others is not even repeated."""
    own = promise.confidence == "doc"
    return {
        "second_hand": not own,
        "availability": promise.availability if own else None,
        "period": promise.period if own else None,
        "plan": promise.plan if own else "",
        "covers": promise.covers if own else "",
        "probe_is_covered": promise.probe_is_covered,
        "source": list(promise.source) if own else [],
        "as_of": promise.as_of if own else "",
        "note": promise.note,
        "remark": "" if own else promise.plan,
        "counting": _counting_json(promise) if own else None,
        "credits": _credits_json(promise) if own else None,
        "claim": _claim_json(promise) if own else None,
        "periods": _periods_json(facts, promise) if own else [],
        "cautions": _cautions(facts, promise),
    }


def _counting_json(promise: Promise) -> Json | None:
    rule = promise.counting
    if rule is None or rule.confidence != "doc":
        return None
    return {
        "kind": rule.kind,
        "window": rule.window,
        "above": rule.above,
        "minimum_requests": rule.minimum_requests,
        "decided_by": rule.decided_by,
        "excluded": rule.excluded,
    }


def _steps(promise: Promise) -> tuple[Credit, ...]:
    credits = promise.credits
    return credits.steps if credits is not None and credits.confidence == "doc" else ()


def _credits_json(promise: Promise) -> Json | None:
    if promise.credits is None or promise.credits.confidence != "doc":
        return None
    steps = [
        {"below": one.below, "or_equal": one.or_equal, "percent": one.percent}
        for one in promise.credits.steps
    ]
    return {"steps": steps, "note": promise.credits.note}


def _claim_json(promise: Promise) -> Json | None:
    claim = promise.claim
    if claim is None or claim.confidence != "doc":
        return None
    days = None if claim.within is None else claim.within / _DAY_SECONDS
    return {"within_days": days, "how": claim.how}


def _periods_json(facts: Facts, promise: Promise) -> list[Json]:
    rule = promise.counting
    if promise.period is None or rule is None or rule.confidence != "doc":
        return []
    return [
        _period_json(facts, promise, one)
        for one in rules.periods(promise.period, facts.start, max(facts.end, facts.start + 1))
    ]


def _period_json(facts: Facts, promise: Promise, period: rules.Period) -> Json:
    assert promise.counting is not None
    until = min(period.end, max(facts.known, period.start))
    stretches = ledger(period.start, until, facts.kept)
    interval = facts.target.interval
    found = rules.availability(promise.counting, period, stretches, interval)
    kept = rules.kept_promise(promise, found)
    within = promise.claim.within if promise.claim and promise.claim.confidence == "doc" else None
    deadline = None if within is None else instant(period.end * MINUTE_SECONDS + within)
    return {
        "period": period.name,
        "complete": until == period.end,
        "availability": float(found),
        "kept": kept,
        "credit_percent": rules.credit(_steps(promise), found),
        "unobserved_minutes": _unobserved(stretches),
        "claim_until": deadline,
        "cannot_prove": rules.shortfalls(promise.counting, interval, stretches),
    }


def _unobserved(stretches: Sequence[Stretch]) -> int:
    return sum(one.length for one in stretches if not one.seen.observed)


def _cautions(facts: Facts, promise: Promise) -> list[str]:
    found = []
    if promise.confidence != "doc":
        found.append(
            "What is known of a promise comes from others, not from the vendor: no number of it is"
            " used or shown here. Read your contract."
        )
    if promise.probe_is_covered is False:
        found.append(
            "Our probe is not the call that the promise is about: its failures support a claim,"
            " but logs of your own calls have to carry it."
        )
    elif promise.probe_is_covered is None and promise.availability is not None:
        found.append("Whether our probe is a call that the promise is about is not known.")
    if promise.confidence == "doc" and promise.availability is not None:
        if promise.counting is None:
            found.append(
                "How the vendor counts downtime is not published: nothing is computed by it."
            )
        elif promise.period is None:
            found.append("Over which period the vendor counts is not known: nothing is computed.")
        found.append("The vendor's own measurements decide; ours are what we can show.")
    if facts.canaries == 0:
        found.append(
            "No canary is configured: where no answer came at all, nothing proves that our own"
            " network worked."
        )
    return found
