"""The presets, read from the YAML files of this folder; a new file is a new preset."""

from __future__ import annotations

import functools
import re
from importlib import resources

from exporter.listing import names_in
from exporter.providers.declarations import Preset
from exporter.settings import FieldPath, SettingsError, build, object_schema
from exporter.settings import load as read


def load(name: str, text: str) -> Preset:
    """Return the preset in *text*.

    Raises:
        SettingsError: the text does not fit the declarations, or a pattern is not valid.
    """
    loaded = read(text, f"exporter/providers/{name}.yaml", object_schema(Preset))
    preset: Preset = build(Preset, loaded.data)
    patterns: dict[FieldPath, str] = {("key", "pattern"): preset.key.pattern}
    for number, lint in enumerate(preset.key.lint):
        patterns["key", "lint", number, "pattern"] = lint.pattern
    if wrong := [path for path, pattern in patterns.items() if not _compiles(pattern)]:
        message = "is not a valid regular expression"
        raise SettingsError(loaded.problem(path, message) for path in wrong)
    return preset


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


@functools.cache
def presets() -> dict[str, Preset]:
    """Return every preset by its name, which is that of its file; read once."""
    folder = resources.files(__package__)
    return {
        name: load(name, folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
        for name in names_in("providers", ".yaml")
    }
