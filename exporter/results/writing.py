"""A failed result as one line of JSON, and back; what is damaged in it is not read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from exporter.evidence import Evidence
from exporter.model import PHASES, Certificate, Outcome, Reason, Result, Verdict

MAX_TEXT_BYTES = 16_384
"""Of one result: all its texts are bounded, so a longer one is not ours."""
_REASONS, _VERDICTS = frozenset(map(str, Reason)), frozenset(map(str, Verdict))
_TEXTS = ("answerer", "tls_version", "cipher", "excerpt", "network")
_NAMES = ("subject", "issuer")
_LONGEST = 1024


def text_of(result: Result) -> str:
    """Return *result*, without what is empty: see `result_of`."""
    outcome, evidence = result.outcome, result.outcome.evidence or Evidence()
    found: dict[str, Any] = {
        "at": result.at,
        "verdict": result.verdict,
        "attempts": result.attempts,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "duration": outcome.duration,
        "phases": list(outcome.phases),
        "status": outcome.status,
        "address": outcome.address,
        "request_id": outcome.request_id,
        "certificate": None,
        **{name: getattr(evidence, name) for name in _TEXTS},
        "headers": evidence.headers,
        "found": evidence.found,
    }
    if (seen := outcome.certificate) is not None:
        names = {name: getattr(seen, name) for name in _NAMES}
        found["certificate"] = {"expiry": seen.expiry, "verified": seen.verified, **names}
    kept = {name: value for name, value in found.items() if value not in (None, "", (), 0)}
    return json.dumps(kept, separators=(",", ":"), allow_nan=False)


def result_of(service: str, text: str) -> Result | None:
    """Return the result of *service* in *text*; None if it is none."""
    try:
        data = json.loads(text) if len(text) <= MAX_TEXT_BYTES else None
        return _result(service, data) if isinstance(data, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _result(service: str, data: Mapping[str, Any]) -> Result:
    reason, verdict = _word(data["reason"], _REASONS), _word(data["verdict"], _VERDICTS)
    phases = [_number(one) for one in data["phases"]]
    if len(phases) != len(PHASES):
        raise ValueError("no phases")
    a, b, c, d, e = phases
    outcome = Outcome(
        reason=Reason(reason),
        detail=_text(data.get("detail", "")),
        duration=_number(data.get("duration", 0)),
        phases=(a, b, c, d, e),
        status=_whole(data.get("status", 0)),
        certificate=_certificate(data.get("certificate")),
        address=_text(data.get("address", "")),
        request_id=_text(data.get("request_id", "")),
        evidence=Evidence(
            **{name: _text(data.get(name, "")) for name in _TEXTS},
            headers=_pairs(data.get("headers", [])),
            found=_pairs(data.get("found", [])),
        ),
    )
    at, attempts = _number(data["at"]), _whole(data.get("attempts", 1))
    return Result(
        service=service, at=at, outcome=outcome, verdict=Verdict(verdict), attempts=attempts
    )


def _certificate(data: Any) -> Certificate | None:
    if data is None:
        return None
    return Certificate(
        expiry=_number(data["expiry"]),
        verified=data["verified"] is True,
        **{name: _text(data[name]) for name in _NAMES},
    )


def _pairs(data: Any) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(value)) for name, value in data)


def _word(value: Any, known: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError("no such word")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError("no text")
    value.encode()  # raises ValueError for half a character
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise ValueError("no number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError("no whole number")
    return value
