"""Uptime Kuma (v1): the JSON of Settings, Backup, Export. Only its HTTP monitors are imported."""

from __future__ import annotations

import json
import re
from typing import Any

from exporter.importers.credentials import (
    SENSITIVE_OPERAND,
    holds_key,
    is_secret_operand,
    may_hold_secret,
)
from exporter.importers.fields import Fields
from exporter.importers.patterns import (
    MAX_PATTERN_LENGTH,
    NoPatternError,
    compared,
    json_literal,
    json_path,
    literal,
    number,
    operand,
)
from exporter.importers.report import Draft, Ledger
from exporter.importers.request import Builder
from exporter.importers.statuses import LISTED, from_ranges
from exporter.settings import FieldPath

_HTTP = ("http", "keyword", "json-query")
_TYPES = {
    "group": "a group is not a service; its name is in metadata.group of its monitors",
    "push": "results cannot be pushed here; let the sender write a metric or an alert",
}
_OTHER_TYPES = (
    "only HTTP is probed here; use blackbox_exporter (tcp, icmp, dns, grpc) or keep Uptime Kuma"
)
_SECTIONS = {
    "notificationList": "set receivers and routes in alertmanager/alertmanager.yml",
    "statusPageList": "the page of this exporter and Grafana show all services",
    "maintenanceList": "recurring windows: time_intervals and mute_time_intervals of Alertmanager",
    "incidentList": "incidents come from Alertmanager",
    "userList": "passwords of the page are set with --web.config.file here",
    "apiKeyList": "passwords of the metrics are set with --web.config.file here",
    "dockerHostList": "containers are not probed here",
}
_CONTENT_TYPES = {
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
}
_TLS = {"tlsCa": "ca_file", "tlsCert": "cert_file", "tlsKey": "key_file"}
_LOGINS = {
    "ntlm": "NTLM is not supported here",
    "oauth2-cc": "an OAuth2 token cannot be fetched here; give a token as api_key",
}
_ONLY_THERE = {
    "ipFamily": "addresses of both families are tried here",
    "cacheBust": "nothing is added to the address here; a cache on the way may answer",
}
_UPSIDE_DOWN = "no equivalent: a service that is healthy while it fails; not imported"
MARK = "monitorList (Uptime Kuma)"
TAKES_TARGETS, EXPANDS = False, False
# fields of other types of monitor, and those that only matter inside Uptime Kuma
_IGNORED = re.compile(
    r"^(id|weight|user_id|hostname|port|packetSize|childrenIDs|maintenance|screenshot"
    r"|includeSensitiveData|retryInterval|notificationIDList|expiryNotification|path|pathName"
    r"|docker.*|mqtt.*|grpc.*|radius.*|kafka.*|database.*|dns.*|game.*|push.*|auth(Domain|Workstation)"
    r"|oauth.*|tls.*|basic_auth.*|snmp.*|rabbitmq.*|smtp.*|remote.*|conditions|ping.*"
    r"|manual_status|system.*|domainExpiryNotification|save.*|response.*|.*[sS]creenshot.*"
    r"|jsonPathOperator|jsonPath|expectedValue|keyword|invertKeyword|httpBodyEncoding|wsSubprotocol"
    r"|wsIgnoreSecWebsocketAcceptHeader|subtype|location|protocol)$"
)


def recognised(data: dict[str, object]) -> bool:
    """Return whether *data* looks like a backup of Uptime Kuma."""
    return "monitorList" in data


def collect(ledger: Ledger, targets: Ledger | None) -> None:
    """Add the monitors of a backup to the report."""
    top = Fields(ledger, (), ledger.data)
    top.skip("version")
    for name, message in _SECTIONS.items():
        if top.raw(name):
            ledger.lost(top.at(name), f"no equivalent: {message}")
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
        by_number = top.mapping("monitorList")
        return [by_number.mapping(name) for name in by_number.names()]
    return top.each("monitorList")


def _monitor(fields: Fields, proxies: dict[str, Fields], groups: dict[str, str]) -> None:
    ledger, kind = fields.ledger, fields.text("type")
    name, url = fields.text("name"), fields.text("url")
    if not name or not kind:
        ledger.mistake(fields.path, f"{'type' if name else 'name'} is missing")
        return
    if kind not in _HTTP:
        ledger.lost(fields.path, f"no equivalent: {_TYPES.get(kind, _OTHER_TYPES)}")
        return
    if not url:
        ledger.mistake(fields.path, "url is missing")
        return
    if fields.flag("upsideDown", False):
        ledger.lost(fields.at("upsideDown"), _UPSIDE_DOWN)
        return
    group = groups.get(str(fields.raw("parent")), "")
    builder = Builder(ledger, Draft(name, ledger.problem_at(fields.path), group))
    if not builder.address(url, fields.at("url")):
        return
    _credentials(builder, fields)
    if not _request(builder, fields):
        return
    _proxy(builder, fields, proxies)
    if not _answer(builder, fields, kind):
        return
    _times(builder, fields)
    _labels(builder, fields, group)
    for name, message in _ONLY_THERE.items():
        if fields.raw(name):
            ledger.lost(fields.at(name), f"no equivalent: {message}")
    for unread in fields.unread():
        if not _IGNORED.fullmatch(unread) and fields.raw(unread) not in ("", 0, False, [], {}):
            ledger.lost(fields.at(unread), "no equivalent: this field is not known here")
    ledger.report.drafts.append(builder.draft)


def _request(builder: Builder, fields: Fields) -> bool:
    if not builder.method(fields.text("method"), fields.at("method")):
        return False
    # forceInactive: a group above it is paused
    if not fields.flag("active", True) or fields.flag("forceInactive", False):
        builder.draft.raw["enabled"] = False
    builder.headers(_headers(fields), fields.at("headers"))
    encoding = fields.text("httpBodyEncoding") or "json"
    body = fields.text("body")
    builder.body(body, fields.at("body"), _CONTENT_TYPES.get(encoding, ""))
    hops = fields.number("maxredirects")
    builder.redirects(10 if hops is None else int(hops), fields.at("maxredirects"))
    if fields.flag("ignoreTls", False):
        builder.insecure(fields.at("ignoreTls"))
    return True


def _headers(fields: Fields) -> dict[str, str]:
    """Return the headers, which the backup has as a JSON text."""
    raw, path = fields.raw("headers"), fields.at("headers")
    if isinstance(raw, str) and raw.strip():
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            fields.ledger.mistake(path, "is not valid JSON")
            return {}
    if not raw:
        return {}
    if not isinstance(raw, dict) or any(isinstance(v, (dict, list)) for v in raw.values()):
        fields.ledger.mistake(path, "must be a JSON mapping of names and texts")
        return {}
    return {fields.ledger.inner(n, path): fields.ledger.inner(v, path) for n, v in raw.items()}


def _credentials(builder: Builder, fields: Fields) -> None:
    login = fields.text("authMethod")
    user, password = fields.text("basic_auth_user"), fields.text("basic_auth_pass")
    if login in _LOGINS:
        builder.ledger.lost(fields.at("authMethod"), f"no equivalent: {_LOGINS[login]}")
        builder.disable("its login method has no equivalent")
    elif login == "mtls":
        for theirs, ours in _TLS.items():
            if fields.text(theirs):
                message = f"no equivalent: save the PEM in a file and name it in tls.{ours}"
                builder.ledger.lost(fields.at(theirs), message)
        builder.disable("its client certificate must be saved in files first")
    elif login in ("", "null", "basic") and (user or password):
        builder.basic(user, password, fields.at("basic_auth_pass"))


def _proxy(builder: Builder, fields: Fields, proxies: dict[str, Fields]) -> None:
    proxy_id = fields.raw("proxyId")
    if proxy_id is None:
        return
    path, proxy = fields.at("proxyId"), proxies.get(str(proxy_id))
    if proxy is None:
        builder.ledger.lost(path, "names a proxy that is not in the backup; set it by hand")
        builder.disable("its proxy is missing")
    elif proxy.flag("active", True):
        login = ""
        if proxy.flag("auth", False):
            login = f"{proxy.text('username')}:{proxy.text('password')}@"
        url = f"{proxy.text('protocol')}://{login}{proxy.text('host')}:{proxy.text('port')}"
        builder.proxy(url, path)


def _answer(builder: Builder, fields: Fields, kind: str) -> bool:
    """Set what is expected of the answer; return whether the statuses are valid."""
    path = fields.at("accepted_statuscodes")
    wanted = [text for _, text in fields.texts("accepted_statuscodes")] or ["200-299"]
    try:
        statuses = from_ranges(wanted)
    except ValueError:
        fields.ledger.mistake(path, "must be statuses from 100 to 599 or ranges such as 200-299")
        return False
    builder.draft.check["expected_status_codes"] = statuses
    if any("-" in text for text in wanted):
        builder.draft.comments["health_check", "expected_status_codes"] = LISTED
    if kind == "keyword":
        _keyword(builder, fields)
    elif kind == "json-query":
        _query(builder, fields)
    return True


def _lose_check(builder: Builder, path: FieldPath, message: str) -> None:
    """Report a check that is lost; without it the service would be good where it was not."""
    builder.ledger.lost(path, message)
    builder.disable(f"{path[-1]} has no equivalent")


def _keyword(builder: Builder, fields: Fields) -> None:
    keyword, path = fields.text("keyword"), fields.at("keyword")
    operator = "not_matches" if fields.flag("invertKeyword", False) else "matches"
    if not keyword:
        fields.ledger.mistake(fields.path, "keyword is missing")
    elif may_hold_secret(keyword):
        message = "searches for what may be a secret; not imported, so that it is not written"
        _lose_check(builder, path, message)
    elif len(pattern := json_literal(keyword)) > MAX_PATTERN_LENGTH:
        message = f"is longer than {MAX_PATTERN_LENGTH} characters as a pattern; not imported"
        _lose_check(builder, path, message)
    else:
        builder.draft.check["assertions"] = [{"body": True, operator: pattern}]


def _query(builder: Builder, fields: Fields) -> None:
    jsonata, path = fields.text("jsonPath"), fields.at("jsonPath")
    wanted, operator = fields.text("expectedValue"), fields.text("jsonPathOperator") or "=="
    name = (re.findall(r"[A-Za-z][A-Za-z0-9_-]*", jsonata) or [""])[-1]
    if is_secret_operand(name, wanted) and operator in ("==", "!="):
        wanted = builder.hider(fields.at("expectedValue"))(wanted, name)
    elif holds_key(wanted) or is_secret_operand(name, wanted):
        _lose_check(builder, path, SENSITIVE_OPERAND)
        return
    try:
        ours = json_path(jsonata.strip().removeprefix("$").removeprefix("."))
        assertion: dict[str, Any]
        if wanted in ("true", "false") and operator == "==":
            # compared as text: a text and a truth value are the same
            assertion = {"in": [wanted == "true", wanted]}
        elif operator in ("==", "!="):
            assertion = {"equals" if operator == "==" else "not_equals": operand(wanted)}
        elif operator == "contains":
            assertion = {"matches": literal(wanted)}
        else:
            assertion = compared(operator, number(wanted))
    except NoPatternError:
        message = (
            "no equivalent: JSONata beyond names, indices and a comparison; write an assertion"
        )
        _lose_check(builder, path, message)
        return
    builder.draft.check["assertions"] = [{"json": ours, **assertion}]


def _times(builder: Builder, fields: Fields) -> None:
    interval = fields.number("interval") or 60
    # Uptime Kuma's own default is 80 % of the interval.
    timeout = fields.number("timeout") or interval * 0.8
    builder.times(interval, timeout, fields.written_at("interval"), fields.written_at("timeout"))
    builder.draft.check["retries"] = 0  # its retries are later checks: see down_after
    # down after the first failure and maxretries more
    builder.down_after(int(fields.number("maxretries") or 0) + 1)
    if fields.number("resendInterval"):
        message = "no equivalent: Alertmanager's repeat_interval does this"
        fields.ledger.lost(fields.at("resendInterval"), message)


def _labels(builder: Builder, fields: Fields, group: str) -> None:
    labels = {"group": group} if group else {}
    if description := fields.text("description"):
        labels["description"] = description
    builder.labels(labels, fields.path, keyed=False)
    for tag in fields.each("tags"):
        tag.skip("id", "tag_id", "monitor_id", "color")
        if name := tag.text("name"):
            builder.labels({name: tag.text("value") or "yes"}, tag.path, keyed=False)
