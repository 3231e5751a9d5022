"""Keywords, globs, dotted paths and comparisons of other tools, as ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MAX_PATTERN_LENGTH = 1000
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
# name, [index], `name` (JSONata) or ["name"]
_STEP = re.compile(r"\.?([^.\[\]`]+)|\[([0-9]{1,9})\]|\.?`([^`]+)`|\.?\[\"([^\"\]]+)\"\]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# 15 digits at most: a double holds each of them exactly
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{0,9}[1-9]")


class NoPatternError(ValueError):
    """The foreign pattern, path or number has no equivalent here."""


def literal(text: str) -> str:
    """Return the RE2 pattern that matches *text* literally."""
    return _SPECIAL.sub(lambda match: "\\" + match.group(), text)


def json_literal(text: str) -> str:
    """Return the pattern of a keyword; if it is JSON, with or without spaces after : and ,."""
    return literal(text).replace('":', '"\\s*:\\s*').replace(',"', ',\\s*"')


def glob(text: str) -> str:
    """Return the RE2 pattern of a glob with * and ? that must match the whole text.

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
        match = _STEP.match(text, at)
        if not match:
            raise NoPatternError
        at = match.end()
        name = match.group(1) or match.group(3) or match.group(4)
        if match.group(2):
            yield f"[{int(match.group(2))}]"
        elif _IDENTIFIER.fullmatch(name):
            yield f".{name}"
        elif re.search(r"['\"\\()*?@$,:\x00-\x1f]", name):
            raise NoPatternError
        else:
            yield f"['{name}']"


def operand(text: str) -> Any:
    """Return *text* as the JSON value it means: a number, true, false, or the text itself."""
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def number(text: str) -> float:
    """Return the number written in *text*.

    Raises:
        NoPatternError: *text* is not a decimal number, or too long.
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) or re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,9}", text):
        return float(text)
    raise NoPatternError


def compared(operator: str, limit: float) -> dict[str, float]:
    """Return our operator for `<`, `<=`, `>` or `>=`.

    Ours are strict, so for `<=` and `>=` the limit moves by a margin.
    """
    margin = 0.000001 if abs(limit) < 1e9 else 0.5
    match operator:
        case "<":
            return {"less_than": limit}
        case "<=":
            return {"less_than": round(limit + margin, 6)}
        case ">":
            return {"greater_than": limit}
        case ">=":
            return {"greater_than": round(limit - margin, 6)}
    raise NoPatternError
