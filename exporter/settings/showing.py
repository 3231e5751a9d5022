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

from exporter.secret import HIDDEN, Secret, looks_like_key, names_secret
from exporter.settings.declare import hints, kind_of, without_none, written
from exporter.settings.document import FieldPath
from exporter.settings.kinds import URL


class Showing(Enum):
    """Who may read a text."""

    PUBLIC = auto()
    """Everybody: a name or a label."""
    OPEN = auto()
    """Everybody, without the words that look like a key; nobody if a variable is part of it, or it
    has the name of a secret: a text for people."""
    ADDRESS = auto()
    """Everybody without its query and without parts of its path that look like a key; nobody if a
    variable is part of it."""
    EXPRESSION = auto()
    """Everybody without the texts and numbers that are compared in it."""
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
_COMPARED = re.compile(r"(?<=[=<>])\s*-?[0-9][0-9.eE+-]*|(?<![\w.])-?[0-9][0-9.eE+-]*(?=\s*[=!<>])")
_WORD = re.compile(r"[^\s,;\"'()<>\[\]{}=]+")
_LINK = re.compile(r"(?P<scheme>[a-z]+://)(?:[^\s/?#@]*@)?(?P<rest>\S*)", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<=[?&#])(?P<name>[^\s=&#]+)=(?P<value>[^\s&#]+)")
_SPACES = re.compile(r"(\s+)")
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
            return HIDDEN if from_variable else shown_prose(value)
        case Showing.ADDRESS if isinstance(value, str):
            return HIDDEN if from_variable else shown_address(value)
        case Showing.EXPRESSION if isinstance(value, str):
            return HIDDEN if from_variable else shown_expression(value)
    return HIDDEN


def shown_expression(text: str) -> str:
    """Return a path without the texts quoted in it and the numbers that it compares with.

    >>> shown_expression("$.items[?@.token == 'abc' && @.pin==1234].id")
    "$.items[?@.token == '…' && @.pin==…].id"
    """
    without_texts = _QUOTED.sub(lambda quoted: quoted[0][0] + HIDDEN + quoted[0][0], text)
    return _COMPARED.sub(HIDDEN, without_texts)


def shown_address(url: str) -> str:
    """Return a URL or a path without its query, and without what looks like a key in its path.

    >>> shown_address("https://hooks.example/services/T0/xoxb-123456789012-abcdef?a=1")
    'https://hooks.example/services/T0/…'
    """
    return "/".join(HIDDEN if looks_like_key(part) else part for part in _path(url).split("/"))


def _path(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]


def shown_prose(value: Any) -> Any:
    """Return a text for people without words that look like a key.

    A link stays one, also to a page whose name looks like a key; its password goes, and what its
    parameters named like a secret have.

    >>> shown_prose("ask ada: token=sk-live-0123456789abcdef")
    'ask ada: token=…'
    >>> shown_prose("https://a:b@wiki.example/Run-8f3cA1b9d4E5f60718?id=7&token=abc")
    'https://wiki.example/Run-8f3cA1b9d4E5f60718?id=7&token=…'
    """
    if not isinstance(value, str):
        return value
    return "".join(map(_shown_piece, _SPACES.split(value)))


def _shown_piece(text: str) -> str:
    if link := _LINK.search(text):
        shown = f"{text[: link.start()]}{link['scheme']}{link['rest']}"
        return _PARAMETER.sub(_shown_parameter, shown)
    return _WORD.sub(lambda word: HIDDEN if _holds_key(word[0]) else word[0], text)


def _holds_key(word: str) -> bool:
    return any(map(looks_like_key, (word, *word.split(":"))))


def _shown_parameter(found: re.Match[str]) -> str:
    hidden = names_secret(found["name"]) or looks_like_key(found["value"])
    return f"{found['name']}={HIDDEN if hidden else found['value']}"


def shown(
    tp: Any, raw: Any, from_variable: Callable[[FieldPath], bool], path: FieldPath = ()
) -> Any:
    """Return *raw*, data of a file of the declared type *tp*, without what must not be shown.

    The names in a free mapping stay, its values are shown by their type; a text for people is
    hidden if its name is that of a secret.
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
    showing = showing_of(tp)
    named = showing is Showing.OPEN and bool(path) and names_secret(str(path[-1]))
    return shown_text(showing, raw, from_variable=named or from_variable(path))


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


def readable_texts(tp: Any, raw: Any) -> Iterator[tuple[FieldPath, str]]:
    """Yield path and text of everything in *raw* that everybody may read."""
    return _texts(_readable(tp), raw, ())


@functools.cache
def _readable(tp: Any) -> Any:
    """Return where *tp* has texts that everybody may read: True is here, None is nowhere.

    A mapping has that of each field by its name, a tuple that of the items of a list, or of the
    values of a mapping. Found once for each type: files of 10,000 services are searched by it.
    """
    inner = _inner(tp)
    if isinstance(inner, Mapping):
        fields = {name: _readable(field) for name, field in inner.items()}
        return {name: where for name, where in fields.items() if where is not None} or None
    if inner is not None:
        within = _readable(inner)
        return None if within is None else (within,)
    return True if showing_of(tp) in (Showing.PUBLIC, Showing.OPEN) else None


def _texts(where: Any, raw: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if where is True:
        if isinstance(raw, str):
            yield path, raw
    elif isinstance(raw, Mapping) and where is not None:
        for name, value in raw.items():
            inside = where.get(name) if isinstance(where, dict) else where[0]
            if inside is not None:
                yield from _texts(inside, value, (*path, name))
    elif isinstance(raw, list) and isinstance(where, tuple):
        for index, value in enumerate(raw):
            yield from _texts(where[0], value, (*path, index))


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
