"""How the lines of a family are written, for one service at a time.

A family hands its name to one of the writers below and gets a renderer, which turns what was read
into lines. What a renderer may read is its argument and nothing else, so equal arguments give equal
lines: `ServiceState` is compared to know whether its families must be rendered again.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeVar

from exporter.config import Objectives, Target, Threshold
from exporter.metrics.kept import PLACE, packed
from exporter.model import Certificate, Limit, Reason, Verdict
from exporter.results import (
    BUCKETS,
    REASONS,
    Exemplar,
    Runways,
    Tally,
    current_result,
    current_verdict,
    deprecations,
    ends,
    gone,
)
from exporter.statuspages import Impact, PageRecord, Stage, State
from exporter.textformat import escaped, number


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What many services have in common; compared as an object, for equal ones are one."""

    team: str
    interval: float
    enabled: bool
    key_configured: bool | None
    objectives: Objectives
    thresholds: tuple[Threshold, ...]


def terms_of(target: Target) -> Terms:
    """Return the terms of *target*, those of an equal one if there is one."""
    return _terms(
        target.team,
        target.interval,
        target.enabled,
        target.key_configured,
        target.objectives,
        target.thresholds,
    )


_terms = functools.lru_cache(maxsize=1024)(Terms)


class PageNews(NamedTuple):
    """What a provider's status page says of incidents, and who was first."""

    incidents: tuple[tuple[tuple[str, str], float], ...] = ()
    """By stage and impact, how many are open; a page without any has one row of its own."""
    lead: float | None = None


NO_INCIDENT = "none"
_RATE_LIMITED = REASONS.index(Reason.RATE_LIMITED)
_NO_NEWS = PageNews()
_NO_RUNWAYS = Runways()


def news_of(record: PageRecord | None, lead: float | None) -> PageNews:
    """Return what to export of *record*: nothing of its incidents while it cannot be read.

    The rows are bounded by the two enumerations; no text of a page is in them.
    """
    if record is None or not record.is_readable:
        return PageNews(lead=lead) if lead is not None else _NO_NEWS
    counts = Counter((one.incident.stage, one.incident.impact) for one in record.open)
    if not counts:
        return PageNews((((NO_INCIDENT, NO_INCIDENT), 1.0),), lead)
    rows = ((stage, impact) for stage in Stage for impact in Impact)
    found = ((str(s), str(i)) for s, i in rows if (s, i) in counts)
    return PageNews(
        tuple((row, float(counts[Stage(row[0]), Impact(row[1])])) for row in found), lead
    )


class ServiceState(NamedTuple):
    """What stays the same from one probe to the next while nothing happens; many services have
    the same.

    Fields of the last result are empty unless it counts as now: what is not probed any more,
    disabled or without its key, has no current result.
    """

    terms: Terms
    rotated_at: float | None
    """When the key in use was rotated in, as a Unix time."""
    reason: Reason | None
    verdict: Verdict | None
    status: int
    http_version: float
    content_length: int
    keyed: bool
    failures_in_a_row: int
    state_changes: int
    certificate: Certificate | None
    key_expiry: float | None
    limits: tuple[tuple[str, Limit], ...]
    quotas: tuple[tuple[tuple[str, str], float], ...]
    readings: tuple[tuple[tuple[str, str], float], ...]
    limit_ends: tuple[tuple[tuple[str], float], ...]
    quota_ends: tuple[tuple[tuple[str, str], float], ...]
    next_key_valid: bool | None
    page: State | None
    news: PageNews
    maintenance: bool
    limited: bool
    """Whether a probe was ever answered with a rate limit."""
    silence: float
    """Seconds without a probe that are to be expected: more while the provider keeps us waiting."""
    retry_at: float | None
    failing_since: float | None
    """When the first failed probe since the last success began; None while it does not fail."""
    listed: tuple[tuple[tuple[str], float], ...]
    """By model whether it is in the provider's list."""
    gone: tuple[tuple[tuple[str, str], float], ...]
    """By model, and by what that is known, since when it is gone."""
    deprecations: tuple[tuple[tuple[str], float], ...]
    ends: tuple[tuple[tuple[str], float], ...]


@dataclass(slots=True)
class Snapshot:
    """Everything that the lines of one service are made from."""

    target: Target
    state: ServiceState
    tally: Tally

    @property
    def is_current(self) -> bool:
        """Whether there is a last result that counts as now."""
        return self.state.reason is not None


def state_of(
    target: Target,
    tally: Tally,
    page: State | None,
    *,
    terms: Terms,
    rotated_at: float | None = None,
    news: PageNews = _NO_NEWS,
    maintenance: bool,
) -> ServiceState:
    """Return the state of a service that STATE families are made from."""
    current = current_result(target, tally)
    outcome = current.outcome if current is not None else None
    runways = tally.runways or _NO_RUNWAYS
    return ServiceState(
        terms,
        rotated_at,
        outcome.reason if outcome else None,
        current_verdict(target, tally),
        outcome.status if outcome else 0,
        outcome.http_version if outcome else 0.0,
        outcome.content_length if outcome else -1,
        outcome.keyed if outcome else False,
        tally.in_a_row,
        tally.changes,
        tally.certificate,
        tally.key_expiry,
        tuple(tally.limits.items()),
        tuple(tally.quotas.items()),
        tuple(tally.readings.items()),
        tuple(((name,), end) for name, end in runways.limits.items()),
        tuple(runways.quotas.items()),
        tally.next_key_valid if target.next_key is not None else None,
        page,
        news,
        maintenance,
        tally.reasons[_RATE_LIMITED] > 0,
        tally.silence(target),
        current.retry_at if current is not None else None,
        tally.failing_since if current is not None and not current.success else None,
        *_retirement(target, tally),
    )


_Rows = tuple[tuple[tuple[str], float], ...]
_Pairs = tuple[tuple[tuple[str, str], float], ...]


def _retirement(target: Target, tally: Tally) -> tuple[_Rows, _Pairs, _Rows, _Rows]:
    """Return what is known of the end of what *target* uses; nothing of one that is disabled."""
    radar, used = tally.radar, target.uses
    if not target.enabled or (radar is None and not used.facts):
        return (), (), (), ()
    listed = radar.listed if radar is not None else {}
    return (
        tuple(((model,), float(is_there)) for model, is_there in listed.items()),
        gone(radar),
        tuple(((name,), at) for name, at in deprecations(radar, used)),
        tuple(((name,), at) for name, at in ends(radar, used)),
    )


# -- writers: they know the text format, not what is written -------------------------------------

T = TypeVar("T")
Renderer = Callable[[str, T], str]
"""From the common labels and what may be read to lines."""
Writer = Callable[[str], Renderer[T]]
"""From the name of a family to its renderer."""
PageWriter = Callable[[str], Callable[[Tally], bytes]]
"""From the name of a family to what makes its lines of a tally, as they are `kept`: fast."""


def gauge(read: Callable[[T], float | None]) -> Writer[T]:
    """Return the writer of one line; none where *read* returns None."""

    def write(name: str) -> Renderer[T]:
        def render(labels: str, source: T) -> str:
            value = read(source)
            return "" if value is None else f"{name}{{{labels}}} {number(value)}\n"

        return render

    return write


def labelled_gauge(
    labels: tuple[str, ...], read: Callable[[T], Iterable[tuple[tuple[str | None, ...], float]]]
) -> Writer[T]:
    """Return the writer of a line for each pair of label values (None: no such label) and value."""

    def write(name: str) -> Renderer[T]:
        def render(common: str, source: T) -> str:
            lines = []
            for values, value in read(source):
                pairs = zip(labels, values, strict=True)
                own = ",".join(
                    [f'{label}="{escaped(text)}"' for label, text in pairs if text is not None]
                )
                lines.append(f"{name}{{{common},{own}}} {number(value)}\n")
            return "".join(lines)

        return render

    return write


def state_set(
    label: str, members: tuple[str, ...], read: Callable[[T], str | None], *, always: bool
) -> Writer[T]:
    """Return the writer of a line for each member, 1 for the one that *read* returns.

    Where it returns None all are 0 if *always*, else there is no line.
    """

    def write(name: str) -> Renderer[T]:
        templates = {
            one: "".join(
                f'{name}{{%s,{label}="{member}"}} {int(member == one)}\n' for member in members
            )
            for one in (*members, *((None,) if always else ()))
        }

        def render(labels: str, source: T) -> str:
            template = templates.get(read(source))
            return "" if template is None else template % ((labels,) * len(members))

        return render

    return write


def histogram(shown: tuple[float, ...] = BUCKETS) -> PageWriter:
    """Return the writer of the latency of successful probes, by *shown*, some of `BUCKETS`."""
    places = [*(BUCKETS.index(bound) for bound in shown), len(BUCKETS)]

    def write(name: str) -> Callable[[Tally], bytes]:
        template = packed(
            "".join(f'{name}_bucket{{{PLACE},le="{bound}"}} %d\n' for bound in (*shown, "+Inf"))
            + f"{name}_sum{{{PLACE}}} %.6f\n{name}_count{{{PLACE}}} %d\n"
        )

        def render(tally: Tally) -> bytes:
            sums = list(accumulate(tally.buckets))
            return template % (*[sums[place] for place in places], tally.latency_sum, sums[-1])

        return render

    return write


def reason_counts(name: str) -> Callable[[Tally], bytes]:
    """Write the probes by reason, every reason from 0."""
    template = packed("".join(f'{name}{{{PLACE},reason="{reason}"}} %d\n' for reason in REASONS))
    return lambda tally: template % (*tally.reasons,)


def seen_reasons(always: Collection[Reason]) -> PageWriter:
    """Return the writer of the probes by reason: those that occurred, and *always*."""

    def write(name: str) -> Callable[[Tally], bytes]:
        templates = [packed(f'{name}{{{PLACE},reason="{reason}"}} %d\n') for reason in REASONS]
        shown = [(templates[i], reason in always) for i, reason in enumerate(REASONS)]

        def render(tally: Tally) -> bytes:
            counted = zip(shown, tally.reasons, strict=True)
            return b"".join(
                [line % count for (line, is_shown), count in counted if count or is_shown]
            )

        return render

    return write


def phase_durations(name: str, phases: tuple[str, ...]) -> Renderer[Snapshot]:
    """Write the duration of each phase of the last probe."""
    template = "".join(f'{name}{{%s,phase="{phase}"}} %.6f\n' for phase in phases)

    def render(labels: str, source: Snapshot) -> str:
        last = source.tally.last
        if last is None or not source.is_current:
            return ""
        a, b, c, d, e = last.outcome.phases
        return template % (labels, a, labels, b, labels, c, labels, d, labels, e)

    return render


# -- exemplars -----------------------------------------------------------------------------------


def of_reasons(tally: Tally) -> dict[str, Exemplar]:
    """Return the exemplars of failures, by the last label of their line."""
    kept = (tally.exemplars or {}).items()
    return {f'reason="{key}"': found for key, found in kept if isinstance(key, Reason)}


def of_latency(shown: tuple[float, ...] = BUCKETS) -> Callable[[Tally], dict[str, Exemplar]]:
    """Return what finds the exemplars of slow answers, by the last label of a line of *shown*."""
    bounds = (*BUCKETS, math.inf)

    def read(tally: Tally) -> dict[str, Exemplar]:
        found: dict[str, Exemplar] = {}
        for key, one in (tally.exemplars or {}).items():
            if not isinstance(key, Reason):
                bound = next((bound for bound in shown if bound >= bounds[key]), "+Inf")
                label = f'le="{bound}"'
                found[label] = max(one, found.get(label, one), key=lambda each: each.at)
        return found

    return read


def with_examples(text: str, found: dict[str, Exemplar]) -> str:
    """Return the lines in *text* with the exemplars that are theirs, as OpenMetrics writes them.

    Never for text/plain: Prometheus refuses a page that has one there.
    """
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        one = found.get(line.rpartition(",")[2].partition("}")[0])
        if one is not None:
            example = f'{{request_id="{one.request_id}"}} {number(one.value)} {one.at:.3f}'
            lines[i] = f"{line[:-1]} # {example}\n"
    return "".join(lines)
