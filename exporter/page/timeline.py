"""What was in the last 30 days and what comes in the next 90, on one axis and as a list.

Pure. Only what is known is on it: a key without an expiry has none here either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from exporter.config import Target
from exporter.incidents import Incident
from exporter.results import Tally, deprecations, ends, gone
from exporter.retirement import API

_DAY_SECONDS = 86_400
BACK_SECONDS, AHEAD_SECONDS = 30 * _DAY_SECONDS, 90 * _DAY_SECONDS
_SPAN = BACK_SECONDS + AHEAD_SECONDS
_STEP_SECONDS = 3600
"""The picture moves on once an hour: it would not be seen, and would be sent each time."""
NOW_X = BACK_SECONDS / _SPAN * 100
"""Where now is, in per cent."""
_LANES = {
    "incident": "Incidents",
    "maintenance": "Maintenance",
    "certificate": "Certificate",
    "key": "Key",
    "limit": "Limits, quotas",
    "retirement": "Retirement",
}
_SHOWN_PAST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens at a Unix time, or from *at* to *until*; None: it has not ended."""

    kind: str
    text: str
    at: float
    until: float | None
    path: str = ""
    """The page that has more of it."""
    lasts: bool = False

    def is_over(self, now: float) -> bool:
        """Return whether it lies before *now*, all of it."""
        return self.until is not None and self.until < now


@dataclass(frozen=True, slots=True)
class Mark:
    """An event on the axis, in per cent; *beyond* is "before" or "after" where it is not on it."""

    x: float
    width: float
    beyond: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The events of one kind."""

    kind: str
    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The picture and the list."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    ahead: tuple[Event, ...]
    """What has not ended, the next first."""
    past: tuple[Event, ...]
    """The newest first."""
    unlisted: int
    """How many more are past."""


def timeline(events: Iterable[Event], now: float) -> Timeline:
    """Return what is known at the Unix time *now*."""
    begin = now // _STEP_SECONDS * _STEP_SECONDS - BACK_SECONDS
    order = list(_LANES)
    known = sorted(
        (event for event in events if not (event.lasts and event.is_over(begin))),
        key=lambda event: (order.index(event.kind), event.at),
    )
    lanes = tuple(
        Lane(kind, _LANES[kind], tuple(_mark(event, begin, now) for event in lane))
        for kind, lane in groupby(known, key=lambda event: event.kind)
    )
    ahead = sorted((e for e in known if not e.is_over(now)), key=lambda e: (max(e.at, now), -e.at))
    past = sorted((e for e in known if e.is_over(now)), key=lambda e: e.until or 0, reverse=True)
    return Timeline(
        lanes=lanes,
        ticks=tuple(_ticks(begin)),
        ahead=tuple(ahead),
        past=tuple(past[:_SHOWN_PAST]),
        unlisted=max(0, len(past) - _SHOWN_PAST),
    )


def _mark(event: Event, begin: float, now: float) -> Mark:
    until = max(now, event.at) if event.until is None else event.until
    if event.at > begin + _SPAN:
        return Mark(100.0, 0.0, "after")
    if until < begin:
        return Mark(0.0, 0.0, "before")
    left, right = max(event.at, begin), min(until, begin + _SPAN)
    width = (right - left) / _SPAN * 100 if event.lasts else 0.0
    return Mark(round((left - begin) / _SPAN * 100, 2), round(width, 2), "")


def _ticks(begin: float) -> Iterator[tuple[float, str]]:
    for days in (0, 60, 90, 120):
        at = datetime.fromtimestamp(begin + days * _DAY_SECONDS, UTC)
        yield days * _DAY_SECONDS / _SPAN * 100, at.strftime("%-d %b")


def events_of(
    target: Target,
    tally: Tally,
    incidents: Sequence[Incident],
    rotated_at: float | None,
    now: float,
) -> Iterator[Event]:
    """Yield everything that is known of a service and has a time."""
    for incident in incidents:
        yield Event(
            kind="incident",
            text=incident.summary or incident.alertname,
            at=incident.started_at,
            until=incident.resolved_at,
            path=f"/incidents/{incident.id}",
            lasts=True,
        )
    for window in target.maintenance:
        text = f"Maintenance: {window.reason}" if window.reason else "Maintenance"
        yield Event(kind="maintenance", text=text, at=window.start, until=window.end, lasts=True)
    if tally.certificate is not None:
        at = tally.certificate.expiry
        yield _point("certificate", _expiry("Certificate", at, now), at)
    if tally.key_expiry is not None:
        yield _point("key", _expiry("Key", tally.key_expiry, now), tally.key_expiry)
    if rotated_at is not None and rotated_at > now - BACK_SECONDS:
        yield _point("key", "Key rotated", rotated_at)
    yield from _limits(tally, now)
    yield from _retirements(target, tally, now)


def _expiry(what: str, at: float, now: float) -> str:
    return f"{what} {'expires' if at >= now else 'has expired'}"


def _point(kind: str, text: str, at: float) -> Event:
    return Event(kind=kind, text=text, at=at, until=at)


def _limits(tally: Tally, now: float) -> Iterator[Event]:
    limit_ends: Mapping[str, float] = tally.runways.limits if tally.runways else {}
    quota_ends: Mapping[tuple[str, str], float] = tally.runways.quotas if tally.runways else {}
    for resource, limit in tally.limits.items():
        end = limit_ends.get(resource)
        if limit.remaining == 0 and limit.reset is not None and limit.reset > now:
            yield _point("limit", f"Limit {resource} is full again", limit.reset)
        elif limit.remaining and end is not None and end > now:
            yield _point("limit", f"Limit {resource} is used up at this pace", end)
    for (resource, unit), left in tally.quotas.items():
        end = quota_ends.get((resource, unit))
        if left > 0 and end is not None and end > now:
            yield _point("limit", f"Quota {resource} is used up at this pace", end)


def _retirements(target: Target, tally: Tally, now: float) -> Iterator[Event]:
    """Yield the days of what the service uses: deprecated, switched off, gone from the list."""
    radar, used = tally.radar, target.uses
    kind = "retirement"
    for (model, by), at in gone(radar):
        how = "left the provider's list" if by == "list" else "was answered to be gone"
        yield _point(kind, f"Model {model} {how}", at)
    for resource, at in ends(radar, used):
        if radar is not None and resource == API and at == radar.version_gone_at:
            yield _point(kind, "Answers name another API version", at)
            continue
        # What was announced may have been moved: that day says nothing of what is there now.
        text = "is switched off" if at >= now else "was to be switched off"
        yield _point(kind, f"{_resource(resource)} {text}", at)
    for resource, at in deprecations(radar, used):
        text = "is deprecated" if at < now else "will be deprecated"
        yield _point(kind, f"{_resource(resource)} {text}", at)


def _resource(name: str) -> str:
    return "API" if name == API else f"Model {name}"
