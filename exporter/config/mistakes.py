"""What a schema cannot express about one service: mistakes and warnings, as (path, what).

Works on plain data with the file's defaults in. No text here holds a value of the file.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exporter.characters import breaks_url, has_control
from exporter.checks import control_mistake, header_mistake
from exporter.config.declarations import Service
from exporter.config.models import model_mistakes
from exporter.config.uses import uses_mistakes
from exporter.files import is_file
from exporter.probers.client_keys import key_mistakes_of
from exporter.probers.redirects import origin
from exporter.providers import Preset, key_mistakes, presets
from exporter.secret import looks_like_key
from exporter.settings import (
    FieldPath,
    Similar,
    dotted,
    duration,
    readable_texts,
    timestamp,
    unknown_field,
    url,
)

Found = Iterator[tuple[FieldPath, str]]


def unknown_fields(
    patch: Mapping[str, Any],
    rules: Mapping[str, Any],
    place: FieldPath = (),
    similar: Similar | None = None,
) -> Found:
    """Yield the fields of *patch* that a service does not have.

    Those with a value are found again when the result is checked; a null only takes a field out
    and would leave no trace of a misspelt name.
    """
    known, similar = rules.get("properties"), similar or Similar()
    if known is None:
        return
    for name, value in patch.items():
        if name not in known:
            yield (*place, name), unknown_field(name, known, similar)
        elif isinstance(value, Mapping):
            yield from unknown_fields(value, known[name], (*place, name), similar)


def service_mistakes(raw: dict[str, Any]) -> Found:
    """Yield what makes the service unusable."""
    preset = presets().get(raw.get("provider", "custom"))
    yield from _address_mistakes(raw, preset)
    yield from _key_mistakes(raw, preset)
    # Most services have none of some sections: to look into what is empty takes time as well.
    if headers := raw.get("additional_headers"):
        yield from _headers(headers, ("additional_headers",))
    for path, what in check_mistakes(raw.get("health_check", {})):
        yield ("health_check", *path), what
    if alerts := raw.get("alerts"):
        yield from _alert_mistakes(alerts, raw.get("health_check", {}).get("interval"))
    if metadata := raw.get("metadata"):
        yield from _metadata_mistakes(metadata)
    yield from model_mistakes(raw, preset)
    yield from uses_mistakes(raw, preset)
    for index, window in enumerate(raw.get("maintenance", ())):
        if {"start", "end"} <= window.keys() and (
            timestamp(window["end"]) <= timestamp(window["start"])
        ):
            yield ("maintenance", index, "end"), "must be after start"
    page = raw.get("status_page", {})
    if preset is None and page.get("url") and not page.get("adapter"):
        yield ("status_page",), "adapter is missing: how the page's data is read"


def _address_mistakes(raw: dict[str, Any], preset: Preset | None) -> Found:
    base = raw.get("base_url")
    if preset is None:
        if not base:
            yield (), "base_url is missing: a custom service needs one"
        if raw.get("region"):
            yield ("region",), "only a preset has regions; set base_url"
    elif (region := raw.get("region")) and region not in preset.regions:
        known = ", ".join(sorted(preset.regions)) or "none"
        near = Similar().to(region, preset.regions)
        meant = f"; did you mean {near}?" if near else ""
        yield ("region",), f"is not a region of this provider; known: {known}{meant}"
    endpoint = raw.get("health_check", {}).get("endpoint", "")
    if endpoint and not endpoint.startswith("/"):
        place = ("health_check", "endpoint")
        try:
            there = origin(url(endpoint))
        except ValueError:
            yield place, "must be a path starting with / or an absolute http(s) URL"
            return
        if base and there != origin(base):
            yield place, "must have the origin of base_url: the key goes there and nowhere else"
    elif not _is_path(endpoint):
        yield ("health_check", "endpoint"), "must have no backslash and no control character"


def _is_path(endpoint: str) -> bool:
    """Return whether *endpoint* can be a path; spaces are sent as %20."""
    return not breaks_url(endpoint.replace(" ", ""))


def _key_mistakes(raw: dict[str, Any], preset: Preset | None) -> Found:
    if raw.get("api_key_next") and raw.get("api_key_next_file"):
        yield ("api_key_next_file",), "give api_key_next or api_key_next_file, not both"
    if raw.get("api_key") and raw.get("api_key_file"):
        yield ("api_key_file",), "give api_key or api_key_file, not both"
    if what := control_mistake(raw.get("api_key") or ""):
        yield ("api_key",), what
    auth = raw.get("auth", {})
    kind = auth.get("kind")
    if kind == "query" and not auth.get("name"):
        yield ("auth",), "name is missing: the query parameter that takes the key"
    if kind in ("header", "query", "none") and auth.get("username"):
        yield ("auth", "username"), "only kind basic has a user name"
    if kind in ("basic", "query", "none") and raw.get("api_key_header"):
        yield ("api_key_header",), f"has no meaning with auth kind {kind}"
    if not (raw.get("api_key") or raw.get("api_key_file")):
        return
    header = _key_header(raw, preset).lower()
    for place in (("additional_headers",), ("health_check", "headers")):
        for name in _at(raw, place):
            if name.lower() == header:
                yield (*place, name), "is set by api_key already"


def _key_header(raw: dict[str, Any], preset: Preset | None) -> str:
    """Return the header that takes the key, empty if none does."""
    own, kind = raw.get("api_key_header"), raw.get("auth", {}).get("kind")
    if kind is None:
        kind = preset.auth.kind if preset and not own else "header"
    if kind == "basic":
        return "Authorization"
    if kind != "header":
        return ""
    return str(own or (preset.auth.header if preset else "Authorization"))


def _at(raw: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    for step in place:
        raw = raw.get(step, {})
    return raw


def canary_mistakes(raw: dict[str, Any]) -> Found:
    """Yield what makes a canary unusable."""
    endpoint = raw.get("endpoint")
    if endpoint and (not endpoint.startswith("/") or not _is_path(endpoint)):
        yield ("endpoint",), "must be a path starting with / and without a backslash"
    yield from check_mistakes(raw)


def check_mistakes(raw: dict[str, Any]) -> Found:
    """Yield what makes a check unusable, a service's or a canary's."""
    yield from _headers(raw.get("headers", {}), ("headers",))
    for index, status in enumerate(raw.get("expected_status_codes", ())):
        if not 100 <= status <= 599:
            yield ("expected_status_codes", index), "must be an HTTP status from 100 to 599"
    if raw.get("method") == "HEAD":
        for index, assertion in enumerate(raw.get("assertions", ())):
            if "header" not in assertion:
                yield ("assertions", index), "the answer to HEAD has no body; assert a header"
    if {"interval", "timeout"} <= raw.keys() and (
        duration(raw["timeout"]) > duration(raw["interval"])
    ):
        yield ("timeout",), "must not be longer than interval"
    tls = raw.get("tls", {})
    if tls.get("key_file") and not tls.get("cert_file"):
        yield ("tls", "key_file"), "needs cert_file"
    for name in ("ca_file", "cert_file", "key_file"):
        if (path := tls.get(name)) and not is_file(Path(path)):
            yield ("tls", name), "there is no such file"
    for name, what in key_mistakes_of(tls):
        yield ("tls", name), what


def _headers(raw: dict[str, Any], place: FieldPath) -> Found:
    for name, value in raw.items():
        if what := header_mistake(name, value):
            yield (*place, name), what


def _alert_mistakes(raw: dict[str, Any], interval: str | None) -> Found:
    if interval and (stale := raw.get("stale_after")) and duration(stale) <= duration(interval):
        yield ("alerts", "stale_after"), "must be more than health_check.interval"
    if raw.get("critical_after", 5) <= raw.get("down_after", 3):
        yield ("alerts", "critical_after"), "must be more than down_after"
    steps = [duration(text) for text in raw.get("escalate_after", ())]
    if steps != sorted(set(steps)):
        yield ("alerts", "escalate_after"), "must grow from level to level"
    days = list(raw.get("sunset_days", (1,)))
    if days != sorted(set(days), reverse=True) or days[-1] < 1:
        yield ("alerts", "sunset_days"), "must be days before, from many to few"


def _metadata_mistakes(raw: dict[str, Any]) -> Found:
    for name, text in raw.items():
        if has_control(text) or len(text) > 512:
            yield ("metadata", name), "must be one line of at most 512 characters"
    if runbook := raw.get("runbook"):
        try:
            url(runbook.partition("#")[0])
        except ValueError:
            yield ("metadata", "runbook"), "must be an http:// or https:// URL"


_LONG_RUN = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,}")


def _pasted(text: str) -> bool:
    return bool(_LONG_RUN.search(text)) and looks_like_key(text.strip())


_NAMED = re.compile(r"https?://(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?:[/:?]|$)")
"""An address whose host is a name with a dot in it, as most: no IP address ends with letters."""


def _is_private(address: str) -> bool:
    if _NAMED.match(address):
        return False
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or not ipaddress.ip_address(host).is_global
    except ValueError:
        return False  # a name: where it leads is known at the probe


def _refused_addresses(raw: dict[str, Any]) -> Found:
    for path, place in (
        (("base_url",), "health_check"),
        (("status_page", "url"), "status_page"),
        (("status_page", "endpoint"), "status_page"),
    ):
        given = raw.get(path[0]) if len(path) == 1 else raw.get(path[0], {}).get(path[1])
        allowed = raw.get(place, {}).get("allow_private_addresses")
        if given and not allowed and _is_private(given):
            yield path, f"is not a public address: needs {place}.allow_private_addresses"


def warnings_of(raw: dict[str, Any]) -> Found:
    """Yield what works but is probably not meant."""
    check = raw.get("health_check", {})
    preset = presets().get(raw.get("provider", "custom"))
    interval = duration(check.get("interval", "60s"))
    if preset is not None:
        least = preset.intervals.minimum
        if "interval" in check and interval < least:
            what = f"is below what is safe for {preset.name} ({least:g}s)"
            yield ("health_check", "interval"), what
        key, environment = raw.get("api_key"), raw.get("environment", "production")
        for _, what in key_mistakes(preset, key, environment) if key else ():
            yield ("api_key",), what
    has_key = raw.get("api_key") or raw.get("api_key_file")
    without = raw.get("auth", {}).get("kind") == "none"
    if has_key and without:
        yield ("auth", "kind"), "the key is never sent with kind none, so nothing proves it"
    if has_key and not without and (raw.get("base_url") or "").lower().startswith("http://"):
        yield ("base_url",), "the key travels unencrypted; use https"
    for path, text in readable_texts(Service, raw):
        if _pasted(text):
            yield (
                path,
                "looks like a key: it belongs in api_key; everybody may read this field",
            )
    yield from _refused_addresses(raw)
    if check.get("tls", {}).get("insecure_skip_verify"):
        yield ("health_check", "tls"), "certificates are not verified: anybody can answer"
    if check.get("allow_cross_origin") and not check.get("follow_redirects"):
        yield ("health_check", "allow_cross_origin"), "has no effect without follow_redirects"
    per_minute = raw.get("rate_limit", {}).get("requests_per_minute")
    if per_minute and per_minute * interval < 60:
        yield ("rate_limit",), "allows fewer requests than the interval asks for"


def not_for_requests(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield place and reason of what only a file may hold: names of files, and variables."""
    yield from ((where, _FILES_ONLY) for where in _files_named(raw))
    asked = {name: value for name, value in raw.items() if name != "health_check"}
    check = raw.get("health_check")
    if isinstance(check, dict):  # a body is sent as it is
        asked["health_check"] = {name: v for name, v in check.items() if name != "body"}
    yield from ((where, _NO_VARIABLES) for where in _variables_named(asked, ()))


_FILES_ONLY = "names a file of the machine: possible in a configuration file only"
_NO_VARIABLES = "names a variable, which is replaced in configuration files only; send the value"
_DEEPEST = 16
"""No service is declared deeper; what is, is refused for that."""
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}")


def without_files(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return *raw* without the files it names: they are refused, and so not even looked at.

    The answer to a request must not depend on which files the machine has.
    """
    named = set(_files_named(raw))
    left = {name: value for name, value in raw.items() if name not in named}
    if any("." in name for name in named):
        tls = {n: v for n, v in raw["health_check"]["tls"].items() if n not in _TLS_FILES}
        left["health_check"] = {**raw["health_check"], "tls": tls}
    return left


_TLS_FILES = ("ca_file", "cert_file", "key_file")


def _files_named(raw: Mapping[str, Any]) -> Iterator[str]:
    for name in ("api_key_file", "api_key_next_file"):
        if raw.get(name):
            yield name
    check = raw.get("health_check")
    tls = check.get("tls") if isinstance(check, dict) else None
    if isinstance(tls, dict):
        for name in _TLS_FILES:
            if tls.get(name):
                yield f"health_check.tls.{name}"


def _variables_named(found: Any, path: FieldPath) -> Iterator[str]:
    if len(path) > _DEEPEST:
        return
    if isinstance(found, dict):
        for name, value in found.items():
            yield from _variables_named(value, (*path, name))
    elif isinstance(found, list):
        for number, value in enumerate(found):
            yield from _variables_named(value, (*path, number))
    elif isinstance(found, str) and _VARIABLE.search(found):
        yield dotted(path)
