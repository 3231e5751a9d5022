"""The command `probe`: once, a service or one of its models."""

from __future__ import annotations

import argparse

from exporter.cli.model_probing import probe_model
from exporter.cli.probing import probe_once
from exporter.cli.usage import UsageError
from exporter.secret import environment


def run_probe(arguments: argparse.Namespace) -> int:
    """Probe once, as the arguments say; return 0 on success, else 1.

    Raises:
        SettingsError: the configuration is wrong.
        UsageError: there is no such service, it cannot be probed, or the timeout is not positive.
    """
    if arguments.data_dir and not arguments.model:
        raise UsageError("--data-dir is for a check of a model: give --model ID")
    if arguments.timeout <= 0:
        raise UsageError("--timeout must be more than 0 seconds, such as 10")
    run = probe_model if arguments.model else probe_once
    try:
        return run(arguments, environment())
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None
