"""From files to services: read, check, merge, and report all mistakes at once, with their lines."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporter import files
from exporter.checks import pattern_mistakes
from exporter.collection import no_collection
from exporter.config.declarations import Budgets, Canary, Monitoring, Service
from exporter.config.key_files import mistakes_with_files, notify_files, warnings_with_files
from exporter.config.merge import empty_files, has_value, listed, merged, once, only, prune
from exporter.config.mistakes import (
    Found,
    canary_mistakes,
    not_for_requests,
    service_mistakes,
    unknown_fields,
    warnings_of,
    without_files,
)
from exporter.config.model_costs import cost_warnings
from exporter.config.notify import Notification, entries_of, notify_problems, notify_warnings
from exporter.config.shared import shared
from exporter.files import is_file, is_folder, named
from exporter.providers import presets
from exporter.settings import (
    FieldPath,
    Loaded,
    Plain,
    Problem,
    SettingsError,
    build,
    dotted,
    examine,
    object_schema,
    schema,
)

SUFFIXES = (".yaml", ".yml")
_Judge = Callable[[dict[str, Any]], Found]
_ADDRESSES: frozenset[FieldPath] = frozenset({("base_url",), ("health_check", "endpoint")})


@dataclass(frozen=True, slots=True)
class Declared:
    """One service as declared: the file's fields with the defaults merged in, and its place."""

    raw: dict[str, Any] = field(repr=False)
    source: str
    line: int
    missing_variable: str | None = None
    variables: frozenset[FieldPath] = frozenset()
    """The fields in which a `${NAME}` is: what it holds may be a secret, whatever the field."""

    @property
    def hides_path(self) -> bool:
        """Whether a variable is part of the address, maybe a key as in /bot${TOKEN}/getMe."""
        return not self.variables.isdisjoint(_ADDRESSES)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The content of the files. Services are still without their presets and keys."""

    services: tuple[Declared, ...] = ()
    canaries: tuple[Canary, ...] = ()
    monitoring: Monitoring = field(default_factory=Monitoring)
    budgets: Budgets = field(default_factory=Budgets)
    notify: tuple[Notification, ...] = ()
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
        "budgets": schema(Budgets, references=references),
        "notify": {"type": "array", "items": of(Notification)},
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


@functools.lru_cache(maxsize=2)
def _rules_with(providers: tuple[str, ...]) -> dict[str, Any]:
    return file_schema()


def _rules() -> dict[str, Any]:
    """Return the schema, made once for each set of presets: a user's folder adds some."""
    return _rules_with(tuple(presets()))


def find(paths: Iterable[Path]) -> list[Path]:
    """Return the files that *paths* name; a directory means its YAML files, by name.

    Raises:
        SettingsError: a path does not exist or a directory holds no YAML file.
    """
    found: list[Path] = []
    for path in paths:
        if is_folder(path):
            inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and is_file(p))
            if not inside:
                what = "has no .yaml file; name a file, or put one there"
                raise SettingsError([Problem(str(path), 1, "(directory)", what)])
            found += inside
        else:
            found.append(path)
    return found


@no_collection()
def read_files(
    paths: Iterable[Path], environment: Mapping[str, str], *, key_files: bool = False
) -> Configuration:
    """Return the configuration in *paths* (files or directories).

    With *key_files* a file that is named for a key and holds none is a mistake.

    Raises:
        SettingsError: with the mistakes of all files.
    """
    reading = _Reading(environment, key_files=key_files)
    for path in find(paths):
        source = named(path, "--config FILE")
        try:
            reading.add(files.read_text(path), source)
        except OSError as error:
            reading.fail(source, f"cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            reading.fail(source, "is not UTF-8 text")
    configuration = reading.configuration()
    return replace(configuration, warnings=(*reading.empty_files(), *configuration.warnings))


def read_text(given: str | Plain, source: str, environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in *given*, as `read_files` does for one file."""
    reading = _Reading(environment)
    reading.add(given, source)
    return reading.configuration()


def read_request(raw: Mapping[str, Any], source: str) -> Declared:
    """Return the service that *raw*, data of a request, declares.

    Nothing in it is replaced by environment variables and no file may be named: a client of
    the API must not be able to read files of the machine.

    Raises:
        SettingsError: with every mistake; `where` is the place inside the service.
    """
    _require_mapping(raw, source)
    refused = [Problem(source, 1, where, what) for where, what in not_for_requests(raw)]
    try:
        text = json.dumps({"services": [without_files(raw)]})
    except (TypeError, ValueError, RecursionError):  # its text may quote a value
        what = "holds something else than texts, numbers, booleans, lists and mappings"
        raise SettingsError([Problem(source, 1, "(top)", what), *refused]) from None
    reading = _Reading(None)
    reading.add(text, source)
    try:
        configuration = reading.configuration()
    except SettingsError as error:
        found = [replace(p, where=p.where.removeprefix(_FIRST) or "(top)") for p in error.problems]
        raise SettingsError([*found, *refused]) from None
    if refused:
        raise SettingsError(refused)
    return configuration.services[0]


def check_patch(patch: Mapping[str, Any], source: str) -> None:
    """Refuse a change of fields that a service does not have.

    Raises:
        SettingsError: with every such field.
    """
    _require_mapping(patch, source)
    found = unknown_fields(patch, _rules()["properties"]["services"]["items"])
    problems = [Problem(source, 1, dotted(place), what) for place, what in found]
    if problems:
        raise SettingsError(problems)


def _require_mapping(raw: object, source: str) -> None:
    """Refuse what a program gives in place of the fields of a service."""
    if not isinstance(raw, Mapping):
        raise SettingsError([Problem(source, 1, "(top)", "must be a mapping of fields")])


_FIRST = "services[0]."


@dataclass(slots=True)
class _File:
    """A file with the places that its schema refuses taken out, so that the rest can be checked."""

    loaded: Loaded
    pruned: frozenset[FieldPath]
    """The places, and those that they are in."""
    references: dict[int, set[FieldPath]]
    """By the index of a service the fields in which a variable is."""

    def doubtful(self, path: FieldPath) -> bool:
        """Return whether a finding at *path* may only follow from what was taken out."""
        return path in self.pruned


class _Reading:
    """Collects files and mistakes; `configuration` combines the one or raises the other."""

    def __init__(self, environment: Mapping[str, str] | None, *, key_files: bool = False) -> None:
        self._environment, self._key_files = environment, key_files
        self._mistakes = mistakes_with_files if key_files else service_mistakes
        self._warned = warnings_with_files if key_files else warnings_of
        self._rules = _rules()
        self._files: list[_File] = []
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._ids: dict[str, tuple[Loaded, FieldPath]] = {}
        """Where each was used first."""

    def fail(self, source: str, what: str) -> None:
        self._problems.append(Problem(source, 1, "(file)", what))

    def add(self, given: str | Plain, source: str) -> None:
        loaded, found = examine(
            given, source, self._rules, environment=self._environment, may_miss=_is_key
        )
        self._problems += [problem for _, problem in found]
        places = [path for path, _ in found]
        for path in sorted(places, key=len, reverse=True):
            prune(loaded.data, path)
        references: dict[int, set[FieldPath]] = {}
        for path in loaded.document.references:
            match path:
                case ("services", int(index), *inside):
                    references.setdefault(index, set()).add(tuple(inside))
        pruned = frozenset(inner for path in places for inner in (path, path[:-1]))
        self._files.append(_File(loaded, pruned, references))

    def empty_files(self) -> Iterator[Problem]:
        return empty_files([file.loaded for file in self._files])

    def configuration(self) -> Configuration:
        loaded = [file.loaded for file in self._files]
        for name in ("defaults", "monitoring", "budgets"):
            self._problems += once(name, loaded)
        defaults = _Defaults.of(loaded, self._mistakes, self._warned)
        services = [
            self._service(file, index, own, defaults)
            for file in self._files
            for index, own in enumerate(listed(file.loaded.data, "services"))
            if isinstance(own, dict)
        ]
        for file in self._files:
            self._problems += _file_problems(file)
            self._warnings += notify_warnings(file.loaded)
            if self._key_files:
                self._problems += notify_files(file.loaded, denied=False)
                self._warnings += notify_files(file.loaded, denied=True)
        self._problems += notify_problems(loaded, [file.doubtful for file in self._files])
        if self._problems:
            raise SettingsError(self._problems)
        self._warnings += defaults.inline_key()
        budgets = build(Budgets, only("budgets", loaded)[1])
        self._warnings += cost_warnings(services, budgets.model_checks)
        return Configuration(
            services=tuple(services),
            canaries=tuple(build(Canary, c) for f in loaded for c in listed(f.data, "canaries")),
            monitoring=build(Monitoring, only("monitoring", loaded)[1]),
            budgets=budgets,
            notify=tuple(build(Notification, n) for f in loaded for n in entries_of(f.data)),
            warnings=tuple(sorted(set(self._warnings))),
        )

    def _service(
        self, file: _File, index: int, own: dict[str, Any], defaults: _Defaults
    ) -> Declared:
        place: FieldPath = ("services", index)
        loaded = file.loaded
        raw = merged(defaults.raw, own)
        missing = loaded.missing.get((*place, "api_key")) or defaults.missing_for(own)
        self._unique(loaded, place, own)
        for path, what in self._mistakes(raw):
            if (path, what) in defaults.mistakes:
                self._problems.append(defaults.problem(path, what))
            elif not file.doubtful((*place, *path)):
                self._problems.append(loaded.problem((*place, *path), what))
        for path, what in self._warned(raw):
            if (path, what) in defaults.warnings:
                self._warnings.append(defaults.problem(path, what))
            else:
                self._warnings.append(loaded.problem((*place, *path), what))
        self._warnings += _inline_key(loaded, (*place, "api_key"), own)
        line = loaded.document.line(place)
        inherited = {path for path in defaults.references if not has_value(own, path)}
        variables = shared(frozenset(inherited | file.references.get(index, set())))
        return Declared(raw, loaded.source, line, missing, variables)

    def _unique(self, loaded: Loaded, place: FieldPath, own: dict[str, Any]) -> None:
        name = own.get("id")
        if name is None:
            return
        here = (loaded, place)
        first = self._ids.setdefault(name, here)
        if first is not here:
            before = first[0].problem((*first[1], "id"), "").place
            what = f"this id is used before, in {before}"
            self._problems.append(loaded.problem((*place, "id"), what))


@dataclass(frozen=True, slots=True)
class _Defaults:
    """The one `defaults` mapping; mistakes in it are reported there, once."""

    file: Loaded | None
    raw: dict[str, Any]
    references: frozenset[FieldPath]
    """The fields in which a variable is."""
    mistakes: frozenset[tuple[FieldPath, str]]
    warnings: frozenset[tuple[FieldPath, str]]

    @classmethod
    def of(cls, loaded: list[Loaded], mistakes: _Judge, warned: _Judge) -> _Defaults:
        file, raw = only("defaults", loaded)
        found = file.document.references if file is not None else ()
        return cls(
            file,
            raw,
            frozenset(path[1:] for path in found if path[:1] == ("defaults",)),
            frozenset(found for found in mistakes(raw) if found[0]),
            frozenset(found for found in warned(raw) if found[0]),
        )

    def problem(self, path: FieldPath, what: str) -> Problem:
        assert self.file is not None
        return self.file.problem(("defaults", *path), what)

    def missing_for(self, own: dict[str, Any]) -> str | None:
        """Return the unset variable that the service gets its key from."""
        if self.file is None or "api_key" in own or "api_key_file" in own:
            return None
        return self.file.missing.get(("defaults", "api_key"))

    def inline_key(self) -> Iterator[Problem]:
        if self.file is not None:
            yield from _inline_key(self.file, ("defaults", "api_key"), self.raw)


def _inline_key(loaded: Loaded, place: FieldPath, raw: dict[str, Any]) -> Iterator[Problem]:
    if raw.get("api_key") and place not in loaded.document.references:
        what = "the key itself is in the file; write ${NAME} or use api_key_file"
        yield loaded.problem(place, what)


def _is_key(path: FieldPath) -> bool:
    """Return whether the variable at *path* may be unset: a missing key is shown as missing."""
    inside = path[1:] if path[:1] == ("defaults",) else path[2:]
    return path[:1] in {("defaults",), ("services",)} and inside in {
        ("api_key",),
        ("api_key_next",),
    }


def _file_problems(file: _File) -> Iterator[Problem]:
    found = list(pattern_mistakes(file.loaded.data))
    for index, canary in enumerate(listed(file.loaded.data, "canaries")):
        if isinstance(canary, dict):
            place = ("canaries", index)
            found += [((*place, *path), what) for path, what in canary_mistakes(canary)]
    return (file.loaded.problem(path, what) for path, what in found if not file.doubtful(path))
