"""Read YAML as plain data, and remember the line of each value.

Refuses what YAML lets through silently: duplicate keys, alias bombs, tags, and the surprises of
YAML 1.1 (`no` is a string here, `12:30:00` is not a number). PyYAML's own messages quote the
source line, which may hold a key; ours never do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

FieldPath = tuple[str | int, ...]
MAX_BYTES = 32 * 1024 * 1024
MAX_VALUES = 1_000_000
"""Of one file, keys included: 10,000 services have some 300,000."""
MAX_EXPANDED = 100_000
MAX_DEPTH = 32
MAX_DUPLICATES = 1_000
"""Keys given twice that are reported: a file of nothing else would take minutes to explain."""

_CORE = "tag:yaml.org,2002:"
_MERGE = _CORE + "merge"
_TAGS = {_CORE + name for name in ("str", "map", "seq", "merge")}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}

# PyYAML's message -> what a person can do; anything else is only "not valid YAML".
_SYNTAX = (
    ("mapping values are not allowed", "a ': ' where none is allowed; quote the text"),
    ("could not find expected ':'", "a key without its ':'"),
    ("cannot start any token", "a character that cannot start a value; quote the text, use spaces"),
    ("tab character", "a tab; indent with spaces"),
    ("found undefined alias", "an alias (*name) without its anchor (&name)"),
    ("while scanning a quoted scalar", "a quote that is not closed"),
    ("found unexpected end of stream", "the text ends inside a value; is a quote closed?"),
    ("expected <block end>", "indentation that fits no list or mapping above it"),
    ("did not find expected", "indentation or a bracket that does not fit what is before it"),
    ("found unknown escape", "an unknown escape in a double-quoted text; use single quotes"),
    ("expected a single document", "more than one document; remove the ---"),
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes; what a plain scalar means is `resolve`'s business, << alone is special."""

    _nodes = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        self._nodes += 1
        if self._nodes > MAX_VALUES:
            raise DocumentError(1, f"the file holds more than {MAX_VALUES} values")
        if kind is yaml.ScalarNode:
            return _MERGE if value == "<<" and implicit[0] else _CORE + "str"
        return _CORE + ("map" if kind is yaml.MappingNode else "seq")


class DocumentError(ValueError):
    """The text is not acceptable YAML; `line` counts from 1, the message quotes nothing."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


@dataclass(slots=True)
class Document:
    """The data of one file and the line of each of its values and keys."""

    data: Any
    lines: dict[FieldPath, int]
    key_lines: dict[FieldPath, int]
    problems: list[tuple[FieldPath, int, str]] = field(default_factory=list)
    missing: dict[FieldPath, str] = field(default_factory=dict)
    references: set[FieldPath] = field(default_factory=set)
    expanded: set[FieldPath] = field(default_factory=set)

    def line(self, path: FieldPath) -> int:
        """Return the line of *path*, or of the nearest place above it that is in the file."""
        if path in self.key_lines:
            return self.key_lines[path]
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def expanded_text(
        self, text: str, path: FieldPath, line: int, expand: Callable[[str], str]
    ) -> str | None:
        """Return the *text* at *path* with its `${NAME}` replaced, None if that cannot be done."""
        self.references.add(path)
        try:
            text = expand(text)
        except LookupError as missing:
            self.missing[path] = str(missing.args[0])
            return None
        except ValueError as error:
            self.problems.append((path, line, str(error)))
            return None
        self.expanded.add(path)
        return text


def resolve(text: str) -> Any:
    """Return the value of a plain scalar: null, boolean, integer, number or string."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text) if len(text) < 20 else text
    number = float(text) if _FLOAT.fullmatch(text) and len(text) < 32 else math.inf
    return number if math.isfinite(number) else text


def read(text: str, expand: Callable[[str], str] | None = None) -> Document:
    """Return the document in *text*; *expand* replaces `${NAME}` in its scalar values.

    *expand* raises LookupError with the name of a variable that is not set (kept in `missing`,
    None is in its place) or ValueError with a fixed phrase (kept in `problems`). What it
    returned stays text, its place is kept in `expanded`; `references` has every place that held a
    `${`.

    Raises:
        DocumentError: the text is not YAML that we accept.
    """
    if len(text) > MAX_BYTES:
        raise DocumentError(1, "the file is larger than 32 MiB")
    if control := _CONTROL.search(text):
        raise DocumentError(text.count("\n", 0, control.start()) + 1, "holds a control character")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        message = f"{error.context or ''} {error.problem or ''}"
        mark = error.problem_mark or error.context_mark
        if "quoted scalar" in message and error.context_mark:
            mark = error.context_mark  # where the quote opens, not where the file ends
        why = next((ours for theirs, ours in _SYNTAX if theirs in message), "")
        raise DocumentError((mark.line if mark else 0) + 1, _invalid(why)) from None
    except DocumentError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError):
        raise DocumentError(1, _invalid("a forbidden character or nesting beyond reason")) from None
    reader = _Reader(expand)
    if node is not None:
        if "&" in text or "!" in text:  # otherwise it has neither an alias nor a tag
            _Sizes().add(node, 0, 1)
        reader.document.data = reader.value(node, ())
    return reader.document


def value_of(text: str) -> Any:
    """Return the value that *text* would be in a file; the text itself where it would be none.

    >>> value_of("30s"), value_of("[200, 204]"), value_of("false"), value_of("a: b: c")
    ('30s', [200, 204], False, 'a: b: c')
    """
    try:
        return read(text).data
    except DocumentError:
        return text


def _invalid(why: str) -> str:
    return f"not valid YAML: {why}" if why else "not valid YAML"


class _Sizes:
    """How many values each node makes, its aliases resolved: known before any is.

    An alias bomb of 400 bytes makes 10**9 values. Each node is looked at once here, so that
    it is refused in no time, and whoever walks the nodes afterwards needs no guard.
    """

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._repeated = 0

    def add(self, node: Any, depth: int, line: int) -> int:
        """Return the size of *node*, which is inside a value that begins in *line*.

        Raises:
            DocumentError: it is too large, too deep, or its own part.
        """
        known = self._sizes.get(id(node))
        if known is None:
            return self._measure(node, depth)
        if not known:
            raise DocumentError(line, "an alias (*name) inside its own anchor (&name)")
        self._repeated += known
        if self._repeated > MAX_EXPANDED:
            raise DocumentError(line, f"aliases repeat more than {MAX_EXPANDED} values")
        return known

    def _measure(self, node: Any, depth: int) -> int:
        line = node.start_mark.line + 1
        if node.tag not in _TAGS:
            raise DocumentError(line, "tags (!name) are not supported")
        if depth > MAX_DEPTH:
            raise DocumentError(line, f"nested deeper than {MAX_DEPTH} levels")
        size, self._sizes[id(node)] = 1, 0
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self.add(key, depth + 1, line)
                size += self.add(value, depth + 1, key.start_mark.line + 1)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(self.add(item, depth + 1, line) for item in node.value)
        self._sizes[id(node)] = size
        return size


class _Reader:
    """Walks the composed nodes once, after `_Sizes` has measured them."""

    def __init__(self, expand: Callable[[str], str] | None) -> None:
        self._expand = expand
        self._told: set[int] = set()
        self.document = Document(None, {}, {})

    def value(self, node: Any, path: FieldPath) -> Any:
        line = node.start_mark.line + 1
        self.document.lines[path] = line
        if len(path) > MAX_DEPTH:  # through an alias
            raise DocumentError(line, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path, line)

    def _mapping(self, node: Any, path: FieldPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (key, value) in self._entries(node, path, len(path)).items():
            place = (*path, name)
            found[name] = self.value(value, place)
            self.document.key_lines[place] = key.start_mark.line + 1
        return found

    def _entries(self, node: Any, path: FieldPath, depth: int) -> dict[str, tuple[Any, Any]]:
        """Return the keys and values of a mapping, its own over those that << takes in."""
        own: dict[str, tuple[Any, Any]] = {}
        below: dict[str, tuple[Any, Any]] = {}
        merges = None
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError(line, "a key must be a plain text")
            if depth > MAX_DEPTH:
                raise DocumentError(line, f"nested deeper than {MAX_DEPTH} levels")
            if key.tag == _MERGE:
                if merges is not None:
                    raise DocumentError(line, "<< is given twice; give it a list of aliases")
                merges = value
                for part in self._merged(value, path, depth, line):
                    for name, pair in part.items():
                        below.setdefault(name, pair)  # the first that has a key wins
            elif key.value in own:
                self._twice((*path, key.value), own[key.value][0], key)
            else:
                own[key.value] = (key, value)
        return below | own

    def _twice(self, path: FieldPath, first: Any, key: Any) -> None:
        if id(key) in self._told or len(self._told) >= MAX_DUPLICATES:
            return
        self._told.add(id(key))
        line = first.start_mark.line + 1
        what = f"this key is given twice, first in line {line}; remove one"
        self.document.problems.append((path, key.start_mark.line + 1, what))

    def _merged(
        self, node: Any, path: FieldPath, depth: int, line: int
    ) -> Iterator[dict[str, tuple[Any, Any]]]:
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(one, yaml.MappingNode):
                raise DocumentError(line, "<< needs a mapping or a list of mappings")
            yield self._entries(one, path, depth + 1)

    def _scalar(self, node: Any, path: FieldPath, line: int) -> Any:
        if self._expand is None or "${" not in node.value:
            return node.value if node.style else resolve(node.value)
        return self.document.expanded_text(node.value, path, line, self._expand)
