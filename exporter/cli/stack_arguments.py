"""The options of `stack`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_stack(parser: argparse.ArgumentParser) -> None:
    """Add the options of `stack` to its *parser*."""
    parser.add_argument(
        "--config",
        action="append",
        type=Path,
        metavar="FILE",
        help="as in serve: file or directory, may be repeated; default: key variables that are set",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="where all data, secrets and written configuration are kept; default data",
    )
    parser.add_argument("--verbose", action="store_true", help="show what the programs log")
    _add_addresses(parser)
    _add_full(parser)
    _add_minimal(parser)


def _add_addresses(parser: argparse.ArgumentParser) -> None:
    for option, name, port in (
        ("--listen", "listen", 9642),
        ("--prometheus.listen", "prometheus_listen", 9090),
        ("--alertmanager.listen", "alertmanager_listen", 9093),
    ):
        parser.add_argument(
            option,
            dest=name,
            default=f"127.0.0.1:{port}",
            metavar="HOST:PORT",
            help=f"default 127.0.0.1:{port}",
        )


def _add_full(parser: argparse.ArgumentParser) -> None:
    full = parser.add_argument_group("all of alertmanager.yml (the default)")
    full.add_argument(
        "--secrets",
        type=Path,
        metavar="DIR",
        help="secrets of the media, one file each; default: the folder secrets of --data-dir",
    )
    full.add_argument(
        "--alertmanager.config.file",
        dest="routes",
        type=Path,
        metavar="FILE",
        help="alertmanager.yml of your own, its templates beside it; default the shipped one",
    )


def _add_minimal(parser: argparse.ArgumentParser) -> None:
    minimal = parser.add_argument_group("every message to one place")
    minimal.add_argument(
        "--minimal",
        action="store_true",
        help="use alertmanager.minimal.yml, with one of the next three",
    )
    minimal.add_argument("--webhook", metavar="URL", help="address that gets every message")
    minimal.add_argument(
        "--webhook-file",
        type=Path,
        metavar="FILE",
        help="file with that address: it is then in no list of processes",
    )
    minimal.add_argument("--mail", metavar="ADDRESS", help="mailbox that gets every message")
    minimal.add_argument("--smtp", metavar="HOST:PORT", help="mail server, for --mail")
    minimal.add_argument("--smtp.username", dest="smtp_username", metavar="NAME")
    minimal.add_argument(
        "--smtp.password-file", dest="smtp_password_file", type=Path, metavar="FILE"
    )
