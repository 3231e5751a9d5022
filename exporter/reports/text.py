"""A report for the terminal: plain text, nothing that a terminal acts on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from exporter.characters import plain
from exporter.reports.sheet import Section, Sheet, Table

_WIDTH = 110


def text_of(sheet: Sheet) -> str:
    """Return *sheet* as plain text."""
    lines = [_line(sheet.title), "=" * len(sheet.title), "", *_wrapped(sheet.lead)]
    for section in sheet.sections:
        lines += ["", _line(section.title), "-" * len(section.title)]
        lines += _section(section)
    return "\n".join([*lines, "", _line(sheet.footer), ""])


def _section(section: Section) -> Iterator[str]:
    parts = [list(_facts(section.facts)), *(list(_table(one)) for one in section.tables)]
    parts.append([line for sentence in section.sentences for line in _wrapped(sentence)])
    for number, lines in enumerate(part for part in parts if part):
        if number:
            yield ""
        yield from lines


def _facts(facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        for number, line in enumerate(_wrapped(value, _WIDTH - width - 2) or [""]):
            yield f"{'' if number else _line(name):<{width}}  {line}"


def _table(table: Table) -> Iterator[str]:
    rows = [tuple(map(_line, row)) for row in (table.head, *table.rows)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(table.head))]
    if sum(widths) + 2 * len(widths) > _WIDTH:
        yield from _blocks(rows)
        return
    for number, row in enumerate(rows):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def _blocks(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table that is too wide for a terminal, each row as a paragraph."""
    head, *others = rows
    for row in others:
        cells = "; ".join(f"{name}: {cell}" for name, cell in zip(head, row, strict=True))
        for number, line in enumerate(_wrapped(cells, _WIDTH - 2)):
            yield f"{' ' if number else '*'} {line}"


def _wrapped(text: str, width: int = _WIDTH) -> list[str]:
    """Return *text* in lines; no id is broken where nobody would find it again."""
    line = _line(text)
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)


def _line(text: str) -> str:
    return " ".join(plain(text).split())
