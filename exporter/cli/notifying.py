"""`notify test`: a marked message by each entry of `notify:`, and what to mend if none arrives."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from exporter.cli.probing import DEFAULT_CONFIG
from exporter.cli.usage import UsageError, counted, meant
from exporter.cli.waiting import waiting
from exporter.clock import SystemClock
from exporter.config import Notification, read_files
from exporter.notifying import Media, Trial, try_entries
from exporter.secret import environment


def run_notify(arguments: argparse.Namespace) -> int:
    """Send the tests and print how each went; return 0 if all were delivered, else 1.

    Raises:
        SettingsError: the configuration is wrong.
        UsageError: it has no such entry, or none at all.
    """
    configuration = read_files(arguments.config or [DEFAULT_CONFIG], environment())
    entries = [one for one in configuration.notify if arguments.name in (None, one.key)]
    if not configuration.notify:
        raise UsageError(
            "nobody is told: the configuration has no `notify:`; add an entry, such as"
            " `notify: [{slack: {url_file: FILE}}]`"
        )
    if not entries:
        known = [one.key for one in configuration.notify]
        raise UsageError(
            f"`notify:` has no such entry; there are: {', '.join(known)}"
            + meant(arguments.name, known)
        )
    page = configuration.monitoring.page_url or ""
    with waiting(f"sending {counted(len(entries), 'test message')}"):
        trials = asyncio.run(_tried(entries, page.rstrip("/")))
    for trial in trials:
        print(_line(trial))
    return 0 if all(trial.is_delivered for trial in trials) else 1


async def _tried(entries: list[Notification], page: str) -> list[Trial]:
    async with contextlib.AsyncExitStack() as stack:
        media = Media()
        stack.push_async_callback(media.close)
        made = [(entry, media.make(entry)) for entry in entries]
        return await try_entries(made, page, SystemClock().now())


def _line(trial: Trial) -> str:
    name = trial.entry if trial.entry == trial.medium else f"{trial.entry} ({trial.medium})"
    if trial.is_delivered:
        closed = ", an incident that is closed again" if trial.medium == "pagerduty" else ""
        return f"ok      {name}: a test message was taken{closed}"
    return f"FAILED  {name}: {trial.why}" + (f"; {trial.advice}" if trial.advice else "")
