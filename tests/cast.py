"""Draw the README's film of the demonstration: `python -m tests.cast`.

A real run of `service-registry demo` in a terminal is recorded; its output is not changed, only its
long pauses are shortened, and the film says so. It is an SVG with animation by CSS: no script, no
font and no address in it. Who wants no motion sees the end of the run.
"""

from __future__ import annotations

import itertools
import os
import pty
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.text import Text

FILE = Path(__file__).parents[1] / ".github" / "demo.svg"
COMMAND = "service-registry demo"
LAST, CTRL_C = "everything runs on", b"\x03"
COLUMNS, ROWS = 134, 30
PAUSE = 2.0
"""Seconds of the longest pause in the film."""
HOLD = 6.0
"""Seconds that the end is shown before the film begins anew."""
WIDE, HIGH, BELOW = 7.25, 18, 5
"""Pixels: of a letter, of a line, and of what of a line is below its letters."""
MARGIN, HEAD = 16, 40
"""Pixels: of the edges, of the bar on top."""
COLOURS = {"red": "#ff8a80", "green": "#7ee2a8", "yellow": "#ffd866", "": "#d7dae0"}
"""Each can be read on the background (WCAG AA, tested)."""
GROUND, BAR = "#14171c", "#9aa3ad"
_NAMES = {1: "red", 2: "green", 3: "yellow"}
"""Of the colours of a terminal."""
_LINE_UP, _ERASED = "\x1b[1A", "\x1b[2K"
_CONSOLE = Console()


@dataclass(frozen=True, slots=True)
class Line:
    """What one line of output says, and how many seconds after the start it was there."""

    at: float
    text: str


def recorded(command: Sequence[str]) -> list[Line]:
    """Run *command* in a terminal of its own; return its output by lines.

    On a terminal the demonstration runs on when all is told: it gets Ctrl-C then, which is not
    filmed.

    Raises:
        RuntimeError: it failed; the message is the end of its output.
    """
    begun = time.monotonic()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execv(command[0], command)
    rest, lines, is_told = b"", list[Line](), False
    while True:
        try:
            rest += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        *whole, rest = rest.split(b"\n")
        for text in (one.decode().rstrip("\r") for one in whole):
            if not is_told:
                _write(lines, Line(time.monotonic() - begun, text))
            if not is_told and LAST in text:
                is_told = os.write(terminal, CTRL_C) == 1
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError("\n".join(line.text for line in lines[-5:]))
    return lines


def _write(lines: list[Line], line: Line) -> None:
    """Add *line* to *lines* as a terminal shows it in the end: a spinner is erased again."""
    kept = len(lines) - line.text.count(_LINE_UP)
    lines[kept:] = [Line(line.at, line.text.rpartition(_ERASED)[2])]


def shortened(lines: Sequence[Line]) -> list[Line]:
    """Return *lines* at the times of the film."""
    found, at, before = list[Line](), 0.8, 0.0
    for line in lines:
        at += min(line.at - before, PAUSE)
        before = line.at
        found.append(Line(at, line.text))
    return found


def _rows(line: Line) -> Iterator[Text]:
    """Yield *line* with its styles as the rows of a terminal: cut after so many letters."""
    decoded = AnsiDecoder().decode_line(line.text)
    yield from decoded.divide(range(COLUMNS, len(decoded), COLUMNS))


def _spans(row: Text) -> str:
    """Return *row* as SVG, each stretch in its style."""
    out = ""
    edges = {edge for span in row.spans for edge in (span.start, span.end)}
    for start, end in itertools.pairwise(sorted({0, len(row), *edges})):
        style = row.get_style_at_offset(_CONSOLE, start)
        colour = _NAMES.get(style.color.number, "") if style.color else ""
        kinds = [kind for kind in (colour, "bold" if style.bold else "") if kind]
        named = f' class="{" ".join(kinds)}"' if kinds else ""
        out += f"<tspan{named}>{escape(row.plain[start:end])}</tspan>"
    return out


def _text(x: float, y: float, inside: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{more} xml:space="preserve">{inside}</text>'


def _percent(at: float, whole: float) -> str:
    return f"{100 * at / whole:.2f}%"


def drawn(lines: Sequence[Line], lasted: float) -> str:
    """Return the film of *lines*, of a run that *lasted* so many seconds in truth."""
    whole = lines[-1].at + HOLD
    style, rows, scrolls, shown = [], [], [], 1
    prompt = f'<tspan class="green">$</tspan> <tspan class="bold">{COMMAND}</tspan>'
    rows.append(_text(0, HIGH - BELOW, prompt))
    for place, line in enumerate(lines):
        inside = ""
        for row in _rows(line):
            shown += 1
            inside += _text(0, shown * HIGH - BELOW, _spans(row)) if row.plain.strip() else ""
        rows.append(f'<g class="l l{place}">{inside}</g>')
        style.append(f".l{place}{{animation-name:l{place}}}@keyframes l{place}")
        style.append(f"{{0%{{opacity:0}}{_percent(line.at, whole)}{{opacity:1}}}}")
        if shown > ROWS:
            up = (shown - ROWS) * HIGH
            scrolls.append(f"{_percent(line.at, whole)}{{transform:translateY(-{up}px)}}")
    end = max(shown - ROWS, 0) * HIGH
    width, height = COLUMNS * WIDE + 2 * MARGIN, ROWS * HIGH + HEAD + 2 * MARGIN
    colours = "".join(f".{name}{{fill:{value}}}" for name, value in COLOURS.items() if name)
    note = f"a real run of {lasted:.0f} s, pauses over {PAUSE:g} s shortened"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" \
viewBox="0 0 {width:g} {height}" role="img" aria-labelledby="title about">
<title id="title">{COMMAND}</title>
<desc id="about">{escape(" / ".join(chapters(lines)))}</desc>
<style>
text{{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:{COLOURS[""]}}}
{colours}.bold{{font-weight:700}}.bar{{fill:{BAR}}}
.l,.all{{animation-duration:{whole:.1f}s;animation-iteration-count:infinite;animation-timing-function:step-end}}
.all{{transform:translateY(-{end}px);animation-name:all}}
@keyframes all{{0%{{transform:translateY(0)}}{"".join(scrolls)}}}
{"".join(style)}
@media (prefers-reduced-motion:reduce){{.l,.all{{animation:none}}}}
</style>
<rect width="{width:g}" height="{height}" rx="8" fill="{GROUND}"/>
{_text(MARGIN, 26, note, ' class="bar"')}
<svg x="{MARGIN}" y="{HEAD}" width="{COLUMNS * WIDE:g}" height="{ROWS * HIGH}">
<g class="all">
{"".join(f"{row}" + chr(10) for row in rows)}</g>
</svg>
</svg>
"""


def chapters(lines: Sequence[Line]) -> list[str]:
    """Return what the demonstration prints in bold: the story in a few sentences."""
    decoded = [AnsiDecoder().decode_line(line.text) for line in lines]
    bold = [text for text in decoded if "\x1b" not in text.plain and _is_bold(text)]
    return [text.plain.strip().partition("  ")[2] for text in bold]


def _is_bold(text: Text) -> bool:
    return bool(text.plain.strip()) and bool(text.get_style_at_offset(_CONSOLE, 0).bold)


def main() -> None:
    """Record the demonstration and write the film."""
    lines = recorded([sys.executable, "-m", "exporter", "demo"])
    FILE.write_text(drawn(shortened(lines), lines[-1].at))


if __name__ == "__main__":
    main()
