"""The documents' links lead somewhere, their commands can be typed, their examples are good."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli.access import HttpConfig
from exporter.cli.arguments import make_parser
from exporter.config import read_files
from exporter.providers import Promise, presets
from exporter.settings import load, object_schema
from tests.documents import yaml_of
from tests.programs import program
from tests.prose import DOCS, EACH, ROOT, TYPED, Block, anchors, name_of, parted, pieces

LONGEST = 160  # 140 is the aim; older documents are above it
KINDS_OF_CODE = {"nginx", "", "sh", "console", "yaml", "python", "json", "promql"}


# -- links -----------------------------------------------------------------------------------


@EACH
def test_every_link_leads_to_a_file_and_a_heading_of_it(path: Path) -> None:
    prose, _ = parted(path)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)

    assert broken == []


@EACH
def test_every_block_says_its_language_and_no_line_of_prose_is_too_long(path: Path) -> None:
    prose, blocks = parted(path)

    assert {block.language for block in blocks} <= KINDS_OF_CODE
    long = [line for line in prose.splitlines() if len(line) > LONGEST and not line.startswith("|")]
    assert [line for line in long if "](" not in line] == []


def test_an_issue_template_begins_with_what_github_shows_of_it() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        head = path.read_text().split("---\n")[1]

        assert {"name", "about"} <= yaml_of(head).keys()


# -- commands --------------------------------------------------------------------------------


def test_there_are_commands_in_the_documents() -> None:
    assert len(TYPED) > 12
    assert {arguments[0] for _, arguments in TYPED} >= {"serve", "probe", "import", "incidents"}


@pytest.mark.parametrize(
    ("path", "arguments"), TYPED, ids=[f"{name_of(p)}-{' '.join(a)}" for p, a in TYPED]
)
def test_every_command_in_a_block_can_be_typed(
    path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        make_parser("0").parse_args(arguments)
    except SystemExit:
        pytest.fail(f"{name_of(path)}: {arguments}: {capsys.readouterr().err}")


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    for action in make_parser("0")._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    raise AssertionError


def options(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*map(options, action.choices.values()))
    return found


OURS = set().union(*map(options, parsers().values())) | {"--version"}
OTHERS = {
    # Prometheus, Alertmanager, amtool, promtool, the test runner, npm, systemctl and the like
    "--storage.tsdb.retention.time",
    "--http.config.file",
    "--cluster.listen-address",
    "--cluster.peer",
    "--storage.path",
    "--tail",
    "--now",
    "--dispatch.start-delay",
    "--query.max-samples",
    "--table",  # tests.bench
    "--renew",  # tests.instructions
    "--package-lock-only",
    "--ignore-scripts",
    "--legacy-peer-deps",
    "--cpu",  # stress-ng
}


@EACH
def test_every_command_and_option_in_a_sentence_exists(path: Path) -> None:
    wrong = []
    for piece in pieces(parted(path)[0]):
        words = piece.replace("[", " ").replace("]", " ").split()
        wrong += [
            w for w in words if re.fullmatch(r"--[a-z][a-z.-]+", w) and w not in OURS | OTHERS
        ]
        if words[0] == "service-registry" and len(words) > 1 and not words[1].startswith("-"):
            wrong += [w for w in words[1].split("|") if w not in parsers()]

    assert wrong == []


def test_no_option_of_others_is_on_the_list_without_need() -> None:
    text = "\n".join(path.read_text() for path in DOCS)

    assert {option for option in OTHERS if option in OURS or option not in text} == set()


# -- configurations --------------------------------------------------------------------------

OUR_KEYS = {"budgets", "defaults", "canaries", "services", "monitoring", "notify"}
PROMETHEUS_KEYS = {"global", "rule_files", "scrape_configs", "alerting", "remote_write"}
WEB_KEYS = {"tls_server_config", "basic_auth_users", "http_server_config", "rate_limit"}
YAML = [(path, block) for path in DOCS for block in parted(path)[1] if block.language == "yaml"]


@pytest.mark.parametrize(("path", "block"), YAML, ids=[f"{name_of(p)}-{b.line}" for p, b in YAML])
def test_every_configuration_passes_the_check_it_is_for(
    path: Path, block: Block, tmp_path: Path
) -> None:
    file = tmp_path / "example.yml"
    file.write_text(block.text)
    data: dict[str, Any] = yaml_of(block.text)

    if data.keys() <= OUR_KEYS:
        for service in data.get("services", ()):
            if not {"provider", "base_url"} & service.keys():  # an excerpt of one
                service["base_url"] = "https://api.example.com"
        file.write_text(yaml.safe_dump(data, sort_keys=False))
        # A real key fits no example; a file that is not there is a service without a key.
        names = {name: "x" for preset in presets().values() for name in preset.variables}
        names["SLACK_WEBHOOK_URL"] = "https://hooks.example.com/x"
        read_files([file], names)
    elif data.keys() <= PROMETHEUS_KEYS:
        _passes("promtool", "check", "config", "--syntax-only", str(file))
    elif data.keys() == {"routes"}:
        file.write_text(yaml.safe_dump(_alertmanager(data["routes"])))
        _passes("amtool", "check-config", str(file))
    elif data.keys() == {"basic_auth", "tls_config"}:  # of the commands
        load(block.text, str(file), object_schema(HttpConfig))
    elif data.keys() == {"sla"}:  # of a preset
        load(yaml.safe_dump(data["sla"]), str(file), object_schema(Promise))
    else:
        assert data.keys() <= WEB_KEYS, "no configuration that is known here"


def _alertmanager(routes: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"nobody", *(route["receiver"] for route in routes)}
    receivers = [{"name": name} for name in sorted(names)]
    return {"route": {"receiver": "nobody", "routes": routes}, "receivers": receivers}


def _passes(*command: str) -> None:
    done = subprocess.run(
        [program(command[0]), *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
