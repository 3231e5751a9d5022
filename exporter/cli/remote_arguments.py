"""The arguments of the commands that call the API of a running exporter."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from pathlib import Path

from exporter.model import Verdict

ACCESS_VARIABLE = "SERVICE_REGISTRY_HTTP_CONFIG_FILE"
DEFAULT_URL = "http://127.0.0.1:9642"
SORTS = ("worst", "since", "ms", "name")
FAULTS = tuple(str(verdict) for verdict in Verdict if verdict is not Verdict.OK)
REPORT_FORMATS = ("text", "markdown", "html", "csv", "json")
_SEVERITIES = ("critical", "high", "medium", "low")
_TIME = "RFC 3339 with a zone, such as 2026-12-01T22:00:00Z"


def _add_simple(parser: argparse.ArgumentParser) -> None:
    _add_url_and_json(parser, DEFAULT_URL)


def _add_top(parser: argparse.ArgumentParser) -> None:
    _explain(
        parser,
        "Keys: s sorts, f and t filter by fault and team, arrows scroll, q quits. Without a"
        " terminal it prints once: exit code 1 if a service fails outside of maintenance.",
    )
    _add_url(parser)
    parser.add_argument(
        "--sort", choices=SORTS, default="worst", help="order of the services; default worst"
    )
    parser.add_argument(
        "--fault", choices=FAULTS, default="", help="only services that fail by this fault"
    )
    for name in ("team", "environment"):
        parser.add_argument(f"--{name}", default="", help=f"only services of this {name}")
    parser.add_argument(
        "--interval",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="time between two looks at the exporter; default 2",
    )
    parser.add_argument(
        "--once", action="store_true", help="print once and end, as without a terminal"
    )


def _add_watch(parser: argparse.ArgumentParser) -> None:
    _explain(parser, "Exit code 0 if the last result is good, 1 if it is not or none came.")
    _add_url_and_json(parser, DEFAULT_URL)
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument(
        "--count", type=int, default=0, metavar="N", help="end after N new results; default never"
    )


def _add_new(parser: argparse.ArgumentParser) -> None:
    _add_url_and_json(parser, DEFAULT_URL)
    parser.add_argument("id", metavar="ID", help="name of the service, such as openai")
    parser.add_argument("--provider", metavar="NAME", help="a preset: `service-registry providers`")
    parser.add_argument("--base-url", metavar="URL", help="address of an API without a preset")
    parser.add_argument(
        "--key-file", metavar="FILE|-", help="file with the key; - is standard input"
    )
    for name in ("environment", "team", "name"):
        parser.add_argument(f"--{name}")
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="any other field, such as health_check.interval=30s; never a key; may be repeated",
    )
    _add_token(parser)


def _add_removal(parser: argparse.ArgumentParser) -> None:
    _add_url(parser)
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    _add_token(parser)


def _add_pause(parser: argparse.ArgumentParser) -> None:
    _add_resume(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for people")


def _add_resume(parser: argparse.ArgumentParser) -> None:
    _add_url_and_json(parser, DEFAULT_URL)
    parser.add_argument("service", metavar="SERVICE")
    _add_by(parser)


def _add_maintenance(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, summary in (
        ("start", "expect failures from now on, for a time"),
        ("plan", "expect failures in a window that begins later"),
        ("stop", "end the window that is open now"),
        ("cancel", "take out the windows that are planned"),
        ("show", "show the windows of a service, of its file too"),
    ):
        one = verbs.add_parser(verb, help=summary)
        _add_url_and_json(one, DEFAULT_URL)
        one.add_argument("service", metavar="SERVICE")
        if verb == "plan":
            one.add_argument("--from", dest="start", required=True, metavar="TIME", help=_TIME)
        if verb in ("start", "plan"):
            length = one.add_mutually_exclusive_group(required=True)
            length.add_argument(
                "--for", dest="duration", metavar="TIME", help="how long, such as 90m; at most 30d"
            )
            length.add_argument("--until", dest="end", metavar="TIME", help=_TIME)
            one.add_argument("--reason", default="", metavar="TEXT", help="why, for people")
            _add_by(one)
        elif verb != "show":
            _add_token(one)


def _explain(parser: argparse.ArgumentParser, text: str) -> None:
    """Add *text* to what the command's --help begins with; the lines are kept as they are."""
    parser.description = "\n".join([parser.description or "", *textwrap.wrap(text, 78)])


def _add_by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", help="your name, for others; default your user name")
    _add_token(parser)


def _add_rotation(parser: argparse.ArgumentParser) -> None:
    _add_url_and_json(parser, DEFAULT_URL)
    _add_rotate(parser)


def _add_rotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument(
        "--key-file",
        metavar="FILE|-",
        help="file with the new key; - is standard input; default: a prompt on the terminal",
    )
    parser.add_argument(
        "--allow-limited",
        action="store_true",
        help="use the key also if it lacks a permission that the check needs",
    )
    parser.add_argument("--force", action="store_true", help="use the key however its probe ends")
    parser.add_argument("--rollback", action="store_true", help="return to the previous key")
    _add_token(parser)


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--admin-token-file",
        type=Path,
        metavar="FILE",
        help="file with the admin token; or set SERVICE_REGISTRY_ADMIN_TOKEN_FILE",
    )


def _add_incidents(parser: argparse.ArgumentParser) -> None:
    _add_listing(parser, DEFAULT_URL, "50", None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    # A subparser's own default would overwrite an option that was given before the verb.
    no_default = argparse.SUPPRESS
    _add_listing(verbs.add_parser("list", help="newest first; the default"), *[no_default] * 3)
    show = verbs.add_parser("show", help="show an incident with its timeline")
    create = verbs.add_parser("create", help="report an incident; it is routed like an alert")
    create.add_argument("summary", metavar="TEXT")
    create.add_argument("--severity", choices=_SEVERITIES, default="high")
    for name in ("service", "environment", "description"):
        create.add_argument(f"--{name}")
    change_verbs = (
        ("ack", "acknowledge an incident: its escalation stops", "?"),
        ("resolve", "resolve an incident", "?"),
        ("note", "add a note to an incident", None),
    )
    changes = []
    for verb, summary, nargs in change_verbs:
        changes.append(verbs.add_parser(verb, help=summary))
        changes[-1].add_argument("id", metavar="ID")
        changes[-1].add_argument("note", metavar="TEXT", nargs=nargs)
    changes[-1].add_argument("--public", action="store_true", help="show it to outsiders as well")
    show.add_argument("id", metavar="ID")
    for verb_parser in (create, *changes):
        verb_parser.add_argument("--by", help="name for the timeline; default your user name")
        _add_token(verb_parser)
    for verb_parser in (show, create, *changes):
        _add_url_and_json(verb_parser, no_default)


def _add_report(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("service", nargs="?", metavar="SERVICE")
    which.add_argument("--provider", metavar="P", help="all services of a provider")
    which.add_argument("--all", action="store_true", help="all services")
    parser.add_argument(
        "--from",
        dest="start",
        default="",
        metavar="TIME",
        help="2026-11, 2026-11-01, 2026-11-01T02:11:00Z, or 30d: so long ago; default: the window"
        " of the service's objectives",
    )
    parser.add_argument("--to", dest="end", default="", metavar="TIME", help="default now")
    parser.add_argument("--format", choices=REPORT_FORMATS, default="text", help="default text")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="file to write; default standard output"
    )
    _add_url(parser)


def _add_url(parser: argparse.ArgumentParser, default: str = DEFAULT_URL) -> None:
    parser.add_argument(
        "--url",
        default=default,
        help=f"of the exporter; default {DEFAULT_URL}; user and password: {ACCESS_VARIABLE}",
    )


def _add_url_and_json(parser: argparse.ArgumentParser, default: str) -> None:
    _add_url(parser, default)
    json_default = default if default == argparse.SUPPRESS else False
    parser.add_argument("--json", action="store_true", default=json_default, help="print JSON")


def _add_listing(
    parser: argparse.ArgumentParser, url: str, limit: str, filter_default: str | None
) -> None:
    _add_url_and_json(parser, url)
    parser.add_argument("--severity", choices=_SEVERITIES, default=filter_default)
    parser.add_argument(
        "--status", choices=("open", "acknowledged", "resolved"), default=filter_default
    )
    parser.add_argument("--service", default=filter_default)
    parser.add_argument("--environment", default=filter_default)
    parser.add_argument("--limit", default=limit, metavar="N", help="default 50, at most 1000")


REMOTE: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "services": ("list the services of a running exporter, worst first", _add_simple),
    "top": ("watch the services of a running exporter, worst first", _add_top),
    "watch": ("print each result of a service as it comes", _add_watch),
    "add": ("register a service at a running exporter", _add_new),
    "remove": ("remove a service that was added at run time", _add_removal),
    "pause": ("stop probing a service until it is resumed", _add_pause),
    "resume": ("probe a paused service again", _add_resume),
    "maintenance": ("set and end windows in which failures are expected", _add_maintenance),
    "stats": ("show the totals of a running exporter", _add_simple),
    "rotate-key": ("verify a new key with the provider and switch to it", _add_rotation),
    "report": ("print the availability of services", _add_report),
    "incidents": ("list, acknowledge and resolve incidents", _add_incidents),
}
"""Summary and arguments of each command, in the order of the help text."""
