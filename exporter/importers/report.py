"""What an import finds: services in the making, mistakes, and what had no equivalent.

Texts travel in an inner form: a variable stands between two private-use characters, everything
else is meant as it is. Only `written` turns that into the `${NAME}` of our files, so that a
foreign `${` is never taken for a variable and a secret never for a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from exporter.settings import FieldPath, Loaded, Problem

OPEN, CLOSE = "\ue000", "\ue001"
_VARIABLE = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
_UNFIT = re.compile(f"[{OPEN}{CLOSE}\ud800-\udfff]")
_GO_VARIABLE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


class NoImportError(ValueError):
    """Nothing can be taken from this; the message says what to give instead."""

    def __init__(self, what: str, warnings: Iterable[Problem] = ()) -> None:
        super().__init__(what)
        self.warnings = tuple(sorted(set(warnings)))


def variable(name: str) -> str:
    """Return the inner form of a variable."""
    return f"{OPEN}{name}{CLOSE}"


def names_in(text: str) -> list[str]:
    """Return the variables in *text*."""
    return _VARIABLE.findall(text)


def without_variables(text: str) -> str:
    """Return what stands in *text* beside its variables."""
    return _VARIABLE.sub("", text)


def substituted(text: str, change: Callable[[str], str]) -> str:
    """Return *text* with *change* applied between its variables."""
    parts = re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text)
    return "".join(part if part.startswith(OPEN) else change(part) for part in parts)


def written(text: str, names: Callable[[str], str]) -> str:
    """Return *text* as it stands in our file; *names* says how a variable is called."""
    escaped = text.replace("${", "$${")
    return _VARIABLE.sub(lambda found: "${" + names(found.group(1)) + "}", escaped)


@dataclass(slots=True)
class Draft:
    """A service in the making. `raw` is in the inner form, without its id."""

    name: str
    place: Problem
    group: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    comments: dict[FieldPath, str] = field(default_factory=dict)
    secrets: list[Hidden] = field(default_factory=list)
    id: str = ""
    host: str = ""
    key_variable: str = ""
    """The variable that a preset reads its key from."""

    @property
    def check(self) -> dict[str, Any]:
        """Its health_check."""
        found: dict[str, Any] = self.raw.setdefault("health_check", {})
        return found


@dataclass(slots=True, eq=False)
class Hidden:
    """A secret of the foreign file; ours names a variable in its place."""

    value: str = field(repr=False)
    purpose: str
    place: Problem
    number: int
    draft: Draft
    name: str = ""


@dataclass(slots=True)
class Report:
    """Everything that one import found, from all its files."""

    mistakes: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    secrets: dict[str, Hidden] = field(default_factory=dict)


class Ledger:
    """One foreign file and the report that it adds to."""

    def __init__(self, report: Report, loaded: Loaded, text: str, *, expands: bool = False) -> None:
        self.report, self.data, self.source = report, loaded.data, loaded.source
        self._loaded, self._lines, self._expands = loaded, text.split("\n"), expands

    def place(self, path: FieldPath, what: str = "") -> Problem:
        """Return the place of *path* with *what* to say there."""
        return self._loaded.problem(path, what)

    def mistake(self, path: FieldPath, what: str) -> None:
        """Say that the foreign file itself is wrong."""
        self.report.mistakes.append(self.place(path, what))

    def lost(self, path: FieldPath, what: str) -> None:
        """Say what has no equivalent here, why, and what to do instead."""
        self.report.warnings.append(self.place(path, what))

    def hide(self, value: str, purpose: str, draft: Draft, path: FieldPath) -> str:
        """Return what stands for the secret *value*; a text that is only variables is none."""
        if not without_variables(value).strip():
            return value
        secrets = self.report.secrets
        found = secrets.get(value)
        if found is None:
            place = self.place(path)
            found = Hidden(value, purpose, place, len(secrets), draft)
            secrets[value] = found
        elif purpose == "key":
            found.purpose = purpose
        if found not in draft.secrets:
            draft.secrets.append(found)
        return variable(f"#{found.number}")

    def inner(self, value: Any, path: FieldPath) -> str:
        """Return a foreign scalar as text in the inner form."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return self._as_written(value, path)
        text = _UNFIT.sub("\ufffd", "" if value is None else str(value))
        return _GO_VARIABLE.sub(_expanded, text) if self._expands and "$" in text else text

    def file(self, name: str) -> str:
        """Return the file *name* as seen from here: a relative one starts at the foreign file."""
        if not name or names_in(name) or PurePath(name).is_absolute():
            return name
        return str(PurePath(self.source).parent / name)

    def _as_written(self, value: float, path: FieldPath) -> str:
        """Return the number as it stands in the file: 1.10 is not 1.1 where a text is meant."""
        line = self._lines[min(self._loaded.document.line(path), len(self._lines)) - 1]
        for found in re.findall(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?\.?0*", line):
            try:
                if float(found) == value:
                    return str(found)
            except ValueError:
                continue
        return f"{value:g}"


def _expanded(found: re.Match[str]) -> str:
    name = found.group(1) or found.group(2)
    return variable(name) if name else "$"


def texts(data: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Yield every text inside *data* with its place."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from texts(value, (*path, name))
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(data):
            yield from texts(value, (*path, index))


def changed(data: Any, change: Callable[[str], str]) -> Any:
    """Return *data* with *change* applied to its texts."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {name: changed(value, change) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [changed(value, change) for value in data]
    return data
