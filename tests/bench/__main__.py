"""`make bench`: print what is measured; exit 1 if something that is promised is missed.

    python -m tests.bench [--baseline COMMIT] [PART ...]
    python -m tests.bench --table          # Markdown, from the last run

`make bench BASELINE=COMMIT` measures the parts that compare, with that commit beside; without it
the promises that are ours alone are measured too. Either takes less than ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import commands, cpu, crowd, fidelity, models, page, peer, scale, series
from tests.bench.figures import Processor
from tests.bench.subjects import CORES, DRIVER, ROOT, Bench, Exporter, exporters
from tests.bench.table import ROWS, Results, lines, markdown, missed

OUT = ROOT / "build" / "bench.json"
COMPARING: dict[str, Callable[[Bench], None]] = {
    "commands": commands.run,
    "series": series.run,
    "cpu": cpu.run,
    "error": fidelity.run,
    "crowd": crowd.run,
}
OURS_ALONE: dict[str, Callable[[Bench], None]] = {
    "scale": scale.run,
    "models": models.run,
    "page": page.run,
}
PARTS = COMPARING | OURS_ALONE
_LIBRARIES = """
import platform, pycurl, uvloop
libcurl, tls = pycurl.version.split()[1:3]
print(f"Python {platform.python_version()}, {libcurl}, {tls}, uvloop {uvloop.__version__}")
"""


def main() -> int:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--baseline", default="", metavar="COMMIT", help="measured beside ours")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--table", action="store_true", help="print the last run as Markdown")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    asked = parser.parse_args()
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"{', '.join(sorted(unknown))}: no part; there are {', '.join(PARTS)}")
    if asked.table:
        print(*markdown(Results(json.loads(OUT.read_text())["rows"])), sep="\n")
        return 0
    wanted = asked.parts or (COMPARING if asked.baseline else PARTS)
    # Otherwise the servers and subjects would be left running by whoever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setaffinity(0, {DRIVER})
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), exporters(_commit(asked.baseline)), Results(), asked.rounds)
        subjects = {one.name: _libraries(one) for one in bench.exporters}
        subjects["blackbox"] = f"blackbox_exporter {peer.version()}"
        for name, words in subjects.items():
            print(f"{name}: {words}")
        print(f"{platform.machine()}, {_cores()}", flush=True)
        _run(bench, wanted, {"subjects": subjects, "cores": len(CORES)})
    return 1 if missed(bench.results) else 0


def _run(bench: Bench, wanted: list[str] | dict[str, object], about: dict[str, object]) -> None:
    """Run the parts *wanted*; print and write after each what it found."""
    begun, machine = time.monotonic(), {}
    for part in wanted:
        known, before, since = set(bench.results.rows), Processor.now(), time.monotonic()
        PARTS[part](bench)
        stolen, others = Processor.now().shares_since(before)
        machine[part] = {"stolen": stolen, "others": others, "seconds": time.monotonic() - since}
        for row in ROWS:
            if row.name in bench.results.rows.keys() - known:
                print(*lines(row, bench.results.rows[row.name]), sep="\n")
        print(
            f"  ({part}: {time.monotonic() - since:.0f} s; of all cores {stolen:.1%} was stolen by "
            f"other machines, {others:.1%} used by other programs)",
            flush=True,
        )
        OUT.parent.mkdir(exist_ok=True)
        found = {**about, "machine": machine, "rows": bench.results.rows}
        OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{missed(bench.results)} missed, {time.monotonic() - begun:.0f} s; all of it: {OUT}")


def _cores() -> str:
    if len(CORES) > 2:
        return f"{len(CORES)} cores: target, subject and driver have one each"
    if len(CORES) == 2:
        return "2 cores: the target shares its own with the driver, the subject has the other"
    return "1 core, shared by target, driver and subject: the figures are of little use"


def _commit(name: str) -> str:
    """Return the hash of the commit *name*, which install.sh has set up, or ""."""
    if not name:
        return ""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", f"{name}^{{commit}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _libraries(exporter: Exporter) -> str:
    done = subprocess.run(
        [str(exporter.python), "-c", _LIBRARIES],
        env=exporter.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
