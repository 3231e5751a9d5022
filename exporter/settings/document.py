"""Read YAML as plain data, and remember on which line each value stands.

Refuses what YAML lets through silently: duplicate keys, alias bombs, tags, and the surprises of
YAML 1.1 (`no` is a string here, `12:30:00` is not a number). PyYAML's own messages quote the
source line, which may hold a key; ours never do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
MAX_BYTES = 32 * 1024 * 1024
MAX_EXPANDED = 10_000
MAX_DEPTH = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_TAGS = {_CORE + name for name in "str int float bool null timestamp map seq merge value".split()}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

# What PyYAML says -> what a person can do; anything else is only "not valid YAML".
_SYNTAX = (
    ("mapping values are not allowed", "a ': ' where none can stand; quote the text"),
    ("could not find expected ':'", "a key without its ':'"),
    ("cannot start any token", "a character that cannot start a value; quote the text, use spaces"),
    ("found undefined alias", "an alias (*name) without its anchor (&name)"),
    ("while scanning a quoted scalar", "a quote that is not closed"),
    ("found unexpected end of stream", "the text ends inside a value; is a quote closed?"),
    ("expected <block end>", "indentation that fits no list or mapping above it"),
    ("did not find expected", "indentation or a bracket that does not fit what stands before"),
    ("found unknown escape", "an unknown escape in a double-quoted text; use single quotes"),
    ("expected a single document", "more than one document; remove the ---"),
)


class DocumentError(ValueError):
    """The text is not acceptable YAML; `line` counts from 1, the message quotes nothing."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


@dataclass(slots=True)
class Document:
    """The data of one file and the line of each of its values and keys."""

    data: Any
    lines: dict[Path, int]
    key_lines: dict[Path, int]
    problems: list[tuple[Path, int, str]] = field(default_factory=list)
    missing: dict[Path, str] = field(default_factory=dict)
    references: set[Path] = field(default_factory=set)
    expanded: set[Path] = field(default_factory=set)

    def line(self, path: Path) -> int:
        """Return the line of *path*, or of the nearest place above it that stands in the file."""
        if path in self.key_lines:
            return self.key_lines[path]
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def resolve(text: str) -> Any:
    """Return the value of a plain scalar: null, boolean, integer, number or string."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text) if len(text) < 20 else text
    return float(text) if _FLOAT.fullmatch(text) and len(text) < 32 else text


def read(text: str, expand: Callable[[str], str] | None = None) -> Document:
    """Return the document in *text*; *expand* replaces `${NAME}` in its scalar values.

    *expand* raises LookupError with the name of a variable that is not set (kept in `missing`,
    None stands in its place) or ValueError with a fixed phrase (kept in `problems`). What it
    returned for a plain scalar stays text, its place is kept in `expanded`; `references` has every
    place that held a `${`.

    Raises:
        DocumentError: the text is not YAML that we accept.
    """
    if len(text) > MAX_BYTES:
        raise DocumentError(1, "the file is larger than 32 MiB")
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = f"{error.context or ''} {error.problem or ''}"
        why = next((ours for theirs, ours in _SYNTAX if theirs in said), "")
        raise DocumentError((mark.line if mark else 0) + 1, _invalid(why)) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise DocumentError(1, _invalid("a control character or nesting beyond reason")) from None
    reader = _Reader(expand)
    if node is not None:
        reader.document.data = reader.value(node, ())
    return reader.document


def _invalid(why: str) -> str:
    return f"not valid YAML: {why}" if why else "not valid YAML"


class _Reader:
    """Walks the composed nodes once."""

    def __init__(self, expand: Callable[[str], str] | None) -> None:
        self._expand = expand
        self._seen: set[int] = set()
        self._repeated = 0
        self.document = Document(None, {}, {})

    def value(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.document.lines[path] = line
        self._guard(node, path, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path, line)

    def _guard(self, node: Any, path: Path, line: int) -> None:
        if node.tag not in _TAGS:
            raise DocumentError(line, "tags (!name) are not supported")
        if len(path) > MAX_DEPTH:
            raise DocumentError(line, f"nested deeper than {MAX_DEPTH} levels")
        if id(node) in self._seen:
            self._repeated += 1
            if self._repeated > MAX_EXPANDED:
                raise DocumentError(line, f"aliases repeat more than {MAX_EXPANDED} values")
        self._seen.add(id(node))

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _CORE + "merge":
                for part in self._merged(value, path, line):
                    merged = part | merged
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError(line, "a key must be a plain text")
            place = (*path, key.value)
            if key.value in found:
                first = self.document.key_lines[place]
                what = f"this key is given twice, first in line {first}; remove one"
                self.document.problems.append((place, line, what))
                continue
            found[key.value] = self.value(value, place)
            self.document.key_lines[place] = line
        return merged | found

    def _merged(self, node: Any, path: Path, line: int) -> Iterator[dict[str, Any]]:
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(one, yaml.MappingNode):
                raise DocumentError(line, "<< needs a mapping or a list of mappings")
            self._guard(one, path, line)
            yield self._mapping(one, path)

    def _scalar(self, node: Any, path: Path, line: int) -> Any:
        if self._expand is None or "${" not in node.value:
            return node.value if node.style else resolve(node.value)
        self.document.references.add(path)
        try:
            text = self._expand(node.value)
        except LookupError as missing:
            self.document.missing[path] = str(missing.args[0])
            return None
        except ValueError as error:
            self.document.problems.append((path, line, str(error)))
            return None
        if not node.style:
            self.document.expanded.add(path)
        return text
