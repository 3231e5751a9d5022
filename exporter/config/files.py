"""From files to services: read, check, merge, and say every mistake at once with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.checks import assertion_mistakes
from exporter.config.declarations import Canary, Monitoring, Service
from exporter.config.merge import merged
from exporter.config.mistakes import check_mistakes, service_mistakes, warnings_of
from exporter.matching import path_mistake, pattern_mistake
from exporter.providers import presets
from exporter.settings import (
    Loaded,
    Problem,
    SettingsError,
    build,
    examine,
    object_schema,
    schema,
)
from exporter.settings import Path as Place

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Declared:
    """One service as declared: the file's fields with the defaults in, and where it stands."""

    raw: dict[str, Any] = field(repr=False)
    source: str
    line: int
    missing_variable: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the files say. Services are still without their presets and keys."""

    services: tuple[Declared, ...] = ()
    canaries: tuple[Canary, ...] = ()
    monitoring: Monitoring = field(default_factory=Monitoring)
    warnings: tuple[Problem, ...] = ()


def file_schema(*, references: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a configuration file; with *references* for editors."""
    providers = {"type": "string", "enum": ["custom", *presets()]}
    described = providers | {"description": "A preset, or custom."}

    def of(cls: Any, *, partial: bool = False, **more: dict[str, Any]) -> dict[str, Any]:
        return object_schema(cls, references=references, partial=partial, **more)

    defaults = of(Service, partial=True, provider=described)
    defaults["properties"].pop("id")
    properties = {
        "defaults": defaults | {"description": "Any field of a service, for all of them."},
        "canaries": {"type": "array", "items": of(Canary)},
        "services": {"type": "array", "items": of(Service, provider=described)},
        "monitoring": schema(Monitoring, references=references),
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def find(paths: Iterable[Path]) -> list[Path]:
    """Return the files that *paths* name; a directory stands for its YAML files, by name.

    Raises:
        SettingsError: a path does not exist or a directory holds no YAML file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file())
            if not inside:
                raise SettingsError([Problem(str(path), 1, "(directory)", "has no .yaml file")])
            files += inside
        else:
            files.append(path)
    return files


def read_files(paths: Iterable[Path], environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in *paths* (files or directories).

    Raises:
        SettingsError: with the mistakes of all files.
    """
    reading = _Reading(environment)
    for path in find(paths):
        try:
            reading.add(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            reading.fail(str(path), f"cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            reading.fail(str(path), "is not UTF-8 text")
    return reading.configuration()


def read_text(text: str, source: str, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in *text*, as `read_files` does for one file."""
    reading = _Reading(environment)
    reading.add(text, source)
    return reading.configuration()


@dataclass(slots=True)
class _File:
    """A file with the places that its schema refuses taken out, so that the rest can be checked."""

    loaded: Loaded
    pruned: list[Place]

    def doubtful(self, path: Place) -> bool:
        """Return whether a finding at *path* may only follow from what was taken out."""
        return any(bad[: len(path)] == path for bad in self.pruned)


class _Reading:
    """Collects files and mistakes; `configuration` combines the one or raises the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._rules = file_schema()
        self._files: list[_File] = []
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def fail(self, source: str, what: str) -> None:
        self._problems.append(Problem(source, 1, "(file)", what))

    def add(self, text: str, source: str) -> None:
        def may_miss(path: Place) -> bool:
            return path[-1] == "api_key"

        loaded, found = examine(
            text, source, self._rules, environment=self._environment, may_miss=may_miss
        )
        self._problems += [problem for _, problem in found]
        places = [path for path, _ in found]
        for path in sorted(places, key=len, reverse=True):
            _prune(loaded.data, path)
        self._files.append(_File(loaded, places))

    def configuration(self) -> Configuration:
        loaded = [file.loaded for file in self._files]
        self._problems += [*_once("defaults", loaded), *_once("monitoring", loaded)]
        defaults = _only("defaults", loaded)
        services = [
            declared
            for file in self._files
            for index, own in enumerate(_list(file.loaded.data, "services"))
            if isinstance(own, dict)
            for declared in [self._service(file, index, own, defaults)]
        ]
        self._unique(services)
        for file in self._files:
            self._problems += _patterns(file.loaded, file.loaded.data, ())
            for index, canary in enumerate(_list(file.loaded.data, "canaries")):
                for path, what in check_mistakes(canary):
                    place = ("canaries", index, *path)
                    self._problems.append(file.loaded.problem(place, what))
        if self._problems:
            raise SettingsError(self._problems)
        return Configuration(
            services=tuple(services),
            canaries=tuple(build(Canary, c) for f in loaded for c in _list(f.data, "canaries")),
            monitoring=build(Monitoring, _only("monitoring", loaded)),
            warnings=tuple(sorted(set(self._warnings))),
        )

    def _service(
        self, file: _File, index: int, own: dict[str, Any], defaults: dict[str, Any]
    ) -> Declared:
        place: Place = ("services", index)
        loaded = file.loaded
        raw = merged(defaults, own)
        missing = loaded.missing.get((*place, "api_key")) or _default_missing(loaded, own)
        for path, what in service_mistakes(raw):
            if not file.doubtful((*place, *path)):
                self._problems.append(loaded.problem((*place, *path), what))
        for path, what in warnings_of(raw):
            self._warnings.append(loaded.problem((*place, *path), what))
        if own.get("api_key") and (*place, "api_key") not in loaded.document.references:
            hint = "the key itself stands in the file; write ${NAME} or use api_key_file"
            self._warnings.append(loaded.problem((*place, "api_key"), hint))
        return Declared(raw, loaded.source, loaded.document.line(place), missing)

    def _unique(self, services: list[Declared]) -> None:
        seen: dict[str, Declared] = {}
        for declared in services:
            name = declared.raw.get("id")
            if name is None:
                continue
            first = seen.setdefault(name, declared)
            if first is not declared:
                what = f"this id is used before, in {first.source}:{first.line}"
                self._problems.append(Problem(declared.source, declared.line, "id", what))


def _prune(data: Any, path: Place) -> None:
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if path and isinstance(data, dict):
        data.pop(path[-1], None)


def _list(data: Any, name: str) -> list[Any]:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _default_missing(file: Loaded, own: dict[str, Any]) -> str | None:
    has_key = "api_key" in own or "api_key_file" in own
    return None if has_key else file.missing.get(("defaults", "api_key"))


def _only(name: str, loaded: list[Loaded]) -> dict[str, Any]:
    found = next((f.data[name] for f in loaded if isinstance(f.data, dict) and f.data.get(name)), {})
    return found if isinstance(found, dict) else {}


def _once(name: str, loaded: list[Loaded]) -> Iterator[Problem]:
    holders = [file for file in loaded if isinstance(file.data, dict) and file.data.get(name)]
    for file in holders[1:]:
        first = holders[0]
        where = f"{first.source}:{first.document.line((name,))}"
        yield file.problem((name,), f"stands in another file already, {where}; keep one")


def _patterns(file: Loaded, data: Any, path: Place) -> Iterator[Problem]:
    """Check every assertion, pattern and path wherever they stand."""
    if isinstance(data, list):
        for i, item in enumerate(data):
            yield from _patterns(file, item, (*path, i))
    elif isinstance(data, dict):
        if len(path) > 1 and path[-2] == "assertions":
            for inner, what in _assertion(data):
                yield file.problem((*path, *inner), what)
        elif (filter_ := data.get("component_filter")) and (what := pattern_mistake(filter_)):
            yield file.problem((*path, "component_filter"), what)
        for name, item in data.items():
            if name != "body":
                yield from _patterns(file, item, (*path, name))


def _assertion(raw: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    yield from assertion_mistakes(raw)
    for name in ("matches", "not_matches"):
        if isinstance(raw.get(name), str) and (what := pattern_mistake(raw[name])):
            yield (name,), what
    if isinstance(raw.get("json"), str) and (what := path_mistake(raw["json"])):
        yield ("json",), what


