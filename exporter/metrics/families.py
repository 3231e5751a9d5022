"""Every metric of a service: name, type, help, and how its lines are written.

The only place where these names are spelled. A renderer returns the lines of one family for one
service; `labels` in a view is the text of the three common labels, without braces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from exporter.config import Target
from exporter.model import FACTS, PHASES, Reason, Verdict
from exporter.results import BUCKETS, REASONS, SLOS, Tally
from exporter.statuspages import State

Kind = Literal["gauge", "counter", "histogram"]
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


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family; `fixed` ones follow from the target alone."""

    name: str
    kind: Kind
    help: str
    render: Callable[[View], str]
    fixed: bool = False


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
_BUCKETS = "".join(
    f'probe_latency_seconds_bucket{{%s,le="{bound}"}} %d\n' for bound in (*BUCKETS, "+Inf")
) + "probe_latency_seconds_sum{%s} %.6f\nprobe_latency_seconds_count{%s} %d\n"
_PHASES = "".join(
    f'probe_http_duration_seconds{{%s,phase="{phase}"}} %.6f\n' for phase in PHASES
)
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


def _line(name: str, view: View, value: float) -> str:
    return f"{name}{{{view.labels}}} {number(value)}\n"


def _fresh(view: View) -> bool:
    """Return whether there is a last result that still counts as now."""
    return view.tally.last is not None and not view.tally.stale


def _interleaved(labels: str, values: list[int]) -> tuple[str | int, ...]:
    out: list[str | int] = [labels] * (2 * len(values))
    out[1::2] = values
    return tuple(out)


# -- from probes ---------------------------------------------------------------------------------


def _success(view: View) -> str:
    last = view.tally.last
    return _line("probe_success", view, last.success) if last and _fresh(view) else ""


def _duration(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view):
        return ""
    return _line("probe_duration_seconds", view, last.outcome.duration)


def _latency(view: View) -> str:
    if view.lean:
        return ""
    total, sums = 0, []
    for count in view.tally.buckets:
        total += count
        sums.append(total)
    labels = view.labels
    values = (*_interleaved(labels, sums), labels, view.tally.latency_sum, labels, total)
    return _BUCKETS % values


def _phases(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view):
        return ""
    a, b, c, d, e = last.outcome.phases
    labels = view.labels
    return _PHASES % (labels, a, labels, b, labels, c, labels, d, labels, e)


def _status_code(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view):
        return ""
    return _line("probe_http_status_code", view, last.outcome.status)


def _version(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view) or not last.outcome.http_version:
        return ""
    return _line("probe_http_version", view, last.outcome.http_version)


def _length(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view) or not last.outcome.status:
        return ""
    return _line("probe_http_content_length", view, last.outcome.content_length)


def _certificate(view: View) -> str:
    found = view.tally.certificate
    return "" if found is None else _line("probe_ssl_earliest_cert_expiry", view, found.expiry)


def _results(view: View) -> str:
    counts = view.tally.reasons
    if not view.lean:
        return _RESULTS % _interleaved(view.labels, counts.tolist())
    return "".join(
        f'probe_results_total{{{view.labels},reason="{reason}"}} {count}\n'
        for reason, count in zip(REASONS, counts, strict=True)
        if count or reason is Reason.OK
    )


def _last_run(view: View) -> str:
    last = view.tally.last
    return "" if last is None else _line("probe_last_run_timestamp_seconds", view, last.at)


def _last_success(view: View) -> str:
    at = view.tally.last_success
    return _line("probe_last_success_timestamp_seconds", view, at) if at else ""


def _provider_time(view: View) -> str:
    last = view.tally.last
    if last is None or last.outcome.provider_seconds is None or not _fresh(view):
        return ""
    return _line("probe_provider_processing_seconds", view, last.outcome.provider_seconds)


# -- the registry's view -------------------------------------------------------------------------


def _info(view: View) -> str:
    t = view.target
    extra = ",".join(
        f'{name}="{escape(value)}"'
        for name, value in (
            ("name", t.name), ("type", t.type), ("team", t.team), ("host", t.host),
            ("owner", t.owner), ("runbook", t.runbook),
        )
    )  # fmt: skip
    return f"service_info{{{view.labels},{extra}}} 1\n"


def _up(view: View) -> str:
    last = view.tally.last
    up = FACTS[last.reason].up if last is not None and _fresh(view) else None
    return "" if up is None else _line("service_up", view, up)


def _verdict(view: View) -> str:
    last = view.tally.last
    if view.tally.stale:
        index = _VERDICTS.index(Verdict.MONITORING)
    else:
        index = -1 if last is None else _VERDICTS.index(last.verdict)
    return _VERDICT_LINES[index] % ((view.labels,) * len(_VERDICTS))


def _key_valid(view: View) -> str:
    last = view.tally.last
    if last is None or not _fresh(view) or not last.outcome.keyed:
        return ""
    valid = FACTS[last.reason].key_valid
    return "" if valid is None else _line("service_key_valid", view, valid)


def _key_configured(view: View) -> str:
    configured = view.target.key_configured
    return "" if configured is None else _line("service_key_configured", view, configured)


def _key_expiry(view: View) -> str:
    at = view.tally.key_expiry
    return "" if at is None else _line("service_key_expiry_timestamp_seconds", view, at)


def _limit(name: str, field: str) -> Callable[[View], str]:
    def render(view: View) -> str:
        return "".join(
            f'{name}{{{view.labels},resource="{escape(resource)}"}} {number(value)}\n'
            for resource, limit in view.tally.limits.items()
            if (value := getattr(limit, field)) is not None
        )

    return render


def _quota(view: View) -> str:
    return "".join(
        f'service_quota_remaining{{{view.labels},resource="{resource}",unit="{unit}"}} '
        f"{number(value)}\n"
        for (resource, unit), value in view.tally.quotas.items()
    )


def _page(view: View) -> str:
    if view.page is None:
        return ""
    return _PAGE_LINES[view.page] % ((view.labels,) * len(_STATES))


def _sli(name: str, bad: bool) -> Callable[[View], str]:
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


def _objective(view: View) -> str:
    objectives = view.target.objectives
    latency = objectives.latency.target if objectives.latency else None
    return "".join(
        f'service_slo_objective_ratio{{{view.labels},slo="{slo}"}} {number(value)}\n'
        for slo, value in zip(SLOS, (objectives.availability, latency), strict=True)
        if value is not None
    )


def _threshold(name: str) -> Callable[[View], str]:
    def render(view: View) -> str:
        team = escape(view.target.team)
        return "".join(
            f'service_threshold_{name}{{{view.labels},team="{team}",severity="{row.severity}"'
            + (f',escalation="{row.escalation}"' if row.escalation else "")
            + f"}} {number(row.value)}\n"
            for row in view.target.thresholds
            if row.name == name
        )

    return render


def _counter(name: str, field: str) -> Callable[[View], str]:
    return lambda view: f"{name}{{{view.labels}}} {getattr(view.tally, field)}\n"


_THRESHOLDS = {
    "consecutive_failures": "Failed probes in a row from which a service counts as down.",
    "escalate_after_seconds": "Time unresolved after which an escalation level is reached.",
    "state_changes_30m": "State changes in 30 minutes from which a service flaps.",
    "latency_p95_seconds": "Highest accepted 95th percentile of the latency.",
    "key_invalid_seconds": "Time a key may be rejected before somebody is told.",
    "key_remaining_seconds": "Time before a key's expiry from which it expires soon.",
    "rate_limited_15m": "Probes answered with a rate limit in 15 minutes that are too many.",
    "rate_limit_remaining_ratio": "Share of a rate limit below which headroom is low.",
    "certificate_remaining_seconds": "Time before a certificate's expiry that is soon.",
    "probe_stale_seconds": "Time without a result after which a service is not probed.",
}

FAMILIES: tuple[Family, ...] = (
    Family("probe_success", "gauge", "Whether the last probe succeeded.", _success),
    Family("probe_duration_seconds", "gauge", "Duration of the last probe.", _duration),
    Family(
        "probe_latency_seconds", "histogram", "Duration of successful probes.", _latency
    ),
    Family(
        "probe_http_duration_seconds", "gauge",
        "Duration of the last probe by phase, summed over all redirects.", _phases,
    ),
    Family(
        "probe_http_status_code", "gauge",
        "Status of the last answer, 0 without an answer.", _status_code,
    ),
    Family("probe_http_version", "gauge", "HTTP version of the last answer.", _version),
    Family(
        "probe_http_content_length", "gauge",
        "Content-Length of the last answer, -1 if it gave none.", _length,
    ),
    Family(
        "probe_ssl_earliest_cert_expiry", "gauge",
        "Earliest expiry in the certificate chain, as a Unix time.", _certificate,
    ),
    Family("probe_results_total", "counter", "Probes by how they ended.", _results),
    Family(
        "probe_attempts_total", "counter", "Requests sent by probes, retries included.",
        _counter("probe_attempts_total", "attempts"),
    ),
    Family(
        "probe_consecutive_failures", "gauge", "Failed probes in a row.",
        _counter("probe_consecutive_failures", "in_a_row"),
    ),
    Family(
        "probe_state_changes_total", "counter",
        "Changes between success and failure.",
        _counter("probe_state_changes_total", "changes"),
    ),
    Family(
        "probe_last_run_timestamp_seconds", "gauge", "Start of the last probe.", _last_run
    ),
    Family(
        "probe_last_success_timestamp_seconds", "gauge",
        "Start of the last successful probe.", _last_success,
    ),
    Family(
        "probe_provider_processing_seconds", "gauge",
        "The provider's own processing time of the last answer, from its header.",
        _provider_time,
    ),
    Family("service_info", "gauge", "A registered service.", _info, fixed=True),
    Family(
        "service_up", "gauge",
        "Whether the provider answers as a working API, whatever it thinks of our key.", _up,
    ),
    Family(
        "service_enabled", "gauge", "Whether the service is to be probed.",
        lambda view: _line("service_enabled", view, view.target.enabled), fixed=True,
    ),
    Family("service_verdict", "gauge", "Whose fault it is: one row is 1.", _verdict),
    Family(
        "service_key_valid", "gauge",
        "Whether the provider accepts the key; absent while unknown.", _key_valid,
    ),
    Family(
        "service_key_configured", "gauge",
        "Whether a service that needs a key has one.", _key_configured, fixed=True,
    ),
    Family(
        "service_key_expiry_timestamp_seconds", "gauge", "When the key expires.", _key_expiry
    ),
    Family(
        "service_rate_limit_limit", "gauge", "The provider's rate limit.",
        _limit("service_rate_limit_limit", "limit"),
    ),
    Family(
        "service_rate_limit_remaining", "gauge", "What is left of the rate limit.",
        _limit("service_rate_limit_remaining", "remaining"),
    ),
    Family(
        "service_rate_limit_reset_timestamp_seconds", "gauge", "When the rate limit is full again.",
        _limit("service_rate_limit_reset_timestamp_seconds", "reset"),
    ),
    Family("service_quota_remaining", "gauge", "What is left of a quota.", _quota),
    Family(
        "service_status_page", "gauge",
        "What the provider's status page says: one row is 1; unreadable is unknown.", _page,
    ),
    Family(
        "service_maintenance", "gauge", "Whether a declared maintenance window is open.",
        lambda view: _line("service_maintenance", view, view.maintenance),
    ),
    Family(
        "service_sli_events_total", "counter",
        "Probes that count for an objective: those whose verdict is ok or provider.",
        _sli("service_sli_events_total", bad=False),
    ),
    Family(
        "service_sli_bad_events_total", "counter", "Those of them that missed it.",
        _sli("service_sli_bad_events_total", bad=True),
    ),
    Family(
        "service_slo_objective_ratio", "gauge", "The objective.", _objective, fixed=True
    ),
    *(
        Family(f"service_threshold_{name}", "gauge", text, _threshold(name), fixed=True)
        for name, text in _THRESHOLDS.items()
    ),
)  # fmt: skip
