"""What keys of a provider look like: a wrong kind is noticed before the provider is asked."""

from __future__ import annotations

import re

from exporter.providers.declarations import Preset


def key_mistakes(preset: Preset, key: str, environment: str) -> list[tuple[str, str]]:
    """Return (level, message) for each thing wrong with *key*; no message holds any of it."""
    found: list[tuple[str, str]] = [
        (lint.level, lint.message)
        for lint in preset.key.lint
        if re.search(lint.pattern, key)
        and (
            lint.environment is None
            or (lint.environment == "production") == (environment == "production")
        )
    ]
    if not found and not re.search(preset.key.pattern, key):
        found.append(("warning", f"does not look like a key of {preset.name}"))
    return found
