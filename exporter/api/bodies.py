"""Request bodies and queries within bounds, and clear words where they are not."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from aiohttp import web

from exporter.characters import has_control


class BodyError(ValueError):
    """Body or query cannot be used; the message says why and holds nothing of it."""


async def json_object(request: web.Request) -> dict[str, Any]:
    """Return the body, a JSON object.

    Raises:
        BodyError: it is something else.
    """
    if request.content_type not in ("application/json", "application/merge-patch+json"):
        raise BodyError("the Content-Type must be application/json")
    try:
        found = json.loads(await request.read(), parse_constant=_refuse)
        # Neither 1e999 nor half a surrogate pair can be written down again.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise BodyError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise BodyError("the body must be a JSON object")
    return found


def text_field(body: dict[str, Any], name: str) -> str:
    """Return the non-empty text at *name*.

    Raises:
        BodyError: it is missing or something else.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value or has_control(value):
        raise BodyError(f"{name} must be a non-empty text without control characters")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    """Return the truth at *name*, false if it is missing.

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
        BodyError: it is no number from 1 to 1000.
    """
    text = request.query.get("limit", str(default))
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise BodyError("limit must be a number from 1 to 1000")
    return int(text)


def only(body: dict[str, Any], names: Collection[str]) -> None:
    """Refuse *body* if it has a field beside *names*.

    Raises:
        BodyError: it has.
    """
    if not body.keys() <= set(names):
        raise BodyError(f"the body may only have {', '.join(names)}")


def _refuse(word: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")
