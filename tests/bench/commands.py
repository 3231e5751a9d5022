"""CPU of commands from start to end."""

from __future__ import annotations

import resource
import subprocess

from tests.bench.subjects import Bench, Exporter
from tests.programs import fleet


def run(bench: Bench) -> None:
    """Run each command in turn with those of the baseline."""
    config = bench.folder / "commands.yaml"
    config.write_text(fleet("https://api.example.com", 1000, "60s"))
    for name in bench.alternating():
        exporter = bench.exporter(name)
        bench.results.add("--version", name, _cpu(exporter, "--version"))
        bench.results.add(
            "check-config of 1,000", name, _cpu(exporter, "check-config", str(config))
        )


def _cpu(exporter: Exporter, *arguments: str) -> float:
    before = _of_children()
    subprocess.run(
        exporter.command(*arguments), env=exporter.environment, stdout=subprocess.PIPE, check=True
    )
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
