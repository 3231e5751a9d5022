"""How the lines of each family are written, for one service at a time.

A renderer returns the lines of one family; `labels` in a view is the text of the three common
labels, without braces. Templates are shared by all services.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.config import Target, Threshold
from exporter.model import FACTS, PHASES, Reason, Verdict
from exporter.results import BUCKETS, REASONS, SLOS, Tally
from exporter.statuspages import State

_VERDICTS = tuple(Verdict)
_STATES = tuple(State)


@dataclass(slots=True)
class View:
    """What the lines of one service are made from."""

    labels: str
    target: Target
    tally: Tally
    page: State | None
    maintenance: bool
    lean: bool
    rotated: float | None = None


def state_of(view: View) -> tuple[object, ...]:
    """Return everything that the STATE families are made from: equal states, equal lines."""
    tally = view.tally
    last = tally.last
    seen = None
    if last is not None:
        outcome = last.outcome
        seen = (
            outcome.reason,
            last.verdict,
            outcome.status,
            outcome.http_version,
            outcome.content_length,
            outcome.keyed,
        )
    return (
        seen,
        tally.stale,
        tally.in_a_row,
        tally.changes,
        tally.certificate,
        tally.key_expiry,
        tally.limits,
        tally.quotas,
        tally.next_key_valid,
        view.page,
        view.maintenance,
    )


def escape(text: str) -> str:
    """Return *text* as the value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """Return *value* as short as it is exact enough: microseconds, whole counts."""
    if value == int(value):
        return str(int(value))
    return f"{value:.6f}".rstrip("0").rstrip(".")


# -- templates: shared by all services, %s is the text of the common labels ----------------------

_RESULTS = "".join(f'probe_results_total{{%s,reason="{reason}"}} %d\n' for reason in REASONS)
_BUCKETS = (
    "".join(f'probe_latency_seconds_bucket{{%s,le="{bound}"}} %d\n' for bound in (*BUCKETS, "+Inf"))
    + "probe_latency_seconds_sum{%s} %.6f\nprobe_latency_seconds_count{%s} %d\n"
)
_PHASES = "".join(f'probe_http_duration_seconds{{%s,phase="{phase}"}} %.6f\n' for phase in PHASES)
_VERDICT_LINES = tuple(
    "".join(
        f'service_verdict{{%s,verdict="{verdict}"}} {int(verdict is one)}\n'
        for verdict in _VERDICTS
    )
    for one in (*_VERDICTS, None)
)
_PAGE_LINES = {
    one: "".join(
        f'service_status_page{{%s,state="{state}"}} {int(state is one)}\n' for state in _STATES
    )
    for one in _STATES
}


def line(name: str, view: View, value: float) -> str:
    return f"{name}{{{view.labels}}} {number(value)}\n"


def _fresh(view: View) -> bool:
    """Return whether there is a last result that still counts as now.

    What is not probed any more, disabled or without its key, says nothing about now.
    """
    probed = view.target.enabled and view.target.endpoint is not None
    return probed and view.tally.last is not None and not view.tally.stale


def _interleaved(labels: str, values: list[int]) -> tuple[str | int, ...]:
    out: list[str | int] = [labels] * (2 * len(values))
    out[1::2] = values
    return tuple(out)


# -- from probes ---------------------------------------------------------------------------------


def success(view: View) -> str:
    last = view.tally.last
    return line("probe_success", view, last.success) if last and _fresh(view) else ""


def duration(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view):
        return ""
    return line("probe_duration_seconds", view, last.outcome.duration)


def latency(view: View) -> str:
    if view.lean:
        return ""
    total, sums = 0, []
    for count in view.tally.buckets:
        total += count
        sums.append(total)
    labels = view.labels
    values = (*_interleaved(labels, sums), labels, view.tally.latency_sum, labels, total)
    return _BUCKETS % values


def phases(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view):
        return ""
    a, b, c, d, e = last.outcome.phases
    labels = view.labels
    return _PHASES % (labels, a, labels, b, labels, c, labels, d, labels, e)


def status_code(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view):
        return ""
    return line("probe_http_status_code", view, last.outcome.status)


def version(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view) or not last.outcome.http_version:
        return ""
    return line("probe_http_version", view, last.outcome.http_version)


def length(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view) or not last.outcome.status:
        return ""
    return line("probe_http_content_length", view, last.outcome.content_length)


def certificate(view: View) -> str:
    found = view.tally.certificate
    return "" if found is None else line("probe_ssl_earliest_cert_expiry", view, found.expiry)


def results(view: View) -> str:
    counts = view.tally.reasons
    if not view.lean:
        return _RESULTS % _interleaved(view.labels, counts.tolist())
    return "".join(
        f'probe_results_total{{{view.labels},reason="{reason}"}} {count}\n'
        for reason, count in zip(REASONS, counts, strict=True)
        if count or reason is Reason.OK
    )


def last_run(view: View) -> str:
    last = view.tally.last
    return "" if last is None else line("probe_last_run_timestamp_seconds", view, last.at)


def last_success(view: View) -> str:
    at = view.tally.last_success
    return line("probe_last_success_timestamp_seconds", view, at) if at else ""


def provider_time(view: View) -> str:
    last = view.tally.last
    if last is None or last.outcome.provider_seconds is None or not _fresh(view):
        return ""
    return line("probe_provider_processing_seconds", view, last.outcome.provider_seconds)


# -- the registry's view -------------------------------------------------------------------------


def info(view: View) -> str:
    t = view.target
    extra = ",".join(
        f'{name}="{escape(value)}"'
        for name, value in (
            ("name", t.name),
            ("type", t.type),
            ("team", t.team),
            ("host", t.host),
            ("owner", t.owner),
            ("runbook", t.runbook),
        )
    )
    return f"service_info{{{view.labels},{extra}}} 1\n"


def up(view: View) -> str:
    last = view.tally.last
    up = FACTS[last.reason].up if last is not None and _fresh(view) else None
    return "" if up is None else line("service_up", view, up)


def verdict(view: View) -> str:
    last = view.tally.last if _fresh(view) else None
    if view.tally.stale:
        index = _VERDICTS.index(Verdict.MONITORING)
    else:
        index = -1 if last is None else _VERDICTS.index(last.verdict)
    return _VERDICT_LINES[index] % ((view.labels,) * len(_VERDICTS))


def key_valid(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view) or not last.outcome.keyed:
        return ""
    valid = FACTS[last.reason].key_valid
    return "" if valid is None else line("service_key_valid", view, valid)


def next_key_valid(view: View) -> str:
    valid = view.tally.next_key_valid if view.target.next_key is not None else None
    return "" if valid is None else line("service_next_key_valid", view, valid)


def key_configured(view: View) -> str:
    configured = view.target.key_configured
    return "" if configured is None else line("service_key_configured", view, configured)


def key_rotated(view: View) -> str:
    at = view.rotated
    return "" if at is None else line("service_key_rotated_timestamp_seconds", view, at)


def key_expiry(view: View) -> str:
    at = view.tally.key_expiry
    return "" if at is None else line("service_key_expiry_timestamp_seconds", view, at)


def limit(name: str, field: str) -> Callable[[View], str]:
    def render(view: View) -> str:
        return "".join(
            f'{name}{{{view.labels},resource="{escape(resource)}"}} {number(value)}\n'
            for resource, limit in view.tally.limits.items()
            if (value := getattr(limit, field)) is not None
        )

    return render


def quota(view: View) -> str:
    return "".join(
        f'service_quota_remaining{{{view.labels},resource="{resource}",unit="{unit}"}} '
        f"{number(value)}\n"
        for (resource, unit), value in view.tally.quotas.items()
    )


def page(view: View) -> str:
    if view.page is None:
        return ""
    return _PAGE_LINES[view.page] % ((view.labels,) * len(_STATES))


def sli(name: str, bad: bool) -> Callable[[View], str]:
    def render(view: View) -> str:
        counts = view.tally.bad if bad else view.tally.events
        objectives = view.target.objectives
        shown = (True, objectives.latency is not None)
        return "".join(
            f'{name}{{{view.labels},slo="{slo}"}} {counts[i]}\n'
            for i, slo in enumerate(SLOS)
            if shown[i]
        )

    return render


def objective(view: View) -> str:
    objectives = view.target.objectives
    latency = objectives.latency.target if objectives.latency else None
    return "".join(
        f'service_slo_objective_ratio{{{view.labels},slo="{slo}"}} {number(value)}\n'
        for slo, value in zip(SLOS, (objectives.availability, latency), strict=True)
        if value is not None
    )


def threshold(name: str) -> Callable[[View], str]:
    def render(view: View) -> str:
        team = escape(view.target.team)
        return "".join(
            f'service_threshold_{name}{{{view.labels},team="{team}",severity="{row.severity}"'
            + (f',escalation="{row.escalation}"' if row.escalation else "")
            + f"}} {number(_limit_of(row, view))}\n"
            for row in view.target.thresholds
            if row.name == name
        )

    return render


def _limit_of(row: Threshold, view: View) -> float:
    """Return the row's value; a service that is probed less often may be silent for longer."""
    pace = view.tally.pace(view.target)
    slowed = row.name == "probe_stale_seconds" and pace > view.target.interval
    return max(row.value, 3 * pace) if slowed else row.value


def counter(name: str, field: str) -> Callable[[View], str]:
    return lambda view: f"{name}{{{view.labels}}} {getattr(view.tally, field)}\n"
