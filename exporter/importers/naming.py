"""Ids and variables from foreign names: readable, unique, and never from a secret."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from exporter.characters import printable
from exporter.importers.report import without_variables
from exporter.secret import HIDDEN, looks_like_key

MAX_ID = 63
_RUN = re.compile(r"[A-Za-z0-9_+=.~-]{12,}")
_URL = re.compile(r"https?://[^\s\"'<>]+")
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})


def readable(name: str, strike: Callable[[str], str]) -> str:
    """Return *name* for people: of a URL only host and path, without secrets, at most 128 long."""
    text = strike(without_variables(name))
    text = _URL.sub(lambda found: _bare(found.group()), text)
    text = _RUN.sub(lambda f: HIDDEN if looks_like_key(f.group()) else f.group(), text)
    text = printable(text)
    return " ".join(text.split())[:128].strip()


def _bare(url: str) -> str:
    return (
        url.partition("?")[0].partition("#")[0].partition("://")[2].rpartition("@")[2].rstrip("/")
    )


def slug(text: str) -> str:
    """Return what of *text* can stand in an id, maybe nothing."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_ID].strip("-")


class Ids:
    """Hands out each id once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, wishes: Iterable[str]) -> str:
        """Return the first of *wishes* that is free, or the first with a number."""
        slugs = [found for wish in wishes if (found := slug(wish))] or ["service"]
        for found in slugs:
            if found not in self._taken:
                return self._mark(found)
        stem = slugs[0]
        while True:
            number = self._next.get(stem, 2)
            self._next[stem] = number + 1
            end = f"-{number}"
            if (found := stem[: MAX_ID - len(end)].rstrip("-") + end) not in self._taken:
                return self._mark(found)

    def _mark(self, found: str) -> str:
        self._taken.add(found)
        return found


class Variables:
    """Names variables, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def take(self, service: str, purpose: str) -> str:
        """Return a new name for the *purpose* of a service."""
        base = slug(service).replace("-", "_").upper()
        end = slug(purpose)[:24].replace("-", "_").upper() or "VALUE"
        if end[0].isdigit() or looks_like_key(purpose):
            end = "VALUE"
        if not base or base[0].isdigit():
            base = f"SERVICE_{base}"
        stem = f"{base[: 58 - len(end)].rstrip('_')}_{end}"
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}_{number}", number + 1
        return self.reserve(name)

    def reserve(self, name: str) -> str:
        """Return *name* and keep it from being given again."""
        self._taken.add(name)
        return name

    def is_free(self, name: str) -> bool:
        """Return whether nobody has *name*."""
        return name not in self._taken
