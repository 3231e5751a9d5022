"""What may be shown of a setting follows from its declared type; what no type allows is hidden.

Numbers, durations, times, switches and words of a closed list are shown. A text is hidden unless
its type allows it, so a setting that is added tomorrow is hidden until it is declared otherwise. A
`Secret` is hidden, kept encrypted, and struck out of every line of a log.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import Annotated, Any

from exporter.secret import HIDDEN, Secret
from exporter.settings.declare import hints, kind_of, without_none, written
from exporter.settings.document import FieldPath
from exporter.settings.kinds import URL


class Showing(Enum):
    """Who may read a text."""

    PUBLIC = auto()
    """Everybody: a name or a label."""
    OPEN = auto()
    """Everybody, unless a variable is part of it: a text for people."""
    ADDRESS = auto()
    """Everybody without its query; nobody if a variable is part of it."""
    EXPRESSION = auto()
    """Everybody without the texts quoted in it."""
    PRIVATE = auto()
    """Nobody."""
    SECRET = auto()
    """Nobody; it is kept encrypted and struck out of the log."""


PublicText = Annotated[str, Showing.PUBLIC]
OpenText = Annotated[str, Showing.OPEN]
AddressText = Annotated[str, Showing.ADDRESS]
ExpressionText = Annotated[str, Showing.EXPRESSION]
SecretData = Annotated[Any, Showing.SECRET]

_HARMLESS = (bool, int, float)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


@functools.cache
def showing_of(tp: Any) -> Showing:
    """Return who may read a scalar of the declared type *tp*."""
    tp, _ = without_none(tp)
    for mark in getattr(tp, "__metadata__", ()):
        if isinstance(mark, Showing):
            return mark
    if kind := kind_of(tp):
        return Showing.ADDRESS if kind is URL else Showing.PUBLIC
    if tp is Secret:
        return Showing.SECRET
    closed = typing.get_origin(tp) is typing.Literal or (isinstance(tp, type) and _closed(tp))
    if closed or typing.get_origin(tp) in (typing.Union, types.UnionType):
        inner = typing.get_args(tp) if not closed else ()
        return Showing.PUBLIC if all(map(_is_harmless, inner)) else Showing.PRIVATE
    return Showing.PRIVATE


def _closed(tp: type) -> bool:
    return tp in _HARMLESS or issubclass(tp, Enum)


def _is_harmless(tp: Any) -> bool:
    return showing_of(tp) is Showing.PUBLIC


def shown_text(showing: Showing, value: Any, *, from_variable: bool) -> Any:
    """Return what may be shown of the scalar *value*; a variable may be part of it."""
    match showing:
        case Showing.PUBLIC:
            return value
        case Showing.OPEN:
            return HIDDEN if from_variable else value
        case Showing.ADDRESS if isinstance(value, str):
            return HIDDEN if from_variable else value.partition("?")[0]
        case Showing.EXPRESSION if isinstance(value, str):
            return HIDDEN if from_variable else shown_expression(value)
    return HIDDEN


def shown_expression(text: str) -> str:
    """Return a path or pattern without the texts quoted in it.

    >>> shown_expression("$.items[?@.token == 'abc'].id")
    "$.items[?@.token == '…'].id"
    """
    return _QUOTED.sub(lambda quoted: quoted[0][0] + HIDDEN + quoted[0][0], text)


def shown(
    tp: Any, raw: Any, from_variable: Callable[[FieldPath], bool], path: FieldPath = ()
) -> Any:
    """Return *raw*, data of a file of the declared type *tp*, without what must not be shown.

    The names in a free mapping stay, its values are shown by their type.
    """
    if raw is None:
        return None
    inner = _inner(tp)
    if isinstance(raw, Mapping) and isinstance(inner, Mapping):
        return {n: shown(inner[n], v, from_variable, (*path, n)) for n, v in raw.items()}
    if isinstance(raw, Mapping) and inner is not None:
        return {n: shown(inner, v, from_variable, (*path, n)) for n, v in raw.items()}
    if isinstance(raw, list) and inner is not None:
        return [shown(inner, v, from_variable, (*path, i)) for i, v in enumerate(raw)]
    return shown_text(showing_of(tp), raw, from_variable=from_variable(path))


def split_secrets(tp: Any, raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return *raw*, of the settings class *tp*, without its secrets, and only them."""
    plain: dict[str, Any] = {}
    secret: dict[str, Any] = {}
    for name, value in raw.items():
        inner = _fields(tp)[name]
        if _holds_secret(inner) and value is not None:
            secret[name] = value
        elif dataclasses.is_dataclass(without_none(inner)[0]) and isinstance(value, Mapping):
            plain[name], inside = split_secrets(without_none(inner)[0], value)
            if inside:
                secret[name] = inside
        else:
            plain[name] = value
    return plain, secret


def secrets_in(settings: Any) -> Iterator[Secret]:
    """Yield every secret in *settings*, an instance of a settings class, however deep."""
    if isinstance(settings, Secret):
        yield settings
    elif dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        for name in _secretive(type(settings)):
            yield from secrets_in(getattr(settings, name))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from secrets_in(value)
    elif isinstance(settings, tuple):
        for value in settings:
            yield from secrets_in(value)


def readable_texts(tp: Any, raw: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Yield path and text of everything in *raw* that everybody may read."""
    inner = _inner(tp)
    if isinstance(raw, Mapping) and inner is not None:
        for name, value in raw.items():
            wanted = inner.get(name) if isinstance(inner, Mapping) else inner
            yield from readable_texts(wanted, value, (*path, name))
    elif isinstance(raw, list) and inner is not None:
        for index, value in enumerate(raw):
            yield from readable_texts(inner, value, (*path, index))
    elif isinstance(raw, str) and showing_of(tp) in (Showing.PUBLIC, Showing.OPEN):
        yield path, raw


@functools.cache
def _secretive(cls: type) -> tuple[str, ...]:
    """Return the fields of *cls* in which a secret may be: most services are searched fast."""
    return tuple(f.name for f in dataclasses.fields(cls) if _may_hold_secret(hints(cls)[f.name]))


def _may_hold_secret(tp: Any) -> bool:
    tp, _ = without_none(tp)
    if isinstance(tp, type) and dataclasses.is_dataclass(tp):
        return bool(_secretive(tp))
    return tp is Secret or any(map(_may_hold_secret, _arguments(tp)))


def _holds_secret(tp: Any) -> bool:
    """Return whether *tp* is a secret, or a list or mapping of them."""
    tp, _ = without_none(tp)
    values = _arguments(tp)
    return showing_of(tp) is Showing.SECRET or (bool(values) and _holds_secret(values[-1]))


def _arguments(tp: Any) -> tuple[Any, ...]:
    return typing.get_args(tp) if typing.get_origin(tp) in (dict, tuple) else ()


def _inner(tp: Any) -> Any:
    """Return the types of the fields by written name, of the items, or of a mapping's values."""
    tp, _ = without_none(tp)
    if isinstance(tp, type) and dataclasses.is_dataclass(tp):
        return _fields(tp)
    arguments = _arguments(tp)
    if not arguments:
        return None
    return arguments[1] if typing.get_origin(tp) is dict else arguments[0]


@functools.cache
def _fields(cls: type) -> dict[str, Any]:
    return {written(name): tp for name, tp in hints(cls).items()}
