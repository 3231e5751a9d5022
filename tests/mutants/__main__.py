"""`make mutants`: run the tests of each mutant; exit 1 if one survives or says nothing."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.table import ROOT, Mutant, load

PATIENCE_SECONDS = 180
FILES_AT_ONCE = 6
"""Test files that are run together while nothing is edited: the start takes its time."""
PLUGINS = (
    "no:cacheprovider",
    "_hypothesis_pytestplugin",
    "pytest_asyncio.plugin",
    "pytest_aiohttp.plugin",
)
"""The others are left out, with their random order: to load them takes two seconds each time."""
KILLED, SURVIVED, ERROR = "red", "SURVIVED", "error"


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant; *why* is the end of the tests' output if it says nothing."""

    mutant: Mutant
    word: str
    seconds: float
    why: str = ""


class Copy:
    """A copy in *folder* of the working tree *source*, where edits harm nobody."""

    def __init__(self, folder: Path, source: Path = ROOT) -> None:
        self._root = folder / "tree"
        self._temporary = folder / "tmp"
        self._edits = 0
        self._process: subprocess.Popen[str] | None = None
        for name in _files(source):
            target = self._root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target)
        for name in (".venv", "build"):
            if (source / name).exists():
                (self._root / name).symlink_to((source / name).resolve())

    @contextmanager
    def edited(self, mutant: Mutant) -> Iterator[None]:
        """Switch one defence off for a while.

        Raises:
            ValueError: if the text that is to be replaced is not there exactly once.
        """
        path = self._root / mutant.file
        before = path.read_bytes()
        self._write(path, mutant.applied(before.decode()).encode())
        try:
            yield
        finally:
            self._write(path, before)

    def _write(self, path: Path, content: bytes) -> None:
        """Write with a time of its own: Python trusts what it compiled of that second and size."""
        path.write_bytes(content)
        self._edits += 1
        moment = int(time.time()) - 100_000 + 2 * self._edits
        os.utime(path, (moment, moment))

    def tested(self, tests: Sequence[str], *, stop_at_first: bool = True) -> tuple[int, str]:
        """Run *tests*; return pytest's exit code, 124 after too long, and what it printed."""
        patience = PATIENCE_SECONDS * (1 if stop_at_first else FILES_AT_ONCE)
        process = self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=line"),
                *(["-x"] if stop_at_first else []),
                *(f"-p{plugin}" for plugin in PLUGINS),
                "--hypothesis-seed=0",
                f"--basetemp={self._temporary}",
                *tests,
            ],
            cwd=self._root,
            env={
                **os.environ,
                "PYTHONPATH": str(self._root),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.stop()
            return 124, process.communicate()[0] + f"\nno end within {patience} s"
        return process.returncode, printed

    def stop(self) -> None:
        """End the tests that run here, with every program that they have started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)


def _files(source: Path) -> list[str]:
    """Return what Git knows or would add, as it is in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (source / name).is_file()]


def unchanged(copy: Copy, files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Run the tests of *files* as they are; return those that are not green, and why."""
    code, printed = copy.tested(list(chain.from_iterable(files.values())), stop_at_first=False)
    if code == 0:
        return {}
    red = [file for file in files if re.search(rf"^(?:FAILED|ERROR) {file}\b", printed, re.M)]
    return dict.fromkeys(red or files, _end(printed))


def judged(copy: Copy, mutant: Mutant) -> Verdict:
    """Run a mutant's tests: only a test that fails kills it, not one that cannot be run."""
    start = time.monotonic()
    with copy.edited(mutant):
        code, printed = copy.tested(mutant.tests)
    failed = re.search(r"^(?:\d+ \w+, )*\d+ failed\b.* in [\d.]+s", printed, re.MULTILINE)
    word = SURVIVED if code == 0 else KILLED if code == 1 and failed else ERROR
    why = _end(printed) if word == ERROR else ""
    return Verdict(mutant, word, time.monotonic() - start, why)


def _end(printed: str) -> str:
    return "\n".join(printed.strip().splitlines()[-15:])


def by_file(mutants: Iterable[Mutant]) -> dict[str, list[str]]:
    """Group the tests, so that each file is run once; a whole file covers its single tests."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for test in sorted({test for mutant in mutants for test in mutant.tests}):
        file = test.partition("::")[0]
        if file not in grouped[file]:
            grouped[file].append(test)
    return grouped


class Workers:
    """A copy of the tree for each of the threads."""

    def __init__(self, folder: Path, number: int) -> None:
        self._pool = ThreadPoolExecutor(number)
        self._all = [Copy(folder / str(index)) for index in range(number)]
        self._copies: SimpleQueue[Copy] = SimpleQueue()
        for copy in self._all:
            self._copies.put(copy)

    def stop(self) -> None:
        """End what runs, and begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for copy in self._all:
            copy.stop()

    @contextmanager
    def _copy(self) -> Iterator[Copy]:
        copy = self._copies.get()
        try:
            yield copy
        finally:
            self._copies.put(copy)

    def red_files(self, grouped: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the test files that are red without any edit, with what they printed."""
        names = list(grouped)
        parts = [names[at : at + FILES_AT_ONCE] for at in range(0, len(names), FILES_AT_ONCE)]

        def run(part: list[str]) -> dict[str, str]:
            with self._copy() as copy:
                return unchanged(copy, {file: grouped[file] for file in part})

        return {file: why for red in self._pool.map(run, parts) for file, why in red.items()}

    def verdicts(self, mutants: Iterable[Mutant], red: dict[str, str]) -> Iterator[Verdict]:
        """Judge each mutant; yield what is known first."""

        def run(mutant: Mutant) -> Verdict:
            files = (test.partition("::")[0] for test in mutant.tests)
            if why := next((red[file] for file in files if file in red), ""):
                return Verdict(mutant, ERROR, 0.0, f"red without the edit:\n{why}")
            with self._copy() as copy:
                return judged(copy, mutant)

        for done in as_completed([self._pool.submit(run, mutant) for mutant in mutants]):
            yield done.result()


def run(mutants: list[Mutant], workers: Workers) -> list[Verdict]:
    """Print the verdict of each of *mutants* as it comes, and return them."""
    start = time.monotonic()
    red = workers.red_files(by_file(mutants))
    print(f"unchanged: {time.monotonic() - start:.0f} s, red files: {len(red)}", flush=True)
    verdicts = []
    for verdict in workers.verdicts(mutants, red):
        verdicts.append(verdict)
        mutant = verdict.mutant
        print(f"{verdict.word:9}{verdict.seconds:5.1f} s  {mutant.name:36} {mutant.promise}")
        print(verdict.why, end="\n" if verdict.why else "", flush=True)
    return verdicts


def main() -> int:
    """Run the whole table, or what is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("-j", type=int, default=1, metavar="N", help="workers, each with a copy")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only rows whose names begin so")
    options = parser.parse_args()
    mutants = [m for m in load() if m.name.startswith(tuple(options.names) or "")]
    if not mutants:
        parser.error("no mutant has such a name")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as name:
        workers = Workers(Path(name), options.j)
        try:
            words = [verdict.word for verdict in run(mutants, workers)]
        finally:
            workers.stop()
    print(
        f"{len(words)} mutants: {words.count(KILLED)} red, {words.count(SURVIVED)} survived,"
        f" {words.count(ERROR)} errors, in {time.monotonic() - start:.0f} s"
    )
    return 0 if words.count(KILLED) == len(words) else 1


if __name__ == "__main__":
    raise SystemExit(main())
