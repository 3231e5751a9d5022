"""The README's film of the demonstration shows a run as it was, and can be read."""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests import cast
from tests.cast import Line
from tests.grafana.test_colours import contrast

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"
PICTURES = sorted(p for p in (ROOT / ".github").iterdir() if p.suffix in (".png", ".svg"))
LINES = [
    Line(0.5, "\x1b[1m   0.5s  It begins <& ends>\x1b[0m"),
    Line(30.0, "\x1b[31m  30.0s  -> Slack: it fails\x1b[0m"),
    *(Line(30.1, f"  30.1s  line {n}") for n in range(cast.ROWS)),
    Line(31.0, "x" * (cast.COLUMNS + 5)),
]


def written(svg: str) -> list[str]:
    """Return the texts of *svg* from the top."""
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_every_line_is_in_the_film_as_it_was_and_cut_where_a_terminal_would() -> None:
    note, prompt, *rows = written(cast.drawn(cast.shortened(LINES), 31.0))

    assert re.search("real run of 31 s.* shortened", note)
    assert prompt == f"$ {cast.COMMAND}"
    assert rows[:2] == ["   0.5s  It begins <& ends>", "  30.0s  -> Slack: it fails"]
    assert rows[-2:] == ["x" * cast.COLUMNS, "x" * 5]
    assert len(rows) == len(LINES) + 1


def test_only_long_pauses_are_shortened() -> None:
    first, second, *others = cast.shortened(LINES)

    assert second.at - first.at == pytest.approx(cast.PAUSE)
    assert others[0].at - second.at == pytest.approx(0.1)
    assert [line.text for line in cast.shortened(LINES)] == [line.text for line in LINES]


def test_colours_and_bold_are_kept_and_the_last_lines_are_seen_in_the_end() -> None:
    svg = cast.drawn(cast.shortened(LINES), 31.0)
    beyond = len(written(svg)) - 1 - cast.ROWS

    assert '<tspan class="bold">   0.5s  It begins &lt;&amp; ends&gt;</tspan>' in svg
    assert '<tspan class="red">  30.0s  -> Slack' in svg.replace("&gt;", ">")
    assert f".all{{transform:translateY(-{beyond * cast.HIGH}px)" in svg
    assert cast.chapters(LINES) == ["It begins <& ends>"]


def test_a_run_is_recorded_with_its_times_and_a_failed_one_is_not() -> None:
    lines = cast.recorded([sys.executable, "-c", "print('one'); print('two')"])

    assert [line.text for line in lines] == ["one", "two"]
    assert 0 < lines[0].at <= lines[1].at
    with pytest.raises(RuntimeError, match="no use"):
        cast.recorded([sys.executable, "-c", "print('no use'); raise SystemExit(1)"])


def test_what_a_terminal_erases_again_is_not_in_the_film() -> None:
    script = """
import asyncio
from rich.console import Console
from exporter.demo.progress import Waits

async def main():
    console = Console(soft_wrap=True)
    waits = Waits(console, console.print)
    console.print("before")
    async with waits.until("it works"):
        await asyncio.sleep(0.8)
        console.print("meanwhile")
        await asyncio.sleep(0.2)
    console.print("after")

asyncio.run(main())
"""
    lines = cast.recorded([sys.executable, "-c", script])

    assert [line.text for line in lines] == ["before", "meanwhile", "after"]


def test_a_demonstration_that_runs_on_is_ended_and_the_film_with_it() -> None:
    script = f"""
import signal
try:
    print("one")
    print("{cast.LAST}; stop it with Ctrl-C", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("stopping")
"""
    lines = cast.recorded([sys.executable, "-c", script])

    assert [line.text for line in lines] == ["one", f"{cast.LAST}; stop it with Ctrl-C"]
    assert cast.LAST in (ROOT / "exporter" / "demo" / "story.py").read_text()


def test_the_committed_film_is_of_the_story_that_is_told() -> None:
    tree = ast.parse((ROOT / "exporter" / "demo" / "story.py").read_text())
    told = {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("_start", "_chapter")
        and isinstance(node.args[0], ast.Constant)
    }
    svg = cast.FILE.read_text()
    shown = "\n".join(written(svg))

    assert len(told) >= 3
    assert [one for one in told if one not in shown] == [], "run `make readme-pictures`"
    assert "waiting until" not in shown, "a spinner is no part of the story"
    assert "prefers-reduced-motion:reduce" in svg
    assert not re.search(r"<script|href|url\(", svg)


@pytest.mark.parametrize("colour", [*cast.COLOURS.values(), cast.BAR])
def test_the_film_can_be_read(colour: str) -> None:
    assert contrast(colour, cast.GROUND) >= 4.5


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small_and_the_readme_shows_it(path: Path) -> None:
    shown = re.findall(r"!\[[^\]]{20,}\]\(([^)]+)\)", (ROOT / "README.md").read_text())

    assert path.stat().st_size <= 250_000
    assert f".github/{path.name}" in shown
