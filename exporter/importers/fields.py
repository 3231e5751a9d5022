"""Typed access to foreign data: wrong types are reported with their path, unread fields listed.

Understands durations of Go and Prometheus, and yes and no of YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Self

from exporter.importers.report import Ledger, names_in
from exporter.settings import FieldPath

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 31536000.0,  # 365 days, as in Prometheus
}
_PART = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h|d|w|y)"
_DURATION = re.compile(f"(?:{_PART})+")
_FLAGS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


def seconds(value: Any) -> float:
    """Return the seconds of a duration of Go or Prometheus; a bare number is nanoseconds, as in Go.

    Raises:
        ValueError: *value* is not a duration.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1e9
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, value))


def duration(value: float) -> str:
    """Return *value* seconds as our files have it, such as 90s; at least 1ms.

    >>> duration(90), duration(120), duration(0.25)
    ('90s', '2m', '250ms')
    """
    ms = max(1, round(value * 1000))
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0 and (ms > size or unit in "sh"):
            return f"{ms // size}{unit}"
    return f"{ms}ms"


class Fields:
    """One foreign mapping; `unread` has the fields that nothing read."""

    def __init__(self, ledger: Ledger, path: FieldPath, data: Any) -> None:
        self.ledger, self.path = ledger, path
        self._read: set[str] = set()
        if data is not None and not isinstance(data, dict):
            ledger.mistake(path, "must be a mapping (name: value)")
        self._data: dict[str, Any] = data if isinstance(data, dict) else {}

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def at(self, name: str) -> FieldPath:
        """Return the path of the field *name*."""
        return (*self.path, name)

    def written_at(self, name: str) -> FieldPath | None:
        """Return the path of the field *name*, None if the file has none or only 0."""
        return self.at(name) if self._data.get(name) else None

    def raw(self, name: str) -> Any:
        """Return the field *name* as it is."""
        self._read.add(name)
        return self._data.get(name)

    def skip(self, *names: str) -> None:
        """Count *names* as read: they change nothing here."""
        self._read.update(names)

    def unread(self) -> Iterator[str]:
        """Yield the names of the fields that have a value and were not read."""
        return (n for n, v in self._data.items() if n not in self._read and v is not None)

    def text(self, name: str) -> str:
        """Return a text, empty if there is none."""
        value = self.raw(name)
        if isinstance(value, (dict, list)):
            self.ledger.mistake(self.at(name), "must be text")
            return ""
        return self.ledger.inner(value, self.at(name))

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false, *default* if there is none."""
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        if isinstance(value, int) and value in (0, 1):
            return bool(value)  # Uptime Kuma exports those of SQLite, 0 and 1
        if isinstance(value, str) and value.lower() in _FLAGS:
            return _FLAGS[value.lower()]
        if not self._is_variable(name, value):
            self.ledger.mistake(self.at(name), "must be true or false")
        return default

    def number(self, name: str) -> float | None:
        """Return a number, or None if there is none."""
        value = self.raw(name)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return value
        if not self._is_variable(name, value):
            self.ledger.mistake(self.at(name), "must be a number")
        return None

    def seconds(self, name: str) -> float | None:
        """Return the seconds of a duration, or None if there is none."""
        value = self.raw(name)
        if value is None:
            return None
        try:
            return seconds(value)
        except ValueError:
            if not self._is_variable(name, value):
                self.ledger.mistake(self.at(name), "must be a duration such as 500ms, 10s or 1h30m")
        return None

    def mapping(self, name: str) -> Self:
        """Return a mapping, empty if there is none."""
        return type(self)(self.ledger, self.at(name), self.raw(name))

    def items(self, name: str) -> list[tuple[FieldPath, Any]]:
        """Return the items of a list with their paths."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.ledger.mistake(self.at(name), "must be a list")
            return []
        return [((*self.at(name), index), item) for index, item in enumerate(value)]

    def each(self, name: str) -> list[Self]:
        """Return the mappings of a list."""
        return [type(self)(self.ledger, path, item) for path, item in self.items(name)]

    def texts(self, name: str) -> list[tuple[FieldPath, str]]:
        """Return the texts of a list with their paths."""
        texts = []
        for path, item in self.items(name):
            if isinstance(item, (dict, list)) or item is None:
                self.ledger.mistake(path, "must be text")
            else:
                texts.append((path, self.ledger.inner(item, path)))
        return texts

    def text_map(self, name: str) -> dict[str, str]:
        """Return a mapping of texts."""
        mapping = self.mapping(name)
        return {
            self.ledger.inner(key, mapping.at(key)): mapping.text(key)
            for key in list(mapping._data)
        }

    def names(self) -> list[str]:
        """Return the names of all fields."""
        return list(self._data)

    def _is_variable(self, name: str, value: Any) -> bool:
        """Return whether a variable, of unknown type, is in the value, and report it."""
        if isinstance(value, str) and names_in(self.ledger.inner(value, self.at(name))):
            message = "comes from a variable, which cannot be read here; set the field by hand"
            self.ledger.lost(self.at(name), message)
            return True
        return False
