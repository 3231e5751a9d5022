"""The neutral form of a report: sections of facts, tables and sentences, for every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cells = tuple[str, ...]


class Link(str):
    """A text that is an http or https URL from a preset or a service, so it may become a link."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under column heads; `caption` says what they are."""

    caption: str
    head: Cells
    rows: Sequence[Cells]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report with a heading: facts, then tables, then sentences."""

    title: str
    facts: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()
    sentences: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A whole report."""

    title: str
    lead: str
    sections: Sequence[Section]
    footer: str
