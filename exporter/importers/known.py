"""Known providers: a preset replaces a foreign check that it covers.

Conservative: the address, the method and where the key is sent are the same, only 2xx is expected,
and there are no assertions. Any other check stays as it is, with a comment that names the preset.
A service whose file names the provider itself (`adopt`) keeps the preset with a check of its own.
"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from exporter.importers.report import Draft, names_in, without_variables
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
    if "provider" in draft.raw:
        return
    for name, preset in _by_host().get(urlsplit(without_variables(base)).netloc, ()):
        if _replaces(preset, draft.raw):
            _replace(name, preset, draft)
            draft.key_variable = next(iter(preset.key_variables), "")
            return
        comment = f"a known API: see `service-registry providers {name}`"
        draft.comments.setdefault(("base_url",), comment)


def adopt(name: str, draft: Draft) -> str:
    """Make *draft* a service of the preset *name*, with only what differs from it.

    Return what contradicts the preset, for people; then *draft* stays as it is. Empty if nothing.
    """
    preset, raw, check = presets()[name], draft.raw, draft.check
    place = _place(preset, str(raw.get("base_url", "")), str(check.get("endpoint", "")))
    if place is None:
        return "has another address"
    if not _may_send(preset, raw):
        return "sends its key in another way"
    endpoint = place.get("endpoint", "")
    theirs = preset.health
    usual = endpoint in ("", theirs.endpoint) and check.get("method", "GET") in (
        (theirs.method, "GET") if not endpoint else (theirs.method,)
    )
    usual = usual and "body" not in check
    if not usual and "api_key" not in raw and not preset.auth.optional:
        return "has no key for a request of its own"
    for field, value in (("base_url", raw), ("endpoint", check)):
        value.pop(field, None)
    raw |= {n: v for n, v in place.items() if n != "endpoint"}
    if usual:
        _keep_statuses(preset, draft)
    else:
        check["endpoint"] = endpoint
    _drop_known(preset, draft)
    raw["provider"] = name
    draft.key_variable = next(iter(preset.key_variables), "")
    return ""


def _place(preset: Preset, base: str, endpoint: str) -> dict[str, str] | None:
    """Return base_url or region, and endpoint, as far as they are not the preset's; None if not."""
    if not base:
        return {"endpoint": endpoint}
    whole = base + endpoint
    for region, known in {"": preset.base_url, **preset.regions}.items():
        if whole == known or whole.startswith((f"{known}/", f"{known}?")):
            return {"endpoint": whole[len(known) :]} | ({"region": region} if region else {})
    if not endpoint and preset.base_url.startswith(f"{base.rstrip('/')}/"):
        return {"endpoint": ""}
    if urlsplit(base)[:2] in {urlsplit(known)[:2] for known in _bases(preset)} and endpoint:
        return {"base_url": base, "endpoint": endpoint}
    # whose address nobody but the user knows
    if preset.self_hosted or "$" in preset.base_url or names_in(base):
        return {"base_url": base, "endpoint": endpoint}
    return None


def _bases(preset: Preset) -> tuple[str, ...]:
    return (preset.base_url, *preset.regions.values())


def _may_send(preset: Preset, raw: dict[str, Any]) -> bool:
    """Return whether the preset sends a key as *raw* does, or there is none; headers may differ."""
    kind = raw.get("auth", {}).get("kind", "header")
    if "api_key" not in raw:
        return True
    return bool(kind == preset.auth.kind) and (kind == "header" or _same_key(preset, raw))


def _keep_statuses(preset: Preset, draft: Draft) -> None:
    """Leave the statuses out if the preset's are among them and the others mean success as well."""
    check = draft.check
    check.pop("method", None)
    statuses = set(check.get("expected_status_codes", preset.health.expected_status_codes))
    if statuses >= set(preset.health.expected_status_codes) and max(statuses) < 300:
        check.pop("expected_status_codes", None)
        draft.comments.pop(("health_check", "expected_status_codes"), None)
    else:
        # the preset's would refuse the body of such an answer
        check["assertions"] = []
        comment = "every answer with these statuses is good, as before"
        draft.comments["health_check", "expected_status_codes"] = comment


def _drop_known(preset: Preset, draft: Draft) -> None:
    """Remove what the preset sends anyway: the place of the key, and headers."""
    raw, check = draft.raw, draft.check
    if raw.get("auth") or _same_header(preset, raw):
        for field in ("auth", "api_key_header", "api_key_prefix"):
            raw.pop(field, None)
    key = (preset.auth.header.lower(), preset.auth.prefix + str(raw.get("api_key")))
    for holder, field in ((raw, "additional_headers"), (check, "headers")):
        headers = _own_headers(preset, holder.pop(field, {}))
        if kept := {n: v for n, v in headers.items() if (n.lower(), v) != key}:
            holder[field] = kept


def _own_headers(preset: Preset, headers: dict[str, str]) -> dict[str, str]:
    known = {n.lower(): v for n, v in preset.headers.items()} | {"accept": "", "user-agent": ""}
    return {n: v for n, v in headers.items() if known.get(n.lower()) not in (v, "")}


def _same_header(preset: Preset, raw: dict[str, Any]) -> bool:
    header = str(raw.get("api_key_header", "Authorization"))
    return (
        header.lower() == preset.auth.header.lower()
        and raw.get("api_key_prefix", "Bearer ") == preset.auth.prefix
    )


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
    return _same_header(preset, raw)


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
    if headers := _own_headers(preset, check.pop("headers", {})):
        check["headers"] = headers
    raw["provider"] = name
    draft.comments[("provider",)] = "the preset sends the same request and checks at least as much"
