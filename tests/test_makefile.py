"""`make` says what it installs while it does, and starts the tests whoever calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.screen import plain
from tests.programs import program

ROOT = Path(__file__).parent.parent
# A Python that makes no environment but itself, and a pip that talks as pip 26 does.
PYTHON = """#!/bin/sh
case "$*" in
  *venv*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  *" --upgrade pip"*) echo "Requirement already satisfied: pip";;
  *" --editable ."*)
    echo "Obtaining file:///somewhere"; echo "Collecting aiohttp>=3.14.3"
    echo "  Downloading aiohttp-3.14.5-cp311.whl (2.0 MB)"; echo "Collecting rich>=13.9"
    echo "Installing collected packages: aiohttp, rich"
    test ! -e broken || { echo "ERROR: no space left on device"; exit 3; };;
esac
"""


# What a make gives to its recipes, this suite being one of them: as a part of it, the make that is
# tested would speak of folders that it enters.
ALONE = {
    name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, program("make"), "PYTHON=./python", ".venv/run"],
        cwd=folder,
        env=ALONE,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_installation_says_what_it_does_and_how_long_it_takes(folder: Path) -> None:
    done = make(folder)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "First start: everything is put into .venv, nothing else on this machine changes.",
        "It usually takes a minute, with packages that pip has downloaded before half of it.",
        "1/3 making .venv",
        "2/3 renewing pip",
        "3/3 installing the exporter and what it needs",
        "  1 package found: file:///somewhere",
        "  2 packages found: aiohttp>=3.14.3",
        "  3 packages found: rich>=13.9",
        "  installing 3 packages, the longest step",
    ]
    assert (folder / ".venv" / "run").exists()


def test_what_fails_shows_the_words_of_pip_and_is_tried_again(folder: Path) -> None:
    (folder / "broken").touch()

    done = make(folder)

    assert done.returncode == 2
    assert "ERROR: no space left on device" in done.stdout.splitlines()
    assert not (folder / ".venv" / "run").exists()
    (folder / "broken").unlink()
    assert make(folder).returncode == 0


def test_on_a_terminal_it_is_one_line_that_changes(folder: Path) -> None:
    script = f"{program('make')} PYTHON=./python .venv/run"

    done = subprocess.run(
        [program("script"), "--quiet", "--return", "--command", script, "/dev/null"],
        cwd=folder,
        env=ALONE,
        check=False,
        capture_output=True,
        timeout=60,
    )

    written = done.stdout.decode()  # not as text, for which \r ends a line
    assert done.returncode == 0, written
    last = written.split("\n")[-2 if written.endswith("\n") else -1]
    assert "downloading aiohttp-3.14.5-cp311.whl" in last
    assert plain(last).rpartition("\r")[2].strip() == "", "the line is empty again at the end"


def test_what_the_tests_start_is_compiled_once_whatever_the_shell_has_set(folder: Path) -> None:
    for name in ("tests/tools.sh", "tests/llama/install.sh", ".venv/bin/lint-imports"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    python = folder / ".venv/bin/python"
    python.write_text('#!/bin/sh\necho "$*, ${PYTHONDONTWRITEBYTECODE-compiled}"\n')
    python.chmod(0o755)

    done = subprocess.run(
        [program("make"), "-s", "-o", ".venv/dev", "test"],
        cwd=folder,
        env={**ALONE, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    command, _, compiled = done.stdout.partition(", ")
    assert command.startswith("-m pytest -n ")
    assert "--no-loadscope-reorder" in command.split(), "the files come as tests/order.py says"
    assert compiled == "compiled\n"


def test_ctrl_c_ends_what_tests_start_although_a_shell_runs_them_in_the_background() -> None:
    begun = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    code = (
        "import signal, subprocess, sys\n"
        "from tests.programs import heed_interrupts\n"
        "heed_interrupts()\n"
        "signal.raise_signal(signal.SIGINT)\n"
        f"subprocess.run([sys.executable, '-c', {begun!r}], check=True)\n"
    )

    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
