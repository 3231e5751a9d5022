"""What a service declares of its own, in the words of a preset."""

from __future__ import annotations

from dataclasses import replace

from exporter.checks import AnswerRule, HealthCheck, Shape
from exporter.config.declarations import Service
from exporter.providers import Auth, Preset, PresetCheck
from exporter.readings import GENERIC, Readings


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
    return replace(shape, headers=tuple(name.lower() for name in shape.headers))


def readings_of(service: Service, preset: Preset | None) -> Readings:
    """Return where the values of an answer are."""
    return (preset.readings if preset else GENERIC).with_own(service.readings)
