"""Faults at every system call of the store's writes: an error, or the end of the process.

strace makes the N-th call on the files of the data directory fail with an errno, or kills the
process there. Afterwards the store is opened without faults, and has to hold what was acknowledged
and nothing in between: exactly the state after that step, or after the one under way.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from exporter.store.directory import DATABASE, LOCK, PARTS
from tests.programs import program
from tests.sentinel import forms_of
from tests.torture.writer import (
    BEGINNINGS,
    KEYS,
    REMOVED_BEFORE,
    SECRET_KEY,
    STEPS_OF_WORK,
    opened,
    snapshot,
    work,
)

CALLS = (
    "openat,open,creat,write,pwrite64,writev,fsync,fdatasync,ftruncate,fallocate,rename,renameat,"
    "renameat2,unlink,unlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat,fchown,flock,utimensat,link,"
    "linkat,sendfile,copy_file_range,fcntl,pread64,read"
)
_SKIPPED = ("fcntl", "pread64", "read")  # locks and reads: asked for, not written
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EMFILE")
_ONLY = {"EMFILE": ("openat",), "EACCES": ("openat", "rename", "unlink", "mkdir", "chmod")}
_LINE = re.compile(rb"^(?:\[pid +\d+\] |\d+ +)?(\w+)\(", re.MULTILINE)
TITLE = "A fault at every system call of the store's writes"
MOST = int(os.environ.get("TORTURE_FAULTS", "600"))
"""How many faults `run` tries, spread over all of them; 0 is every one (half an hour)."""
SECONDS = 30.0
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the files are: what is tested is the order of calls, and a disk only makes it slow."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at the *number*-th *call*; with *lasting* at each from there on."""

    beginning: str
    call: str
    number: int
    how: str
    lasting: bool = False
    until: int = 0
    """The last call that fails, if it is not the first nor all of them."""

    def __str__(self) -> str:
        plus = "+" if self.lasting else ""
        return f"{self.beginning}: {self.how} at {self.call} {self.number}{plus}"

    @property
    def injected(self) -> str:
        how = "signal=KILL" if self.how == "KILL" else f"error={self.how}"
        last = f"..{self.until}" if self.until else "+" if self.lasting else ""
        return f"inject={self.call}:{how}:when={self.number}{last}"


@dataclass(slots=True)
class Told:
    """What a disturbed process said before it ended."""

    said: list[tuple[str, ...]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many steps were acknowledged."""
        return sum(one[0] == "done" and one[1] != "open" for one in self.said)

    def any(self, kind: str) -> list[tuple[str, ...]]:
        return [one for one in self.said if one[0] == kind]


class BrokenPromiseError(AssertionError):
    """The store did not keep what it had promised."""


def _watched(directory: Path) -> Iterator[Path]:
    """Yield every file of the store; strace compares whole paths."""
    yield directory
    yield directory / LOCK
    aside = f"{DATABASE}.corrupt-20270115T080000Z"
    for name in (DATABASE, aside, f"{DATABASE}.salvage", f"{DATABASE}.v4", f"{DATABASE}.new"):
        yield from (directory / f"{name}{part}" for part in PARTS)
    yield from (directory / f"{DATABASE}.{name}" for name in ("moving", "probe"))


@contextlib.contextmanager
def _traced(pid: int, directory: Path, output: Path, *what: str) -> Iterator[None]:
    paths = [argument for path in _watched(directory) for argument in ("-P", str(path))]
    command = [program("strace"), "-f", "-p", str(pid), "-o", str(output), *paths, *what]
    with subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if b"attached" not in line:
            raise RuntimeError(f"strace: {line.decode()}{tracer.stderr.read().decode()}")
        yield
        tracer.communicate(timeout=SECONDS)


@cache
def _server() -> Any:
    """A process that has everything imported: each disturbed one is forked from it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.torture.writer"])
    return context


def disturbed(directory: Path, beginning: str, *what: str) -> Told:
    """Do the work in a process of its own under strace; return what it said."""
    ours, theirs = _server().Pipe()
    process = _server().Process(target=work, args=(directory, theirs, beginning == "removed"))
    process.start()
    theirs.close()
    told, output = Told(), directory.with_name("calls")
    assert ours.recv() == ("ready",)
    with _traced(process.pid, directory, output, *what):
        ours.send("go")
        with contextlib.suppress(EOFError, ConnectionResetError):
            while ours.poll(SECONDS):
                told.said.append(ours.recv())
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        raise BrokenPromiseError("it hangs")
    told.calls.update(name.decode() for name in _LINE.findall(output.read_bytes()))
    told.said.append(("exit", str(process.exitcode)))
    process.close()
    ours.close()
    return told


@cache
def expected(beginning: str) -> tuple[str, ...]:
    """Return the state after each step without any fault, the first before all of them."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        directory = Path(folder) / "data"
        BEGINNINGS[beginning](directory)
        found = []
        store = opened(directory)
        for step in (lambda store: None, *STEPS_OF_WORK):
            step(store)
            found.append(snapshot(store))
        store.close()
    return tuple(found)


def attempt(fault: Fault) -> Told:
    """Do the work with *fault* in it.

    Raises:
        BrokenPromiseError: something acknowledged is lost, or was not reported rightly.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        directory = Path(folder) / "data"
        BEGINNINGS[fault.beginning](directory)
        told = disturbed(
            directory, fault.beginning, "-e", f"trace={fault.call}", "-e", fault.injected
        )
        try:
            _judge(fault, told, directory)
        except BrokenPromiseError:
            raise
        except Exception as error:
            raise BrokenPromiseError(
                f"{fault}: afterwards {error!r}; it said {told.said}"
            ) from error
    return told


def _judge(fault: Fault, told: Told, directory: Path) -> None:
    def promised(kept: object, what: str) -> None:
        if not kept:
            raise BrokenPromiseError(f"{fault}: {what}; it said {told.said}")

    promised(not told.any("broken"), "an error that is none of the store's")
    for _, _, text in told.any("failed"):
        promised(str(directory) in text, "the message does not name the directory")
        promised("the database fails" not in text, "the message does not name the cause")
        leaked = [
            key for key in (*KEYS, SECRET_KEY) for f in forms_of(key).values() if f in text.encode()
        ]
        promised(not leaked, "a secret is in the message")
    if fault.how != "KILL" and not (fault.lasting or fault.until):
        promised(told.any("end"), "it did not go on when the fault was gone")
    states, done = expected(fault.beginning), told.done
    possible = states[done : done + 2]
    if fault.beginning == "removed" and done == REMOVED_BEFORE:
        possible += states[:1]  # the directory was removed, and not yet written again
    store = opened(directory)
    try:
        found = snapshot(store)
        promised(store.is_intact(SECONDS), "the file is damaged")
        promised(found in possible, f"not the state after step {done}: {found}")
        if fault.beginning != "a_damaged_file":
            promised(store.moved_aside is None, "a sound file was moved aside")
        else:
            aside = [p for p in directory.glob("*.corrupt-*") if not p.name.endswith(PARTS[1:])]
            promised(len(aside) == 1, f"the damaged file is kept {len(aside)} times")
        taken = next((n for n in (done, done + 1) if found in states[n : n + 1]), 0)
        for step in STEPS_OF_WORK[taken:]:
            step(store)
        promised(snapshot(store) == states[-1], "the work cannot be taken up again")
    finally:
        store.close()


@cache
def calls_of(beginning: str) -> dict[str, int]:
    """Return how often each call is made on the store's files in undisturbed work."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        directory = Path(folder) / "data"
        BEGINNINGS[beginning](directory)
        told = disturbed(directory, beginning, "-e", f"trace={CALLS}")
        if not told.any("end"):
            raise BrokenPromiseError(f"{beginning}: without faults it did not end: {told.said}")
    return {name: n for name, n in sorted(told.calls.items()) if name not in _SKIPPED}


def faults(beginnings: Sequence[str] = tuple(BEGINNINGS)) -> Iterator[Fault]:
    """Yield every fault at every call."""
    for beginning in beginnings:
        for call, number in calls_of(beginning).items():
            for n in range(1, number + 1):
                yield Fault(beginning, call, n, "KILL")
                for how in ERRORS:
                    if call in _ONLY.get(how, (call,)):
                        yield Fault(beginning, call, n, how)
                        yield Fault(beginning, call, n, how, lasting=True)


def sample(beginning: str, number: int) -> list[Fault]:
    """Return *number* faults that are spread over all of them, of each call one at least."""
    found = list(faults([beginning]))
    spread = found[:: max(1, len(found) // number)]
    missing = {fault.call for fault in found} - {fault.call for fault in spread}
    return [*spread, *(next(f for f in reversed(found) if f.call == call) for call in missing)]


def run() -> dict[str, str | float]:
    """Try `MOST` faults of all; return the figures.

    Raises:
        BrokenPromiseError: as soon as one is not survived.
    """
    every = list(faults())
    chosen = random.Random(7).sample(every, MOST) if 0 < MOST < len(every) else every
    figures: dict[str, str | float] = {
        "calls of the store that can fail": sum(sum(calls_of(b).values()) for b in BEGINNINGS),
        "faults that there are": len(every),
        "tried: kills": 0,
        "tried: errors": 0,
        "tried: errors that last": 0,
        "acknowledged and lost": 0,
    }
    for fault in chosen:
        attempt(fault)
        kind = "kills" if fault.how == "KILL" else "errors that last" if fault.lasting else "errors"
        figures[f"tried: {kind}"] = float(figures[f"tried: {kind}"]) + 1
    return figures
