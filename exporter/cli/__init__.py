"""argv in, exit code out: the commands of `service-registry`."""

from exporter.cli.commands import main

__all__ = ["main"]
