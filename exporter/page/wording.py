"""What the page says: states, faults, times and the one sentence. Pure; the caller brings the time.

Words are the page's own; names are shortened, and nothing in a text can turn its direction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from exporter.model import Reason, Verdict

_DAY = 86400.0
NAMED = 3
"""So many failing services are named in the sentence."""
# Controls, line separators, and what changes the direction of the text after it.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_LONE = re.compile("[\ud800-\udfff]")


class ShownState(StrEnum):
    """How a service is shown, the worst first; the first four are the words of /api/health."""

    DOWN = "unhealthy"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    MAINTENANCE = "maintenance"
    OFF = "off"


STATES: Mapping[ShownState, str] = {
    ShownState.DOWN: "Down",
    ShownState.DEGRADED: "Degraded",
    ShownState.UNKNOWN: "Unknown",
    ShownState.HEALTHY: "Healthy",
    ShownState.MAINTENANCE: "Maintenance",
    ShownState.OFF: "Not probed",
}
FAILING = (ShownState.DOWN, ShownState.DEGRADED)
_BY_REASON: Mapping[Reason, str] = {
    Reason.KEY_OK_LIMITED: "works, with a key of limited scope",
    Reason.AUTH_INVALID: "key rejected",
    Reason.AUTH_EXPIRED: "key expired",
    Reason.PERMISSION: "key not allowed to do this",
    Reason.IP_BLOCKED: "our address blocked",
    Reason.REGION_BLOCKED: "our region blocked",
    Reason.QUOTA_EXHAUSTED: "quota used up",
    Reason.RATE_LIMITED: "rate limited",
    Reason.MAINTENANCE: "provider in maintenance",
    Reason.BAD_BODY: "wrong answer from the provider",
    Reason.REDIRECT_REFUSED: "unexpected redirect",
    Reason.ADDRESS_REFUSED: "address not allowed",
}
_BY_VERDICT: Mapping[Verdict, str] = {
    Verdict.OK: "works",
    Verdict.CREDENTIAL: "key refused",
    Verdict.QUOTA: "quota used up",
    Verdict.PROVIDER: "provider outage",
    Verdict.NETWORK: "our network down",
    Verdict.REQUEST: "our request wrong",
    Verdict.MONITORING: "fault in the exporter",
}


def fault(reason: Reason, verdict: Verdict) -> str:
    """Return in a few words what is wrong, and whose fault it is."""
    if verdict is Verdict.NETWORK:
        return _BY_VERDICT[verdict]
    return _BY_REASON.get(reason) or _BY_VERDICT[verdict]


def plain(text: str) -> str:
    """Return *text* with everything replaced that is no text: controls, changes of direction."""
    return _LONE.sub("\ufffd", _UNPRINTABLE.sub("\ufffd", text))


def short(text: str, most: int = 40) -> str:
    """Return *text* with at most so many characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


# -- times -------------------------------------------------------------------------------------


def iso(at: float) -> str:
    """Return a Unix time as machines read it."""
    return _utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at: float, now: float, *, seconds: bool = False) -> str:
    """Return a Unix time as people read it: without the day if it is today."""
    moment, today = _utc(at), _utc(now)
    form = "%H:%M:%S UTC" if seconds else "%H:%M UTC"
    if moment.date() != today.date():
        form = ("%-d %b " if moment.year == today.year else "%-d %b %Y ") + form
    return moment.strftime(form)


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0.0), 253402300799.0), UTC)


def ago(at: float, now: float) -> str:
    """Return how long ago, or how soon, a Unix time is; the page's script says it alike."""
    seconds = now - at
    if abs(seconds) < 45:
        return "just now" if seconds >= 0 else "in a moment"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def took(seconds: float) -> str:
    """Return a duration with three digits at most."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.0f} s"


def span(seconds: float) -> str:
    """Return a length of time in its largest unit, rounded down."""
    for unit, length in (("d", _DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


# -- the sentence ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A service that fails, as far as the sentence names it."""

    name: str
    fault: str
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the sentence is made of."""

    now: float
    counts: Mapping[ShownState, int] = field(default_factory=dict)
    failing: Sequence[Failing] = ()
    """The worst first; those in the counts beyond them are not named."""
    offline_since: float | None = None
    """Since when no canary answers; None while one does."""
    waiting: int = 0
    """Services of which there was never a result."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def of(self, *states: ShownState) -> int:
        return sum(self.counts.get(state, 0) for state in states)


def sentence(overview: Overview) -> str:
    """Return how everything is, in one sentence."""
    total, failing = overview.total, overview.of(*FAILING)
    if not total:
        return "No service is registered yet."
    if overview.of(ShownState.OFF) == total:
        return f"None of the {total} services is probed." if total > 1 else "It is not probed."
    if overview.offline_since is not None:
        return _offline(overview)
    if failing:
        said = (
            f"{failing} of {total} {_services(total)} {_are(failing)} failing: {_named(overview)}"
        )
        unknown = overview.of(ShownState.UNKNOWN)
        return f"{said}; {unknown} unknown." if unknown else f"{said}."
    if overview.of(ShownState.HEALTHY) == total:
        return f"All {total} services are healthy." if total > 1 else "The one service is healthy."
    if overview.waiting == overview.of(ShownState.UNKNOWN) == total - overview.of(ShownState.OFF):
        return f"{total} {_services(total)} registered, no result yet."
    return f"No service is failing: {', '.join(_others(overview))}."


def _offline(overview: Overview) -> str:
    since = _since(overview.offline_since or 0.0, overview.now)
    unknown, total = overview.of(ShownState.UNKNOWN), overview.total
    said = f"Our own network is down{since}: no canary answers"
    return f"{said}, nothing is known of {unknown} of {total} {_services(total)}."


def _named(overview: Overview) -> str:
    named = [
        f"{short(one.name)}, {one.fault}{_since(one.since, overview.now)}"
        for one in overview.failing[:NAMED]
    ]
    more = overview.of(*FAILING) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")


def _others(overview: Overview) -> Iterator[str]:
    for state, words in (
        (ShownState.HEALTHY, "healthy"),
        (ShownState.UNKNOWN, "unknown"),
        (ShownState.MAINTENANCE, "in planned maintenance"),
        (ShownState.OFF, "not probed"),
    ):
        if number := overview.of(state):
            yield f"{number} {words}"


def _since(at: float, now: float) -> str:
    return f" since {clock(at, now)}" if at else ""


def _services(number: int) -> str:
    return "service" if number == 1 else "services"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
