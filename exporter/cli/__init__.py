"""The commands of `service-registry`: argv in, exit code out."""

from exporter.cli.commands import main

__all__ = ["main"]
