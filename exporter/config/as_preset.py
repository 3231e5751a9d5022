"""What a service declares of its own, in the words of a preset."""

from __future__ import annotations

from dataclasses import replace

from exporter.checks import HealthCheck
from exporter.config.declarations import Service
from exporter.providers import Auth, Preset, PresetCheck


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
