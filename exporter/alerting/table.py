"""The alert table: every alert that the exporter can judge alone, and why the others are not in it.

A row says the same as its rule in prometheus/rules: tests compare them one by one. Labels and
annotations are the public interface, as they are there.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping

from exporter.alerting import conditions, retirement, words
from exporter.alerting.facts import (
    CHANGES_SECONDS,
    LATENCY_SECONDS,
    LIMITED_SECONDS,
    NetworkFacts,
    OwnFacts,
    ProviderFacts,
    ServiceFacts,
)
from exporter.alerting.models import MODEL_RULES
from exporter.alerting.rule import Rule
from exporter.config import ThresholdKind
from exporter.statuspages import State

_MINUTE = 60.0
_MOST_LAG_SECONDS, _MOST_SPOILED = 5.0, 5
REPORTED = frozenset({State.DEGRADED, State.PARTIAL_OUTAGE, State.MAJOR_OUTAGE})


SERVICE_RULES: tuple[Rule[ServiceFacts], ...] = (
    Rule(
        alert="ServiceMaintenance",
        category="maintenance",
        measure=conditions.in_maintenance,
        severity="none",
        dashboard="registry-service",
        summary=words.Summary("", " is in a declared maintenance window."),
        description=words.maintenance,
    ),
    Rule(
        alert="ServiceKeyRejected",
        category="credentials",
        measure=conditions.key_refused_for,
        kind=ThresholdKind.KEY_INVALID,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.key_rejected_summary,
        description=words.key_rejected,
    ),
    Rule(
        alert="ServiceDown",
        category="availability",
        measure=conditions.failures,
        kind=ThresholdKind.CONSECUTIVE_FAILURES,
        beyond=operator.ge,
        keep=2 * _MINUTE,
        dashboard="registry-service",
        summary=words.Summary("", " fails its health check."),
        description=words.down,
        fault=words.fault,
    ),
    Rule(
        alert="ServiceUnresolved",
        category="availability",
        measure=conditions.unresolved_for,
        kind=ThresholdKind.ESCALATE_AFTER,
        keep=2 * _MINUTE,
        dashboard="registry-service",
        summary=words.Summary("", " is still down and nobody has acknowledged it."),
        description=words.unresolved,
        fault=words.fault,
    ),
    Rule(
        alert="ServiceFlapping",
        category="availability",
        measure=conditions.changes,
        kind=ThresholdKind.STATE_CHANGES,
        beyond=operator.ge,
        window=CHANGES_SECONDS,
        keep=2 * _MINUTE,
        dashboard="registry-service",
        summary=words.Summary("", " keeps changing between working and failing."),
        description=words.flapping,
    ),
    Rule(
        alert="ServiceLatencyHigh",
        category="latency",
        measure=conditions.p95,
        kind=ThresholdKind.LATENCY_P95,
        window=LATENCY_SECONDS,
        hold=10 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-service",
        summary=words.Summary("", " answers slowly."),
        description=words.slow,
    ),
    Rule(
        alert="ServiceKeyExpiringSoon",
        category="credentials",
        measure=conditions.key_left,
        kind=ThresholdKind.KEY_REMAINING,
        beyond=operator.lt,
        hold=10 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("The API key of ", " expires soon."),
        description=words.key_expiring,
    ),
    Rule(
        alert="ServiceKeyMissing",
        category="credentials",
        measure=conditions.key_missing,
        severity="medium",
        hold=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("", " has no API key."),
        description=words.key_missing,
    ),
    Rule(
        alert="ServiceQuotaExhausted",
        category="quota",
        measure=conditions.quota_exhausted,
        severity="high",
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("", " has used up its quota or credits."),
        description=words.quota_exhausted,
    ),
    Rule(
        alert="ServiceQuotaRunsOut",
        category="quota",
        measure=conditions.quota_ends_in,
        severity="medium",
        hold=15 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("", " will have used up its quota within a day."),
        description=words.quota_runs_out,
    ),
    Rule(
        alert="ServiceRateLimited",
        category="quota",
        measure=conditions.limited,
        kind=ThresholdKind.RATE_LIMITED,
        beyond=operator.ge,
        instead=conditions.asked_to_wait,
        window=LIMITED_SECONDS,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.rate_limited_summary,
        description=words.rate_limited,
    ),
    Rule(
        alert="ServiceRateLimitHeadroomLow",
        category="quota",
        measure=conditions.headroom,
        kind=ThresholdKind.RATE_LIMIT_REMAINING,
        beyond=operator.lt,
        hold=5 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("", " has little left of a rate limit."),
        description=words.headroom,
    ),
    Rule(
        alert="ServiceCertificateExpired",
        category="tls",
        measure=conditions.certificate_fails,
        severity="critical",
        keep=2 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("The TLS certificate of ", " has expired."),
        description=words.certificate_fails,
    ),
    Rule(
        alert="ServiceCertificateExpired",
        category="tls",
        measure=conditions.certificate_over,
        kind=ThresholdKind.CERTIFICATE_REMAINING,
        beyond=operator.lt,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("The TLS certificate of ", " has expired."),
        description=words.certificate_expired,
    ),
    Rule(
        alert="ServiceCertificateExpiringSoon",
        category="tls",
        measure=conditions.certificate_ends_in,
        kind=ThresholdKind.CERTIFICATE_REMAINING,
        beyond=operator.lt,
        hold=60 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-limits",
        summary=words.Summary("The TLS certificate of ", " expires soon."),
        description=words.certificate_expiring,
    ),
    Rule(
        alert="ModelRetired",
        category="retirement",
        measure=conditions.models_gone,
        severity="high",
        keep=5 * _MINUTE,
        dashboard="registry-service",
        summary=words.Summary("A model that ", " uses is gone."),
        description=retirement.model_gone,
    ),
    Rule(
        alert="ServiceSunset",
        category="retirement",
        measure=conditions.sunset_in,
        kind=ThresholdKind.SUNSET_REMAINING,
        beyond=operator.lt,
        hold=10 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-service",
        summary=words.Summary("Something that ", " uses is being switched off."),
        description=retirement.sunset,
    ),
    Rule(
        alert="ServiceNotProbed",
        category="monitoring",
        measure=conditions.unprobed_for,
        kind=ThresholdKind.PROBE_STALE,
        instead=conditions.never_probed,
        hold=_MINUTE,
        keep=2 * _MINUTE,
        dashboard="registry-monitoring",
        summary=words.Summary("", " is configured but not probed."),
        description=words.not_probed,
    ),
)
PROVIDER_RULES: tuple[Rule[ProviderFacts], ...] = (
    Rule(
        alert="ProviderOutage",
        category="provider",
        measure=lambda facts: facts.down if 2 <= facts.down == facts.judged else None,
        severity="critical",
        keep=5 * _MINUTE,
        dashboard="registry-overview",
        summary=words.outage_summary,
        description=words.outage,
    ),
    Rule(
        alert="ProviderReportsIncident",
        category="provider",
        measure=lambda facts: 1.0 if facts.pages else None,
        severity="low",
        hold=5 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-overview",
        summary=words.reported_summary,
        description=words.reported,
    ),
    Rule(
        alert="ProviderSilentOutage",
        category="provider",
        measure=lambda facts: (
            facts.down if facts.green and 1 <= facts.down == facts.judged else None
        ),
        severity="low",
        hold=15 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-overview",
        summary=words.silent_summary,
        description=words.silent,
    ),
)
NETWORK_RULES: tuple[Rule[NetworkFacts], ...] = (
    Rule(
        alert="MonitoringNetworkDown",
        category="monitoring",
        measure=lambda facts: 1.0 if facts.down else None,
        severity="critical",
        dashboard="registry-overview",
        summary=words.network_summary,
        description=words.network,
    ),
)
OWN_RULES: tuple[Rule[OwnFacts], ...] = (
    Rule(
        alert="ExporterConfigReloadFailed",
        category="monitoring",
        measure=lambda facts: 1.0 if facts.refused else None,
        severity="medium",
        hold=5 * _MINUTE,
        dashboard="registry-monitoring",
        summary=words.Fixed("An exporter runs an old configuration: its last reload failed."),
        description=words.old_configuration,
    ),
    Rule(
        alert="ExporterScheduleLag",
        category="monitoring",
        measure=lambda facts: facts.lag if (facts.lag or 0.0) > _MOST_LAG_SECONDS else None,
        severity="medium",
        hold=10 * _MINUTE,
        dashboard="registry-monitoring",
        summary=words.Fixed("An exporter starts its probes late."),
        description=words.late,
    ),
    Rule(
        alert="ExporterShortOfResources",
        category="monitoring",
        measure=lambda facts: facts.spoiled if facts.spoiled > _MOST_SPOILED else None,
        severity="high",
        hold=2 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-monitoring",
        summary=words.short_summary,
        description=words.short,
    ),
    Rule(
        alert="ExporterStorageFailing",
        category="monitoring",
        measure=lambda facts: 1.0 if facts.unsaved else None,
        severity="high",
        hold=2 * _MINUTE,
        keep=5 * _MINUTE,
        dashboard="registry-monitoring",
        summary=words.Fixed("An exporter cannot save what it knows."),
        description=words.unsaved,
    ),
    Rule(
        alert="ExporterStorageDamaged",
        category="monitoring",
        measure=lambda facts: facts.damaged,
        severity="medium",
        hold=_MINUTE,
        dashboard="registry-monitoring",
        summary=words.Fixed("The database of an exporter is damaged."),
        description=words.damaged,
    ),
    Rule(
        alert="ExporterStalled",
        category="monitoring",
        measure=lambda facts: facts.stalls or None,
        severity="high",
        keep=5 * _MINUTE,
        dashboard="registry-monitoring",
        summary=words.Fixed("An exporter stood still."),
        description=words.stalled,
    ),
)
_OF_ITSELF = "nobody can report that he himself is gone"
_OF_OTHERS = "it is about a program that is not there"
NOT_ALONE: Mapping[str, str] = {
    "ServiceErrorBudgetBurn": "it needs the events of one hour to three days",
    "ModelErrorBudgetBurn": "it needs the events of two hours to three days",
    "ServiceCallsFailing": "it compares calls with those of a week, and others count most of them",
    "ServiceVanished": "it compares an exporter with what Prometheus saw of it before",
    "ExporterDown": _OF_ITSELF,
    "ExporterAbsent": _OF_ITSELF,
    "ExporterRestarting": "it needs a memory that is not the exporter's own",
    "ExporterSeriesBudget": "it is about the size of a scrape, and nobody scrapes",
    "PrometheusRuleFailures": _OF_OTHERS,
    "PrometheusNotConnectedToAlertmanager": _OF_OTHERS,
    "AlertmanagerNotificationsFailing": _OF_OTHERS,
    "AlertmanagerConfigReloadFailed": _OF_OTHERS,
    "Watchdog": "it proves that Prometheus and Alertmanager work",
}
"""The alerts of the shipped rules that are not judged here, and why."""
NAMES = frozenset(
    rule.alert
    for rules in (SERVICE_RULES, MODEL_RULES, PROVIDER_RULES, NETWORK_RULES, OWN_RULES)
    for rule in rules
)
"""The alerts that are judged here."""
