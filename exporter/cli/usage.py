"""Wrong usage and refusals, how things are counted in a sentence, and the name that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class UsageError(Exception):
    """The arguments cannot be used as typed, or nobody answers there; the text is for the user."""


class RefusedError(Exception):
    """The exporter refused the request; `problem` is its RFC 9457 body."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("title", "refused"))
        self.problem = problem


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return *number* with its noun: `1 service`, `2 services`, `2 canaries`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def meant(typed: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the one of *known* that is most like *typed*, or nothing.

    >>> meant("opnai", ["openai", "stripe"]), meant("x", ["openai"])
    ('; did you mean openai?', '')
    """
    # What was typed may be a key, long as a book: it is compared and never shown.
    near = difflib.get_close_matches(typed[:64], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def sentence(problem: dict[str, Any]) -> str:
    """Return title, reason and detail of *problem* in one line, and each mistake in one more."""
    parts = [str(problem.get(name)) for name in ("title", "reason", "detail") if problem.get(name)]
    mistakes = [f"  {one['where']}: {one['what']}" for one in problem.get("errors", ())]
    return "\n".join([": ".join(parts), *mistakes, *map(str, problem.get("problems", ()))])
