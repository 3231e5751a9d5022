"""`check-config`: every mistake of configuration files, or what is in them."""

from __future__ import annotations

import argparse

from exporter.cli.costs import cost_lines
from exporter.cli.sources import source_of
from exporter.cli.usage import counted
from exporter.cli.waiting import waiting
from exporter.secret import environment


def check_config(arguments: argparse.Namespace) -> int:
    """Print a summary of good files; return 0.

    Raises:
        SettingsError: with every mistake.
    """
    with waiting("reading"):
        configuration = source_of(arguments.files, environment(), key_files=True)()
    for warning in configuration.warnings:
        print(f"warning: {warning}")
    enabled = sum(d.raw.get("enabled", True) for d in configuration.services)
    print(
        f"ok: {counted(len(configuration.services), 'service')} ({enabled} enabled), "
        f"{counted(len(configuration.canaries), 'canary', 'canaries')}, "
        f"{counted(len(configuration.notify), '`notify` entry', '`notify` entries')}, "
        f"{counted(len(configuration.warnings), 'warning')}"
    )
    for line in cost_lines(configuration):
        print(line)
    days = configuration.monitoring.metrics_retention_days
    print(f"prometheus: --storage.tsdb.retention.time={days}d")
    return 0
