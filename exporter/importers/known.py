"""Known providers: a preset replaces a foreign check that it covers.

Conservative: the address, the method and where the key is sent are the same, only 2xx is expected,
and there are no assertions. Any other check stays as it is, with a comment that names the preset.
"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from exporter.importers.report import Draft, without_variables
from exporter.providers import Preset, presets

_REPLACED = ("base_url", "auth", "api_key_header", "api_key_prefix")
_CHECKED = ("endpoint", "method", "expected_status_codes")


@functools.cache
def _by_host() -> dict[str, list[tuple[str, Preset]]]:
    by_host: dict[str, list[tuple[str, Preset]]] = {}
    for name, preset in presets().items():
        host = urlsplit(preset.base_url).netloc
        if "$" not in host and not preset.deprecated:
            by_host.setdefault(host, []).append((name, preset))
    return by_host


def recognise(draft: Draft) -> None:
    """Replace the request of *draft* by a preset that covers it, or name one in a comment."""
    base = str(draft.raw.get("base_url", ""))
    for name, preset in _by_host().get(urlsplit(without_variables(base)).netloc, ()):
        if _replaces(preset, draft.raw):
            _replace(name, preset, draft)
            draft.key_variable = next(iter(preset.key_variables), "")
            return
        comment = f"a known API: see `service-registry providers {name}`"
        draft.comments.setdefault(("base_url",), comment)


def _replaces(preset: Preset, raw: dict[str, Any]) -> bool:
    check = raw.get("health_check", {})
    if {"assertions", "body"} & check.keys() or preset.health.body is not None:
        return False
    statuses = set(check.get("expected_status_codes", (200,)))
    if not set(preset.health.expected_status_codes) <= statuses or max(statuses) >= 300:
        return False
    if check.get("method", "GET") != preset.health.method:
        return False
    return _same_key(preset, raw) and _same_address(preset, raw["base_url"], check)


def _same_key(preset: Preset, raw: dict[str, Any]) -> bool:
    theirs, auth = preset.auth, raw.get("auth", {})
    if "api_key" not in raw and "api_key_file" not in raw:
        return False
    kind = auth.get("kind", "header")
    if kind != theirs.kind:
        return False
    if kind == "query":
        return bool(auth.get("name") == theirs.name)
    if kind == "basic":
        return theirs.username is None and "username" not in auth
    header = str(raw.get("api_key_header", "Authorization"))
    return (
        header.lower() == theirs.header.lower()
        and raw.get("api_key_prefix", "Bearer ") == theirs.prefix
    )


def _same_address(preset: Preset, base: str, check: dict[str, Any]) -> bool:
    endpoint = preset.health.endpoint
    if "$" in endpoint or not endpoint.startswith("/"):
        return False
    mine, theirs = urlsplit(base + check.get("endpoint", "")), urlsplit(preset.base_url + endpoint)
    # scheme, host and path
    if mine[:3] != theirs[:3]:
        return False
    return {n for n, _ in parse_qsl(mine.query)} <= {n for n, _ in parse_qsl(theirs.query)}


def _replace(name: str, preset: Preset, draft: Draft) -> None:
    raw, check = draft.raw, draft.check
    if "api_key_header" not in raw and "auth" not in raw:
        raw.pop("api_key_prefix", None)
    for field in _REPLACED:
        raw.pop(field, None)
    for field in _CHECKED:
        check.pop(field, None)
        draft.comments.pop(("health_check", field), None)
    known = {n.lower(): v for n, v in preset.headers.items()} | {"accept": "", "user-agent": ""}
    headers = {
        n: v for n, v in check.get("headers", {}).items() if known.get(n.lower()) not in (v, "")
    }
    check.pop("headers", None)
    if headers:
        check["headers"] = headers
    raw["provider"] = name
    draft.comments[("provider",)] = "the preset sends the same request and checks at least as much"
