"""What people see while a command works and has nothing to print yet."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext


def waiting(activity: str) -> AbstractContextManager[object]:
    """Show a spinner with *activity* on a terminal; do nothing if standard error is not one."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console  # noqa: PLC0415, a pipe does without

    console = Console(stderr=True)
    return console.status(activity) if console.is_terminal else nullcontext()
