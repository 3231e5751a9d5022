"""A report as one HTML file without scripts or anything from elsewhere: to print, send and keep."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape

from exporter.characters import plain
from exporter.reports.sheet import Link, Section, Sheet, Table

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1.5rem;
  color: #1b1f24; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
.lead { font-size: 1.1rem; margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: #57606a; } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: .5rem 0; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: #57606a; padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
  border-bottom: 1px solid #d0d7de; overflow-wrap: break-word; font-variant-numeric: tabular-nums; }
th { white-space: nowrap; } p { margin: .4rem 0; max-width: 60rem; }
:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
a { color: #0550ae; } footer { margin-top: 2rem; color: #57606a; }
article + article { border-top: 2px solid #57606a; margin-top: 2rem; padding-top: 1rem; }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117; }
  dt, caption, footer { color: #9ba5af; } th, td { border-color: #3d444d; } a { color: #79b8ff; } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { :root { color-scheme: light; } body { max-width: none; padding: 0; font-size: 10pt;
  color: #000; background: #fff; } dt, caption, footer { color: #333; } a { color: #000; }
  .wide { overflow: visible; } td { overflow-wrap: anywhere; } tr { break-inside: avoid; }
  h2, caption { break-after: avoid; }
  thead { display: table-header-group; } article + article { break-before: page; border: 0; } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of such a file: its own style, and nothing else."""


def webpage_of(sheets: Sequence[Sheet]) -> str:
    """Return *sheets* as one HTML document."""
    title = sheets[0].title if len(sheets) == 1 else f"Availability of {len(sheets)} services"
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_safe(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    body = "".join(line for sheet in sheets for line in _article(sheet))
    return f"{head}{body}</main>\n</body>\n</html>\n"


def _article(sheet: Sheet) -> Iterator[str]:
    yield f'<article>\n<h1>{_safe(sheet.title)}</h1>\n<p class="lead">{_safe(sheet.lead)}</p>\n'
    for section in sheet.sections:
        yield f"<section>\n<h2>{_safe(section.title)}</h2>\n"
        yield from _section(section)
        yield "</section>\n"
    yield f"<footer>{_safe(sheet.footer)}</footer>\n</article>\n"


def _section(section: Section) -> Iterator[str]:
    if section.facts:
        facts = (
            f"<dt>{_safe(name)}</dt><dd>{_cell(value)}</dd>\n" for name, value in section.facts
        )
        yield from ("<dl>\n", *facts, "</dl>\n")
    for table in section.tables:
        yield from _table(table)
    for sentence in section.sentences:
        yield f"<p>{_safe(sentence)}</p>\n"


def _table(table: Table) -> Iterator[str]:
    label = _safe(table.caption)
    # What scrolls has to be reached by keyboard too (WCAG 2.1.1).
    yield f'<div class="wide" role="region" aria-label="{label}" tabindex="0">\n<table>\n'
    head = "".join(f'<th scope="col">{_safe(name)}</th>' for name in table.head)
    yield f"<caption>{label}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
    for first, *others in table.rows:
        cells = "".join(f"<td>{_cell(one)}</td>" for one in others)
        yield f'<tr><th scope="row">{_cell(first)}</th>{cells}</tr>\n'
    yield "</tbody>\n</table>\n</div>\n"


def _cell(text: str) -> str:
    if isinstance(text, Link) and text.startswith(("https://", "http://")):
        return f'<a href="{_safe(text)}" rel="noreferrer">{_safe(text)}</a>'
    return _safe(text)


def _safe(text: str) -> str:
    return escape(plain(text), quote=True)
