"""The targets of many services: those that differ in names, address or key are made from one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from exporter.config.files import Declared
from exporter.config.own import about, address, host_of, secrets_in_addresses
from exporter.config.targets import Credentials, Pairs, credentials_by_key, make_target
from exporter.config.values import SideRequest, Target
from exporter.frozen import changed
from exporter.providers import presets
from exporter.secret import Secret

_OWN = frozenset({"id", "name", "metadata", "api_key"})
"""What of a service is its own; without a preset its address is too."""
_ADDRESS = frozenset({"base_url", "health_check"})
"""Where that is; the rest of the check is in common."""
_REQUESTS = ("endpoint", "calls", "quota", "model_list")
"""The fields of a target that may be sent with its key; of a model it has no others."""


def make_targets(
    services: Iterable[Declared],
    environment: Mapping[str, str],
    key: Callable[[str], Secret | None] = lambda service: None,
) -> list[Target]:
    """Return what `make_target` returns for each of *services*, in a fraction of the time.

    *key* returns by the id of a service what replaces its declared key.
    """
    models: dict[object, _Model] = {}
    made: list[Target] = []
    for declared in services:
        own_key = key(declared.raw["id"])
        common = _common(declared) if own_key is None else None
        if (model := models.get(common)) is not None:
            made.append(model.like(declared))
            continue
        made.append(make_target(declared, environment, own_key))
        if common is not None and _is_model(made[-1], declared):
            models[common] = _Model(made[-1], declared, environment)
    return made


def _has_preset(declared: Declared) -> bool:
    """Return whether a preset has a say in the address, which then is none of its own."""
    return declared.raw.get("provider") in presets()


def _common(declared: Declared) -> object:
    """Return what must be equal of two services for one to be made like the other."""
    raw = declared.raw
    # As text, for 1, 1.0 and True are equal to Python. Which variable is not set is not in it.
    settings = {name: value for name, value in raw.items() if name not in _OWN}
    keyed = bool(raw.get("api_key"))
    if _has_preset(declared):
        return repr(settings), declared.missing_variable, keyed, declared.hides_path
    if not raw.get("base_url"):
        return None
    check = raw.get("health_check", {})
    settings = {name: value for name, value in settings.items() if name not in _ADDRESS}
    asked = {name: None if name == "endpoint" else value for name, value in check.items()}
    return repr((settings, asked)), declared.missing_variable, keyed


def _is_model(target: Target, declared: Declared) -> bool:
    """Return whether nothing of *target* but its names, address and key is its own."""
    if target.models or target.next_key:
        return False
    return _has_preset(declared) or not secrets_in_addresses(target.endpoint, target.calls)


class _Model:
    """A target that others are made like."""

    def __init__(self, target: Target, declared: Declared, environment: Mapping[str, str]) -> None:
        self._target, self._declared, self._environment = target, declared, environment

    def like(self, declared: Declared) -> Target:
        """Return the target of *declared*, which has all in common with the model."""
        target, own = self._target, about(declared)
        if not _has_preset(declared):
            own |= _at_its_address(target, declared)
        if key := declared.raw.get("api_key"):
            own |= self._with_key(own, Secret(key))
        return changed(target, **own)

    def _with_key(self, own: Mapping[str, Any], key: Secret) -> dict[str, Any]:
        """Return the fields in which *key* is; those in *own* are already not the model's."""
        target, (headers, query) = self._target, self._credentials(key)
        found: dict[str, Any] = {"key": key}
        for name, kept in self._keyed.items():
            now = own.get(name) or getattr(target, name)
            if isinstance(now, SideRequest):
                inner = changed(now.endpoint, credentials=(*kept, *headers), query=query)
                found[name] = changed(now, endpoint=inner)
            else:
                found[name] = changed(now, credentials=(*kept, *headers), query=query)
        return found

    @functools.cached_property
    def _credentials(self) -> Callable[[Secret], Credentials]:
        return credentials_by_key(self._declared, self._environment)

    @functools.cached_property
    def _keyed(self) -> dict[str, Pairs]:
        """The fields whose request has the key, and what else is secret in its headers."""
        target, found = self._target, dict[str, Pairs]()
        assert target.key is not None  # it is declared, and nothing replaces it
        headers, query = self._credentials(target.key)
        for name in _REQUESTS:
            asked = getattr(target, name)
            endpoint = asked.endpoint if isinstance(asked, SideRequest) else asked
            if endpoint is not None and (headers or query):
                kept = endpoint.credentials[: len(endpoint.credentials) - len(headers)]
                if (endpoint.credentials, endpoint.query) == ((*kept, *headers), query):
                    found[name] = kept
        return found


def _at_its_address(model: Target, declared: Declared) -> dict[str, Any]:
    """Return the fields in which the address of *declared* is, as *model* has them."""
    own: dict[str, Any] = {}
    raw = declared.raw
    base, path = raw["base_url"], raw.get("health_check", {}).get("endpoint", "")
    endpoint, calls = model.endpoint, model.calls
    if endpoint is not None:
        place = address(base, path, hides_path=declared.hides_path)
        own["endpoint"] = endpoint = changed(endpoint, **place)
        own["host"] = host_of(place["url"])
    if calls is not None:
        place = address(base, "", hides_path=declared.hides_path)
        own["calls"] = calls = changed(calls, **place)
        own["base_url"] = place["url"]
    own["further_secrets"] = model.further_secrets + secrets_in_addresses(endpoint, calls)
    return own
