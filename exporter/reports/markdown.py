"""A report as Markdown (CommonMark with GitHub's tables): for a ticket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.characters import plain
from exporter.reports.sheet import Link, Section, Sheet, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#+!|~@&$^=])")
_ADDRESS = re.compile(r"(?i)(:)(?=//)|(?<=www)(\.)")
_AT_START = re.compile(r"^([-.>)]|\d{1,9}(?=[.)](?:\s|$)))")
_IN_ANGLES = re.compile(r"[\s<>]")


def markdown_of(sheet: Sheet) -> str:
    """Return *sheet* as Markdown."""
    lines = [f"# {escaped(sheet.title)}", "", escaped(sheet.lead)]
    for section in sheet.sections:
        lines += ["", f"## {escaped(section.title)}"]
        lines += _section(section)
    return "\n".join([*lines, "", escaped(sheet.footer), ""])


def escaped(text: str) -> str:
    """Return *text* in one line, without a character that Markdown or GitHub acts on.

    Any punctuation may follow a backslash (CommonMark 0.31, section 2.4); an address that is split
    so does not become a link, and a name after `@` is not notified.

    >>> escaped("*a* [b](https://c)")
    '\\\\*a\\\\* \\\\[b\\\\](https\\\\://c)'
    """
    if isinstance(text, Link) and text.startswith(("https://", "http://")):
        return f"<{_IN_ANGLES.sub('', plain(text))}>"
    line = " ".join(plain(text).split())
    line = _ADDRESS.sub(lambda match: f"\\{match[0]}", _SPECIAL.sub(r"\\\1", line))
    return _AT_START.sub(_not_at_start, line)


def _not_at_start(match: re.Match[str]) -> str:
    return f"{match[1]}\\" if match[1].isdigit() else f"\\{match[1]}"


def _section(section: Section) -> Iterator[str]:
    if section.facts:
        yield ""
    for name, value in section.facts:
        yield f"- {escaped(name)}: {escaped(value)}"
    for table in section.tables:
        yield from ("", *_table(table))
    for sentence in section.sentences:
        yield from ("", escaped(sentence))


def _table(table: Table) -> Iterator[str]:
    yield _row(table.head)
    yield "|" + " --- |" * len(table.head)
    yield from map(_row, table.rows)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"
