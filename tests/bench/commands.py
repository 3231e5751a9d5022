"""CPU of commands from start to end, and of `serve` until it listens; medians of five.

With BASELINE, the path of another checkout, its commands are run in turn with ours, and the ratios
are of medians.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.programs import fleet

ROUNDS = 5
OURS = Path(__file__).parents[2]


def measure(folder: Path) -> dict[str, float]:
    """Return seconds of CPU of each command, and the ratios to BASELINE's where that is set."""
    few, many = folder / "few.yaml", folder / "many.yaml"
    few.write_text(fleet("https://api.example.com", 1000, "60s"))
    many.write_text(fleet("https://api.example.com", 10_000, "60s"))
    kinds: dict[str, Callable[[Path], float]] = {
        "version_cpu_s": lambda tree: _until_end(tree, "--version"),
        "check_1000_cpu_s": lambda tree: _until_end(tree, "check-config", str(few)),
        "serve_10000_cpu_s": lambda tree: _until_ready(tree, many),
    }
    baseline = os.environ.get("BASELINE")
    trees = [OURS, *([Path(baseline)] if baseline else [])]
    found: dict[str, float] = {}
    for name, run in kinds.items():
        rounds = [[run(tree) for tree in trees] for _ in range(ROUNDS)]
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        found[name] = medians[0]
        if baseline:
            found[name.replace("cpu_s", "ratio")] = medians[0] / medians[1]
    return found


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter", *arguments]


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree)}


def _until_end(tree: Path, *arguments: str) -> float:
    before = _of_children()
    subprocess.run(
        _command(*arguments), cwd=tree, env=_environment(tree), stdout=subprocess.PIPE, check=True
    )
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _until_ready(tree: Path, config: Path) -> float:
    command = _command("serve", "--config", str(config), "--listen", "127.0.0.1:0")
    with subprocess.Popen(
        command,
        cwd=tree,
        env=_environment(tree),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "http://" in process.stdout.readline()
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            process.kill()
