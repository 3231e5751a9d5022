"""Every metric of a service: name, type, help, and what its lines are made from.

A name is here and nowhere else in `exporter/`. What a family may read decides when it is rendered
again: TARGET families see the registered service, STATE families what rarely changes, RESULT and
PAGE families everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.config import Target, ThresholdKind
from exporter.metrics.family import Family, of_page, of_result, of_state, of_target
from exporter.metrics.lines import (
    ServiceState,
    Snapshot,
    Writer,
    gauge,
    histogram,
    labelled_gauge,
    of_latency,
    of_reasons,
    phase_durations,
    reason_counts,
    state_set,
)
from exporter.metrics.thresholds import threshold
from exporter.model import FACTS, PHASES, Verdict
from exporter.results import SLOS
from exporter.statuspages import State

# -- what is read ----------------------------------------------------------------------------------


def _success(state: ServiceState) -> bool | None:
    return None if state.reason is None else FACTS[state.reason].verdict is Verdict.OK


def _up(state: ServiceState) -> bool | None:
    return None if state.reason is None else FACTS[state.reason].up


def _key_valid(state: ServiceState) -> bool | None:
    if state.reason is None or not state.keyed:
        return None
    return FACTS[state.reason].key_valid


def _duration(source: Snapshot) -> float | None:
    last = source.tally.last
    return last.outcome.duration if last is not None and source.is_current else None


def _provider_time(source: Snapshot) -> float | None:
    last = source.tally.last
    return last.outcome.provider_seconds if last is not None and source.is_current else None


def _last_run(source: Snapshot) -> float | None:
    last = source.tally.last
    return None if last is None else last.at


def _info(t: Target) -> Iterable[tuple[tuple[str, ...], float]]:
    return (((t.name, t.type, t.team, t.host, t.owner, t.runbook), 1),)


def _failing(state: ServiceState) -> Iterator[tuple[tuple[str | None, str | None], float]]:
    if state.failing_since is not None:
        yield (state.reason, state.verdict), state.failing_since


def _limits(field: str) -> Writer[ServiceState]:
    def read(state: ServiceState) -> Iterator[tuple[tuple[str], float]]:
        for resource, limit in state.limits:
            value = getattr(limit, field)
            if value is not None:
                yield (resource,), value

    return labelled_gauge(("resource",), read)


def _objectives(state: ServiceState) -> Iterator[tuple[tuple[str], float]]:
    objectives = state.terms.objectives
    latency = objectives.latency.target if objectives.latency else None
    for slo, value in zip(SLOS, (objectives.availability, latency), strict=True):
        if value is not None:
            yield (slo,), value


def _sli(*, bad: bool) -> Writer[Snapshot]:
    def read(source: Snapshot) -> Iterator[tuple[tuple[str], float]]:
        counts = source.tally.bad if bad else source.tally.events
        shown = (True, source.target.objectives.latency is not None)
        for slo, count, is_shown in zip(SLOS, counts, shown, strict=True):
            if is_shown:
                yield (slo,), count

    return labelled_gauge(("slo",), read)


# -- the list --------------------------------------------------------------------------------------

FAMILIES: tuple[Family, ...] = (
    of_state("probe_success", "gauge", "Whether the last probe succeeded.", gauge(_success)),
    of_result("probe_duration_seconds", "gauge", "Duration of the last probe.", gauge(_duration)),
    of_page(
        "probe_latency_seconds",
        "histogram",
        "Duration of successful probes.",
        histogram(),
        exemplars=of_latency(),
    ),
    of_result(
        "probe_http_duration_seconds",
        "gauge",
        "Duration of the last probe by phase, summed over all redirects.",
        lambda name: phase_durations(name, PHASES),
    ),
    of_state(
        "probe_http_status_code",
        "gauge",
        "Status of the last answer, 0 without an answer.",
        gauge(lambda state: None if state.reason is None else state.status),
    ),
    of_state(
        "probe_http_version",
        "gauge",
        "HTTP version of the last answer.",
        gauge(lambda state: state.http_version or None),
    ),
    of_state(
        "probe_http_content_length",
        "gauge",
        "Content-Length of the last answer, -1 if it gave none.",
        gauge(lambda state: state.content_length if state.status else None),
    ),
    of_state(
        "probe_ssl_earliest_cert_expiry",
        "gauge",
        "Earliest expiry in the verified certificate chain, in what was sent if none verified.",
        gauge(lambda state: state.certificate.expiry if state.certificate else None),
    ),
    of_page(
        "probe_results_total",
        "counter",
        "Probes by how they ended.",
        reason_counts,
        exemplars=of_reasons,
    ),
    of_result(
        "probe_attempts_total",
        "counter",
        "Requests sent by probes, retries included.",
        gauge(lambda source: source.tally.attempts),
    ),
    of_state(
        "probe_consecutive_failures",
        "gauge",
        "Failed probes in a row; those hidden by our own network count once a later one fails.",
        gauge(lambda state: state.failures_in_a_row),
    ),
    of_state(
        "probe_state_changes_total",
        "counter",
        "Changes between success and failure, without what our own network hides.",
        gauge(lambda state: state.state_changes),
    ),
    of_result(
        "probe_last_run_timestamp_seconds",
        "gauge",
        "Start of the last probe.",
        gauge(_last_run),
    ),
    of_result(
        "probe_last_success_timestamp_seconds",
        "gauge",
        "Start of the last successful probe.",
        gauge(lambda source: source.tally.last_success or None),
    ),
    of_result(
        "probe_provider_processing_seconds",
        "gauge",
        "The provider's own processing time of the last answer, from its header.",
        gauge(_provider_time),
    ),
    of_target(
        "service_info",
        "gauge",
        "A registered service.",
        labelled_gauge(("name", "type", "team", "host", "owner", "runbook"), _info),
    ),
    of_state(
        "service_up",
        "gauge",
        "Whether the provider answers as a working API, whatever it thinks of our key.",
        gauge(_up),
    ),
    of_state(
        "service_enabled",
        "gauge",
        "Whether the service is to be probed.",
        gauge(lambda state: state.terms.enabled),
    ),
    of_state(
        "service_verdict",
        "gauge",
        "Whose fault it is: one row is 1.",
        state_set("verdict", tuple(Verdict), lambda state: state.verdict, always=True),
    ),
    of_state(
        "service_failing_since_timestamp_seconds",
        "gauge",
        "When the first failed probe since the last success began; absent while it succeeds.",
        labelled_gauge(("reason", "verdict"), _failing),
    ),
    of_state(
        "service_key_valid",
        "gauge",
        "Whether the provider accepts the key; absent while unknown.",
        gauge(_key_valid),
    ),
    of_state(
        "service_key_configured",
        "gauge",
        "Whether a service that needs a key has one.",
        gauge(lambda state: state.terms.key_configured),
    ),
    of_state(
        "service_next_key_valid",
        "gauge",
        "Whether the provider accepts the key that will replace the present one.",
        gauge(lambda state: state.next_key_valid),
    ),
    of_state(
        "service_key_rotated_timestamp_seconds",
        "gauge",
        "When the key was rotated through the API.",
        gauge(lambda state: state.rotated_at),
    ),
    of_state(
        "service_key_expiry_timestamp_seconds",
        "gauge",
        "When the key expires.",
        gauge(lambda state: state.key_expiry),
    ),
    of_state("service_rate_limit_limit", "gauge", "The provider's rate limit.", _limits("limit")),
    of_state(
        "service_rate_limit_remaining",
        "gauge",
        "What is left of the rate limit.",
        _limits("remaining"),
    ),
    of_state(
        "service_rate_limit_reset_timestamp_seconds",
        "gauge",
        "When the rate limit is full again.",
        _limits("reset"),
    ),
    of_state(
        "service_rate_limit_exhaustion_timestamp_seconds",
        "gauge",
        "When the rate limit is used up at the present pace; absent if it is full again before.",
        labelled_gauge(("resource",), lambda state: state.limit_ends),
    ),
    of_state(
        "service_retry_after_timestamp_seconds",
        "gauge",
        "Until when the provider asked us to wait; absent otherwise.",
        gauge(lambda state: state.retry_at),
    ),
    of_state(
        "service_quota_remaining",
        "gauge",
        "What is left of a quota.",
        labelled_gauge(("resource", "unit"), lambda state: state.quotas),
    ),
    of_state(
        "service_quota_exhaustion_timestamp_seconds",
        "gauge",
        "When the quota is used up at the present pace; absent while that is unknown.",
        labelled_gauge(("resource", "unit"), lambda state: state.quota_ends),
    ),
    of_state(
        "service_reading",
        "gauge",
        "A number of the answer that the configuration names under readings.gauges.",
        labelled_gauge(("name", "unit"), lambda state: state.readings),
    ),
    of_state(
        "model_listed",
        "gauge",
        "Whether the provider's list has the model; absent while unknown.",
        labelled_gauge(("model",), lambda state: state.listed),
    ),
    of_state(
        "model_gone_timestamp_seconds",
        "gauge",
        "Since when a model is gone: from the list that had had it, or by its own answer.",
        labelled_gauge(("model", "by"), lambda state: state.gone),
    ),
    of_state(
        "service_deprecation_timestamp_seconds",
        "gauge",
        "Since when the API or a model is deprecated, or was first reported to be.",
        labelled_gauge(("resource",), lambda state: state.deprecations),
    ),
    of_state(
        "service_sunset_timestamp_seconds",
        "gauge",
        "When the API or a model is switched off.",
        labelled_gauge(("resource",), lambda state: state.ends),
    ),
    of_state(
        "service_status_page",
        "gauge",
        "State on the provider's status page: one row is 1; unreadable is unknown.",
        state_set("state", tuple(State), lambda state: state.page, always=False),
    ),
    of_state(
        "service_status_page_incident",
        "gauge",
        "Open incidents on the provider's status page; one row of none without any.",
        labelled_gauge(("state", "impact"), lambda state: state.news.incidents),
    ),
    of_state(
        "service_status_page_lead_seconds",
        "gauge",
        "From our first failed probe to the page's first text; negative: it was first.",
        gauge(lambda state: state.news.lead),
    ),
    of_state(
        "service_maintenance",
        "gauge",
        "Whether a declared maintenance window is open.",
        gauge(lambda state: state.maintenance),
    ),
    of_result(
        "service_sli_events_total",
        "counter",
        "Probes that count for an objective: those whose verdict is ok or provider.",
        _sli(bad=False),
    ),
    of_result(
        "service_sli_bad_events_total",
        "counter",
        "Those of them that missed it.",
        _sli(bad=True),
    ),
    of_state(
        "service_slo_objective_ratio",
        "gauge",
        "The objective.",
        labelled_gauge(("slo",), _objectives),
    ),
    *map(threshold, ThresholdKind),
)
