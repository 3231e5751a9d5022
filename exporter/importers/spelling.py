"""Foreign fields whose names and values are spelt in several ways, as JavaScript's are.

A field is found as `baseUrl`, `base_url`, `baseURL` or `base-url`; a time by its unit, as in
`intervalMs`. A placeholder for a variable (`${NAME}`, `process.env.NAME`) keeps its name.
"""

from __future__ import annotations

import re
from typing import Any

from exporter.importers.fields import Fields, seconds
from exporter.importers.report import Ledger, changed, variable
from exporter.secret import looks_like_key
from exporter.settings import FieldPath

_NAME = r"([A-Za-z_][A-Za-z0-9_]{0,127})"
_ELSE = r"(?:\|\||\?\?)\s{0,8}(?:\"[^\"]{0,200}\"|'[^']{0,200}'|[A-Za-z0-9_]{1,40})"
_PLACEHOLDERS = (
    # ${NAME}, ${process.env.NAME}, ${NAME:-default}
    rf"\$\{{ ?(?:process\.env\.|env\.)?{_NAME} ?((?::?-|\|\||\?\?)[^{{}}]{{0,200}})?\}}",
    # process.env.NAME || "default"
    rf"\bprocess\.env(?:\.{_NAME}|\[[\"']{_NAME}[\"']\])(\s{{0,8}}{_ELSE})?",
    rf"\{{\{{ ?(?:process\.env\.|env\.)?{_NAME} ?\}}\}}",
    rf"(?<![\s\S])(?:\$|env:){_NAME}(?![\s\S])",
)
_PLACEHOLDER = re.compile("|".join(_PLACEHOLDERS))
_NAME_GROUPS, _DEFAULT_GROUPS = (1, 3, 4, 6, 7), (2, 5)
_UNITS = (("Ms", 0.001), ("Millis", 0.001), ("Seconds", 1.0), ("Sec", 1.0), ("Minutes", 60.0))


def canonical(name: str) -> str:
    """Return what all spellings of a field's name have in common.

    >>> {canonical(name) for name in ("baseUrl", "base_url", "baseURL", "Base-Url")}
    {'baseurl'}
    """
    return re.sub(r"[_-]", "", name).lower()


def spellings_of_time(name: str) -> tuple[str, ...]:
    """Return the fields in which the time *name* may be."""
    return (name, *(f"{name}{unit}" for unit, _ in _UNITS))


class Spelled(Fields):
    """One foreign mapping, whose fields are read by their usual name and found by any spelling."""

    def __init__(self, ledger: Ledger, path: FieldPath, data: Any) -> None:
        self._spellings: dict[str, str] = {}
        if isinstance(data, dict):
            for name in data:
                first = self._spellings.setdefault(canonical(str(name)), str(name))
                if first != str(name):
                    ledger.mistake((*path, name), "is given twice, in another spelling; remove one")
            data = {canonical(str(name)): value for name, value in data.items()}
        super().__init__(ledger, path, data)

    def __contains__(self, name: str) -> bool:
        return super().__contains__(canonical(name))

    def at(self, name: str) -> FieldPath:
        """Return the path of the field *name*, as the file spells it."""
        return (*self.path, self._spellings.get(canonical(name), name))

    def raw(self, name: str) -> Any:
        """Return the field *name* as it is."""
        return super().raw(canonical(name))

    def skip(self, *names: str) -> None:
        """Count *names* as read."""
        super().skip(*map(canonical, names))

    def text(self, name: str) -> str:
        """Return a text, with its placeholders as variables."""
        return self.with_variables(super().text(name), self.at(name))

    def free(self, name: str) -> Fields:
        """Return a mapping whose names are the user's own, such as those of headers."""
        return Fields(self.ledger, self.at(name), self.raw(name))

    def texts_by_name(self, name: str) -> dict[str, str]:
        """Return a mapping of texts under the user's own names."""
        mapping = self.free(name)
        found = {}
        for key in mapping.names():
            if isinstance(mapping.raw(key), (dict, list)):
                self.ledger.mistake(mapping.at(key), "must be text")
            elif mapping.raw(key) is not None:
                text = self.with_variables(mapping.text(key), mapping.at(key))
                found[self.ledger.inner(key, mapping.at(key))] = text
        return found

    def data(self, name: str) -> Any:
        """Return any JSON, with the placeholders of its texts as variables."""
        path = self.at(name)

        def inner(text: str) -> str:
            return self.with_variables(self.ledger.inner(text, path), path)

        return _with_names(changed(self.raw(name), inner), inner)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number from *least* to *most*; None if there is none, which is reported.

        One outside becomes the nearest limit, but one below 1 where 1 is the least is no number.
        """
        value = self.number(name)
        if value is None:
            return None
        if value != int(value) or (value < least and least > 0):
            self.ledger.lost(self.at(name), f"must be a whole number from {least}; not imported")
            return None
        fitting = min(max(int(value), least), most)
        if fitting != value:
            limits = f"must be from {least} to {most}; the nearest limit is used"
            self.ledger.lost(self.at(name), limits)
        return fitting

    def time(self, name: str) -> tuple[float, FieldPath] | None:
        """Return the seconds of `<name>Ms` and its like, and their path; None if there are none.

        A number without a unit in its name is milliseconds, as for JavaScript's own timers.
        """
        for unit, size in _UNITS:
            value = self.number(f"{name}{unit}")
            if value is not None:
                return value * size, self.at(f"{name}{unit}")
        value = self.raw(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = self.number(name)
            if value is None:
                return None
            self.ledger.lost(self.at(name), "has no unit and is taken as milliseconds")
            return value * 0.001, self.at(name)
        if value is None:
            return None
        try:
            return seconds(value), self.at(name)
        except ValueError:
            self.ledger.mistake(self.at(name), "must be a number of milliseconds, or such as 30s")
            return None

    def with_variables(self, text: str, path: FieldPath) -> str:
        """Return *text* with its placeholders as variables; what it has as default is reported."""

        def replaced(match: re.Match[str]) -> str:
            name = next(match.group(n) for n in _NAME_GROUPS if match.group(n))
            if looks_like_key(name):  # a key that somebody put between the braces
                return match.group()
            if any(match.group(n) for n in _DEFAULT_GROUPS):
                message = "has a default for a variable, which is not imported: set the variable"
                self.ledger.lost(path, message)
            return variable(name)

        return _PLACEHOLDER.sub(replaced, text)


def _with_names(data: Any, change: Any) -> Any:
    """Return *data* with *change* applied to the names of its mappings."""
    if isinstance(data, dict):
        return {change(str(name)): _with_names(value, change) for name, value in data.items()}
    if isinstance(data, list):
        return [_with_names(item, change) for item in data]
    return data
