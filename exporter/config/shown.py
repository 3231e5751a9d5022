"""A declaration as it may be shown: without anything that may be a secret."""

from __future__ import annotations

from typing import Any

from exporter.config.declarations import Service
from exporter.config.files import Declared
from exporter.config.mistakes import warnings_of
from exporter.secret import HIDDEN
from exporter.settings import OpenText, dotted, shown

_WITH_A_FIELD = ("owner", "runbook")
"""What is in `metadata` and has a field of its own in a target."""


def shown_declaration(declared: Declared) -> dict[str, Any]:
    """Return the fields of *declared* that may be shown, by the types they are declared with.

    Names of headers stay, their values do not. Of an address the query goes, and the path too where
    a variable is part of it. Operands of assertions go: the value that an answer must have may be
    a secret itself.
    """
    found: dict[str, Any] = shown(Service, declared.raw, declared.variables.__contains__)
    return found


def service_warnings(declared: Declared) -> list[str]:
    """Return what works in *declared* but is probably not meant, each with its field."""
    return [f"{dotted(path)}: {what}" for path, what in warnings_of(declared.raw)]


def shown_tags(declared: Declared) -> tuple[tuple[str, str], ...]:
    """Return names and values of `metadata` that everybody may read, sorted by name.

    Owner and runbook are not among them: a target has them in fields of their own.
    """
    raw = declared.raw.get("metadata")
    if not raw:
        return ()
    from_variable = declared.variables.__contains__
    metadata: dict[str, str] = shown(dict[str, OpenText], raw, from_variable, ("metadata",))
    kept = (pair for pair in metadata.items() if pair[0] not in _WITH_A_FIELD)
    return tuple(sorted((name, value) for name, value in kept if value and value != HIDDEN))
