"""The figures of a model as JSON, for the next process: no word of an answer is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from exporter.model import Outcome, Reason, Verdict
from exporter.models.states import FIRST_TOKEN_BUCKETS, MOST_USUAL, ModelResult, ModelState, Skip
from exporter.streams import Reading, Usage

_BOUNDS = (*map(str, FIRST_TOKEN_BUCKETS), "+Inf")
_COUNTS = ("good", "counted", "failures", "slow")
_TIMES = ("first_token_sum", "failing_since", "wait_until", "withheld_since")
_STREAM_TIMES = ("first_event", "first_reasoning", "first_text", "last_text")
_STREAM_COUNTS = ("texts", "events")
_USAGE = ("input", "output", "reasoning", "cached")
_REASONS, _SKIPS = frozenset(map(str, Reason)), frozenset(map(str, Skip))
_VERDICTS = frozenset(map(str, Verdict))
_MOST = 2**53
_DETAIL_CHARS = 300


def dump(state: ModelState) -> dict[str, Any]:
    """Return the figures of *state* as JSON, at most a few thousand bytes."""
    return {
        "reasons": {reason.value: n for reason, n in state.reasons.items() if n},
        "skipped": {why.value: n for why, n in state.skipped.items() if n},
        "buckets": {b: n for b, n in zip(_BOUNDS, state.buckets, strict=True) if n},
        **{name: getattr(state, name) for name in (*_COUNTS, *_TIMES)},
        "usual": state.usual,
        "withheld": state.withheld,
        "last": None if state.last is None else _dumped(state.last),
    }


def restore(state: ModelState, kept: Mapping[str, Any]) -> None:
    """Continue from *kept*, a `dump`; what is unknown or damaged in it is passed over."""
    state.reasons.update({Reason(k): n for k, n in _pairs(kept.get("reasons"), _REASONS)})
    state.skipped.update({Skip(k): n for k, n in _pairs(kept.get("skipped"), _SKIPS)})
    for name, number in _pairs(kept.get("buckets"), _BOUNDS):
        state.buckets[_BOUNDS.index(name)] = number
    for name in _COUNTS:
        if _whole(kept.get(name)):
            setattr(state, name, kept[name])
    for name in _TIMES:
        if _seconds(kept.get(name)):
            setattr(state, name, float(kept[name]))
    usual = kept.get("usual")
    if isinstance(usual, list):
        state.usual = [float(one) for one in usual[-MOST_USUAL:] if _seconds(one)]
    if isinstance(why := kept.get("withheld"), str) and why in _SKIPS:
        state.withheld = Skip(why)
    state.last = _restored(kept.get("last"))


def _dumped(result: ModelResult) -> dict[str, Any]:
    outcome, reading = result.outcome, result.reading
    return {
        "at": result.at,
        "reason": outcome.reason.value,
        "verdict": result.verdict.value,
        "detail": outcome.detail[:_DETAIL_CHARS],
        "duration": outcome.duration,
        "status": outcome.status,
        "spent": str(result.spent),  # larger than a JSON number is exact
        "cause": result.cause,
        "gap_max": reading.gap_max,
        **{name: getattr(reading, name) for name in (*_STREAM_TIMES, *_STREAM_COUNTS)},
        "usage": {name: getattr(reading.usage, name) for name in _USAGE},
    }


def _restored(last: Any) -> ModelResult | None:
    match last:
        case {
            "at": at,
            "reason": str(reason),
            "verdict": str(verdict),
            "detail": str(detail),
            "duration": duration,
            "spent": str(spent),
            "cause": str(cause),
        } if (
            _seconds(at)
            and _seconds(duration)
            and reason in _REASONS
            and verdict in _VERDICTS
            and spent.isascii()
            and spent.isdecimal()
        ):
            return ModelResult(
                at=float(at),
                outcome=Outcome(
                    reason=Reason(reason),
                    detail=detail[:_DETAIL_CHARS],
                    duration=float(duration),
                    status=last["status"] if _whole(last.get("status")) else 0,
                ),
                reading=_reading(last),
                verdict=Verdict(verdict),
                spent=int(spent[:30]),
                cause=cause[:20],
            )
    return None


def _reading(last: Mapping[str, Any]) -> Reading:
    """Return what is kept of a stream: its times, the longest gap, and what was counted."""
    found: dict[str, Any] = {
        name: float(last[name]) for name in _STREAM_TIMES if _seconds(last.get(name))
    }
    found |= {name: last[name] for name in _STREAM_COUNTS if _whole(last.get(name))}
    if _seconds(last.get("gap_max")):
        found["gaps"] = [float(last["gap_max"])]
    return Reading(**found, usage=Usage(**dict(_pairs(last.get("usage"), _USAGE))))


def _pairs(found: Any, known: Collection[str]) -> Iterator[tuple[str, int]]:
    pairs = found.items() if isinstance(found, Mapping) else ()
    return ((str(name), number) for name, number in pairs if name in known and _whole(number))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def _seconds(value: Any) -> bool:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and 0 <= value < _MOST
