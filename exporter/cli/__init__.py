"""The commands of `service-registry`: argv in, exit code out."""

from exporter.cli.entry import main

__all__ = ["main"]
