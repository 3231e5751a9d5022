"""The exporters that are compared: this tree's, and another commit's with a Python of its own.

A process is measured with its children: what a worker does for it, it has cost.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.table import BASELINE, OURS, Results
from tests.programs import free_port, resident_bytes, running

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))
TARGET, SUBJECT, DRIVER = CORES[0], CORES[1 % len(CORES)], CORES[2 % len(CORES)]
"""The core of the server that is asked, of what is measured, and of all else."""
if len(CORES) == 2:
    DRIVER = TARGET


_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True, slots=True)
class Serving:
    """A running exporter."""

    pid: int
    base: str
    ready_seconds: float
    ready_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Exporter:
    """An exporter that can be run."""

    name: str
    python: Path
    tree: Path

    def command(self, *arguments: str) -> list[str]:
        """Return `service-registry` with *arguments*, to be run in `environment`."""
        return [str(self.python), "-P", "-m", "exporter", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process; -P leaves the code to be found by them alone.

        Compiled code is kept, as where it is installed: else each start would compile it all.
        """
        kept = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
        return {**kept, "PYTHONPATH": str(self.tree)}

    @contextlib.contextmanager
    def serving(
        self, folder: Path, services: str, *, core: int = SUBJECT, seen: Path | None = None
    ) -> Iterator[Serving]:
        """Serve *services*; with *seen*, `subject.py` writes there what only it can see."""
        port = free_port()
        config = folder / f"{port}.yaml"
        config.write_text(services)
        serve = ["serve", "--config", str(config), "--listen", f"127.0.0.1:{port}"]
        command = self.command(*serve, "--log.level", "error")
        if seen is not None:
            command[2:4] = [str(Path(__file__).with_name("subject.py")), str(seen)]
        base, begun = f"http://127.0.0.1:{port}", time.perf_counter()
        with running(command, core, base + "/-/ready", env=self.environment) as pid:
            yield Serving(pid, base, time.perf_counter() - begun, cpu_seconds(pid))


def exporters(baseline: str) -> list[Exporter]:
    """Return ours and, unless it is "", the one of the commit *baseline* in build/."""
    found = [Exporter(OURS, Path(sys.executable), ROOT)]
    if baseline:
        folder = ROOT / "build" / "baseline" / baseline
        found.append(Exporter(BASELINE, folder / "venv" / "bin" / "python", folder / "tree"))
    return found


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part is given: a folder for its files, who is compared, where figures go."""

    folder: Path
    exporters: list[Exporter]
    results: Results
    rounds: int = 5

    def alternating(self, *others: str) -> Iterator[str]:
        """Yield the names of the exporters and *others*, round after round."""
        names = [exporter.name for exporter in self.exporters] + list(others)
        for number in range(self.rounds):
            yield from turns(names, number)

    def exporter(self, name: str) -> Exporter:
        """Return the one of that *name*."""
        return next(one for one in self.exporters if one.name == name)


def turns(subjects: Sequence[str], number: int) -> list[str]:
    """Return *subjects* as round *number* takes them: each begins a round in its turn."""
    first = number % len(subjects)
    return [*subjects[first:], *subjects[:first]]


def page_of(serving: Serving) -> str:
    """Return /metrics as text.

    Raises:
        TimeoutError: there is so little left of the core that no figure would be worth anything.
    """
    page: bytes = urllib.request.urlopen(serving.base + "/metrics", timeout=120).read()
    return page.decode()


def family(pid: int) -> list[int]:
    """Return *pid* and all that it has started and that runs."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU of *pid* and its children so far, to the nanosecond."""
    # How Linux names the clock of another process: clock_getcpuclockid(3).
    return sum(time.clock_gettime(~one << 3 | 2) for one in family(pid))


def memory_bytes(pid: int) -> int:
    """Return the memory of *pid* and its children; what they share counts once.

    Of a process that is closed to its own user (`protect_process`) only root may know what it
    shares; to others it counts whole.
    """
    return sum(_proportional(one) for one in family(pid))


def _proportional(pid: int) -> int:
    if not os.access(f"/proc/{pid}/smaps_rollup", os.R_OK):
        return resident_bytes(pid)
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) * 1024
