"""What a service declares of its own, in the words of a preset."""

from __future__ import annotations

from dataclasses import replace

from exporter.checks import AnswerRule, HealthCheck, Shape
from exporter.config.declarations import Service
from exporter.config.shared import shared
from exporter.probers import Expectations
from exporter.providers import Auth, Preset, PresetCheck
from exporter.readings import GENERIC, Readings
from exporter.statuspages import StatusPage


def auth_of(service: Service, preset: Preset | None) -> Auth:
    """Return where the key of *service* goes."""
    own = service.auth
    if own.kind is not None:
        return own
    if service.api_key_header is not None or preset is None:
        return replace(own, kind="header")
    theirs = preset.auth
    return Auth(
        kind=theirs.kind, name=own.name or theirs.name, username=own.username or theirs.username
    )


def as_preset_check(check: HealthCheck) -> PresetCheck:
    """Return *check* in the form of a preset."""
    return PresetCheck(
        method=check.method,
        endpoint=check.endpoint,
        body=check.body,
        expected_status_codes=check.expected_status_codes,
        assertions=check.assertions,
        confidence="doc",
    )


def rules_of(service: Service, preset: Preset | None) -> tuple[AnswerRule, ...]:
    """Return which reason an answer means; the service's own rules are asked first."""
    return (*service.answers, *(preset.answers if preset else ()))


def shape_of(service: Service, preset: Preset | None) -> Shape:
    """Return what the API's own answers look like."""
    shape = service.shape or (preset.shape if preset else Shape())
    if not shape.headers:
        return shape
    return replace(shape, headers=tuple(name.lower() for name in shape.headers))


def expectations_of(
    service: Service, preset: Preset | None, asked: PresetCheck, *, keyless: bool
) -> Expectations:
    """Return what the answer to *asked* must be; *keyless*: the key that it needs is lacking."""
    expected = Expectations(
        statuses=shared(frozenset(asked.expected_status_codes)),
        assertions=asked.assertions,
        rules=rules_of(service, preset),
        shape=shared(shape_of(service, preset)),
        keyless=keyless,
    )
    return expected if expected.assertions or expected.rules else shared(expected)


def readings_of(service: Service, preset: Preset | None) -> Readings:
    """Return where the values of an answer are."""
    return (preset.readings if preset else GENERIC).with_own(service.readings)


def status_page_of(service: Service, preset: Preset | None) -> StatusPage | None:
    """Return the provider's status page; what the service says of it comes first."""
    own = service.status_page
    if not own.enabled:
        return None
    if own.url and own.adapter:
        return StatusPage(
            url=own.url,
            adapter=own.adapter,
            endpoint=own.endpoint,
            component_filter=own.component_filter,
            allow_private_addresses=own.allow_private_addresses,
            confidence="doc",
        )
    if preset is None or preset.status_page is None:
        return None
    if preset.self_hosted and service.base_url and not own.url:
        return None
    known = preset.status_page
    return StatusPage(
        url=own.url or known.url,
        adapter=own.adapter or known.adapter,
        endpoint=own.endpoint or (None if own.url else known.endpoint),
        component_filter=own.component_filter or known.component_filter,
        allow_private_addresses=own.allow_private_addresses or known.allow_private_addresses,
        confidence=known.confidence,
        note=known.note,
    )
