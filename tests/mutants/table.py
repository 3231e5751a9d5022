"""The table of mutants: read, and applied to a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.documents import yaml_of

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One edit that switches a defence off, and the tests that must see it."""

    name: str
    promise: str
    file: str
    replace: str
    by: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """Return *text* with the edit.

        Raises:
            ValueError: if what is to be replaced is not there exactly once.
        """
        if (found := text.count(self.replace)) != 1:
            raise ValueError(f"{self.name}: its text is {found} times in {self.file}, not once")
        return text.replace(self.replace, self.by)


def load() -> list[Mutant]:
    """Read every row of the folder, in the order of the files' names.

    Raises:
        TypeError: if a row lacks a field or has an unknown one.
    """
    rows = [row for path in sorted(FOLDER.glob("*.yaml")) for row in yaml_of(path.read_text())]
    return [Mutant(**{**row, "tests": tuple(row.get("tests", ()))}) for row in rows]
