"""blackbox_exporter: its modules are how to probe, Prometheus' scrape_configs what to probe.

One service for each target. The module's fields are checked by the declarations that `/probe`
uses; a field that those do not know has no equivalent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.importers.credentials import SENSITIVE_OPERAND, may_hold_secret
from exporter.importers.fields import Fields
from exporter.importers.patterns import MAX_PATTERN_LENGTH
from exporter.importers.prometheus import Job, Probed, jobs_of
from exporter.importers.report import Draft, Ledger, NoImportError
from exporter.importers.request import Builder
from exporter.importers.statuses import ANY_2XX, LISTED
from exporter.matching import pattern_mistake
from exporter.multitarget import HttpSettings
from exporter.settings import FieldPath, check, object_schema

_PROBERS = frozenset({"tcp", "icmp", "dns", "grpc", "unix", "websocket"})
_NOT_BLACKBOX = (
    "no module has a prober: this is the configuration of another exporter with modules, such as "
    "snmp_exporter or json_exporter, and nothing can be imported from it"
)
_OTHER_PROBER = "only http is probed here; keep blackbox_exporter for this module"
_NO_EQUIVALENT = {
    "valid_http_versions": "the HTTP version is not checked here",
    "preferred_ip_protocol": "both address families are tried, as curl does",
    "ip_protocol_fallback": "both address families are tried, as curl does",
    "fail_if_ssl": "write base_url with http:// and follow_redirects: 0 instead",
    "body_file": "put the text in health_check.body",
    "compression": "the answer is decompressed whatever its encoding; assert content-encoding",
    "body_size_limit": "64 KiB of the body are read; health_check.body_limit changes that",
    "enable_http2": "the HTTP version is not chosen here",
    "enable_http3": "the HTTP version is not chosen here",
    "skip_resolve_phase_with_proxy": "phases are always measured",
    "proxy_from_environment": "name the proxy in health_check.proxy",
    "no_proxy": "leave health_check.proxy out where none is wanted",
    "proxy_connect_header": "proxies get no headers of their own here",
    "oauth2": "an OAuth2 token cannot be fetched here; give a token as api_key",
    "http_headers": "write health_check.headers",
    "fail_if_body_json_matches_cel": "write health_check.assertions with json",
    "fail_if_body_json_not_matches_cel": "write health_check.assertions with json",
}
MARK = "modules (blackbox_exporter)"
TAKES_TARGETS, EXPANDS = True, False
# spelled out, a default of blackbox_exporter is not worth a warning
_DEFAULTS = {"ip_protocol_fallback": True, "enable_http2": True}
# Without these the request fails, or is good where blackbox_exporter's is not: the service is off.
_REQUIRED = frozenset(
    {
        "body_file",
        "oauth2",
        "fail_if_ssl",
        "fail_if_body_json_matches_cel",
        "fail_if_body_json_not_matches_cel",
    }
)
# what servers speak today: a check that allows both loses nothing
_USUAL_VERSIONS = frozenset({"HTTP/1.1", "HTTP/2.0"})
_RULES: Mapping[str, Any] = object_schema(HttpSettings)


def recognised(data: dict[str, object]) -> bool:
    """Return whether *data* looks like blackbox_exporter's configuration."""
    return isinstance(data.get("modules"), dict)


def collect(ledger: Ledger, targets: Ledger | None) -> None:
    """Add a service for each target of *targets* that the modules of *ledger* probe.

    Raises:
        NoImportError: *targets* is missing, or the file is one of another exporter.
    """
    top = Fields(ledger, (), ledger.data)
    modules = _modules(top)
    for name in top.unread():
        ledger.lost(top.at(name), "no equivalent: this section is not known here")
    if targets is None:
        raise NoImportError(
            "a module is how to probe, not what: also give the Prometheus configuration with the "
            "targets, --targets prometheus.yml (or serve /probe with this file unchanged)",
            ledger.report.warnings,
        )
    used = set()
    for job in jobs_of(targets, modules):
        for probed in job.targets:
            used.add(probed.module)
            _service(targets, job, probed, modules)
    for name, module in modules.items():
        if name not in used and module.http is not None:
            ledger.lost(module.fields.path, "is not used by any imported target")


@dataclass(slots=True)
class _Module:
    fields: Fields
    http: Fields | None
    """None for another prober than http."""
    rejected: bool = False


def _modules(top: Fields) -> dict[str, _Module]:
    modules = {}
    section = top.mapping("modules")
    given = [section.raw(name) for name in section.names()]
    if given and all(isinstance(module, dict) and "prober" not in module for module in given):
        raise NoImportError(_NOT_BLACKBOX)
    for name in section.names():
        fields = section.mapping(name)
        prober = fields.text("prober")
        fields.skip("tcp", "icmp", "dns", "grpc", "unix", "websocket", "timeout")
        if not prober:
            fields.ledger.mistake(fields.path, "prober is missing")
        elif prober in _PROBERS:
            fields.ledger.lost(fields.path, f"no equivalent: {_OTHER_PROBER}")
        elif prober != "http":
            message = "has a prober that blackbox_exporter does not have; not imported"
            fields.ledger.lost(fields.path, message)
        raw = fields.raw("http") or {}
        http = fields.mapping("http") if prober == "http" else None
        modules[name] = _Module(fields, http)
        if http is not None and isinstance(raw, dict):
            modules[name].rejected = _check(fields.ledger, http.path, raw)
        for unread in fields.unread():
            fields.ledger.lost(fields.at(unread), "no equivalent: this field is not known here")
    return modules


def _check(ledger: Ledger, path: FieldPath, raw: dict[str, Any]) -> bool:
    """Check the http section by our declarations; return whether it has a mistake."""
    wrong = False
    for field_path, message in check(_present(raw), dict(_RULES)):
        if message.startswith("unknown field"):
            why = _NO_EQUIVALENT.get(str(field_path[-1]), "this field is not known here")
            ledger.lost((*path, *field_path), f"no equivalent: {why}")
        # what is not imported anyway need not be right
        elif field_path[:1] not in {(name,) for name in _NO_EQUIVALENT}:
            ledger.mistake((*path, *field_path), message)
            wrong = True
    return wrong


def _present(data: Any) -> Any:
    """Return *data* without what is null: Go reads null as absent."""
    if isinstance(data, dict):
        return {k: _present(v) for k, v in data.items() if v is not None}
    return [_present(item) for item in data] if isinstance(data, list) else data


def _service(targets: Ledger, job: Job, probed: Probed, modules: dict[str, _Module]) -> None:
    module = modules[probed.module]
    if module.http is None:
        targets.lost(probed.path, f"no equivalent: {_OTHER_PROBER}")
        return
    if module.rejected:
        return
    # as blackbox_exporter completes a target without scheme
    url = probed.target if "://" in probed.target else f"http://{probed.target}"
    draft = Draft(probed.name, targets.problem_at(probed.path), job.name)
    builder = Builder(targets, draft)
    if builder.address(url, probed.path) and _http(
        Builder(module.fields.ledger, draft), module.http
    ):
        timeout = module.fields.seconds("timeout") or probed.timeout
        timeout = min(timeout, probed.timeout)
        builder.times(probed.interval, timeout, job.interval_at, job.timeout_at)
        draft.check["retries"] = 0  # blackbox_exporter sends one request a probe
        builder.labels(probed.labels, probed.labels_at)
        targets.report.drafts.append(draft)


def _http(builder: Builder, http: Fields) -> bool:
    """Set request and check from the http section; return whether it can be sent."""
    if not builder.method(http.text("method"), http.at("method")):
        return False
    for name, why in _NO_EQUIVALENT.items():
        if http.raw(name) not in (None, _DEFAULTS.get(name, False), ""):
            builder.ledger.lost(http.at(name), f"no equivalent: {why}")
            if name in _REQUIRED or (name == "valid_http_versions" and _is_strict(http)):
                builder.disable(f"{name} has no equivalent")
    _credentials(builder, http)
    builder.headers(http.text_map("headers"), http.at("headers"))
    builder.body(http.text("body"), http.at("body"))
    follows = http.flag("follow_redirects", True)
    if "no_follow_redirects" in http:
        follows = not http.flag("no_follow_redirects", False)
    # Go's http.Client stops after 10.
    builder.redirects(10 if follows else 0, http.at("follow_redirects"))
    if http.flag("fail_if_not_ssl", False) and str(builder.draft.raw["base_url"])[:5] != "https":
        message = "no equivalent: write base_url with https://; no redirect leaves https for http"
        builder.ledger.lost(http.at("fail_if_not_ssl"), message)
        builder.disable("fail_if_not_ssl has no equivalent")
    _tls(builder, http.mapping("tls_config"))
    if proxy := http.text("proxy_url"):
        builder.proxy(proxy, http.at("proxy_url"))
    if http.flag("allow_private_addresses", False):
        builder.draft.check["allow_private_addresses"] = True
    _statuses(builder, http)
    _assertions(builder, http)
    return True


def _is_strict(http: Fields) -> bool:
    """Return whether only some of the usual versions of HTTP are good."""
    versions = http.raw("valid_http_versions")
    return not isinstance(versions, list) or not set(map(str, versions)) >= _USUAL_VERSIONS


def _credentials(builder: Builder, http: Fields) -> None:
    basic, authorization = http.mapping("basic_auth"), http.mapping("authorization")
    if "basic_auth" in http:
        file = basic.text("password_file")
        builder.basic(basic.text("username"), basic.text("password"), basic.path, file)
    if "authorization" in http:
        scheme, file = (
            authorization.text("type") or "Bearer",
            authorization.text("credentials_file"),
        )
        builder.bearer(authorization.text("credentials"), authorization.path, file, scheme)
    if "bearer_token" in http:
        builder.bearer(http.text("bearer_token"), http.at("bearer_token"))
    if file := http.text("bearer_token_file"):
        builder.bearer("", http.at("bearer_token_file"), file)


def _tls(builder: Builder, tls: Fields) -> None:
    for name in ("ca_file", "cert_file", "key_file"):
        file = tls.text(name)
        if file and not builder.tls_file(name, file, tls.at(name)):
            builder.disable(f"{name} is not on this machine")
            for other in ("cert_file", "key_file"):
                builder.draft.check.get("tls", {}).pop(other, None)
            break
    if server := tls.text("server_name"):
        builder.draft.check.setdefault("tls", {})["server_name"] = server
    if tls.flag("insecure_skip_verify", False):
        builder.insecure(tls.at("insecure_skip_verify"))


def _statuses(builder: Builder, http: Fields) -> None:
    wanted = sorted({int(s) for _, s in http.items("valid_status_codes") if 100 <= s <= 599})
    builder.draft.check["expected_status_codes"] = wanted or list(ANY_2XX)
    if not wanted:
        builder.draft.comments["health_check", "expected_status_codes"] = LISTED


def _assertions(builder: Builder, http: Fields) -> None:
    assertions: list[dict[str, Any]] = []
    for name, operator in (
        ("fail_if_body_matches_regexp", "not_matches"),
        ("fail_if_body_not_matches_regexp", "matches"),
    ):
        for path, pattern in http.texts(name):
            if _may_be_written(builder, path, pattern):
                assertions.append({"body": True, operator: pattern})
    for name, operator in (
        ("fail_if_header_matches", "not_matches"),
        ("fail_if_header_not_matches", "matches"),
    ):
        for rule in http.each(name):
            header, pattern = rule.text("header"), rule.text("regexp")
            missing_is_good = rule.flag("allow_missing", False)
            if operator == "matches" and missing_is_good:
                message = "no equivalent: a pattern that a header must match only if it is present"
                builder.ledger.lost(rule.path, message)
                builder.disable(f"{name} has no equivalent with allow_missing")
            elif _may_be_written(builder, rule.path, pattern):
                # without the first assertion ours would accept a missing header
                if operator == "not_matches" and not missing_is_good:
                    assertions.append({"header": header, "exists": True})
                assertions.append({"header": header, operator: pattern})
    if assertions:
        builder.draft.check["assertions"] = assertions


def _may_be_written(builder: Builder, path: FieldPath, pattern: str) -> bool:
    """Return whether a pattern is valid and without a secret; one that is not is reported."""
    if not _is_valid_pattern(builder.ledger, path, pattern):
        return False
    if may_hold_secret(pattern):
        builder.ledger.lost(path, SENSITIVE_OPERAND)
        builder.disable("a pattern that may have a secret in it is missing")
        return False
    return True


def _is_valid_pattern(ledger: Ledger, path: FieldPath, pattern: str) -> bool:
    if pattern_mistake(pattern) or len(pattern) > MAX_PATTERN_LENGTH:
        ledger.mistake(path, "is not a valid RE2 pattern of at most 1000 characters")
        return False
    return True
