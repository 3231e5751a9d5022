"""A declaration as it may be shown: what it says, without anything that may be a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.config.files import Declared

HIDDEN = "…"
_SECRET = frozenset(
    {"additional_headers", "api_key", "api_key_next", "body", "headers", "proxy", "username"}
)
_ADDRESSES = frozenset({"base_url", "endpoint", "url"})
_FILES = frozenset({"api_key_file", "api_key_next_file", "ca_file", "cert_file", "key_file"})
_SOURCES = frozenset({"json", "header"})


def shown_declaration(declared: Declared) -> dict[str, Any]:
    """Return the fields of *declared*; names of headers stay, their values do not.

    Of an address the query goes, and the path too where a variable is part of it. Operands of
    assertions go: the value that an answer must have may be one that nobody else should know.
    """
    return {name: _field(name, value, declared) for name, value in declared.raw.items()}


def _field(name: str, value: Any, declared: Declared) -> Any:
    if name in _SECRET:
        return dict.fromkeys(value, HIDDEN) if isinstance(value, Mapping) else HIDDEN
    if name in _FILES:
        return HIDDEN
    if name in _ADDRESSES and isinstance(value, str):
        return HIDDEN if declared.hides_path else value.partition("?")[0]
    if name == "assertions":
        return [{k: v if k in _SOURCES else HIDDEN for k, v in one.items()} for one in value]
    if isinstance(value, Mapping):
        return {inner: _field(inner, one, declared) for inner, one in value.items()}
    return value
