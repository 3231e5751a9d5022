"""The configuration as a mapping that a program gives, with a name of the original registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from exporter.config.files import Configuration, read_text
from exporter.settings import FieldPath, Plain, Problem, SettingsError, copied, dotted

SOURCE = "config"
"""The name of the argument, for messages."""
_THEIRS: FieldPath = ("monitoring", "health_check_defaults")
_OURS: FieldPath = ("defaults", "health_check")
_BOTH = "means the same as defaults.health_check, which is given too; keep one"
_INLINE = " itself is in the file;"


class Given:
    """A configuration as it was given: a copy, which later changes of the original do not reach.

    Text is read as in a file, `${NAME}` included; a `Secret` and a path are taken as they are.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._plain, self._is_translated = _translated(copied(given))

    def read(self, environment: Mapping[str, str]) -> Configuration:
        """Return the configuration, variables replaced by those of *environment*.

        Raises:
            SettingsError: with every mistake; `where` is its place in what was given.
        """
        try:
            found = read_text(self._plain, SOURCE, environment)
        except SettingsError as error:
            raise SettingsError(self._as_given(error.problems)) from None
        kept = (warning for warning in found.warnings if _INLINE not in warning.what)
        return replace(found, warnings=tuple(self._as_given(kept)))

    def _as_given(self, problems: Iterable[Problem]) -> Iterable[Problem]:
        """Yield *problems* with their places as the program wrote them."""
        theirs, ours = dotted(_THEIRS), dotted(_OURS)
        for problem in problems:
            inside = problem.where.removeprefix(ours)
            moved = self._is_translated and problem.where.startswith(ours)
            yield replace(problem, where=theirs + inside) if moved else problem


def _translated(plain: Plain) -> tuple[Plain, bool]:
    """Return *plain* in our words, and whether it was in the original's."""
    data = plain.data if isinstance(plain.data, dict) else {}
    monitoring = data.get("monitoring")
    if not isinstance(monitoring, dict) or _THEIRS[1] not in monitoring:
        return plain, False
    check = monitoring.pop(_THEIRS[1])
    if data.get("defaults") is None:
        data["defaults"] = {}
    defaults = data["defaults"]
    if not isinstance(defaults, dict):
        return plain, False
    if _OURS[1] in defaults:
        return replace(plain, problems=(*plain.problems, (_THEIRS, _BOTH))), False
    defaults[_OURS[1]] = check
    moved = replace(
        plain,
        literal=frozenset(map(_moved, plain.literal)),
        secrets=frozenset(map(_moved, plain.secrets)),
        problems=tuple((_moved(path), what) for path, what in plain.problems),
    )
    return moved, True


def _moved(path: FieldPath) -> FieldPath:
    return (*_OURS, *path[2:]) if path[:2] == _THEIRS else path
