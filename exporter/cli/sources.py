"""Where a configuration comes from: files, or the key variables that are set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from exporter.config import Configuration, Declared, read_files
from exporter.providers import presets


def source_of(
    paths: list[Path] | None, environment: Mapping[str, str]
) -> Callable[[], Configuration]:
    """Return what reads *paths*, or the environment where none is given."""
    if paths:
        return lambda: read_files(paths, environment)
    return lambda: from_environment(environment)


def from_environment(environment: Mapping[str, str]) -> Configuration:
    """Return one service for each provider whose key variable is set."""
    found = tuple(
        Declared({"id": name, "name": preset.name, "provider": name}, "(environment)", 0)
        for name, preset in presets().items()
        if any(environment.get(variable) for variable in preset.key_variables)
    )
    return Configuration(services=found)
