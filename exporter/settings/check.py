"""Check data against a schema, report all mistakes at once, and build the values.

No message repeats a value from the file, since any value may be a pasted key; the name of an
unknown field is shown only when it looks like a word.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from exporter.collection import no_collection
from exporter.errors import ShownError
from exporter.secret import Secret, expand
from exporter.settings.accepting import accepts, fits_pattern, kind_mistake
from exporter.settings.declare import hints, kind_of, object_schema, without_none, written
from exporter.settings.document import Document, DocumentError, FieldPath, read, resolve
from exporter.settings.plain import Plain, document_of

MAX_SUGGESTIONS = 50
"""Of one document: to compare one name with all that are known takes 0.1 ms."""
# Words joined by _ or -, each with at most two digits at its end. A pasted key is none.
_WORD = re.compile(r"(?=.{1,32}$)[A-Za-z]+[0-9]{0,2}(?:[_-](?:[A-Za-z]+[0-9]{0,2}|[0-9]xx))*")
_TYPES = {
    "string": "text (in quotes if it looks like a number)",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping (name: value)",
    "array": "a list",
    "null": "empty",
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: where it is and how to mend it. What has no lines has the line 0."""

    source: str
    line: int
    where: str
    what: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.where}: {self.what}"

    @property
    def place(self) -> str:
        """Return where it is, for a sentence about another place: the line, or without one what."""
        return f"{self.source}:{self.line}" if self.line else self.where


class SettingsError(ShownError, ValueError):
    """The settings are wrong. `problems` has places and reasons, in the order of the lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class Loaded:
    """One file that passed its schema, still as plain data."""

    source: str
    data: Any
    document: Document
    missing: dict[FieldPath, str]

    def problem(self, path: FieldPath, what: str) -> Problem:
        """Return a problem at *path* of this file."""
        return Problem(self.source, self.document.line(path), dotted(path), what)


def load(
    text: str,
    source: str,
    rules: dict[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    may_miss: Callable[[FieldPath], bool] = lambda path: False,
) -> Loaded:
    """Return the checked data of the YAML in *text*.

    With *environment*, `${NAME}` is replaced in values. A variable that is not set is a mistake,
    except where *may_miss* returns true for the path: then the value is None and
    `missing` has the variable's name.

    Raises:
        SettingsError: with every problem, each with its line.
    """
    loaded, problems = examine(text, source, rules, environment=environment, may_miss=may_miss)
    if problems:
        raise SettingsError(problem for _, problem in problems)
    return loaded


@no_collection()
def examine(
    given: str | Plain,
    source: str,
    rules: dict[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    may_miss: Callable[[FieldPath], bool] = lambda path: False,
) -> tuple[Loaded, list[tuple[FieldPath, Problem]]]:
    """Do as `load` does, but return the problems with their places instead of raising them.

    *given* is YAML, or what a program gave as objects.
    """
    lookup = None if environment is None else (lambda text: expand(text, environment))
    try:
        document = read(given, lookup) if isinstance(given, str) else document_of(given, lookup)
    except DocumentError as error:
        problem = Problem(source, error.line, "(file)", error.what)
        return Loaded(source, {}, Document({}, {}, {}), {}), [((), problem)]
    data = {} if document.data is None else document.data
    loaded = Loaded(source, data, document, {})
    found = [(p, Problem(source, line, dotted(p), what)) for p, line, what in document.problems]
    found += _take_missing(loaded, may_miss, rules)
    _resolve_expanded(loaded, rules)
    # What is wrong with its value says nothing of whether there is such a field.
    spoiled = {path for path, _ in found if _at(rules, path) is not None}
    found += [(path, p) for path, p in _check(loaded, rules) if path not in spoiled]
    return loaded, found


def parse(text: str, cls: Any, source: str) -> Any:
    """Return the *cls* that the YAML in *text* describes; no variables are replaced.

    Raises:
        SettingsError: with every problem, each with its line.
    """
    return build(cls, load(text, source, object_schema(cls)).data)


def check(data: Any, rules: dict[str, Any]) -> list[tuple[FieldPath, str]]:
    """Return what is wrong with *data*, place by place."""
    if accepts(rules, data):
        return []
    errors = [(tuple(e.absolute_path), e) for e in _validator()(rules).iter_errors(data)]
    # A value of the wrong type fails other rules too; one message is enough.
    mistyped = {path for path, error in errors if error.validator == "type"}
    similar = Similar()
    return [
        found
        for path, error in errors
        if error.validator == "type" or path not in mistyped
        for found in _explain(path, error, similar)
    ]


def build(tp: Any, data: Any) -> Any:
    """Turn checked data into the settings it describes."""
    return _builder(tp)(data)


@functools.cache
def _builder(tp: Any) -> Callable[[Any], Any]:
    inner, optional = without_none(tp)
    make = _maker(inner)
    return (lambda data: None if data is None else make(data)) if optional else make


def _maker(tp: Any) -> Callable[[Any], Any]:
    if kind := kind_of(tp):
        return kind.parse
    if dataclasses.is_dataclass(tp):
        return _dataclass_maker(tp)
    origin, args = typing.get_origin(tp), typing.get_args(tp)
    if origin is tuple:
        item = _builder(args[0])
        return lambda data: tuple(map(item, data))
    if origin is dict:
        member = _builder(args[1])
        return lambda data: {name: member(value) for name, value in data.items()}
    if tp is float:
        return _number
    if tp is int or (isinstance(tp, type) and issubclass(tp, (Enum, Secret))):
        return typing.cast(Callable[[Any], Any], tp)
    return lambda data: data


def _number(value: Any) -> float:
    """Return *value* as a float, or as the integer that no float holds exactly."""
    number = float(value)
    return number if number == value else value


def _dataclass_maker(cls: Any) -> Callable[[Any], Any]:
    fields = {written(name): (name, _builder(hint)) for name, hint in hints(cls).items()}

    def make(data: dict[str, Any]) -> Any:
        named = ((*fields[key], value) for key, value in data.items())
        return cls(**{name: item(value) for name, item, value in named})

    return make


def dotted(path: FieldPath) -> str:
    """Return *path* as `services[0].health_check.timeout`; a part that may be a key is hidden."""
    parts = [f"[{p}]" if isinstance(p, int) else f".{_shown(p) or '(…)'}" for p in path]
    return "".join(parts).lstrip(".") or "(top)"


def _shown(name: str) -> str:
    return name if _WORD.fullmatch(name) else ""


def _take_missing(
    loaded: Loaded, may_miss: Callable[[FieldPath], bool], rules: dict[str, Any]
) -> Iterator[tuple[FieldPath, Problem]]:
    for path in loaded.document.references:
        # `${NAME:-}` means "may be absent" as much as a variable that is not set.
        if may_miss(path) and path not in loaded.document.missing:
            parent = _parent(loaded.data, path)
            if parent.get(path[-1]) == "":
                del parent[path[-1]]
                loaded.missing[path] = "its variable"
    for path, name in loaded.document.missing.items():
        if may_miss(path):
            loaded.missing[path] = name
        elif _at(rules, path) is not None:
            hint = "set it, or give a default: ${NAME:-default}"
            what = f"the environment variable {name} is not set; {hint}"
            yield path, loaded.problem(path, what)


def _resolve_expanded(loaded: Loaded, rules: dict[str, Any]) -> None:
    """Make numbers and booleans of `${NAME}` where the schema wants them; text stays text."""
    for path in loaded.document.expanded:
        wanted = (_at(rules, path) or {}).get("type", ())
        wanted = {wanted} if isinstance(wanted, str) else set(wanted)
        if wanted & {"integer", "number", "boolean"}:
            parent = _parent(loaded.data, path)
            parent[path[-1]] = resolve(parent[path[-1]])


def _parent(data: Any, path: FieldPath) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


def _at(rules: dict[str, Any], path: FieldPath) -> dict[str, Any] | None:
    """Return the schema of the field at *path*; None if there is no such field."""
    for step in path:
        if isinstance(step, int):
            rules = rules.get("items", {})
            continue
        more = rules.get("additionalProperties", {})
        inner = rules.get("properties", {}).get(step, more)
        if inner is False:
            return None
        rules = inner
    return rules


def _check(loaded: Loaded, rules: dict[str, Any]) -> Iterator[tuple[FieldPath, Problem]]:
    for path, what in check(loaded.data, rules):
        yield path, loaded.problem(path, what)


@functools.cache
def _validator() -> Any:
    """Return the class of validators; the library is imported for data with mistakes only."""
    import jsonschema  # noqa: PLC0415, takes as long as checking 500 services

    def kind(validator: Any, name: str, value: Any, rules: Any) -> Iterator[Any]:
        if what := kind_mistake(name, value, rules):
            yield jsonschema.ValidationError(what)

    def pattern(validator: Any, asked: str, value: Any, rules: Any) -> Iterator[Any]:
        if isinstance(value, str) and not fits_pattern(asked, value):
            yield jsonschema.ValidationError("")

    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft202012Validator, {"x-kind": kind, "pattern": pattern})


class Similar:
    """Finds the name that was meant, for the first `MAX_SUGGESTIONS` names of one document."""

    def __init__(self) -> None:
        self.left = MAX_SUGGESTIONS

    def spent(self) -> bool:
        """Return whether no further name is compared, and take one off otherwise."""
        self.left -= 1
        return self.left < 0

    def to(self, name: str, known: Iterable[str]) -> str:
        """Return the one of *known* that is most like *name*, an empty text if none is."""
        return next(iter(difflib.get_close_matches(name, known, n=1)), "")


def _explain(path: FieldPath, error: Any, similar: Similar) -> Iterator[tuple[FieldPath, str]]:
    """Say what is wrong without repeating the value: it may be a secret."""
    rule, rules = error.validator, error.schema
    if rule == "required":
        # jsonschema raises one error for each missing name and quotes it: "'id' is a required ..."
        yield path, f"{error.message.split(chr(39))[1]} is missing"
    elif rule == "additionalProperties":
        known = rules.get("properties", {})
        for name in sorted(n for n in error.instance if n not in known):
            yield (*path, name), unknown_field(name, known, similar)
    else:
        hint = rules.get("x-hint") if rule == "pattern" else None
        yield path, str(hint or _sentence(error, similar))


def unknown_field(name: str, known: dict[str, Any], similar: Similar) -> str:
    """Return the message for the field *name*, which is not one of *known*, fields by name."""
    shown = f"unknown field {name}" if _shown(name) else "unknown field (its name is not shown)"
    if similar.spent():
        return shown
    inside = [outer for outer, rules in known.items() if name in rules.get("properties", {})]
    if inside:
        return f"{shown}; it belongs under {' or '.join(inside)}"
    if near := similar.to(name, known):
        return f"{shown}; did you mean {near}?"
    return f"{shown}; allowed: {', '.join(sorted(known))}"


def _sentence(error: Any, similar: Similar) -> str:
    value = error.validator_value
    match error.validator:
        case "x-kind":
            return str(error.message)
        case "type":
            wanted = [value] if isinstance(value, str) else value
            fields = sorted(error.schema.get("properties", {})) if "object" in wanted else []
            within = f"; its fields: {', '.join(fields)}" if fields else ""
            return "must be " + " or ".join(_TYPES[t] for t in wanted) + within
        case "enum":
            known = [str(v) for v in value if v is not None]
            near = "" if similar.spent() else similar.to(str(error.instance)[:64], known)
            meant = f"; did you mean {near}?" if near else ""
            return f"must be one of {', '.join(known)}{meant}"
        case "minimum":
            return f"must be at least {value}"
        case "maximum":
            return f"must be at most {value}"
        case "minItems":
            return f"must have at least {value} {'item' if value == 1 else 'items'}"
        case "maxItems":
            return f"must have at most {value} items"
        case "minLength":
            return "must not be empty"
        case "maxLength":
            return f"must be at most {value} characters long"
        case "uniqueItems":
            return "must not name anything twice"
        case "pattern":
            return f"must match {value}"
    return f"does not satisfy {error.validator}"
