"""Checks the form of a key, so that a wrong kind is reported before the provider rejects it."""

from __future__ import annotations

import re

from exporter.providers.declarations import Preset


def key_mistakes(preset: Preset, key: str, environment: str) -> list[tuple[str, str]]:
    """Return (level, message) for each mistake of *key* in *environment*.

    The level is "error" or "warning". No message contains any part of the key.
    """
    mistakes: list[tuple[str, str]] = [
        (lint.level, lint.message)
        for lint in preset.key.lint
        if re.search(lint.pattern, key)
        and (
            lint.environment is None
            or (lint.environment == "production") == (environment == "production")
        )
    ]
    if not mistakes and not re.search(preset.key.pattern, key):
        mistakes.append(("warning", f"does not look like a key of {preset.name}"))
    return mistakes
