"""The table of mutants is well formed, and has one for each test that SECURITY.md calls a proof."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.documents import yaml_of
from tests.mutants.__main__ import Copy, by_file, judged, unchanged
from tests.mutants.table import ROOT, Mutant, load

MUTANTS = load()


@cache
def functions(file: str) -> frozenset[str]:
    """Return the names of the tests in *file*, `Class::method` for those of a class."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if hasattr(each, "name")}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
    return frozenset(found)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_an_edit_fits_its_file_and_names_tests_that_exist(mutant: Mutant) -> None:
    edited = mutant.applied((ROOT / mutant.file).read_text())

    assert mutant.by != mutant.replace
    assert mutant.promise.endswith(".")
    match Path(mutant.file).suffix:
        case ".py":
            ast.parse(edited)
        case ".yaml" | ".yml":
            yaml_of(edited)
    assert mutant.tests
    for test in mutant.tests:
        file, _, function = test.partition("::")
        assert (ROOT / file).is_file()
        assert not function or function.partition("[")[0] in functions(file), test


def test_a_name_is_one_mutant_s() -> None:
    assert [name for name, n in Counter(mutant.name for mutant in MUTANTS).items() if n > 1] == []


def test_every_test_that_is_called_a_proof_has_a_mutant() -> None:
    text = (ROOT / ".github/SECURITY.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    proofs = {file for row in rows for file in re.findall(r"`(tests/[\w/]+\.py)`", row)}
    named = {test.partition("::")[0] for mutant in MUTANTS for test in mutant.tests}

    assert len(proofs) > 50
    assert sorted(proofs - named) == [], "write a mutant for each of these: tests/mutants"


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Return a copy of a tree with one function, a test of it, and one that sees nothing."""
    source = tmp_path / "source"
    source.mkdir()
    subprocess.run(["git", "init", "-q", source], check=True)
    (source / "code_.py").write_text("def answer():\n    return 42\n")
    (source / "test_code.py").write_text(
        "import pytest\nfrom code_ import answer\n\n"
        "def test_answer():\n    assert answer() == 42\n\n"
        "def test_nothing():\n    answer()\n\n"
        "@pytest.fixture\ndef made():\n    assert answer() == 42\n\n"
        "def test_made(made):\n    pass\n"
    )
    return Copy(tmp_path / "copy", source)


@pytest.mark.parametrize(
    ("by", "test", "word"),
    [
        ("return 41", "test_answer", "red"),
        ("return 41", "test_nothing", "SURVIVED"),
        ("return 41", "test_made", "error"),  # broke before it could fail
        ("raise ImportError\nraise ImportError", "test_answer", "error"),
        ("return (", "test_answer", "error"),
    ],
)
def test_only_a_test_that_fails_kills_a_mutant(copy: Copy, by: str, test: str, word: str) -> None:
    mutant = Mutant(
        name="one",
        promise="The answer is 42.",
        file="code_.py",
        replace="return 42",
        by=by,
        tests=(f"test_code.py::{test}",),
    )

    verdict = judged(copy, mutant)

    assert (verdict.word, bool(verdict.why)) == (word, word == "error")
    assert unchanged(copy, by_file([mutant])) == {}  # the edit is undone, also for the compiler
