"""The presets, read from the YAML files of this folder; a new file is a new preset."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from exporter.checks import pattern_mistakes
from exporter.files import is_folder, named, read_text
from exporter.listing import names_in
from exporter.providers.declarations import Preset
from exporter.settings import FieldPath, Problem, SettingsError, build, object_schema
from exporter.settings import load as read

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def load(source: str, text: str) -> Preset:
    """Return the preset in *text*; *source* is its file, for the messages.

    Raises:
        SettingsError: the text does not fit the declarations, or a pattern or path is not valid.
    """
    loaded = read(text, source, _rules())
    preset: Preset = build(Preset, loaded.data)
    patterns: dict[FieldPath, str] = {("key", "pattern"): preset.key.pattern}
    for number, lint in enumerate(preset.key.lint):
        patterns["key", "lint", number, "pattern"] = lint.pattern
    message = "is not a valid regular expression"
    wrong = [(path, message) for path, pattern in patterns.items() if not _compiles(pattern)]
    wrong += pattern_mistakes(loaded.data)
    if wrong:
        raise SettingsError(loaded.problem(path, what) for path, what in wrong)
    return preset


@functools.cache
def _rules() -> dict[str, Any]:
    """Return the schema of a preset, the same for every one."""
    return object_schema(Preset)


def load_file(path: Path) -> Preset:
    """Return the preset in a file; its name without `.yaml` is the provider's.

    Raises:
        SettingsError: the file cannot be read, has no good name, or holds mistakes.
    """
    source = named(path, "--check FILE")
    if path.suffix != ".yaml" or not _NAME.fullmatch(path.stem) or path.stem == "custom":
        what = "must be named NAME.yaml, NAME of a-z, 0-9 and -, and not custom"
        raise SettingsError([Problem(source, 1, "file", what)])
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError):
        raise SettingsError([Problem(source, 1, "file", "cannot be read as UTF-8")]) from None
    return load(source, text)


def use_folder(folder: Path) -> None:
    """Add the presets in *folder*; one with the name of a preset of ours replaces it.

    To be called before a configuration is read.

    Raises:
        SettingsError: with the mistakes of all files, or because there is none.
    """
    found: dict[str, Preset] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml") if is_folder(folder) else ()):
        try:
            found[path.stem] = load_file(path)
        except SettingsError as error:
            problems += error.problems
    if not found and not problems:
        problems.append(Problem(named(folder, "--providers"), 1, "folder", "holds no NAME.yaml"))
    if problems:
        raise SettingsError(problems)
    presets().add(found)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


class Presets(Mapping[str, Preset]):
    """Every preset by its name, which is that of its file; each is read when it is asked for.

    To read all takes as long as to check 500 services, and most people use a few.
    """

    def __init__(self) -> None:
        self._known: dict[str, Preset | None] = dict.fromkeys(names_in("providers", ".yaml"))

    def __getitem__(self, name: str) -> Preset:
        preset = self._known[name]
        if preset is None:
            preset = self._known[name] = _shipped(name)
        return preset

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, found: Mapping[str, Preset]) -> None:
        """Add *found*; a preset with the name of another replaces it."""
        self._known.update(found)


def _shipped(name: str) -> Preset:
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return load(f"exporter/providers/{name}.yaml", text)


@functools.cache
def presets() -> Presets:
    """Return the presets of this process."""
    return Presets()
