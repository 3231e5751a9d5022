"""A result as JSON and back: what of a tally outlives a restart, and what a damaged one leaves out.

Pure. Numbers are checked one by one: the text is from a disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.model import PHASES, Outcome, Reason, Result, Verdict
from exporter.results.recent import INDEX

_VERDICTS = frozenset(Verdict)
MOST = 2**32 - 1
"""That a count can be: a century of probes, one a second."""


def dumped(result: Result) -> dict[str, Any]:
    """Return *result* as JSON."""
    outcome = result.outcome
    return {
        "service": result.service,
        "at": result.at,
        "verdict": result.verdict.value,
        "reason": outcome.reason.value,
        "duration": outcome.duration,
        "phases": list(outcome.phases),
        "status": outcome.status,
        "http_version": outcome.http_version,
        "content_length": outcome.content_length,
        "keyed": outcome.keyed,
        "retry_after": outcome.retry_after,
    }


def restored(last: Any) -> Result | None:
    """Return the result that `dumped` made *last* of; None if it is damaged."""
    match last:
        case {
            "service": str(service),
            "at": at,
            "verdict": str(verdict),
            "reason": str(reason),
            "duration": duration,
        } if are_seconds(at) and are_seconds(duration) and verdict in _VERDICTS and reason in INDEX:
            pass
        case _:
            return None
    phases, length = last.get("phases"), last.get("content_length")
    more: dict[str, Any] = {"keyed": last.get("keyed") is True}
    if isinstance(phases, list) and len(phases) == len(PHASES) and all(map(are_seconds, phases)):
        more["phases"] = tuple(map(float, phases))
    if is_whole(last.get("status")):
        more["status"] = last["status"]
    if are_seconds(last.get("http_version")):
        more["http_version"] = float(last["http_version"])
    if are_seconds(last.get("retry_after")):
        more["retry_after"] = float(last["retry_after"])
    if is_whole(length):
        more["content_length"] = length
    outcome = Outcome(reason=Reason(reason), duration=float(duration), **more)
    return Result(service=service, at=float(at), outcome=outcome, verdict=Verdict(verdict))


def counts(found: Any) -> Iterator[tuple[str, int]]:
    """Yield the names in *found* with a count that probes can add up to."""
    pairs = found.items() if isinstance(found, Mapping) else ()
    return ((str(name), number) for name, number in pairs if is_whole(number) and number <= MOST)


def is_whole(value: Any) -> bool:
    """Return whether *value* is a whole number from 0 on that is exact in JSON."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def are_seconds(value: Any) -> bool:
    """Return whether *value* is a length or a point of time in seconds."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and 0 <= value < 2**53
