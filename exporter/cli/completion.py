"""`completion`: scripts with which a shell completes commands, options and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from exporter.cli.arguments import make_parser
from exporter.version import TOLD


def print_completion(arguments: argparse.Namespace) -> int:
    """Print the script with which a shell completes the whole command line."""
    parser = make_parser(TOLD)
    for command_parser in _parsers(parser):
        for action in command_parser._actions:
            if action.type is Path or str(action.metavar).startswith("FILE"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, arguments.shell))
    return 0


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield *parser* and the parsers of its commands."""
    yield parser
    # argparse has no public way to list the actions and subcommands of a parser.
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command_parser in action.choices.values():
                yield from _parsers(command_parser)
