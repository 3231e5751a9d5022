"""Reads request bodies and query parameters, within bounds, and says what is wrong with them."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Collection
from typing import Any

from aiohttp import web

from exporter.characters import has_control
from exporter.matching import RepeatedNameError, TooManyValuesError, json_in_turns

MOST_VALUES = 5_000
"""Of a body: a service of hundreds of settings has not a tenth of them."""
_SHORT_BYTES = 16 * 1024
_PLAIN_WORD = re.compile("[A-Za-z][a-z_-]{0,23}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


MAX_NAME_LENGTH = 128
"""Of a person who is named in a body."""


class BodyError(ValueError):
    """Body or query cannot be used; the message says why, and at most repeats a plain word."""


class EncodingError(BodyError):
    """The body is compressed in a way that is not supported."""


ENCODINGS = ("gzip", "deflate")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
"""Makes zlib tell the two apart by their first bytes."""
_LOOP_DECOMPRESSION_BYTES = 1024
"""Up to so many bytes are decompressed on the event loop, more in a thread."""


async def json_object(request: web.Request, *, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """Return the body, a JSON object of at most *most_values* values.

    Raises:
        BodyError: the body, its Content-Type or its Content-Encoding is something else.
        HTTPRequestEntityTooLarge: it is larger than the request allows, or would be, decompressed.
    """
    if request.content_type not in ("application/json", "application/merge-patch+json"):
        raise BodyError("the Content-Type must be application/json")
    text = await _decompressed(request)
    try:
        if len(text) <= _SHORT_BYTES:
            body = _data(text, most_values)
        else:
            body = await asyncio.to_thread(_data, text, most_values)
    except TooManyValuesError:
        raise BodyError(f"the JSON of the body has more than {most_values} values") from None
    except RepeatedNameError:
        raise BodyError("an object in the JSON of the body has a name twice") from None
    except (ValueError, RecursionError):
        raise BodyError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BodyError("the body must be a JSON object")
    return body


async def _decompressed(request: web.Request) -> bytes:
    """Return the body as it was before it was compressed, if it was."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", *ENCODINGS):
        raise EncodingError(f"the Content-Encoding must be {' or '.join(ENCODINGS)}, or none")
    sent = await request.read()
    if encoding in ("", "identity"):
        return sent
    limit = request.client_max_size
    if len(sent) <= _LOOP_DECOMPRESSION_BYTES:
        return _inflated(sent, limit)
    return await asyncio.to_thread(_inflated, sent, limit)


def _inflated(sent: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        found = unpacker.decompress(sent, limit + 1)
    except zlib.error:
        raise BodyError("the body is not compressed as its Content-Encoding says") from None
    if len(found) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, len(found))
    if not unpacker.eof or unpacker.unused_data:
        raise BodyError("the compressed body is incomplete, or something follows it")
    return found


def text_field(body: dict[str, Any], name: str) -> str:
    """Return the non-empty string in the field *name*.

    Raises:
        BodyError: it is missing or something else.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value or has_control(value):
        raise BodyError(f"{name} must be a non-empty string without control characters")
    return value


def bounded_text(
    body: dict[str, Any], name: str, max_length: int, default: str | None = None
) -> str:
    """Return the text in the field *name*; it may contain line breaks.

    Raises:
        BodyError: it is something else, or is missing without a *default*.
    """
    value = body.get(name, default)
    if (
        not isinstance(value, str)
        or len(value) > max_length
        or (not value and default is None)
        or has_control(value, lines=True)
    ):
        kind = "string" if default is not None else "non-empty string"
        raise BodyError(
            f"{name} must be a {kind} of at most {max_length} characters without control characters"
        )
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """Return the boolean in the field *name*, false if it is missing.

    Raises:
        BodyError: it is something else.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BodyError(f"{name} must be true or false")
    return value


def page_size(request: web.Request, default: int) -> int:
    """Return the query's `limit`.

    Raises:
        BodyError: it is not a number from 1 to 1000.
    """
    text = request.query.get("limit", str(default))
    # int() alone would also accept other digits, signs, spaces and underscores.
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise BodyError("limit must be a number from 1 to 1000")
    return int(text)


def chosen(request: web.Request, name: str, allowed: Collection[str], default: str = "") -> str:
    """Return the query's *name*, *default* if there is none.

    Raises:
        BodyError: it is none of *allowed*. A value that may be anything else is not repeated.
    """
    value = request.query.get(name)
    if value is None or value in allowed:
        return default if value is None else value
    said = f", not {value}" if _PLAIN_WORD.fullmatch(value) else ""
    raise BodyError(f"{name} must be one of {', '.join(allowed)}{said}")


def only_fields(body: dict[str, Any], names: Collection[str]) -> None:
    """Refuse *body* if it has a field other than *names*.

    Raises:
        BodyError: it has one.
    """
    if not body.keys() <= set(names):
        raise BodyError(f"the body may only have {', '.join(names)}")


def _data(text: bytes, most_values: int) -> Any:
    data = json_in_turns(text, most_values, names_once=True)
    if _SURROGATE.search(text):  # mostly half of a pair; alone it can be neither stored nor sent
        json.dumps(data, ensure_ascii=False).encode()
    return data
