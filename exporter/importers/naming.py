"""Ids and variables made from foreign names: readable, unique, and without secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from exporter.characters import printable
from exporter.importers.report import without_variables
from exporter.secret import HIDDEN, looks_like_key

MAX_ID_LENGTH = 63
_RUN = re.compile(r"[A-Za-z0-9_+=.~-]{12,}")
_URL = re.compile(r"https?://[^\s\"'<>]+")
# NFKD splits é into e and an accent, but leaves these as they are.
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})


def readable(name: str, strike: Callable[[str], str]) -> str:
    """Return *name* as people read it: of a URL only host and path, no secret, at most 128 long."""
    # Known secrets first: after the next steps only a part of one might be left, and not found.
    text = strike(without_variables(name))
    text = _URL.sub(lambda match: _host_and_path(match.group()), text)
    text = _RUN.sub(lambda m: HIDDEN if looks_like_key(m.group()) else m.group(), text)
    text = printable(text)
    return " ".join(text.split())[:128].strip()


def _host_and_path(url: str) -> str:
    return (
        url.partition("?")[0].partition("#")[0].partition("://")[2].rpartition("@")[2].rstrip("/")
    )


def slug(text: str) -> str:
    """Return *text* as an id of a-z, 0-9 and -, at most 63 long; empty if nothing is left."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_ID_LENGTH].strip("-")


class Ids:
    """Hands out each id once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, wishes: Iterable[str]) -> str:
        """Return the first of *wishes* that is free, or the first with a number."""
        slugs = [candidate for wish in wishes if (candidate := slug(wish))] or ["service"]
        for candidate in slugs:
            if candidate not in self._taken:
                return self._mark(candidate)
        stem = slugs[0]
        while True:
            number = self._next.get(stem, 2)
            self._next[stem] = number + 1
            end = f"-{number}"
            if (candidate := stem[: MAX_ID_LENGTH - len(end)].rstrip("-") + end) not in self._taken:
                return self._mark(candidate)

    def _mark(self, new_id: str) -> str:
        self._taken.add(new_id)
        return new_id


class Variables:
    """Hands out names of variables, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def take(self, service: str, purpose: str) -> str:
        """Return a new name for the *purpose* of a service."""
        base = slug(service).replace("-", "_").upper()
        end = slug(purpose)[:24].replace("-", "_").upper() or "VALUE"
        # a purpose can be a header's or parameter's name, and that can be the secret itself
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
        """Return *name*, which is not handed out again."""
        self._taken.add(name)
        return name

    def is_free(self, name: str) -> bool:
        """Return whether *name* has not been handed out."""
        return name not in self._taken
