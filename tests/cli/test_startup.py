"""What a command costs before it does anything: which modules it imports, what it makes anew."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli.arguments import make_parser
from exporter.cli.commands import COMMANDS
from exporter.cli.remote_arguments import REPORT_FORMATS
from exporter.importers import FORMATS as IMPORT_FORMATS
from exporter.listing import option_names_in
from exporter.reports import FORMATS

LIBRARIES = {
    "aiohttp",
    "aiosmtplib",
    "asyncio",
    "cryptography",
    "jinja2",
    "jsonpath",
    "jsonschema",
    "prometheus_client",
    "pycurl",
    "re2",
    "rich",
    "shtab",
    "sqlite3",
    "ssl",
    "uvloop",
    "yaml",
}
LIGHT = {
    "characters",
    "cli",
    "collection",
    "errors",
    "evidence",
    "files",
    "frozen",
    "listing",
    "retirement",
    "log",
    "model",
    "secret",
    "version",
}
"""Rooms that a process may import before it knows its command."""


def modules_of(*arguments: str) -> set[str]:
    """Return the modules that the process of a command has imported when it ends."""
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from exporter.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return set(ended.stderr.split())


def test_a_reload_that_comes_while_the_server_starts_does_not_end_it() -> None:
    script = (
        "import importlib, os, signal, sys\n"
        "from exporter.cli import main\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # without a terminal it may be ignored
        "imported = importlib.import_module\n"
        "def told_to_reload(name):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return imported(name)\n"
        "importlib.import_module = told_to_reload\n"
        "sys.exit(main(sys.argv[1:]))"
    )

    def exit_code(command: str) -> int:
        arguments = [sys.executable, "-c", script, command, "--help"]
        return subprocess.run(arguments, check=False, capture_output=True).returncode

    assert (exit_code("serve"), exit_code("stats")) == (0, -signal.SIGHUP)


def test_the_version_is_told_without_building_the_parsers() -> None:
    modules = modules_of("--version")

    assert {name for name in modules if name.startswith("exporter.")} == {
        "exporter.cli",
        "exporter.cli.entry",
        "exporter.version",
    }


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["report", "--help"]])
def test_what_only_the_parser_answers_imports_no_library(arguments: list[str]) -> None:
    modules = modules_of(*arguments)

    assert "exporter.cli.arguments" in modules
    assert modules & LIBRARIES == set()
    assert {name.split(".")[1] for name in modules if name.startswith("exporter.")} <= LIGHT


def test_a_good_configuration_is_checked_without_what_only_a_server_needs(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("services: [{id: a, base_url: 'https://a.example.com'}]")

    modules = modules_of("check-config", str(path))

    assert modules & LIBRARIES <= {"asyncio", "jsonpath", "re2", "ssl", "yaml"}


def test_a_call_of_the_api_needs_no_configuration() -> None:
    script = "import sys; import exporter.cli.incidents, exporter.cli.watch; print(*sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert set(printed.split()) & {"aiohttp", "pycurl", "jsonschema", "yaml", "re2"} == set()


def calls_for(services: int, folder: Path) -> dict[str, int]:
    """Return how often the costly parts are asked to check a configuration of *services*."""
    path = folder / f"{services}.yaml"
    path.write_text(
        "services:\n"
        + "".join(
            f"- {{id: s{i}, base_url: 'https://s{i}.example.com', health_check: {{assertions: "
            f"[{{json: $.state, matches: '^ok$'}}]}}}}\n"
            for i in range(services)
        )
    )
    script = """
import collections, json, sys
counts = collections.Counter()
def count(frame, event, function):
    if event == "call":
        counts[frame.f_code.co_name] += 1
from exporter.cli import main
import exporter.cli.checking
sys.setprofile(count)
code = main(["check-config", sys.argv[1]])
sys.setprofile(None)
print(json.dumps([code, counts]))
"""
    printed = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    ).stdout
    code, counts = json.loads(printed.splitlines()[-1])
    assert code == 0
    assert counts["_service"] == services
    costly = ("object_schema", "_test_of", "file_schema", "_readable", "_path", "_environment")
    return {name: counts.get(name, 0) for name in (*costly, "compile")}


def test_more_services_make_no_schema_pattern_or_path_anew(tmp_path: Path) -> None:
    few, many = calls_for(2, tmp_path), calls_for(20, tmp_path)

    assert few == many
    assert many["_test_of"] > 0
    assert many["file_schema"] == 1
    assert many["_environment"] == 1


def test_every_command_of_the_parser_has_a_function() -> None:
    (commands,) = (
        action
        for action in make_parser("1")._actions
        if isinstance(action, argparse._SubParsersAction)
    )

    assert set(commands.choices) == set(COMMANDS)
    for module, function in COMMANDS.values():
        assert callable(getattr(importlib.import_module(f"exporter.cli.{module}"), function))


def test_the_formats_that_options_offer_are_those_that_there_are() -> None:
    assert tuple(FORMATS) == REPORT_FORMATS
    assert option_names_in("importers/formats") == IMPORT_FORMATS
