"""`watch SERVICE`: one line for each result of a service of a running exporter, as it comes."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from typing import Any

from rich.console import Console
from rich.text import Text

from exporter.cli.asking import ask_about, format_time
from exporter.cli.usage import RefusedError, UsageError

_SECONDS = 0.5
"""Between two looks; the exporter keeps 20 results, so that none is missed at one a second."""


def run_watch(arguments: argparse.Namespace) -> int:
    """Print the last result, then each new one, until Ctrl-C or for `--count` of them.

    Return 0 if the last printed result is good, 1 if it is not or there is none.

    Raises:
        UsageError: no exporter answers at the start.
        RefusedError: there is no such service.
    """
    if arguments.count < 0:
        raise UsageError("--count must be a number of results, such as 10")
    watch = _Watch(arguments)
    try:
        watch.begin()
        while not watch.is_done:
            watch.wait()
            watch.look()
    except KeyboardInterrupt:
        pass
    return watch.code


class _Watch:
    """What was printed of one service so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._last: dict[str, Any] | None = None
        self._new = 0
        self._silent = False
        """Whether the exporter does not answer, which is told once."""
        self._console = Console(highlight=False, soft_wrap=True)

    @property
    def is_done(self) -> bool:
        """Return whether as many results were printed as were asked for."""
        wanted: int = self._arguments.count
        return 0 < wanted <= self._new

    @property
    def code(self) -> int:
        """Return the exit code: 0 if the last result was good."""
        return int(self._last is None or not self._last["success"])

    def begin(self) -> None:
        """Print the last result that there is, and why none may come."""
        found = self._ask("")
        if why := _why_none(found):
            print(f"{found['id']}: {why}", file=sys.stderr)
        for result in self._ask("/results")["results"][-1:]:
            self._print(result)

    def look(self) -> None:
        """Print what is new."""
        try:
            found = self._ask("/results")["results"]
        except UsageError as error:
            if not self._silent:
                print(f"{error}; trying again", file=sys.stderr)
            self._silent = True
            return
        except RefusedError as error:
            if error.problem.get("status") == 404:
                raise
            return  # it is busy, or ends
        if self._silent:
            print("the exporter answers again", file=sys.stderr)
        self._silent = False
        seen = self._last["at"] if self._last else 0.0
        for result in found:
            if result["at"] > seen and not self.is_done:
                self._new += 1
                self._print(result)

    def wait(self) -> None:
        """Wait until the next look; Ctrl-C ends it."""
        threading.Event().wait(_SECONDS)

    def _ask(self, tail: str) -> Any:
        return ask_about(self._arguments.url, "GET", self._arguments.service, tail)

    def _print(self, result: dict[str, Any]) -> None:
        self._last = result
        if self._arguments.json:
            print(json.dumps({"service": self._arguments.service, **result}), flush=True)
            return
        word, style = ("ok", "green") if result["success"] else ("FAILS", "bold red")
        line = Text(f"{format_time(result['at'])}  ")
        line.append(f"{word:<5}", style)
        line.append(f"  {result['duration_ms']:8.1f} ms  {_told(result)}")
        self._console.print(line)
        sys.stdout.flush()


def _told(result: dict[str, Any]) -> str:
    """Return the reason, and of a failure its status, its detail and what to do."""
    if result["success"]:
        return str(result["reason"])
    status = f" {result['status_code']}" if result["status_code"] else ""
    detail = f": {result['detail']}" if result["detail"] else ""
    advice = f"; {result['advice']}" if result.get("advice") else ""  # an older exporter has none
    return f"{result['reason']}{status}{detail}{advice}"


def _why_none(found: dict[str, Any]) -> str:
    if found["pause"]:
        return f"{found['pause']['by']} paused it; `service-registry resume {found['id']}` ends it"
    if not found["enabled"]:
        return "it is switched off, so no results come"
    return f"no results come: {found['limited']}" if found["endpoint"] is None else ""
