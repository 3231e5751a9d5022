"""Declare a setting once: type, default, limits and help in one line of a dataclass.

From that line follow the JSON Schema, the check, the value and the documentation.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from enum import Enum
from typing import Any

from exporter.secret import Secret
from exporter.settings.kinds import Kind

REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-.*)?\}"

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Secret: {"type": "string", "minLength": 1},
    Any: {},
}


def option(
    default: Any = dataclasses.MISSING,
    doc: str = "",
    *,
    factory: Any = None,
    shown: str | None = None,
    **limits: Any,
) -> Any:
    """Declare a dataclass field that is also a documented setting.

    *limits* are JSON Schema keywords, or `min`/`max` for a kind, or `hint` for the message;
    *shown* is the default as people write it. A field named like a Python keyword has a trailing
    underscore here and none in the file.
    """
    metadata = {"doc": doc, "limits": limits, "shown": shown}
    if factory is not None:
        # Of what is frozen one is enough for all: 10,000 services are made with a dozen each.
        is_one = isinstance(factory, type) and dataclasses.is_dataclass(factory)
        make = functools.cache(factory) if is_one else factory
        return dataclasses.field(default_factory=make, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def hints(cls: Any) -> dict[str, Any]:
    """Return the field types of a settings dataclass, annotations kept."""
    return typing.get_type_hints(cls, include_extras=True)


def written(name: str) -> str:
    """Return how the field *name* is written in a file."""
    return name.rstrip("_")


def kind_of(tp: Any) -> Kind | None:
    """Return the kind that an annotated type carries."""
    for mark in getattr(tp, "__metadata__", ()):
        if isinstance(mark, Kind):
            return mark
    return None


def without_none(tp: Any) -> tuple[Any, bool]:
    """Split `X | None` into X and whether None is allowed."""
    if typing.get_origin(tp) in (typing.Union, types.UnionType):
        args = [a for a in typing.get_args(tp) if a is not type(None)]
        if len(args) == 1:
            return args[0], True
    return tp, False


def schema(tp: Any, *, references: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a settings dataclass or of a field's type.

    With *references* a scalar of another kind than free text may also be written `${NAME}`.
    """
    found = _with_none(tp, references)
    return _referable(found) if references else found


def _with_none(tp: Any, references: bool) -> dict[str, Any]:
    inner, optional = without_none(tp)
    found = _schema(inner, references)
    if optional and "x-kind" in found:
        found = found | {"x-nullable": True}
    if optional and "type" in found:
        kinds = found["type"] if isinstance(found["type"], list) else [found["type"]]
        found = found | {"type": [*kinds, "null"]}
        if "enum" in found:
            found = found | {"enum": [*found["enum"], None]}
    return found


def bare(tp: Any) -> Any:
    """Return an annotated type without its annotations."""
    return typing.get_args(tp)[0] if typing.get_origin(tp) is typing.Annotated else tp


def _schema(tp: Any, references: bool) -> dict[str, Any]:
    if kind := kind_of(tp):
        return dict(kind.schema) if references else {"x-kind": kind.name}
    tp = bare(tp)
    if tp in _SCALARS:
        return dict(_SCALARS[tp])
    if dataclasses.is_dataclass(tp):
        return object_schema(tp, references=references)
    if isinstance(tp, type) and issubclass(tp, Enum):
        return {"type": "string", "enum": [member.value for member in tp]}
    origin, args = typing.get_origin(tp), typing.get_args(tp)
    if origin is typing.Literal:
        return {"type": "string", "enum": list(args)}
    if origin is tuple:
        return {"type": "array", "items": schema(args[0], references=references)}
    if origin is dict:
        values = schema(args[1], references=references)
        if typing.get_origin(args[0]) is typing.Literal:
            properties = {name: values for name in typing.get_args(args[0])}
            return {"type": "object", "properties": properties, "additionalProperties": False}
        return {"type": "object", "additionalProperties": values}
    if origin in (typing.Union, types.UnionType):
        types_ = [schema(a)["type"] for a in args]
        return {"type": types_}
    raise TypeError(f"no JSON Schema for {tp!r}")


def object_schema(
    cls: Any, *, references: bool = False, partial: bool = False, **more: dict[str, Any]
) -> dict[str, Any]:
    """Return the schema of a settings dataclass; *partial* makes every field optional.

    *more* adds or replaces properties by name.
    """
    fields = dataclasses.fields(cls)
    properties = {written(f.name): _property(hints(cls)[f.name], f, references) for f in fields}
    required = [
        written(f.name)
        for f in fields
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties | more,
        "additionalProperties": False,
    }
    return found if partial or not required else found | {"required": required}


def _property(tp: Any, f: dataclasses.Field[Any], references: bool) -> dict[str, Any]:
    limits = dict(f.metadata.get("limits", {}))
    if "enum" in limits:
        limits["enum"] = [*limits["enum"], *([None] if without_none(tp)[1] else [])]
    about = {"description": f.metadata.get("doc", "")}
    if references:
        published = {k: v for k, v in limits.items() if k not in {"min", "max", "hint"}}
        return _referable(_with_none(tp, True) | published) | about
    own = {f"x-{k}" if k in {"min", "max", "hint"} else k: limits[k] for k in limits}
    return schema(tp) | about | own


def _referable(found: dict[str, Any]) -> dict[str, Any]:
    """Return *found*; a scalar that is not free text may be a reference instead."""
    types_ = found.get("type", [])
    scalar = not {"object", "array"} & set([types_] if isinstance(types_, str) else types_)
    free = types_ == [] or ("string" in types_ and not {"pattern", "enum"} & found.keys())
    if free or not scalar:
        return found
    return {"anyOf": [found, {"type": "string", "pattern": REFERENCE}]}
