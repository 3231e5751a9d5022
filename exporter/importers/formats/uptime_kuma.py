"""Uptime Kuma (v1): the JSON of Settings, Backup, Export. Only its HTTP monitors can be taken."""

from __future__ import annotations

import json
import re
from typing import Any

from exporter.importers.credentials import holds_key
from exporter.importers.fields import Fields
from exporter.importers.patterns import (
    NoPatternError,
    compared,
    json_literal,
    json_path,
    literal,
    number,
    operand,
)
from exporter.importers.report import Draft, Ledger
from exporter.importers.request import Maker
from exporter.importers.statuses import LISTED, from_ranges

_HTTP = ("http", "keyword", "json-query")
_KINDS = {
    "group": "a group is no service; its name stands in metadata.group of its monitors",
    "push": "results cannot be pushed here; let the sender write a metric or an alert",
}
_OTHERS = "only HTTP is probed here; use blackbox_exporter (tcp, icmp, dns, grpc) or keep it there"
_SECTIONS = {
    "notificationList": "who is notified stands in alertmanager/alertmanager.yml; set it there",
    "statusPageList": "the page of this exporter and Grafana show all services",
    "maintenanceList": "recurring windows are time_intervals of Alertmanager; set mutes there",
    "incidentList": "incidents come from Alertmanager",
    "userList": "passwords of the page are --web.config.file here",
    "apiKeyList": "passwords of the metrics are --web.config.file here",
    "dockerHostList": "containers are not probed here",
}
_CONTENT = {
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
}
_TLS = {"tlsCa": "ca_file", "tlsCert": "cert_file", "tlsKey": "key_file"}
_LOGINS = {
    "ntlm": "there is no NTLM here",
    "oauth2-cc": "an OAuth2 token cannot be fetched here; give a token as api_key",
}
_BACKWARDS = "no equivalent: a service that is good while it fails; not taken"
NAME, MARK = "uptime-kuma", "monitorList (Uptime Kuma)"
TAKES_TARGETS, EXPANDS = False, False
# fields of other kinds of monitor, and what only matters inside Uptime Kuma
_SILENT = re.compile(
    r"^(id|weight|user_id|hostname|port|packetSize|forceInactive|childrenIDs|maintenance|screenshot"
    r"|includeSensitiveData|retryInterval|notificationIDList|expiryNotification|path|pathName"
    r"|docker.*|mqtt.*|grpc.*|radius.*|kafka.*|database.*|dns.*|game.*|push.*|auth(Domain|Workstation)"
    r"|oauth.*|tls.*|basic_auth.*|snmp.*|rabbitmq.*|smtp.*|remote.*|cacheBust|conditions|ping.*"
    r"|manual_status|system.*|domainExpiryNotification|ipFamily|save.*|response.*|.*[sS]creenshot.*"
    r"|jsonPathOperator|jsonPath|expectedValue|keyword|invertKeyword|httpBodyEncoding|wsSubprotocol"
    r"|wsIgnoreSecWebsocketAcceptHeader|subtype|location|protocol)$"
)


def recognised(data: dict[str, object]) -> bool:
    """Return whether *data* looks like a backup of Uptime Kuma."""
    return "monitorList" in data


def take(ledger: Ledger, targets: Ledger | None) -> None:
    """Add the monitors of a backup to the report."""
    top = Fields(ledger, (), ledger.data)
    top.skip("version")
    for name, what in _SECTIONS.items():
        if top.raw(name):
            ledger.lost(top.at(name), f"no equivalent: {what}")
    proxies = {str(proxy.raw("id")): proxy for proxy in top.each("proxyList")}
    monitors = _monitors(top)
    groups = {
        str(monitor.raw("id")): monitor.text("name")
        for monitor in monitors
        if monitor.raw("type") == "group"
    }
    for monitor in monitors:
        _monitor(monitor, proxies, groups)
    for name in top.unread():
        ledger.lost(top.at(name), "no equivalent: this section is not known here")


def _monitors(top: Fields) -> list[Fields]:
    """Return the monitors of the list, or of a mapping by number, as the API has it."""
    if isinstance(top.raw("monitorList"), dict):
        inside = top.mapping("monitorList")
        return [inside.mapping(name) for name in inside.names()]
    return top.each("monitorList")


def _monitor(fields: Fields, proxies: dict[str, Fields], groups: dict[str, str]) -> None:
    ledger, kind = fields.ledger, fields.text("type")
    name, url = fields.text("name"), fields.text("url")
    if not name or not kind:
        ledger.mistake(fields.path, f"{'type' if name else 'name'} is missing")
        return
    if kind not in _HTTP:
        ledger.lost(fields.path, f"no equivalent: {_KINDS.get(kind, _OTHERS)}")
        return
    if not url:
        ledger.mistake(fields.path, "url is missing")
        return
    if fields.flag("upsideDown", False):
        ledger.lost(fields.at("upsideDown"), _BACKWARDS)
        return
    group = groups.get(str(fields.raw("parent")), "")
    maker = Maker(ledger, Draft(name, ledger.place(fields.path), group))
    if not maker.address(url, fields.at("url")):
        return
    _credentials(maker, fields)
    if not _request(maker, fields):
        return
    _proxy(maker, fields, proxies)
    if not _answer(maker, fields, kind):
        return
    _times(maker, fields)
    _labels(maker, fields, group)
    for unread in fields.unread():
        if not _SILENT.fullmatch(unread) and fields.raw(unread) not in ("", 0, False, [], {}):
            ledger.lost(fields.at(unread), "no equivalent: this field is not known here")
    ledger.report.drafts.append(maker.draft)


def _request(maker: Maker, fields: Fields) -> bool:
    if not maker.method(fields.text("method"), fields.at("method")):
        return False
    if not fields.flag("active", True):
        maker.draft.raw["enabled"] = False
    maker.headers(_headers(fields), fields.at("headers"))
    encoding = fields.text("httpBodyEncoding") or "json"
    body = fields.text("body")
    maker.body(body, fields.at("body"), _CONTENT.get(encoding, ""))
    hops = fields.number("maxredirects")
    maker.redirects(10 if hops is None else int(hops), fields.at("maxredirects"))
    if fields.flag("ignoreTls", False):
        maker.insecure(fields.at("ignoreTls"))
    return True


def _headers(fields: Fields) -> dict[str, str]:
    """Return the headers, which stand in the backup as a text of JSON."""
    raw, path = fields.raw("headers"), fields.at("headers")
    if isinstance(raw, str) and raw.strip():
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            fields.ledger.mistake(path, "is no JSON of names and texts")
            return {}
    if not raw:
        return {}
    if not isinstance(raw, dict) or any(isinstance(v, (dict, list)) for v in raw.values()):
        fields.ledger.mistake(path, "must be a JSON mapping of names and texts")
        return {}
    return {fields.ledger.inner(n, path): fields.ledger.inner(v, path) for n, v in raw.items()}


def _credentials(maker: Maker, fields: Fields) -> None:
    login = fields.text("authMethod")
    user, password = fields.text("basic_auth_user"), fields.text("basic_auth_pass")
    if login in _LOGINS:
        maker.ledger.lost(fields.at("authMethod"), f"no equivalent: {_LOGINS[login]}")
        maker.off("its way to log in has no equivalent")
    elif login == "mtls":
        for theirs, ours in _TLS.items():
            if fields.text(theirs):
                what = f"no equivalent: save the PEM in a file and name it in tls.{ours}"
                maker.ledger.lost(fields.at(theirs), what)
        maker.off("its client certificate must be saved in files first")
    elif login in ("", "null", "basic") and (user or password):
        maker.basic(user, password, fields.at("basic_auth_pass"))


def _proxy(maker: Maker, fields: Fields, proxies: dict[str, Fields]) -> None:
    number_ = fields.raw("proxyId")
    if number_ is None:
        return
    place, proxy = fields.at("proxyId"), proxies.get(str(number_))
    if proxy is None:
        maker.ledger.lost(place, "names a proxy that the backup does not have; set it by hand")
        maker.off("its proxy is missing")
    elif proxy.flag("active", True):
        login = ""
        if proxy.flag("auth", False):
            login = f"{proxy.text('username')}:{proxy.text('password')}@"
        url = f"{proxy.text('protocol')}://{login}{proxy.text('host')}:{proxy.text('port')}"
        maker.proxy(url, place)


def _answer(maker: Maker, fields: Fields, kind: str) -> bool:
    """Set what the answer must be; return whether that can be said."""
    place = fields.at("accepted_statuscodes")
    wanted = [text for _, text in fields.texts("accepted_statuscodes")] or ["200-299"]
    try:
        statuses = from_ranges(wanted)
    except ValueError:
        fields.ledger.mistake(place, "must be statuses from 100 to 599 or ranges such as 200-299")
        return False
    maker.draft.check["expected_status_codes"] = statuses
    if any("-" in text for text in wanted):
        maker.draft.comments["health_check", "expected_status_codes"] = LISTED
    if kind == "keyword":
        _keyword(maker, fields)
    elif kind == "json-query":
        _query(maker, fields)
    return True


def _keyword(maker: Maker, fields: Fields) -> None:
    keyword, place = fields.text("keyword"), fields.at("keyword")
    operator = "not_matches" if fields.flag("invertKeyword", False) else "matches"
    if not keyword:
        fields.ledger.mistake(fields.path, "keyword is missing")
    elif holds_key(keyword):
        what = "looks for what looks like a secret; not taken, so that none is written"
        fields.ledger.lost(place, what)
    elif len(pattern := json_literal(keyword)) > 1000:
        fields.ledger.lost(place, "is longer than the 1000 characters of a pattern; not taken")
    else:
        maker.draft.check["assertions"] = [{"body": True, operator: pattern}]


def _query(maker: Maker, fields: Fields) -> None:
    path, place = fields.text("jsonPath"), fields.at("jsonPath")
    wanted, operator = fields.text("expectedValue"), fields.text("jsonPathOperator") or "=="
    try:
        ours = json_path(path.strip().removeprefix("$").removeprefix("."))
        if holds_key(wanted):
            raise NoPatternError
        assertion: dict[str, Any]
        if operator in ("==", "!="):
            assertion = {"equals" if operator == "==" else "not_equals": operand(wanted)}
        elif operator == "contains":
            assertion = {"matches": literal(wanted)}
        else:
            assertion = compared(operator, number(wanted))
    except NoPatternError:
        what = "no equivalent: JSONata beyond names and indices; write an assertion with a JSONPath"
        fields.ledger.lost(place, what)
        return
    maker.draft.check["assertions"] = [{"json": ours, **assertion}]


def _times(maker: Maker, fields: Fields) -> None:
    interval = fields.number("interval") or 60
    timeout = fields.number("timeout") or interval * 0.8
    maker.times(interval, timeout, fields.at("interval"), fields.at("timeout"))
    maker.draft.check["retries"] = 0
    maker.down_after(int(fields.number("maxretries") or 0) + 1)
    if fields.number("resendInterval"):
        what = "no equivalent: Alertmanager's repeat_interval does this"
        fields.ledger.lost(fields.at("resendInterval"), what)


def _labels(maker: Maker, fields: Fields, group: str) -> None:
    labels = {"group": group} if group else {}
    if description := fields.text("description"):
        labels["description"] = description
    maker.labels(labels, fields.path, keyed=False)
    for tag in fields.each("tags"):
        tag.skip("id", "tag_id", "monitor_id", "color")
        if name := tag.text("name"):
            maker.labels({name: tag.text("value") or "yes"}, tag.path, keyed=False)
