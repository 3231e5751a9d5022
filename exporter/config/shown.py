"""A declaration as it may be shown: without anything that may be a secret."""

from __future__ import annotations

from typing import Any

from exporter.config.declarations import Service
from exporter.config.files import Declared
from exporter.config.mistakes import warnings_of
from exporter.settings import dotted, shown


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
