"""Write plain data as YAML that people like to read and that every reader reads alike.

Block style with comments; short lists, and short mappings inside lists, in flow style. A text is
written without quotes only where neither YAML 1.1 nor 1.2 could read it as anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exporter.settings import FieldPath

WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@%+=:-]*(?: [A-Za-z0-9_./@%+=:-]+)*")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_DURATION = re.compile(r"[0-9]+(?:ms|s|m|h|d)")
_JSON_PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
# YAML 1.1 reads these as booleans or null, and YAML 1.2 still does with some.
_OTHER_TYPES = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Longer keys get the explicit `? ` form: YAML allows 1024 characters before the colon.
_MAX_KEY_LENGTH = 120


class _NotFlowError(ValueError):
    """The value is too large or too deep for one line."""


def emit(data: Mapping[str, Any], comments: Mapping[FieldPath, str]) -> str:
    """Return *data* as YAML, with each of *comments* at the end of the line of its path.

    A comment with a line break goes above that line, one comment line each. Items of a top-level
    list that take several lines have an empty line between them.

    >>> emit({"id": "api", "enabled": False}, {("enabled",): "off"})
    'id: api\\n\\nenabled: false  # off\\n'
    """
    lines: list[str] = []
    for name, value in data.items():
        if lines:
            lines.append("")
        lines += _Writer(comments).entry(name, value, 0, (name,))
    return "\n".join(lines) + "\n" if lines else "{}\n"


def scalar(value: Any, *, flow: bool = False) -> str:
    """Return one scalar as YAML; *flow* is inside brackets or braces."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    if _is_plain(value, flow):
        return str(value)
    if value.isprintable() and value.isascii() and "'" not in value and re.search(r'[\\"]', value):
        return f"'{value}'"
    return '"' + "".join(map(_escaped, value)) + '"'


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    text = repr(value)
    if "e" in text:  # YAML 1.1 wants a dot and a sign: 1.0e+20
        digits, _, power = text.partition("e")
        digits = digits if "." in digits else digits + ".0"
        text = f"{digits}e{power if power[0] in '+-' else '+' + power}"
    return text


def _is_plain(text: str, flow: bool) -> bool:
    if flow and re.search(r"[:{}\[\],]", text):
        return False
    if _VARIABLE.fullmatch(text) or _DURATION.fullmatch(text) or _JSON_PATH.fullmatch(text):
        return True
    if not _PLAIN.fullmatch(text) or text.lower() in _OTHER_TYPES:
        return False
    return ": " not in text and not text.endswith(":")


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if character == "\t":
        return "\\t"
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _Writer:
    def __init__(self, comments: Mapping[FieldPath, str]) -> None:
        self._comments = comments

    def entry(self, name: str, value: Any, indent: int, path: FieldPath) -> list[str]:
        """Return the lines of one `name: value`."""
        pad = " " * indent
        key = scalar(name, flow=True)
        mark = "? " if len(key) > _MAX_KEY_LENGTH else ""
        head = f"{pad}{mark}{key}:" if not mark else f"{pad}? {key}\n{pad}:"
        return [*self._leading_comment(path, pad), *self._value_lines(head, value, indent, path)]

    def _value_lines(self, head: str, value: Any, indent: int, path: FieldPath) -> list[str]:
        after = self._trailing_comment(path)
        if isinstance(value, str) and _suits_block(value):
            return [*_block(head, value, indent, after)]
        if isinstance(value, dict) and value:
            inside = [
                line
                for name, item in value.items()
                for line in self.entry(name, item, indent + 2, (*path, name))
            ]
            return [head + after, *inside]
        if isinstance(value, (list, tuple)) and value:
            return self._list(head, list(value), indent, path)
        text = _flow(value) if isinstance(value, (dict, list, tuple)) else scalar(value)
        return [f"{head} {text}{after}"]

    def _list(self, head: str, items: list[Any], indent: int, path: FieldPath) -> list[str]:
        after = self._trailing_comment(path)
        if not any(isinstance(item, (dict, list, tuple)) for item in items):
            line = f"{head} {_flow(items)}{after}"
            if len(line) <= WIDTH:
                return [line]
            return [f"{head}{after}", *_wrapped(items, " " * (indent + 2))]
        return [head + after, *self._items(items, indent, path)]

    def _items(self, items: list[Any], indent: int, path: FieldPath) -> Iterator[str]:
        pad = " " * (indent + 2)
        for index, item in enumerate(items):
            item_path = (*path, index)
            flow = self._in_flow(item, pad, item_path)
            if index and not flow and len(path) == 1:
                yield ""
            yield from self._leading_comment(item_path, pad)
            if flow:
                yield flow
            elif isinstance(item, dict):
                yield from self._mapping_item(item, pad, indent, item_path)
            else:
                yield from self._value_lines(f"{pad}-", item, indent + 2, item_path)

    def _in_flow(self, item: Any, pad: str, item_path: FieldPath) -> str:
        """Return the line of a short item, or nothing; services are never in flow style."""
        try:
            flow = f"{pad}- {_flow(item, top=True)}{self._trailing_comment(item_path)}"
        except _NotFlowError:
            return ""
        long = len(flow) > WIDTH or len(item_path) == 2
        return "" if isinstance(item, dict) and item and long else flow

    def _mapping_item(
        self, item: dict[str, Any], pad: str, indent: int, item_path: FieldPath
    ) -> Iterator[str]:
        mark = f"{pad}- "
        for name, value in item.items():
            lines = self.entry(name, value, indent + 4, (*item_path, name))
            # a comment above, or an explicit key, does not fit behind the dash
            if mark and (lines[0].lstrip().startswith("#") or "\n" in lines[0]):
                yield f"{pad}-"
            elif mark:
                lines[0] = mark + lines[0].removeprefix(" " * (indent + 4))
            mark = ""
            yield from lines

    def _trailing_comment(self, path: FieldPath) -> str:
        comment = self._comments.get(path, "")
        return f"  # {comment}" if comment and "\n" not in comment else ""

    def _leading_comment(self, path: FieldPath, pad: str) -> list[str]:
        comment = self._comments.get(path, "")
        return [f"{pad}# {line}" for line in comment.split("\n") if line] if "\n" in comment else []


def _flow(value: Any, *, top: bool = False) -> str:
    """Return *value* on one line.

    Raises:
        _NotFlowError: with *top*, if the value is a list, nested or of several lines.
    """
    if isinstance(value, dict):
        if top and any(isinstance(v, dict) or _is_many(v) for v in value.values()):
            raise _NotFlowError
        inside = (f"{scalar(k, flow=True)}: {_flow(v)}" for k, v in value.items())
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, (list, tuple)):
        if top:
            raise _NotFlowError
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return scalar(value, flow=True)


def _is_many(value: Any) -> bool:
    """Return whether *value* is a text of several lines or a nested list."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(item, (dict, list, tuple)) for item in value)
    return isinstance(value, str) and "\n" in value


def _wrapped(items: list[Any], pad: str) -> list[str]:
    """Return a long list of scalars in flow style over several lines."""
    lines, line = [], f"{pad}["
    for index, item in enumerate(items):
        text = scalar(item, flow=True) + ("]" if index == len(items) - 1 else ",")
        if len(line) + len(text) + 1 > WIDTH and line.strip() != "[":
            lines.append(line.rstrip())
            line = f"{pad} "
        line += text if line.endswith(("[", pad + " ")) else f" {text}"
    return [*lines, line]


def _suits_block(text: str) -> bool:
    """Return whether *text* reads well as a literal block and survives it unchanged."""
    lines = text.removesuffix("\n").split("\n")
    # Leading spaces would need an indentation indicator; more than one break at the end is lost.
    return (
        len(lines) > 1
        and all(
            line and line.isprintable() and not line[0].isspace() and not line[-1].isspace()
            for line in (lines[0], lines[-1])
        )
        and all(line.isprintable() and not line.endswith(" ") for line in lines)
    )


def _block(head: str, text: str, indent: int, after: str) -> list[str]:
    style = "|" if text.endswith("\n") else "|-"
    pad = " " * (indent + 2)
    lines = text.removesuffix("\n").split("\n")
    return [f"{head} {style}{after}", *(pad + line if line else "" for line in lines)]
