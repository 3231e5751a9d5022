"""The documents as a reader has them: prose, blocks, and the commands that a person would type."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (
    *(".", ".github", "alertmanager", "config", "exporter", "findings", "grafana", "prometheus"),
    "tests",
)
DOCS = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.md")
    if folder != "." or path.parent == ROOT
)
FOREIGN = {ROOT / "config" / "MIGRATION.md", ROOT / "findings" / "README.md"}
"""Names of other tools' settings and variables are in these."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


EACH = pytest.mark.parametrize("path", DOCS, ids=name_of)
EACH_OF_OURS = pytest.mark.parametrize("path", [p for p in DOCS if p not in FOREIGN], ids=name_of)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the line of its fence."""

    language: str
    text: str
    line: int


def parted(path: Path) -> tuple[str, list[Block]]:
    """Return the prose of the document, blocks left out, and its blocks."""
    prose: list[str] = []
    blocks: list[Block] = []
    inside: list[str] | None = None
    language, begun = "", 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            if inside is None:
                inside, language, begun = [], line.strip().removeprefix("```").strip(), number
            else:
                blocks.append(Block(language, "\n".join(inside), begun))
                inside = None
            prose.append("")
        elif inside is None:
            prose.append(line)
        else:
            inside.append(line)
    assert inside is None, "a block is not closed"
    return "\n".join(prose), blocks


def pieces(prose: str) -> Iterator[str]:
    """Yield what stands in backticks."""
    for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", prose):
        yield " ".join(found.group(1).split()).replace("\\|", "|")


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    found = set()
    for line in parted(path)[0].splitlines():
        if match := re.match(r"#{1,6} (.+)", line):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            count = seen[slug] = seen.get(slug, -1) + 1
            found.add(f"{slug}-{count}" if count else slug)
    return found


def lines_of(block: Block) -> Iterator[str]:
    """Yield what a person would type."""
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        if block.language == "sh":
            yield line
        elif block.language == "console" and line.startswith("$ "):
            yield line[2:]


def commands(line: str) -> Iterator[list[str]]:
    """Yield the arguments of every service-registry command in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for number, word in enumerate(words):
        if word != "service-registry" and not word.endswith("/service-registry"):
            continue
        rest = words[number + 1 :]
        yield list(itertools.takewhile(lambda w: not set(w) <= set("();<>|&"), rest))


TYPED = [
    (path, arguments)
    for path in DOCS
    for block in parted(path)[1]
    for line in lines_of(block)
    for arguments in commands(line)
]


def said(path: Path) -> list[str]:
    """Return what stands in backticks, and what is typed, outside of generated parts."""
    prose, blocks = parted(path)
    typed = [line for block in blocks for line in lines_of(block)]
    return [*pieces(prose), *typed]
