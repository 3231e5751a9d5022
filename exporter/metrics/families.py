"""Every metric of a service: name, type, help, when it changes, and who writes its lines.

Together with `lines` the only place where these names are spelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from exporter.metrics import lines
from exporter.metrics.lines import View

Kind = Literal["gauge", "counter", "histogram"]


class When(Enum):
    """What makes the lines of a family change."""

    TARGET = "a changed target"
    STATE = "a result unlike the one before; see `state_of`"
    RESULT = "every result"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family."""

    name: str
    kind: Kind
    help: str
    render: Callable[[View], str]
    when: When = When.STATE


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
    Family("probe_success", "gauge", "Whether the last probe succeeded.", lines.success),
    Family(
        "probe_duration_seconds",
        "gauge",
        "Duration of the last probe.",
        lines.duration,
        when=When.RESULT,
    ),
    Family(
        "probe_latency_seconds",
        "histogram",
        "Duration of successful probes.",
        lines.latency,
        when=When.RESULT,
    ),
    Family(
        "probe_http_duration_seconds",
        "gauge",
        "Duration of the last probe by phase, summed over all redirects.",
        lines.phases,
        when=When.RESULT,
    ),
    Family(
        "probe_http_status_code",
        "gauge",
        "Status of the last answer, 0 without an answer.",
        lines.status_code,
    ),
    Family("probe_http_version", "gauge", "HTTP version of the last answer.", lines.version),
    Family(
        "probe_http_content_length",
        "gauge",
        "Content-Length of the last answer, -1 if it gave none.",
        lines.length,
    ),
    Family(
        "probe_ssl_earliest_cert_expiry",
        "gauge",
        "Earliest expiry in the certificate chain, as a Unix time.",
        lines.certificate,
    ),
    Family(
        "probe_results_total",
        "counter",
        "Probes by how they ended.",
        lines.results,
        when=When.RESULT,
    ),
    Family(
        "probe_attempts_total",
        "counter",
        "Requests sent by probes, retries included.",
        lines.counter("probe_attempts_total", "attempts"),
        when=When.RESULT,
    ),
    Family(
        "probe_consecutive_failures",
        "gauge",
        "Failed probes in a row.",
        lines.counter("probe_consecutive_failures", "in_a_row"),
    ),
    Family(
        "probe_state_changes_total",
        "counter",
        "Changes between success and failure.",
        lines.counter("probe_state_changes_total", "changes"),
    ),
    Family(
        "probe_last_run_timestamp_seconds",
        "gauge",
        "Start of the last probe.",
        lines.last_run,
        when=When.RESULT,
    ),
    Family(
        "probe_last_success_timestamp_seconds",
        "gauge",
        "Start of the last successful probe.",
        lines.last_success,
        when=When.RESULT,
    ),
    Family(
        "probe_provider_processing_seconds",
        "gauge",
        "The provider's own processing time of the last answer, from its header.",
        lines.provider_time,
        when=When.RESULT,
    ),
    Family("service_info", "gauge", "A registered service.", lines.info, when=When.TARGET),
    Family(
        "service_up",
        "gauge",
        "Whether the provider answers as a working API, whatever it thinks of our key.",
        lines.up,
    ),
    Family(
        "service_enabled",
        "gauge",
        "Whether the service is to be probed.",
        lambda view: lines.line("service_enabled", view, view.target.enabled),
        when=When.TARGET,
    ),
    Family("service_verdict", "gauge", "Whose fault it is: one row is 1.", lines.verdict),
    Family(
        "service_key_valid",
        "gauge",
        "Whether the provider accepts the key; absent while unknown.",
        lines.key_valid,
    ),
    Family(
        "service_key_configured",
        "gauge",
        "Whether a service that needs a key has one.",
        lines.key_configured,
        when=When.TARGET,
    ),
    Family(
        "service_next_key_valid",
        "gauge",
        "Whether the provider accepts the key that will replace the present one.",
        lines.next_key_valid,
    ),
    Family(
        "service_key_rotated_timestamp_seconds",
        "gauge",
        "When the key was rotated through the API.",
        lines.key_rotated,
        when=When.TARGET,
    ),
    Family(
        "service_key_expiry_timestamp_seconds", "gauge", "When the key expires.", lines.key_expiry
    ),
    Family(
        "service_rate_limit_limit",
        "gauge",
        "The provider's rate limit.",
        lines.limit("service_rate_limit_limit", "limit"),
    ),
    Family(
        "service_rate_limit_remaining",
        "gauge",
        "What is left of the rate limit.",
        lines.limit("service_rate_limit_remaining", "remaining"),
    ),
    Family(
        "service_rate_limit_reset_timestamp_seconds",
        "gauge",
        "When the rate limit is full again.",
        lines.limit("service_rate_limit_reset_timestamp_seconds", "reset"),
    ),
    Family("service_quota_remaining", "gauge", "What is left of a quota.", lines.quota),
    Family(
        "service_status_page",
        "gauge",
        "What the provider's status page says: one row is 1; unreadable is unknown.",
        lines.page,
    ),
    Family(
        "service_maintenance",
        "gauge",
        "Whether a declared maintenance window is open.",
        lambda view: lines.line("service_maintenance", view, view.maintenance),
    ),
    Family(
        "service_sli_events_total",
        "counter",
        "Probes that count for an objective: those whose verdict is ok or provider.",
        lines.sli("service_sli_events_total", bad=False),
        when=When.RESULT,
    ),
    Family(
        "service_sli_bad_events_total",
        "counter",
        "Those of them that missed it.",
        lines.sli("service_sli_bad_events_total", bad=True),
        when=When.RESULT,
    ),
    Family(
        "service_slo_objective_ratio", "gauge", "The objective.", lines.objective, when=When.TARGET
    ),
    *(
        Family(
            f"service_threshold_{name}",
            "gauge",
            text,
            lines.threshold(name),
            # the slower pace after a rejected key changes this one
            when=When.STATE if name == "probe_stale_seconds" else When.TARGET,
        )
        for name, text in _THRESHOLDS.items()
    ),
)
