"""Where the command begins: the version is told at once, all else is the business of `commands`."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in *argv* and return its exit code.

        main(["check-config", "config/services.yaml"])  # prints a summary and returns 0

    Without *argv* the arguments are those of the process. Wrong usage may also end in SystemExit,
    which argparse raises, and so does `--version`.
    """
    asked = sys.argv[1:] if argv is None else list(argv)
    if asked == ["--version"]:  # to build the parsers takes four times as long
        print(importlib.import_module("exporter.version").TOLD)
        raise SystemExit(0)
    if asked[:1] == ["serve"]:
        # It would end the process until `serve` heeds it. Nothing is read yet that could be stale.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    code: int = importlib.import_module("exporter.cli.commands").main(asked)
    return code
