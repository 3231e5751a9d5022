"""The configuration reference, written from the declarations."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from exporter.secret import Secret
from exporter.settings.declare import bare, hints, kind_of, without_none, written


def reference(cls: Any, prefix: str = "") -> Iterator[str]:
    """Yield the Markdown table rows that document *cls* and the mappings inside it."""
    for f in dataclasses.fields(cls):
        tp, _ = without_none(hints(cls)[f.name])
        name = prefix + written(f.name)
        words = f.metadata.get("limits", {}).get("enum")
        kind = _words(words) if words else _type(tp)
        yield f"| `{name}` | {kind} | {_default(f)} | {f.metadata.get('doc', '')} |"
        inner, suffix = _inside(tp)
        if inner is not None:
            yield from reference(inner, f"{name}{suffix}.")


def _inside(tp: Any) -> tuple[Any, str]:
    if dataclasses.is_dataclass(tp):
        return tp, ""
    if typing.get_origin(tp) is tuple and dataclasses.is_dataclass(typing.get_args(tp)[0]):
        return typing.get_args(tp)[0], "[]"
    return None, ""


def _type(tp: Any) -> str:
    if kind := kind_of(tp):
        return kind.name
    tp = bare(tp)
    if dataclasses.is_dataclass(tp):
        return "mapping"
    origin, args = typing.get_origin(tp), typing.get_args(tp)
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"mapping of {_type(args[1])}"
    if origin is typing.Literal or (isinstance(tp, type) and issubclass(tp, Enum)):
        return _words(args or [member.value for member in tp])
    if origin is not None:
        return " or ".join(_type(a) for a in args)
    names = {str: "text", int: "whole number", bool: "true/false", Secret: "secret", Any: "any"}
    return names.get(tp, "number")


def _words(values: Iterable[Any]) -> str:
    return " \\| ".join(f"`{value}`" for value in values)


def _default(f: dataclasses.Field[Any]) -> str:
    if f.default is dataclasses.MISSING:
        return "" if f.default_factory is not dataclasses.MISSING else "required"
    if f.default is None:
        return ""
    if isinstance(f.default, bool):
        return f"`{str(f.default).lower()}`"
    plain = f.default.value if isinstance(f.default, Enum) else f.default
    shown = f.metadata.get("shown") or str(plain)
    return f"`{shown}`" if shown not in ("", "()") else ""
