"""Gatus (TwiN/gatus v5): its configuration file. Only http and https endpoints can be taken.

`${NAME}` and `$NAME` stay variables, as Gatus expands the environment too.
"""

from __future__ import annotations

import math

from exporter.importers.address import scheme_of
from exporter.importers.conditions import Conditions, ImpossibleError, LostConditionError
from exporter.importers.credentials import data_without_secrets
from exporter.importers.fields import Fields, duration
from exporter.importers.report import Draft, Ledger, names_in
from exporter.importers.request import Maker
from exporter.importers.statuses import LISTED
from exporter.settings import FieldPath

NAME, MARK = "gatus", "endpoints (Gatus)"
TAKES_TARGETS, EXPANDS = False, True
_OTHERS = "only http and https are probed here; keep blackbox_exporter (tcp, icmp, dns) beside"
_SECTIONS = {
    "external-endpoints": "results cannot be pushed here; let the sender write a metric",
    "suites": "there are no chained requests here; add each request that stands alone as a service",
    "alerting": "who is notified stands in alertmanager/alertmanager.yml; set the receivers there",
    "maintenance": "recurring windows are time_intervals of Alertmanager; set mute_time_intervals",
    "connectivity": "`canaries` tell whether our own network is up; name two HTTP addresses there",
    "security": "passwords and TLS of the page are --web.config.file here",
    "storage": "results are kept by Prometheus; --data-dir keeps a day of them",
    "tunneling": "there are no SSH tunnels here; run one outside, or use a proxy",
    "remote": "other instances are not read here; let Prometheus federate them",
    "announcements": "the page has no announcements",
}
_SILENT = (
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
    "kerberos": "there is no Kerberos here",
    "tunnel": "there are no SSH tunnels here; run one outside, or use a proxy",
    "dns-resolver": "the resolver is that of the machine",
}
_NEEDED = frozenset({"oauth2", "identity-aware-proxy", "kerberos", "tunnel"})


def recognised(data: dict[str, object]) -> bool:
    """Return whether *data* looks like Gatus' configuration."""
    return bool({"endpoints", "external-endpoints", "suites"} & data.keys())


def take(ledger: Ledger, targets: Ledger | None) -> None:
    """Add the endpoints of a Gatus configuration to the report."""
    top = Fields(ledger, (), ledger.data)
    top.skip(*_SILENT)
    thresholds = _thresholds(top.mapping("alerting"))
    for name, what in _SECTIONS.items():
        if name in top:
            top.skip(name)
            ledger.lost(top.at(name), f"no equivalent: {what}")
    for endpoint in top.each("endpoints"):
        _endpoint(endpoint, thresholds)
    for name in top.unread():
        ledger.lost(top.at(name), "no equivalent: this section is not known here")


def _thresholds(alerting: Fields) -> dict[str, int]:
    """Return the default failure-threshold of each kind of alert."""
    found = {}
    for kind in alerting.names():
        if isinstance(alerting.raw(kind), dict):
            default = alerting.mapping(kind).mapping("default-alert")
            found[kind] = int(default.number("failure-threshold") or 3)
    return found


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
        ledger.lost(url_at, f"no equivalent: {_OTHERS}")
        return
    if not scheme and not names_in(url):
        ledger.mistake(url_at, "must be a URL with its scheme")
        return
    maker = Maker(ledger, Draft(name, ledger.place(fields.path), group))
    if not maker.address(url, url_at) or not _request(maker, fields):
        return
    fields.skip("ui")
    if not _conditions(maker, fields):
        return
    _alerts(maker, fields, thresholds)
    if group:
        maker.labels({"group": group}, fields.at("group"))
    maker.labels(fields.text_map("extra-labels"), fields.at("extra-labels"))
    if "maintenance-windows" in fields:
        place = fields.at("maintenance-windows")
        fields.skip("maintenance-windows")
        ledger.lost(place, f"no equivalent: {_SECTIONS['maintenance']}")
    for unread in fields.unread():
        ledger.lost(fields.at(unread), "no equivalent: this field is not known here")
    ledger.report.drafts.append(maker.draft)


def _request(maker: Maker, fields: Fields) -> bool:
    """Set what is asked; return whether it can be."""
    client = fields.mapping("client")
    if not maker.method(fields.text("method"), fields.at("method")):
        return False
    if not fields.flag("enabled", True):
        maker.draft.raw["enabled"] = False
    maker.headers(fields.text_map("headers"), fields.at("headers"))
    body = fields.text("body")
    if "[ENDPOINT_" in body or "[RANDOM_STRING_" in body:
        what = "no equivalent: placeholders in a body are sent as they stand"
        maker.ledger.lost(fields.at("body"), what)
    if fields.flag("graphql", False):
        hide = maker.hider(fields.at("body"))
        maker.draft.check["body"] = data_without_secrets({"query": body}, hide)
    else:
        maker.body(body, fields.at("body"))
    timeout = client.seconds("timeout")
    maker.times(
        fields.seconds("interval") or 60.0,
        timeout or 10.0,
        fields.at("interval"),
        client.at("timeout"),
    )
    maker.draft.check["retries"] = 0
    _client(maker, client)
    return True


def _client(maker: Maker, client: Fields) -> None:
    client.skip("network")
    follows = not client.flag("ignore-redirect", False)
    maker.redirects(10 if follows else 0, client.at("ignore-redirect"))
    if client.flag("insecure", False):
        maker.insecure(client.at("insecure"))
    if proxy := client.text("proxy-url"):
        maker.proxy(proxy, client.at("proxy-url"))
    tls = client.mapping("tls")
    tls.skip("renegotiation")
    pair = (("cert_file", "certificate-file"), ("key_file", "private-key-file"))
    given = [(ours, tls.text(theirs), tls.at(theirs)) for ours, theirs in pair if theirs in tls]
    if given and not all([maker.tls_file(*one) for one in given]):
        for ours, _ in pair:
            maker.draft.check.get("tls", {}).pop(ours, None)
        maker.off("its client certificate is not on this machine")
    for name, what in _CLIENT.items():
        if name in client:
            client.skip(name)
            maker.ledger.lost(client.at(name), f"no equivalent: {what}")
            if name in _NEEDED:
                maker.off(f"client.{name} has no equivalent")
    for unread in (*tls.unread(), *client.unread()):
        maker.ledger.lost(client.at(unread), "no equivalent: this field is not known here")


def _conditions(maker: Maker, fields: Fields) -> bool:
    """Set what the answer must be; return whether the service makes sense."""
    found, ledger = Conditions(), maker.ledger
    place: FieldPath = fields.at("conditions")
    for path, text in fields.texts("conditions"):
        try:
            found.add(text)
        except ImpossibleError as error:
            ledger.lost(path, f"no equivalent: {error}")
            return False
        except LostConditionError as error:
            ledger.lost(path, f"no equivalent: {error}")
    statuses = found.statuses()
    if not statuses:
        ledger.lost(place, "no status fits all conditions, so it could never be good; not taken")
        return False
    check, draft = maker.draft.check, maker.draft
    check["expected_status_codes"] = statuses
    if not found.status_tests:
        what = "without a condition on [STATUS] any status is good, as before; name what you expect"
        ledger.lost(place, what)
    if len(statuses) > 6:
        draft.comments["health_check", "expected_status_codes"] = LISTED
    if found.assertions:
        check["assertions"] = found.assertions
        for index, note in found.notes.items():
            draft.comments["health_check", "assertions", index] = note
    alerts = draft.raw.setdefault("alerts", {})
    if found.latency:
        alerts["latency_p95"] = duration(found.latency)
        draft.comments["alerts", "latency_p95"] = "failed the check before, is an alert now"
    if found.certificate:
        alerts["certificate_days"] = max(1, math.ceil(found.certificate / 86400))
        draft.comments["alerts", "certificate_days"] = "failed the check before, is an alert now"
    return True


def _alerts(maker: Maker, fields: Fields, thresholds: dict[str, int]) -> None:
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
                what = "no equivalent: Alertmanager's group_interval and repeat_interval do this"
                maker.ledger.lost(alert.at(name), what)
        for unread in alert.unread():
            maker.ledger.lost(alert.at(unread), "no equivalent: this field is not known here")
    if counts:
        maker.down_after(min(counts))
    if not maker.draft.raw.get("alerts"):
        maker.draft.raw.pop("alerts", None)
