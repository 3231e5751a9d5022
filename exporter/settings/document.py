"""Read YAML as plain data, and remember the line of each value.

Refuses what YAML lets through silently: duplicate keys, alias bombs, tags, and the surprises of
YAML 1.1 (`no` is a string here, `12:30:00` is not a number). PyYAML's own messages quote the
source line, which may hold a key; ours never do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
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
_STR, _MAP, _SEQ = _CORE + "str", _CORE + "map", _CORE + "seq"
_TAGS = {_STR, _MAP, _SEQ, _MERGE}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_STARTS = frozenset("0123456789+-.~tTfFnN")
"""What a scalar begins with that may mean something else than its text."""
_SHALLOW = 2
"""So deep is a service, whose line is always asked for; of what is deeper only if it is wrong."""

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
            return _MERGE if value == "<<" and implicit[0] else _STR
        return _MAP if kind is yaml.MappingNode else _SEQ


class DocumentError(ValueError):
    """The text is not acceptable YAML; `line` counts from 1, the message quotes nothing."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


class Document:
    """The data of one file and the line of each of its values and keys."""

    __slots__ = (
        "_deeper",
        "_key_lines",
        "_lines",
        "data",
        "expanded",
        "missing",
        "problems",
        "references",
    )

    def __init__(
        self,
        data: Any,
        lines: dict[FieldPath, int],
        key_lines: dict[FieldPath, int],
        *,
        references: set[FieldPath] | None = None,
    ) -> None:
        self.data = data
        self._lines, self._key_lines = lines, key_lines
        self._deeper: Callable[[], Document] | None = None
        self.problems: list[tuple[FieldPath, int, str]] = []
        self.missing: dict[FieldPath, str] = {}
        self.references: set[FieldPath] = references or set()
        self.expanded: set[FieldPath] = set()

    @property
    def lines(self) -> dict[FieldPath, int]:
        """The line of each value."""
        self._complete()
        return self._lines

    @property
    def key_lines(self) -> dict[FieldPath, int]:
        """The line of each key."""
        self._complete()
        return self._key_lines

    def find_deeper_with(self, find: Callable[[], Document]) -> None:
        """Have *find* return a document with all lines; until one is asked for, the upper do."""
        self._deeper = find

    def _complete(self) -> None:
        if self._deeper is not None:
            found, self._deeper = self._deeper(), None
            self._lines, self._key_lines = found.lines, found.key_lines

    def line(self, path: FieldPath) -> int:
        """Return the line of *path*, or of the nearest place above it that is in the file."""
        if len(path) > _SHALLOW:
            self._complete()
        lines, key_lines = self._lines, self._key_lines
        if path in key_lines:
            return key_lines[path]
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)

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
    if text and text[0] not in _STARTS:
        return text
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
    if node is None:
        return Document(None, {}, {})
    if "&" in text or "!" in text:  # otherwise it has neither an alias nor a tag
        _Sizes().add(node, 0, 1)
    document = _Reader(expand, _SHALLOW).read(node)
    document.find_deeper_with(lambda: _Places(None, MAX_DEPTH).read(node))
    return document


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
    """Walks the composed nodes, after `_Sizes` has measured them."""

    def __init__(self, expand: Callable[[str], str] | None, deepest: int) -> None:
        self._expand, self._deepest = expand, deepest
        self._told: set[int] = set()
        self._path: list[str | int] = []
        """Of the value that is read now: a tuple of each would take as long as all else."""
        self._lines: dict[FieldPath, int] = {}
        self._key_lines: dict[FieldPath, int] = {}
        self.document = Document(None, self._lines, self._key_lines)

    def read(self, node: Any) -> Document:
        """Return the document in *node*, with the lines of what is not below `deepest`."""
        self.document.data = self._value(node)
        return self.document

    def _value(self, node: Any) -> Any:
        path = self._path
        if len(path) <= self._deepest:
            self._lines[tuple(path)] = node.start_mark.line + 1
        if len(path) > MAX_DEPTH:  # through an alias
            line = node.start_mark.line + 1
            raise DocumentError(line, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        return self._mapping(node) if isinstance(node, yaml.MappingNode) else self._sequence(node)

    def _sequence(self, node: Any) -> list[Any]:
        found, path = [], self._path
        for index, item in enumerate(node.value):
            path.append(index)
            found.append(self._value(item))
            path.pop()
        return found

    def _mapping(self, node: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        path = self._path
        is_noted = len(path) < self._deepest
        for name, (key, value) in self._entries(node, len(path)).items():
            path.append(name)
            found[name] = self._value(value)
            if is_noted:
                self._key_lines[tuple(path)] = key.start_mark.line + 1
            path.pop()
        return found

    def _entries(self, node: Any, depth: int) -> dict[str, tuple[Any, Any]]:
        """Return the keys and values of a mapping, its own over those that << takes in."""
        own: dict[str, tuple[Any, Any]] = {}
        below: dict[str, tuple[Any, Any]] = {}
        merges = None
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError(key.start_mark.line + 1, "a key must be a plain text")
            if depth > MAX_DEPTH:
                line = key.start_mark.line + 1
                raise DocumentError(line, f"nested deeper than {MAX_DEPTH} levels")
            if key.tag == _MERGE:
                line = key.start_mark.line + 1
                if merges is not None:
                    raise DocumentError(line, "<< is given twice; give it a list of aliases")
                merges = value
                for part in self._merged(value, depth, line):
                    for name, pair in part.items():
                        below.setdefault(name, pair)  # the first that has a key wins
            elif key.value in own:
                self._twice(key.value, own[key.value][0], key)
            else:
                own[key.value] = (key, value)
        return below | own if below else own

    def _twice(self, name: str, first: Any, key: Any) -> None:
        if id(key) in self._told or len(self._told) >= MAX_DUPLICATES:
            return
        self._told.add(id(key))
        line = first.start_mark.line + 1
        what = f"this key is given twice, first in line {line}; remove one"
        place = (*self._path, name)
        self.document.problems.append((place, key.start_mark.line + 1, what))

    def _merged(self, node: Any, depth: int, line: int) -> Iterator[dict[str, tuple[Any, Any]]]:
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(one, yaml.MappingNode):
                raise DocumentError(line, "<< needs a mapping or a list of mappings")
            yield self._entries(one, depth + 1)

    def _scalar(self, node: Any) -> Any:
        if self._expand is None or "${" not in node.value:
            return node.value if node.style else resolve(node.value)
        path, line = tuple(self._path), node.start_mark.line + 1
        return self.document.expanded_text(node.value, path, line, self._expand)


class _Places(_Reader):
    """Reads the lines of everything, and no values: the first walk has them."""

    def _scalar(self, node: Any) -> Any:
        return None
