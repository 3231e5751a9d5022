"""Foreign ways to say what a text must look like, as RE2 patterns and JSONPaths of ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MAX_PATTERN = 1000
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_STEP = re.compile(r"\.?([^.\[\]`]+)|\[([0-9]{1,9})\]|\.?`([^`]+)`|\.?\[\"([^\"\]]+)\"\]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{0,9}[1-9]")


class NoPatternError(ValueError):
    """It has no equivalent."""


def literal(text: str) -> str:
    """Return the RE2 pattern that finds *text*."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(), text)


def json_literal(text: str) -> str:
    """Return the pattern of a keyword in JSON, which may be written with or without spaces."""
    return literal(text).replace('":', '"\\s*:\\s*').replace(',"', ',\\s*"')


def glob(text: str) -> str:
    """Return the RE2 pattern of a glob with * and ?, that must fit the whole text.

    Raises:
        NoPatternError: it holds character classes or escapes.
    """
    if re.search(r"[\[\]\\]", text):
        raise NoPatternError
    core = text.strip("*")
    inside = "".join({"*": ".*", "?": "."}.get(c, literal(c)) for c in core)
    start = "" if text.startswith("*") else "^"
    end = "" if text.endswith("*") else "$"
    many = "(?s)" if re.search(r"(?<!\\)\.", inside) else ""
    return f"{many}{start}{inside}{end}" if core else "(?s)^"


def json_path(text: str) -> str:
    """Return the JSONPath of a dotted path such as `data.items[0].id`.

    Raises:
        NoPatternError: it is more than names and indices.
    """
    return "$" + "".join(_steps(text))


def _steps(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if not found:
            raise NoPatternError
        at = found.end()
        name = found.group(1) or found.group(3) or found.group(4)
        if found.group(2):
            yield f"[{int(found.group(2))}]"
        elif _IDENTIFIER.fullmatch(name):
            yield f".{name}"
        elif re.search(r"['\"\\()*?@$,:\x00-\x1f]", name):
            raise NoPatternError
        else:
            yield f"['{name}']"


def operand(text: str) -> Any:
    """Return what *text* equals in JSON: a number, true, false, or the text itself."""
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def number(text: str) -> float:
    """Return the number that *text* is.

    Raises:
        NoPatternError: it is none.
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) or re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,9}", text):
        return float(text)
    raise NoPatternError


def compared(operator: str, limit: float) -> dict[str, float]:
    """Return our operator for `<`, `<=`, `>` or `>=`; ours are strict, so a hair is added."""
    hair = 0.000001 if abs(limit) < 1e9 else 0.5
    match operator:
        case "<":
            return {"less_than": limit}
        case "<=":
            return {"less_than": round(limit + hair, 6)}
        case ">":
            return {"greater_than": limit}
        case ">=":
            return {"greater_than": round(limit - hair, 6)}
    raise NoPatternError
