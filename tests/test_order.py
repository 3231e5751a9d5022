"""The longest files of tests come first, and those on real time get the cores first."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.order import COMPUTING, FIRST, WAITING, ahead, in_order

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class One:
    nodeid: str


def test_every_file_that_comes_first_exists_and_does_so_once() -> None:
    assert [file for file in FIRST if not (ROOT / file).is_file()] == []
    assert len(set(FIRST)) == len(FIRST) == len(WAITING) + len(COMPUTING)


def test_the_longest_come_first_and_the_others_stay_as_they_were() -> None:
    given = ["tests/b.py::x", f"{WAITING[0]}::y", "tests/a.py::z", f"{COMPUTING[0]}::w"]

    found = [one.nodeid for one in in_order([One(name) for name in given])]

    assert found == [f"{COMPUTING[0]}::w", f"{WAITING[0]}::y", "tests/b.py::x", "tests/a.py::z"]


def niceness() -> int:
    """Return that of a program that starts now."""
    code = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return int(done.stdout)


def test_what_waits_gets_the_cores_before_what_computes() -> None:
    usual = niceness()
    with ahead(One(f"{COMPUTING[0]}::test")):
        assert niceness() == usual
    with ahead(One(f"{WAITING[0]}::test[1]")):
        found = niceness()

    assert found < usual or os.geteuid(), "root may"
    assert niceness() == usual


def test_who_may_not_go_ahead_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, set_priority = niceness(), os.setpriority

    def refused(which: int, who: int, priority: int) -> None:
        if priority < usual:
            raise PermissionError
        set_priority(which, who, priority)

    monkeypatch.setattr(os, "setpriority", refused)
    with ahead(One(f"{WAITING[0]}::test")):
        assert niceness() == usual
