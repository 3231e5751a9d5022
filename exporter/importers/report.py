"""What an import finds: services in the making, mistakes, and what had no equivalent.

Texts have an inner form: the name of a variable is between two private-use characters, everything
else is literal. Only `written` turns that into the `${NAME}` of our files, so that a foreign `${`
is never read as a variable and a secret never written as a text.
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
# The two marks must not come from a foreign file, and UTF-8 cannot encode a surrogate.
_UNFIT = re.compile(f"[{OPEN}{CLOSE}\ud800-\udfff]")
# a name or a scheme before its variable, and what is between two of these
_NAMED_VARIABLE = re.compile(
    rf"(?:[A-Za-z0-9_.-]+[=:]|(?:bearer|token|basic|api-?key|key|bot) +)(?={OPEN})", re.I
)
_SEPARATORS = " \t;,:&=@|"
# as Go's os.ExpandEnv reads them; Gatus writes a literal $ as $$
_GO_VARIABLE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


class NoImportError(ValueError):
    """Nothing could be imported. The message says why; `warnings` are what had no equivalent."""

    def __init__(self, message: str, warnings: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.warnings = tuple(sorted(set(warnings)))


def variable(name: str) -> str:
    """Return the inner form of a variable."""
    return f"{OPEN}{name}{CLOSE}"


def names_in(text: str) -> list[str]:
    """Return the names of the variables in *text*."""
    return _VARIABLE.findall(text)


def without_variables(text: str) -> str:
    """Return *text* without its variables."""
    return _VARIABLE.sub("", text)


def substituted(text: str, change: Callable[[str], str]) -> str:
    """Return *text* with *change* applied between its variables."""
    parts = re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text)
    return "".join(part if part.startswith(OPEN) else change(part) for part in parts)


def written(text: str, names: Callable[[str], str]) -> str:
    """Return *text* as our file has it; *names* maps a variable's inner name to its final one."""
    # before the variables are written, whose own ${ must stay
    escaped = text.replace("${", "$${")
    return _VARIABLE.sub(lambda match: "${" + names(match.group(1)) + "}", escaped)


@dataclass(slots=True)
class Draft:
    """A service in the making. `raw` is its settings without the id, texts in the inner form."""

    name: str
    place: Problem
    group: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    comments: dict[FieldPath, str] = field(default_factory=dict)
    secrets: list[HiddenSecret] = field(default_factory=list)
    id: str = ""
    host: str = ""
    wanted_id: str = ""
    """The id that the foreign file gives it; without one its id comes from its name."""
    key_variable: str = ""
    """The variable that a preset reads its key from."""

    @property
    def check(self) -> dict[str, Any]:
        """The service's health_check, created when missing."""
        check: dict[str, Any] = self.raw.setdefault("health_check", {})
        return check


@dataclass(slots=True, eq=False)
class HiddenSecret:
    """A secret of the foreign file, which ours replaces by a variable."""

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
    secrets: dict[str, HiddenSecret] = field(default_factory=dict)
    monitoring: dict[str, Any] = field(default_factory=dict)
    """Our section of that name."""


class Ledger:
    """One foreign file and the report that it adds to."""

    def __init__(self, report: Report, loaded: Loaded, text: str, *, expands: bool = False) -> None:
        self.report, self.data, self.source = report, loaded.data, loaded.source
        self._loaded, self._lines, self._expands = loaded, text.split("\n"), expands

    def problem_at(self, path: FieldPath, message: str = "") -> Problem:
        """Return *message* with source and line of *path*."""
        return self._loaded.problem(path, message)

    def mistake(self, path: FieldPath, message: str) -> None:
        """Report that the foreign file itself is wrong."""
        self.report.mistakes.append(self.problem_at(path, message))

    def lost(self, path: FieldPath, message: str) -> None:
        """Report what has no equivalent here, why, and what to do instead."""
        self.report.warnings.append(self.problem_at(path, message))

    def hide(self, value: str, purpose: str, draft: Draft, path: FieldPath) -> str:
        """Return the variable that replaces the secret *value*.

        A text whose every value is a variable, such as `user:${PASSWORD}` or `session=${ID}`, is no
        secret and returned as it is.
        """
        if not without_variables(_NAMED_VARIABLE.sub("", value)).strip(_SEPARATORS):
            return value
        secrets = self.report.secrets
        # by value: a key that many services share is one variable
        secret = secrets.get(value)
        if secret is None:
            place = self.problem_at(path)
            secret = HiddenSecret(value, purpose, place, len(secrets), draft)
            secrets[value] = secret
        # the purpose that lets a preset's usual variable have it
        elif purpose == "key":
            secret.purpose = purpose
        if secret not in draft.secrets:
            draft.secrets.append(secret)
        return variable(f"#{secret.number}")

    def inner(self, value: Any, path: FieldPath) -> str:
        """Return a foreign scalar as text in the inner form."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return self._as_written(value, path)
        text = _UNFIT.sub("\ufffd", "" if value is None else str(value))
        return _GO_VARIABLE.sub(_expanded, text) if self._expands and "$" in text else text

    def file(self, name: str) -> str:
        """Return the path of the file *name*; a relative one is relative to the foreign file."""
        if not name or names_in(name) or PurePath(name).is_absolute():
            return name
        return str(PurePath(self.source).parent / name)

    def _as_written(self, value: float, path: FieldPath) -> str:
        """Return the digits that the file has: 1.10 must not become 1.1 where a text is meant."""
        line = self._lines[min(self._loaded.document.line(path), len(self._lines)) - 1]
        for literal in re.findall(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?\.?0*", line):
            try:
                if float(literal) == value:
                    return str(literal)
            except ValueError:
                continue
        return f"{value:g}"


def _expanded(match: re.Match[str]) -> str:
    name = match.group(1) or match.group(2)
    return variable(name) if name else "$"


def texts(data: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Yield every text inside *data* with its path."""
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
