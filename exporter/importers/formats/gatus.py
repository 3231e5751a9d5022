"""Gatus (TwiN/gatus v5): its configuration file. Only its http and https endpoints are imported.

`${NAME}` and `$NAME` stay variables, as Gatus expands the environment too.
"""

from __future__ import annotations

import math

from exporter.importers.address import scheme_of
from exporter.importers.conditions import Conditions, ImpossibleError, LostConditionError
from exporter.importers.credentials import data_without_secrets
from exporter.importers.fields import Fields, duration
from exporter.importers.report import Draft, Ledger, names_in
from exporter.importers.request import Builder
from exporter.importers.statuses import LISTED
from exporter.settings import FieldPath

MARK = "endpoints (Gatus)"
TAKES_TARGETS, EXPANDS = False, True
_OTHER_SCHEMES = "only http and https are probed here; use blackbox_exporter for tcp, icmp and dns"
_SECTIONS = {
    "external-endpoints": "results cannot be pushed here; let the sender write a metric",
    "suites": "requests cannot be chained here; add each independent request as a service",
    "alerting": "set receivers and routes in alertmanager/alertmanager.yml",
    "maintenance": "recurring windows: time_intervals and mute_time_intervals of Alertmanager",
    "connectivity": "`canaries` check whether our own network is up; list two HTTP URLs there",
    "security": "passwords and TLS of the page are set with --web.config.file here",
    "storage": "Prometheus keeps the results; with --data-dir the exporter keeps a history too",
    "tunneling": "SSH tunnels are not supported here; run one outside, or use a proxy",
    "remote": "other instances are not read here; let Prometheus federate them",
    "announcements": "the page has no announcements",
}
_IGNORED = (
    "web",
    "ui",
    "metrics",
    "debug",
    "concurrency",
    "disable-monitoring-lock",
    "skip-invalid-config-update",
)
_CLIENT = {
    "oauth2": "an OAuth2 token cannot be fetched here; give a token as api_key",
    "identity-aware-proxy": "a token of Google's Identity-Aware Proxy cannot be fetched here",
    "kerberos": "Kerberos is not supported here",
    "tunnel": "SSH tunnels are not supported here; run one outside, or use a proxy",
    "dns-resolver": "the machine's resolver is used",
}
# Without these the request fails, so the service is written as disabled.
_REQUIRED = frozenset({"oauth2", "identity-aware-proxy", "kerberos", "tunnel"})


def recognised(data: dict[str, object]) -> bool:
    """Return whether *data* looks like Gatus' configuration."""
    return bool({"endpoints", "external-endpoints", "suites"} & data.keys())


def collect(ledger: Ledger, targets: Ledger | None) -> None:
    """Add the endpoints of a Gatus configuration to the report."""
    top = Fields(ledger, (), ledger.data)
    top.skip(*_IGNORED)
    thresholds = _thresholds(top.mapping("alerting"))
    for name, message in _SECTIONS.items():
        if name in top:
            top.skip(name)
            ledger.lost(top.at(name), f"no equivalent: {message}")
    for endpoint in top.each("endpoints"):
        _endpoint(endpoint, thresholds)
    for name in top.unread():
        ledger.lost(top.at(name), "no equivalent: this section is not known here")


def _thresholds(alerting: Fields) -> dict[str, int]:
    """Return the default failure-threshold of each type of alert; Gatus' own is 3."""
    thresholds = {}
    for kind in alerting.names():
        if isinstance(alerting.raw(kind), dict):
            default = alerting.mapping(kind).mapping("default-alert")
            thresholds[kind] = int(default.number("failure-threshold") or 3)
    return thresholds


def _endpoint(fields: Fields, thresholds: dict[str, int]) -> None:
    ledger, url_at = fields.ledger, fields.at("url")
    name, group, url = fields.text("name"), fields.text("group"), fields.text("url")
    if not name:
        ledger.mistake(fields.path, "name is missing")
    if not url:
        ledger.mistake(fields.path, "url is missing")
    if not name or not url:
        return
    scheme = scheme_of(url)
    if "dns" in fields or "ssh" in fields or (scheme not in ("http", "https") and scheme):
        ledger.lost(url_at, f"no equivalent: {_OTHER_SCHEMES}")
        return
    if not scheme and not names_in(url):
        ledger.mistake(url_at, "must be a URL with its scheme")
        return
    builder = Builder(ledger, Draft(name, ledger.problem_at(fields.path), group))
    if not builder.address(url, url_at) or not _request(builder, fields):
        return
    fields.skip("ui")
    if not _conditions(builder, fields):
        return
    _alerts(builder, fields, thresholds)
    if group:
        builder.labels({"group": group}, fields.at("group"))
    builder.labels(fields.text_map("extra-labels"), fields.at("extra-labels"))
    if "maintenance-windows" in fields:
        windows_path = fields.at("maintenance-windows")
        fields.skip("maintenance-windows")
        ledger.lost(windows_path, f"no equivalent: {_SECTIONS['maintenance']}")
    for unread in fields.unread():
        ledger.lost(fields.at(unread), "no equivalent: this field is not known here")
    ledger.report.drafts.append(builder.draft)


def _request(builder: Builder, fields: Fields) -> bool:
    """Set the request; return whether it can be sent."""
    client = fields.mapping("client")
    if not builder.method(fields.text("method"), fields.at("method")):
        return False
    if not fields.flag("enabled", True):
        builder.draft.raw["enabled"] = False
    builder.headers(fields.text_map("headers"), fields.at("headers"))
    body = fields.text("body")
    if "[ENDPOINT_" in body or "[RANDOM_STRING_" in body:
        message = "no equivalent: placeholders in a body are sent literally"
        builder.ledger.lost(fields.at("body"), message)
    if fields.flag("graphql", False):
        hide = builder.hider(fields.at("body"))
        builder.draft.check["body"] = data_without_secrets({"query": body}, hide)
    else:
        builder.body(body, fields.at("body"))
    timeout = client.seconds("timeout")
    builder.times(
        fields.seconds("interval") or 60.0,
        timeout or 10.0,
        fields.written_at("interval"),
        client.written_at("timeout"),
    )
    builder.draft.check["retries"] = 0  # Gatus sends one request a check
    _client(builder, client)
    return True


def _client(builder: Builder, client: Fields) -> None:
    client.skip("network")
    follows = not client.flag("ignore-redirect", False)
    # Go's http.Client stops after 10.
    builder.redirects(10 if follows else 0, client.at("ignore-redirect"))
    if client.flag("insecure", False):
        builder.insecure(client.at("insecure"))
    if proxy := client.text("proxy-url"):
        builder.proxy(proxy, client.at("proxy-url"))
    tls = client.mapping("tls")
    tls.skip("renegotiation")
    pair = (("cert_file", "certificate-file"), ("key_file", "private-key-file"))
    files = [(ours, tls.text(theirs), tls.at(theirs)) for ours, theirs in pair if theirs in tls]
    # a list, so that each missing file is reported and not only the first
    if files and not all([builder.tls_file(*file) for file in files]):
        for ours, _ in pair:
            builder.draft.check.get("tls", {}).pop(ours, None)
        builder.disable("its client certificate is not on this machine")
    for name, message in _CLIENT.items():
        if name in client:
            client.skip(name)
            builder.ledger.lost(client.at(name), f"no equivalent: {message}")
            if name in _REQUIRED:
                builder.disable(f"client.{name} has no equivalent")
    for unread in (*tls.unread(), *client.unread()):
        builder.ledger.lost(client.at(unread), "no equivalent: this field is not known here")


def _conditions(builder: Builder, fields: Fields) -> bool:
    """Set what is expected of the answer; return whether the service can ever be healthy."""
    conditions, ledger = Conditions(), builder.ledger
    conditions_path: FieldPath = fields.at("conditions")
    for path, text in fields.texts("conditions"):
        try:
            conditions.add(text, builder.hider(path))
        except ImpossibleError as error:
            ledger.lost(path, f"no equivalent: {error}")
            return False
        except LostConditionError as error:
            ledger.lost(path, f"no equivalent: {error}")
            # a check without it would be good where Gatus' is not
            builder.disable(f"conditions[{path[-1]}] has no equivalent")
    statuses = conditions.statuses()
    if not statuses:
        ledger.lost(
            conditions_path,
            "no status meets all conditions, so the service could never be healthy; not imported",
        )
        return False
    check, draft = builder.draft.check, builder.draft
    check["expected_status_codes"] = statuses
    if not conditions.status_tests:
        message = (
            "no condition on [STATUS]: any status is accepted, as before; list those you expect"
        )
        ledger.lost(conditions_path, message)
    if len(statuses) > 6:
        draft.comments["health_check", "expected_status_codes"] = LISTED
    if conditions.assertions:
        check["assertions"] = conditions.assertions
        for index, note in conditions.notes.items():
            draft.comments["health_check", "assertions", index] = note
    alerts = draft.raw.setdefault("alerts", {})
    if conditions.latency:
        alerts["latency_p95"] = duration(conditions.latency)
        draft.comments["alerts", "latency_p95"] = "failed the check before; an alert now"
    if conditions.certificate:
        alerts["certificate_days"] = max(1, math.ceil(conditions.certificate / 86400))
        draft.comments["alerts", "certificate_days"] = "failed the check before; an alert now"
    return True


def _alerts(builder: Builder, fields: Fields, thresholds: dict[str, int]) -> None:
    counts = []
    for alert in fields.each("alerts"):
        kind = alert.text("type")
        alert.skip("description", "send-on-resolved", "provider-override")
        threshold = alert.number("failure-threshold")
        if alert.flag("enabled", True):
            counts.append(int(threshold or thresholds.get(kind, 3)))
        for name in ("success-threshold", "minimum-reminder-interval"):
            if name in alert:
                alert.skip(name)
                message = "no equivalent: Alertmanager's group_interval and repeat_interval do this"
                builder.ledger.lost(alert.at(name), message)
        for unread in alert.unread():
            builder.ledger.lost(alert.at(unread), "no equivalent: this field is not known here")
    if counts:
        builder.down_after(min(counts))
    if not builder.draft.raw.get("alerts"):
        builder.draft.raw.pop("alerts", None)
