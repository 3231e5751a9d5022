"""`make torture`: run every part in a process of its own; exit 1 if a promise is broken."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import tests.torture

MOST_SECONDS = 300
"""For one part; what takes longer hangs, and that is a broken promise too."""


def parts() -> Iterator[str]:
    """Yield the names of the modules that have figures."""
    for found in sorted(module.name for module in pkgutil.iter_modules(tests.torture.__path__)):
        if hasattr(importlib.import_module(f"tests.torture.{found}"), "run"):
            yield found


def figures(part: str) -> tuple[dict[str, str | float], str]:
    """Run *part*; return its figures, and what went wrong, "" if nothing."""
    command = [sys.executable, "-m", "tests.torture", "--one", part]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return {}, f"not done after {MOST_SECONDS} s"
    lines = out.decode().splitlines()
    if process.returncode or not lines:
        return {}, err.decode()[-4000:] or f"ended with {process.returncode}"
    found: dict[str, str | float] = json.loads(lines[-1])
    return found, ""


def shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def main(wanted: list[str]) -> int:
    """Print a table of the figures of every part, or of those *wanted*."""
    broken, began = [], time.monotonic()
    for part in parts():
        if wanted and part not in wanted:
            continue
        module, since = importlib.import_module(f"tests.torture.{part}"), time.monotonic()
        found, why = figures(part)
        print(f"\n{module.TITLE}  ({part}, {time.monotonic() - since:.0f} s)", flush=True)
        for name, value in found.items():
            print(f"  {name:64} {shown(value):>14}")
        for name, text in getattr(module, "PEERS", {}).items():
            print(f"  {'· ' + name:64} {text:>14}")
        if why:
            broken.append(part)
            print(f"  BROKEN: {why}", flush=True)
    print(f"\n{time.monotonic() - began:.0f} s; broken: {', '.join(broken) or 'nothing'}")
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(importlib.import_module(f"tests.torture.{sys.argv[2]}").run()))
    else:
        sys.exit(main(sys.argv[1:]))
