"""PromQL that several dashboards share.

Every query survives two exporters with the same services (the worst or the latest wins) and one
that died (its services become NO DATA). A selection is the text between the braces.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporter.model import Reason, Verdict
from grafana.words import (
    CODES,
    GRADES,
    HIDDEN,
    IN_MAINTENANCE,
    MUTED,
    PAGE_STATES,
    SUCCESSES,
    UNSEEN,
    WITHOUT_DATA,
)

SERVICE = "environment, service, provider"
SLO = "environment, service, slo"
ON = "on (environment, service)"

CHOSEN = 'environment=~"$environment", provider=~"$provider", service=~"$service"'
"""The services that the variables choose."""
NAMED = 'environment=~"$environment", service=~"$service"'
"""The same where there is no provider: series of an objective; see `of_chosen`."""
ONE = 'environment="$environment", service="$service"'
"""The service of the dashboard of one. Grafana escapes for =~ only where several can be chosen."""
ABOUT = 'environment=~"$environment|", provider=~"$provider|", service=~"$service|"'
"""Alerts and incidents about them, and those about no service: the network, the monitoring."""
ABOUT_ONE = "environment=~`${environment:regex}|`, service=~`${service:regex}|`"
"""The same on the dashboard of one; within backticks PromQL leaves the escapes to the pattern."""

FAILED = 'reason!~"' + "|".join(SUCCESSES) + '"'
_MEMORY = "12h"
"""For so long a service of an exporter that died is still listed, as NO DATA."""


MONITOR = "(monitoring)"
"""What a row is about that names neither a service nor a provider."""


def flat(text: str) -> str:
    """Return *text* on one line."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")


def lost(select: str) -> str:
    """Services of an exporter that is not there: removed ones of a living exporter are not lost."""
    return flat(f"""
        max by ({SERVICE}) (
            last_over_time(service_enabled{{{select}}}[{_MEMORY}])
            unless on (job, instance) (up == 1)
        ) == 1
    """)


def watched(select: str) -> str:
    """Services with a fresh result; the others' last values are the past."""
    return f"service:service_watched:bool{{{select}}} == 1"


def fresh(expr: str, select: str) -> str:
    """*expr* of the watched services only; an exporter keeps the last answers of the others."""
    return f"{expr} and {ON} ({watched(select)})"


def times_code(label: str, codes: Iterable[tuple[str, int]]) -> str:
    """Text that multiplies the expression before it by the code of its *label*."""
    table = " or ".join(
        f'label_replace(vector({code}), "{label}", "{value}", "", "")' for value, code in codes
    )
    return f"* on ({label}) group_left () ({table})"


def _coded(metric: str, label: str, select: str, codes: Iterable[tuple[str, int]]) -> str:
    """The worst row that is 1 of a state set, as a code; one selection, not one a code."""
    return f"max by ({SERVICE}) (({metric}{{{select}}} == 1) {times_code(label, codes)})"


def ordered(expr: str, label: str, values: Iterable[object]) -> str:
    """The rows of *expr*, one for each value of *label*, in the order of *values*."""
    rows = " or ".join(f'label_replace(vector(1), "{label}", "{v}", "", "")' for v in values)
    return f"({rows}) * on ({label}) {expr}"


def counted(expr: str, label: str, codes: Iterable[int]) -> str:
    """How often each of *codes* occurs in *expr*, in their order; `count_values` has none."""
    return ordered(f'count_values("{label}", {expr})', label, codes)


def state(select: str) -> str:
    """The state of each enabled service as a code of `words.STATES`."""
    verdict = _coded("service_verdict", "verdict", select, CODES.items())
    return flat(f"""
        {IN_MAINTENANCE} * (max by ({SERVICE}) (service_maintenance{{{select}}}) == 1)
            and {ON} (max by (environment, service) (service_enabled{{{select}}}) == 1)
        or {verdict} and {ON} ({watched(select)})
        or {WITHOUT_DATA} * (max by ({SERVICE}) (service_enabled{{{select}}}) == 1)
        or {WITHOUT_DATA} * ({lost(select)})
    """)


def broken(select: str) -> str:
    """The same, of those only that are neither well nor in maintenance."""
    return f"({state(select)}) != {CODES[Verdict.OK]} != {IN_MAINTENANCE}"


def of_broken(expr: str, select: str) -> str:
    """*expr* for the services in `broken`; both are by environment and service."""
    return flat(f"""
        ({expr}) and {ON} (
            (max by ({SERVICE}) (service_enabled{{{select}}}) == 1 or {lost(select)})
            unless {ON} (
                min by (environment, service) (service_verdict{{{select}, verdict="ok"}}) == 1
                and {ON} ({watched(select)})
                or max by (environment, service) (service_maintenance{{{select}}}) == 1
            )
        )
    """)


def worst(select: str) -> str:
    """The worst state of all services: whose fault it is, in one number."""
    return f"max({state(select)})"


def last_success(select: str) -> str:
    """When each service last succeeded, in milliseconds; still known when its exporter died."""
    last = f"last_over_time(probe_last_success_timestamp_seconds{{{select}}}[{_MEMORY}])"
    return f"1000 * max by ({SERVICE}) ({last})"


def ended(select: str, reason: str = "", window: str = "$__rate_interval") -> str:
    """By how many probes each reason grew in *window*; *reason* is a matcher of some of them.

    A reason that had no series yet (--metrics.compact) of a service that had is new altogether:
    increase() misses its first event.
    """
    these = f"{select}, {reason}" if reason else select
    now, known = f"probe_results_total{{{these}}}", f'probe_results_total{{{select}, reason="ok"}}'
    new = flat(f"""
        {now} unless {now} offset {window}
        and on (job, instance, environment, service) {known} offset {window}
    """)
    return f"({new} or increase({now}[{window}]))"


def happened(counter: str, by: str, window: str = "$__rate_interval") -> str:
    """How many events *counter* counted in *window*, by the labels *by*: whole numbers.

    increase() extrapolates to the edges of the window: one event is 1.02, and never less than it
    was, so that no event is lost by rounding.
    """
    return f"round(sum by ({by}) (increase({counter}[{window}])))"


def why(select: str) -> str:
    """The most frequent failure of the last minutes, or of hours where probes are rare; UNSEEN.

    HIDDEN while our own network is to blame for it: what the reason says elsewhere is wrong then.
    """
    by = f"{SERVICE}, reason"

    def most_frequent(window: str) -> str:
        grown = grew("probe_results_total", f"{select}, {FAILED}", by, window)
        return f"topk by (environment, service) (1, {grown}) > 0"

    unwatched = flat(f"""
        (max by ({SERVICE}) (service_enabled{{{select}}}) == 1 or {lost(select)})
        unless {ON} ({watched(select)})
    """)
    no_data = f'label_replace({unwatched}, "reason", "{UNSEEN}", "", "")'
    seen = f"{most_frequent('15m')} or {ON} {most_frequent('2h')}"
    blind = f'{select}, verdict="network", reason!="{Reason.INTERCEPTED}"'
    hidden = flat(f"""
        label_replace(
            max by ({SERVICE}) ({seen}) and {ON} (
                max by (environment, service) (service_failing_since_timestamp_seconds{{{blind}}})
            ),
            "reason", "{HIDDEN}", "", ""
        )
    """)
    return f"{hidden} or {ON} {seen} or {ON} {no_data}"


def results(select: str) -> str:
    """Failed probes a step; a zero of `ok` while probes end, so that no failure is not no data."""
    zero = f'label_replace(0 * (sum({ended(select)}) > 0), "reason", "ok", "", "")'
    return f"round(sum by (reason) {ended(select, FAILED)}) > 0 or {zero}"


def of_chosen(expr: str, select: str) -> str:
    """*expr*, which knows no provider, for the services that *select* chooses."""
    return f"{expr} and {ON} service_enabled{{{select}}}"


def acknowledged(select: str) -> str:
    """1 taken, 0 notified but not taken, -1 not yet notified; nothing without an exporter."""
    mine = f"max by ({SERVICE}) (service_incident_acknowledged{{{select}}})"
    return f"{mine} or -1 * (max by ({SERVICE}) (service_enabled{{{select}}}) == 1)"


def taken(about: str, select: str) -> str:
    """How many services have an incident that nobody has taken; 0 only while exporters report."""
    mine = f"count(max by ({SERVICE}) (service_incident_acknowledged{{{about}}}) == 0)"
    return f"{mine} or 0 * count(service_enabled{{{select}}})"


def page_state(select: str) -> str:
    """What a provider's status page says, as a position in `words.PAGE_STATES`."""
    states = ((state, code) for code, state in enumerate(PAGE_STATES))
    return _coded("service_status_page", "state", select, states)


def running_out(select: str, count: int) -> str:
    """Seconds until something of a service ends, the soonest first, with the label `what`.

    What is spent is at 0: nobody knows since when.
    """
    certificate = f"min by ({SERVICE}) (probe_ssl_earliest_cert_expiry{{{select}}}) - time()"
    key = f"min by ({SERVICE}) (service_key_expiry_timestamp_seconds{{{select}}}) - time()"
    quota = f"service_quota_remaining{{{select}}}"
    quota_left = f"""clamp_min(min by ({SERVICE}, resource) (
        {quota} / (0 - (deriv({quota}[6h]) < 0)) or {quota} <= 0
    ), 0)"""
    named_only = select.replace(', provider=~"$provider"', "")
    left = f"slo:service_error_budget_remaining:ratio30d{{{named_only}}}"
    burning = f"slo:service_burn_rate:ratio_rate6h{{{named_only}}}"
    budget = f"30 * 86400 * clamp_min({left} / ({burning} > 0) or {left} <= 0, 0)"
    parts = (
        _labelled("certificate", fresh(certificate, select)),
        _labelled("key", fresh(key, select)),
        _labelled("quota: $1", fresh(quota_left, select), "resource"),
        _labelled("budget: $1", of_chosen(budget, select), "slo"),
    )
    return f"sort(bottomk({count}, {' or '.join(parts)}))"


def _labelled(what: str, expr: str, label: str = "") -> str:
    """*expr* with the label `what`, in which `$1` is the value of *label*."""
    return f'label_replace({flat(expr)}, "what", "{what}", "{label}", "(.*)")'


_ALERT = "alertname, environment, service, provider, model, team, slo, instance"


def about(expr: str) -> str:
    """*expr* with labels for what may have no service.

    `about` says what a row is about: a model, a service, all of a provider's, or the monitoring.
    `board` and `chosen` are the dashboard that explains it and the value of its variable `service`.
    """
    for label, *values in (
        ("about", MONITOR, "(all of $1)", "$1", "$1"),
        ("board", "monitoring", "overview", "service", "models"),
        ("chosen", "All", "All", "$1", ""),
    ):
        for value, source in zip(values, ("", "provider", "service", "model"), strict=True):
            if not value:  # what was chosen before
                continue
            named = "(.+)" if source else ""
            expr = f'label_replace({expr}, "{label}", "{value}", "{source}", "{named}")'
    return expr


def grade(select: str) -> str:
    """The worst severity at which each alert fires, as a code of `words.GRADES`.

    It is `words.MUTED` for what Alertmanager tells nobody, because the service is in maintenance.
    """
    fires = f'ALERTS{{{select}, alertstate="firing"}}'
    graded = f"max by ({_ALERT}) ({fires} {times_code('severity', GRADES.items())})"
    window = f'ALERTS{{{select}, alertname="ServiceMaintenance", alertstate="firing"}}'
    muted = (
        f'ALERTS{{{select}, alertname=~"Service.+|Model.+", alertstate="firing", severity!="none"}}'
    )
    muted = f"max by ({_ALERT}) ({muted} and {ON} {window})"
    return f"{MUTED} * {muted} or {graded}"


def firing(select: str) -> str:
    """Since when each alert fires, at whatever severity, in milliseconds."""
    fires = f'ALERTS{{{select}, alertstate="firing", severity!="none"}}'
    began = f"ALERTS_FOR_STATE{{{select}}} and ignoring (alertstate) {fires}"
    return f"1000 * min by ({_ALERT}) ({began})"


def grew(name: str, select: str, by: str, window: str) -> str:
    """What a counter grew by, its very first event included, which increase() misses.

    What was not scraped just then is taken from the hours before.
    """
    now = f"max by ({by}) ({name}{{{select}}})"
    before = f"max by ({by}) (last_over_time({name}{{{select}}}[6h] offset {window}))"
    return f"{now} - ({before} or 0 * {now})"


def quantile(share: float, name: str, select: str, by: str) -> str:
    """A quantile of a histogram; nothing where nothing was observed."""
    rows = f"{name}_bucket{{{select}}}" if select else f"{name}_bucket"
    inside = f"sum by (le, {by}) (rate({rows}[$__rate_interval]))"
    return f"histogram_quantile({share}, {inside}) >= 0"
