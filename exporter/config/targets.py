"""From a declared service, its preset and its key to a `Target`: everything known in advance."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.checks import Assertion
from exporter.config.as_preset import (
    as_preset_check,
    auth_of,
    expectations_of,
    readings_of,
    status_page_of,
)
from exporter.config.declarations import Service
from exporter.config.files import Declared
from exporter.config.key_files import following_key
from exporter.config.models import model_targets
from exporter.config.own import Place, about, address, host_of, is_whole, secrets_in_addresses
from exporter.config.radar import with_radar
from exporter.config.requests import USER_AGENT, body_of
from exporter.config.shared import shared
from exporter.config.thresholds import thresholds_of
from exporter.config.uses import used_of
from exporter.config.values import SideRequest, Target
from exporter.probers import Endpoint
from exporter.providers import Idempotency, Preset, PresetCheck, presets
from exporter.secret import (
    MissingVariableError,
    Secret,
    SecretError,
    expand,
    read_key_file,
)
from exporter.settings import build, secrets_in

NEXT_KEY_INTERVAL = 900.0
_BOUND = ("endpoint", "method")
Pairs = tuple[tuple[str, Secret], ...]
Credentials = tuple[Pairs, Pairs]
"""The headers and the parameters of the query that a key is sent in."""
_CALL = PresetCheck(endpoint="", confidence="doc")
_CALLERS_WORD = Idempotency(header="Idempotency-Key", confidence="belief")
"""Of an API without a preset: who sends the header knows that it is honoured."""


def make_target(
    declared: Declared, environment: Mapping[str, str], key: Secret | None = None
) -> Target:
    """Return the target of *declared*; a missing or unreadable key is a state, not an error.

    *key* replaces the declared one.
    """
    service: Service = build(Service, declared.raw)
    preset = presets().get(service.provider)
    maker = _Maker(service, declared, preset, environment, key)
    target = _with_further_secrets(maker.with_uses(maker.target()), service)
    following = following_key(service)
    if following is None:
        return target
    endpoint, _ = _Maker(service, declared, preset, environment, following).endpoint()
    if endpoint is None or not endpoint.keyed:
        return target
    interval = max(NEXT_KEY_INTERVAL, target.interval)
    return replace(target, next_key=SideRequest(endpoint=endpoint, interval=interval))


def _with_further_secrets(target: Target, service: Service) -> Target:
    """Return *target* knowing every secret of *service*, also of settings that it does not use."""
    known = set(map(id, target.secrets()))
    further = tuple(secret for secret in secrets_in(service) if id(secret) not in known)
    further += secrets_in_addresses(target.endpoint, target.calls)
    return replace(target, further_secrets=further) if further else target


def credentials_by_key(
    declared: Declared, environment: Mapping[str, str]
) -> Callable[[Secret], Credentials]:
    """Return what gives the credentials of a key that is sent as the one of *declared* is.

    Nothing is sent where that needs a variable that is not set.
    """
    service: Service = build(Service, declared.raw)
    maker = _Maker(service, declared, presets().get(service.provider), environment, None)

    def credentials(key: Secret) -> Credentials:
        try:
            return maker.credentials(key)
        except _NeedsVariableError:
            return (), ()

    return credentials


class _NeedsVariableError(LookupError):
    pass


class _Maker:
    """The pieces of one target; lives as long as `make_target`."""

    def __init__(
        self,
        service: Service,
        declared: Declared,
        preset: Preset | None,
        environment: Mapping[str, str],
        key: Secret | None,
    ) -> None:
        self.service, self.raw, self.preset = service, declared.raw, preset
        self.environment = environment
        self.declared, self.missing = declared, declared.missing_variable
        self.raw_check: dict[str, Any] = declared.raw.get("health_check", {})
        self.bound = any(name in self.raw_check for name in _BOUND)
        self.auth = auth_of(service, preset)
        self.key_problem = ""
        self.key = key or self._key()
        self.is_like_calls = False  # known when the health check is built

    def target(self) -> Target:
        service, preset = self.service, self.preset
        endpoint, why = self.endpoint()
        calls = self._calls(endpoint)
        interval = self._interval(endpoint)
        check = service.health_check
        retries = service.retry_policy.max_retries if check.retries is None else check.retries
        return Target(
            **about(self.declared),
            type=service.type or (preset.type if preset else "api"),
            provider=service.provider,
            environment=service.environment,
            team=service.team,
            host=host_of(endpoint.url) if endpoint else "",
            enabled=service.enabled and check.enabled,
            endpoint=endpoint,
            unprobed=why,
            interval=interval,
            retries=retries,
            retry_policy=shared(service.retry_policy),
            rate_limit=shared(service.rate_limit),
            objectives=shared(service.objectives),
            thresholds=thresholds_of(service.alerts, interval),
            maintenance=service.maintenance,
            public=service.public,
            status_page=status_page_of(service, preset),
            quota=self._quota(),
            models=model_targets(service.models, preset, self._post),
            base_url=calls.url if calls else "",
            calls=calls,
            idempotency=preset.idempotency if preset else _CALLERS_WORD,
            key=self.key,
            key_configured=self._key_configured(),
            key_file=service.api_key_file,
        )

    # -- the key -----------------------------------------------------------------------------

    def _key(self) -> Secret | None:
        service = self.service
        if service.api_key_file:
            try:
                return read_key_file(Path(service.api_key_file))
            except SecretError as error:
                self.key_problem = str(error)
                return None
        if service.api_key is not None:
            return service.api_key
        if self.missing:
            self.key_problem = f"{self.missing} is not set"
            return None
        # Nobody meant the key in the environment for a service that is said to need none.
        names = self.preset.key_variables if self.preset and self.auth.kind != "none" else ()
        for name in names:
            if value := self.environment.get(name):
                return Secret(value)
        if names:
            self.key_problem = f"{names[0]} is not set"
        return None

    def _needs_key(self) -> bool:
        if self.auth.kind == "none":
            return False
        return self.preset is not None or self.key is not None or bool(self.key_problem)

    def _may_lack_key(self) -> bool:
        """Return whether the program may be run without keys."""
        return self.preset is not None and self.preset.auth.optional

    def _key_configured(self) -> bool | None:
        """Return whether there is the key that is needed; None if none is needed."""
        declared = self.service.api_key_file or self.missing
        if not self._needs_key() or (self.key is None and self._may_lack_key() and not declared):
            return None
        return self.key is not None

    # -- the request -------------------------------------------------------------------------

    def endpoint(self) -> tuple[Endpoint | None, str]:
        why = f"no key: {self.key_problem}"
        if self.key is not None or not self._needs_key() or self._may_lack_key():
            lacking = f"{why}; only reachability" if self._key_configured() is False else ""
            try:
                asked, own = self._health(), self.service.health_check.headers
                self.is_like_calls = not own and replace(asked, endpoint="") == _CALL
                return self._build(asked, keyed=self.key is not None), lacking
            except _NeedsVariableError as missing:
                why = f"needs {missing.args[0]}"
        preset = self.preset
        if preset is None or preset.reachability is None or self.bound:
            return None, why
        try:
            asked = self._preset_check(preset.reachability)
            return self._build(asked, keyed=False), f"{why}; only reachability"
        except _NeedsVariableError as missing:
            return None, f"needs {missing.args[0]}"

    def _health(self) -> PresetCheck:
        """Return the health request: the preset's, unless the service has an own endpoint."""
        check = self.service.health_check
        if self.preset is None or self.bound:
            return as_preset_check(check)
        own = {
            name: getattr(check, name)
            for name in ("body", "expected_status_codes", "assertions")
            if name in self.raw_check
        }
        return self._preset_check(replace(self.preset.health, **own), frozenset(own))

    def _calls(self, health: Endpoint | None) -> Endpoint | None:
        """Return where the user's own calls go; most differ from *health* by the address alone."""
        try:
            if health is None or not self.is_like_calls:
                return self._build(_CALL, keyed=self.key is not None, own={})
            return replace(health, **self._address(_CALL))
        except _NeedsVariableError:
            return None

    def _build(
        self, asked: PresetCheck, *, keyed: bool, own: Mapping[str, Secret] | None = None
    ) -> Endpoint:
        check, keyed = self.service.health_check, keyed and self.auth.kind != "none"
        body, content_type = body_of(asked.body)
        public = {"User-Agent": USER_AGENT, "Accept": "*/*", **content_type}
        if self.preset is not None:
            public |= self.preset.headers | (self._optional_headers() if keyed else {})
        public |= asked.headers
        own = {**self.service.additional_headers, **(check.headers if own is None else own)}
        given = {name.lower() for name in own}
        credentials, query = self.credentials(self.key) if keyed and self.key else ((), ())
        return Endpoint(
            **self._address(asked),
            prober=check.prober,
            method=asked.method,
            headers=shared(tuple((n, v) for n, v in public.items() if n.lower() not in given)),
            credentials=(*own.items(), *credentials),
            query=query,
            body=body,
            timeout=min(check.timeout, self._floor()),
            body_limit=check.body_limit,
            follow_redirects=check.follow_redirects,
            allow_cross_origin=check.allow_cross_origin,
            proxy=check.proxy.reveal() if check.proxy else None,
            tls=shared(check.tls),
            allow_private=check.allow_private_addresses,
            keep_alive=check.connection == "keep_alive",
            expect=expectations_of(
                self.service, self.preset, asked, keyless=self._needs_key() and not keyed
            ),
            readings=readings_of(self.service, self.preset),
            excerpt=self.service.evidence.excerpt and not self._is_sensitive(asked),
            keyed=keyed and (self.preset is None or self.preset.auth.checked),
        )

    def _is_sensitive(self, asked: PresetCheck) -> bool:
        """Return whether the body is; so is any other of an API whose health check's is."""
        return asked.sensitive_body or (
            self.preset is not None and self.preset.health.sensitive_body
        )

    def _floor(self) -> float:
        return self.service.health_check.interval if "interval" in self.raw_check else 300.0

    def _address(self, asked: PresetCheck) -> Place:
        base = "" if is_whole(asked.endpoint) else self._base_url()
        return address(base, asked.endpoint, hides_path=self.declared.hides_path)

    def _base_url(self) -> str:
        service, preset = self.service, self.preset
        base = service.base_url or ""
        if preset is not None and not base:
            region = preset.regions.get(service.region or "")
            base = self._expanded(region or preset.base_url)
        return base

    def credentials(self, key: Secret) -> Credentials:
        auth = self.auth
        if auth.kind == "query":
            return (), ((auth.name or "key", key),)
        if auth.kind == "basic":
            user = self.service.auth.username or self._expanded(auth.username or "")
            pair = f"{user}:{key.reveal()}" if user else key.reveal()
            token = base64.b64encode(pair.encode()).decode()
            return (("Authorization", Secret(f"Basic {token}")),), ()
        service, preset = self.service, self.preset
        header = service.api_key_header or (preset.auth.header if preset else "Authorization")
        prefix = service.api_key_prefix
        if prefix is None:
            prefix = preset.auth.prefix if preset else "Bearer "
        return ((header, Secret(prefix + key.reveal())),), ()

    def _quota(self) -> SideRequest | None:
        preset = self.preset
        if preset is None or preset.quota is None or self.key is None:
            return None
        try:
            endpoint = self._build(self._preset_check(preset.quota.check), keyed=True)
        except _NeedsVariableError:
            return None
        readings = replace(endpoint.readings, gauges=preset.quota.gauges)
        return SideRequest(
            endpoint=replace(endpoint, readings=readings), interval=preset.quota.interval
        )

    def with_uses(self, target: Target) -> Target:
        """Return *target* with an eye on the end of what it uses."""
        used = used_of(self.service.uses, self.service.models, self.preset)
        return with_radar(target, used, self.preset, is_bound=self.bound, build=self._get)

    def _get(self, path: str) -> Endpoint | None:
        """Return the GET of *path*; None if there is no key for it."""
        return self._further(PresetCheck(endpoint=path, confidence="doc"))

    def _post(self, path: str, body: bytes) -> Endpoint | None:
        """Return the POST of *body*, JSON, to *path*; None if there is no key for it."""
        asked = PresetCheck(method="POST", endpoint=path, body={}, confidence="doc")
        endpoint = self._further(asked)
        return None if endpoint is None else replace(endpoint, body=body)

    def _further(self, asked: PresetCheck) -> Endpoint | None:
        if self.key is None and self._needs_key() and not self._may_lack_key():
            return None
        try:
            return self._build(asked, keyed=self.key is not None)
        except _NeedsVariableError:
            return None

    def _interval(self, endpoint: Endpoint | None) -> float:
        check, preset = self.service.health_check, self.preset
        if "interval" in self.raw_check or preset is None:
            return check.interval
        keyless = endpoint is not None and not endpoint.keyed
        return (preset.intervals.reachability if keyless else None) or preset.intervals.health

    # -- ${NAME} of presets ------------------------------------------------------------------

    def _expanded(self, text: str) -> str:
        try:
            return expand(text, self.environment)
        except MissingVariableError as missing:
            raise _NeedsVariableError(missing.name) from None

    def _preset_check(self, asked: PresetCheck, own: frozenset[str] = frozenset()) -> PresetCheck:
        """Return *asked* with its ${NAME}s replaced, except in the user's *own* fields."""
        makers: dict[str, Callable[[], Any]] = {
            "endpoint": lambda: self._expanded(asked.endpoint),
            "body": lambda: self._expanded_data(asked.body),
            "assertions": lambda: tuple(map(self._assertion, asked.assertions)),
        }
        return replace(asked, **{name: make() for name, make in makers.items() if name not in own})

    def _expanded_data(self, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: self._expanded_data(value) for name, value in data.items()}
        if isinstance(data, list):
            return [self._expanded_data(value) for value in data]
        return self._expanded(data) if isinstance(data, str) else data

    def _assertion(self, assertion: Assertion) -> Assertion:
        if isinstance(assertion.equals, str):
            return replace(assertion, equals=self._expanded(assertion.equals))
        return assertion

    def _optional_headers(self) -> dict[str, str]:
        found = {}
        for name, text in self.preset.optional_headers.items() if self.preset else ():
            try:
                found[name] = self._expanded(text)
            except _NeedsVariableError:
                continue
        return found
