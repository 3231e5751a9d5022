"""The texts of the page: states, faults, times and the summary sentence.

Pure; the caller brings the time. Names are shortened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from exporter.model import CERTIFICATE_EXPIRED, Reason, Verdict, fault_of
from exporter.results import causes_in_words

_DAY_SECONDS = 86400.0
_LAST_SECOND = 253402300799.0  # 9999-12-31 23:59:59 UTC
MAX_NAMED = 3
"""Failing services that the sentence names; the others are counted."""


class ShownState(StrEnum):
    """How a service is shown; the first four values are those of /api/health."""

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
FAULTS: Mapping[Verdict, str] = {
    Verdict.PROVIDER: "the provider",
    Verdict.CREDENTIAL: "our key or access",
    Verdict.QUOTA: "our quota",
    Verdict.REQUEST: "our request",
    Verdict.NETWORK: "our network",
    Verdict.MONITORING: "the exporter",
}
"""Whose fault it can be, as the filter names it."""
ANSWERERS: Mapping[str, str] = {
    "api": "the API",
    "edge": "an edge in front of the API",
    "ours": "a proxy of ours",
}
"""Who wrote an answer."""


def fault(reason: Reason, verdict: Verdict, detail: str = "") -> str:
    """Return in a few words what is wrong and, unless it is clear, at whose: `key rejected`.

    *detail* is that of the outcome: it knows since when a certificate has expired.

    >>> fault(Reason.SERVER_ERROR, Verdict.PROVIDER)
    'provider: server error'
    """
    words = fault_of(reason, verdict)
    if verdict is not Verdict.PROVIDER:
        return words
    expired = reason is Reason.TLS and detail.startswith(CERTIFICATE_EXPIRED)
    return f"provider: {detail if expired else words}"


def short(text: str, max_length: int = 40) -> str:
    """Return *text* cut to at most *max_length* characters, the last one an ellipsis if cut."""
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


# -- times -------------------------------------------------------------------------------------


def iso(at: float) -> str:
    """Return a Unix time in the form of RFC 3339, for example `2027-01-15T08:00:00Z`."""
    return _utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(at: float) -> str:
    """Return the day of a Unix time, for example `15 Jan 2027`."""
    return _utc(at).strftime("%-d %b %Y")


def utc_time(at: float, now: float, *, seconds: bool = False) -> str:
    """Return a Unix time for people, for example `08:00 UTC`; with the day unless it is today."""
    moment, today = _utc(at), _utc(now)
    form = "%H:%M:%S UTC" if seconds else "%H:%M UTC"
    if moment.date() != today.date():
        form = ("%-d %b " if moment.year == today.year else "%-d %b %Y ") + form
    return moment.strftime(form)


def _utc(at: float) -> datetime:
    # Times come from certificates and providers too: keep them within what datetime can hold.
    return datetime.fromtimestamp(min(max(at, 0.0), _LAST_SECOND), UTC)


def ago(at: float, now: float) -> str:
    """Return how long ago, or in how long, a Unix time is, for example `5 min ago`."""
    # `words` in page.js has the same rules: with others the text would jump when the page loads.
    seconds = now - at
    if abs(seconds) < 45:
        return "just now" if seconds >= 0 else "in a moment"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def took(seconds: float) -> str:
    """Return a duration in ms or s with at most three digits, for example `1.24 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.0f} s"


def span(seconds: float) -> str:
    """Return a length of time in its largest unit, rounded down, for example `6 d`."""
    for unit, length in (("d", _DAY_SECONDS), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


# -- the sentence ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """What the sentence names of a failing service."""

    name: str
    fault: str
    since: float = 0.0
    """Unix time; 0 if it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the sentence is made of."""

    now: float
    counts: Mapping[ShownState, int] = field(default_factory=dict)
    causes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many services fail, by cause and provider as `kind_of` has them."""
    failing: Sequence[Failing] = ()
    """Those to name, the worst first; `counts` may hold more."""
    offline_since: float | None = None
    """The Unix time since which no canary answers; None while one does."""
    hidden: int = 0
    """Services that were not observed since."""
    without_result: int = 0
    """Services that never had a result."""
    models: Sequence[str] = ()
    """Of services that are healthy themselves: which of their models do badly."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def count(self, *states: ShownState) -> int:
        """Return how many services are in one of *states*."""
        return sum(self.counts.get(state, 0) for state in states)


def headline(overview: Overview) -> str:
    """Return the state of all services in a sentence that stays short: the causes, counted.

    One failing service is named, as in `sentence`.
    """
    if overview.count(*FAILING) < 2 or overview.offline_since is not None:
        return sentence(overview)
    return f"{_counted(overview)}{_models(overview)}"


def _counted(overview: Overview) -> str:
    failing, unknown = overview.count(*FAILING), overview.count(ShownState.UNKNOWN)
    text = f"{_fails(failing, overview.total)}: {causes_in_words(overview.causes)}"
    return f"{text}; {unknown} unknown." if unknown else f"{text}."


def sentence(overview: Overview) -> str:
    """Return the state of all services in one sentence that names those which fail.

    A second one names the models that do badly while their service is healthy.
    """
    return f"{_services_sentence(overview)}{_models(overview)}"


def _models(overview: Overview) -> str:
    named, others = overview.models[:MAX_NAMED], len(overview.models) - MAX_NAMED
    if not named or overview.offline_since is not None:
        return ""
    more = f"; and models of {others} more" if others > 0 else ""
    return f" But {'; '.join(named)}{more}."


def _services_sentence(overview: Overview) -> str:
    total, failing = overview.total, overview.count(*FAILING)
    unknown, off = overview.count(ShownState.UNKNOWN), overview.count(ShownState.OFF)
    if not total:
        return "No service is registered yet."
    if off == total == 1:
        return "The one service is not probed."
    if off == total:
        return f"None of the {total} services is probed."
    if overview.offline_since is not None:
        return _offline(overview)
    if failing:
        text = f"{_fails(failing, total)}: {_named_failing(overview)}"
        return f"{text}; {unknown} unknown." if unknown else f"{text}."
    if overview.count(ShownState.HEALTHY) == total:
        return f"All {total} services are healthy." if total > 1 else "The one service is healthy."
    if overview.without_result == unknown == total - off:
        return f"{total} {_services(total)} registered, no result yet."
    return f"No service is failing: {', '.join(_counts_in_words(overview))}."


def _offline(overview: Overview) -> str:
    since = _since(overview.offline_since or 0.0, overview.now)
    hidden, total = overview.hidden, overview.total
    services = f"{hidden} of {total} services are" if hidden < total else "the services are"
    why = f"nobody can say how {services}" if hidden else "no canary answers"
    text = f"Our network is down{since}: {why}"
    failing = overview.count(*FAILING)
    if failing > hidden:  # then it is not the whole story: most of these were answered
        text += f"; {_fails(failing, total)}: {causes_in_words(overview.causes)}"
    return f"{text}."


def _named_failing(overview: Overview) -> str:
    named = [
        f"{short(service.name)}, {service.fault}{_since(service.since, overview.now)}"
        for service in overview.failing[:MAX_NAMED]
    ]
    others = overview.count(*FAILING) - len(named)
    return "; ".join(named) + (f"; and {others} more" if others > 0 else "")


def _counts_in_words(overview: Overview) -> Iterator[str]:
    for state, words in (
        (ShownState.HEALTHY, "healthy"),
        (ShownState.UNKNOWN, "unknown"),
        (ShownState.MAINTENANCE, "in planned maintenance"),
        (ShownState.OFF, "not probed"),
    ):
        if number := overview.count(state):
            yield f"{number} {words}"


def _since(at: float, now: float) -> str:
    return f" since {utc_time(at, now)}" if at else ""


def _fails(failing: int, total: int) -> str:
    return f"{failing} of {total} {'fails' if failing == 1 else 'fail'}"


def _services(number: int) -> str:
    return "service" if number == 1 else "services"
