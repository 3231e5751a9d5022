"""Runs `counted.py` under valgrind, and compares what it counts with what was committed."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pycurl

from tests.bench.delay import delay_server
from tests.instructions.counted import CHECKS, PROBES, REQUESTS, UNITS
from tests.programs import fleet, program

HERE = Path(__file__).parent
REFERENCE = HERE / "reference.json"
SERVICES = 20
MOST = 0.10
"""The share by which one may become dearer, or cheaper before its reference is renewed."""
PATIENCE_SECONDS = 900
_EACH = {"probe": PROBES, "request": REQUESTS, "check": CHECKS, "plain": UNITS}
_PHASE = re.compile(r"^desc: Trigger: Client Request: (\w+) \d+$", re.MULTILINE)
_TOTAL = re.compile(r"^totals: (\d+)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Counts:
    """Instructions of a probe and of a bare request of libcurl, of a check of a model without what
    libcurl does for it, and of a round of plain Python.
    """

    probe: float
    request: float
    check: float
    plain: float
    python: str = platform.python_version()
    libcurl: str = pycurl.version_info()[1]

    def check_change_since(self, reference: Counts) -> float:
        """Return the change of the cost of a model's check as a share; no libcurl is in it."""
        return self.check / (reference.check * self.plain / reference.plain) - 1

    def expected_by(self, reference: Counts) -> float:
        """Return what a probe would cost here if our code did what it did for *reference*.

        What libcurl does is that of here; what we add to it costs as much more, or less, as plain
        Python does.
        """
        ours = reference.probe - reference.request
        return self.request + ours * self.plain / reference.plain

    def change_since(self, reference: Counts) -> float:
        """Return the change of a probe's cost as a share: 0.1 is a tenth dearer.

        Counts(220, 20, 90, 10).change_since(Counts(120, 20, 90, 10))  # 0.83
        """
        return self.probe / self.expected_by(reference) - 1


def committed() -> Counts:
    """Return the reference."""
    return Counts(**json.loads(REFERENCE.read_text()))


def commit(counts: Counts) -> None:
    """Write *counts* as the reference."""
    REFERENCE.write_text(json.dumps(dataclasses.asdict(counts), indent=2) + "\n")


def counted() -> Counts:
    """Count; takes half a minute on a quiet machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library, config, out = folder / "marks.so", folder / "services.yaml", folder / "out"
        compiler = [program("cc"), "-shared", "-fPIC", "-nostdlib", "-o", str(library)]
        subprocess.run([*compiler, str(HERE / "marks.c")], check=True)
        with delay_server(0.002) as url:
            config.write_text(fleet(url, SERVICES, "10s"))
            _run(out, str(library), url, str(config))
        return read(folder.glob("out.*"))


def _run(out: Path, *arguments: str) -> None:
    valgrind = [program("valgrind"), "--tool=callgrind", "--instr-atstart=no"]
    subject = [sys.executable, "-m", "tests.instructions.counted", *arguments]
    # The order of a set of texts is work too; so is what PYTHONASYNCIODEBUG or a coverage add.
    # Which of its routines libc takes for the processor does not matter: valgrind shows every
    # processor of a kind as the same one.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == "PYTHONPATH" or not name.startswith(("PYTHON", "COV"))
    }
    environment["PYTHONHASHSEED"] = "0"
    done = subprocess.run(
        [*valgrind, f"--callgrind-out-file={out}", *subject],
        cwd=HERE.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def read(dumps: Iterable[Path]) -> Counts:
    """Return the medians of what valgrind wrote, one file a phase."""
    found: dict[str, list[float]] = {name: [] for name in _EACH}
    for path in dumps:
        text = path.read_text()
        phase, total = _PHASE.search(text), _TOTAL.search(text)
        if phase is not None and total is not None and phase[1] in found:
            found[phase[1]].append(int(total[1]) / _EACH[phase[1]])
    return Counts(**{name: round(statistics.median(found[name])) for name in found})
