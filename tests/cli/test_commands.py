"""Commands as a user types them: output, exit codes, and never a traceback."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from exporter.cli import main
from exporter.cli.arguments import make_parser
from exporter.cli.sources import shard_of, sharded, source_of
from exporter.cli.waiting import waiting
from exporter.providers import presets
from tests.certificates import self_signed
from tests.fakes import KEY

GOOD = """
services:
  - {id: api, base_url: 'https://api.example.com', api_key: '${API_KEY:-}'}
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "services.yaml"
    path.write_text(GOOD)
    return str(path)


def run(*arguments: str) -> int:
    """Return the exit code of a command."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_check_config_sums_up_a_good_file(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("check-config", good)

    assert (code, capsys.readouterr().out) == (
        0,
        "ok: 1 service (1 enabled), 0 canaries, 0 `notify` entries, 0 warnings\n"
        "prometheus: --storage.tsdb.retention.time=100d\n",
    )


def test_check_config_prints_one_mistake_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("services:\n  - id: a\n    provder: openai\n    base_url: 7\n")

    code = run("check-config", str(path))

    lines = capsys.readouterr().err.splitlines()
    assert code == 1
    assert [line.split(": ")[0] for line in lines] == [f"{path}:3", f"{path}:4"]
    assert "did you mean provider?" in lines[0]


def test_check_config_warns_and_is_still_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text(
        "services: [{id: a, provider: cohere, health_check: {interval: 1s, timeout: 1s}}]"
    )

    code = run("check-config", str(path))

    assert code == 0
    assert f"warning: {path}:1: services[0].health_check.interval:" in capsys.readouterr().out


def test_check_config_names_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    code = run("check-config", "/nowhere/services.yaml")

    assert code == 1
    assert "/nowhere/services.yaml:1: (file): cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("check-config",),
        ("probe",),
        ("providers", "nobody"),
        ("probe", "nobody", "--config", "{good}"),
        ("probe", "http://127.0.0.1:1/", "--timeout", "0"),
        ("serve", "--listen", "nonsense"),
        ("serve", "--shard.index", "2", "--shard.count", "2"),
        ("rotate-key", "api", "--key-file", "/nowhere/key"),
        ("rotate-secret-key", "--data-dir", "/nowhere"),
        ("services", "--url", "ftp://x"),
        ("serve", "--listen", "127.0.0.1:99999"),
        ("serve", "--config", "{good}", "--from-env"),
        ("serve", "--config", "{good}", "--admin-token-file", "/nowhere/token"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_sentence(
    arguments: tuple[str, ...], good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(*(a.format(good=good) for a in arguments))

    output = capsys.readouterr().err
    assert code == 2
    assert "service-registry" in output
    assert "Traceback" not in output


def test_a_short_admin_token_is_refused(
    tmp_path: Path, good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    path.write_text("short")

    code = run("serve", "--config", good, "--admin-token-file", str(path))

    assert code == 2
    assert "at least 16 characters" in capsys.readouterr().err


def test_schema_is_a_schema_that_accepts_our_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = run("schema")

    found = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(found)
    assert code == 0
    assert found["properties"]["services"]["items"]["required"] == ["id"]


def test_the_committed_schema_is_the_generated_one(capsys: pytest.CaptureFixture[str]) -> None:
    run("schema")

    committed = Path(__file__).parents[2] / "config" / "services.schema.json"
    assert capsys.readouterr().out == committed.read_text(), "run make reference"


def test_providers_lists_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    code = run("providers")

    output = capsys.readouterr().out
    assert code == 0
    assert all(name in output for name in presets())


@pytest.mark.parametrize("name", sorted(presets()))
def test_providers_shows_one_with_its_sources(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("providers", name)

    output = capsys.readouterr().out
    assert code == 0
    assert presets()[name].docs[0] in output


def test_providers_as_json_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    code = run("providers", "--json")

    assert code == 0
    assert json.loads(capsys.readouterr().out).keys() == presets().keys()


def probe_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run("probe", *arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


def test_probe_of_a_closed_port_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = probe_json(capsys, "http://127.0.0.1:1/")

    assert (code, found["reason"], found["verdict"]) == (1, "connect", "provider")
    assert found["phases_ms"].keys() == {"resolve", "connect", "tls", "processing", "transfer"}


def test_probe_is_readable_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    code = run("probe", "http://127.0.0.1:1/path?key=value")

    output = capsys.readouterr().out
    assert code == 1
    assert "what to do: try from another network" in output
    assert re.search(r"connect +[0-9.]+ ms", output)
    assert "\x1b" not in output
    assert "value" not in output, "a query may hold a key"


def test_probe_of_a_service_shows_its_key_only_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "services.yaml"
    path.write_text(
        f"services: [{{id: a, base_url: 'http://127.0.0.1:1', api_key: {KEY},"
        " health_check: {allow_private_addresses: true}}]"
    )

    code, found = probe_json(capsys, "a", "--config", str(path))

    assert code == 1
    assert f"Authorization: Bearer {KEY[:3]}…{KEY[-4:]}" in found["curl"]
    assert KEY not in json.dumps(found)


def test_probe_of_a_service_that_cannot_be_probed_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("services: [{id: a, base_url: 'https://x.example', api_key: '${NOT_SET_X}'}]")

    code = run("probe", "a", "--config", str(path))

    assert code == 2
    assert "a cannot be probed: no key: NOT_SET_X is not set" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["services", "stats"])
def test_a_missing_exporter_is_reported_with_what_to_do(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(command, "--url", "http://127.0.0.1:1")

    assert code == 2
    assert "no exporter answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_a_certificate_that_is_not_trusted_is_no_missing_exporter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = self_signed(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def shake_hands() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()

        server = threading.Thread(target=shake_hands)
        server.start()
        base = f"https://127.0.0.1:{listening.getsockname()[1]}"
        code = run("services", "--url", base)
        server.join()

    assert code == 2
    errors = capsys.readouterr().err
    assert f"the certificate of {base} is not trusted here; set SSL_CERT_FILE" in errors


def test_every_service_is_in_one_shard_and_shards_are_even() -> None:
    shards = [shard_of(f"service-{number}", 4) for number in range(4000)]

    assert sorted(set(shards)) == [0, 1, 2, 3]
    assert all(900 < shards.count(index) < 1100 for index in range(4))
    assert shards == [shard_of(f"service-{number}", 4) for number in range(4000)]


def test_a_shard_has_its_services_only(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(20)]
    path = tmp_path / "services.yaml"
    rows = "".join(f"- {{id: {name}, base_url: 'https://x.example'}}\n" for name in names)
    path.write_text(f"services:\n{rows}")

    parts = [sharded(source_of([path], {}), index, 3)() for index in range(3)]

    found = [declared.raw["id"] for part in parts for declared in part.services]
    assert sorted(found) == sorted(names)
    assert all(part.services for part in parts)


@pytest.mark.parametrize("bad", ["ftp://x", "http://user:pw@x/", "http://x/#f"])
def test_probe_refuses_what_is_not_a_plain_url(
    bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("probe", bad)

    output = capsys.readouterr().err
    assert code == 1
    assert "must be an http:// or https:// URL" in output
    assert "pw" not in output


def test_a_bug_is_reported_by_its_place_and_never_by_its_text(
    good: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(arguments: argparse.Namespace) -> int:
        raise RuntimeError(f"the key is {KEY}")

    monkeypatch.setattr("exporter.cli.checking.check_config", break_down)

    code = run("check-config", good)

    output = capsys.readouterr().err
    assert code == 1
    assert "internal error, please report it: RuntimeError at " in output
    assert KEY not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_knows_every_command(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["completion", shell])

    output = capsys.readouterr().out
    assert code == 0
    for command in ("serve", "check-config", "incidents", "rotate-key", "import", "demo"):
        assert command in output


def test_bash_completes_a_command_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    asked = (
        'name=$(complete -p service-registry | sed -n "s/.*-F \\([^ ]*\\).*/\\1/p")\n'
        'COMP_WORDS=(service-registry "$1" "$2"); COMP_CWORD=$3; COMPREPLY=(); $name\n'
        'echo "${COMPREPLY[*]}"\n'
    )

    def completed(*words: str) -> str:
        command = ["bash", "-c", script + "\n" + asked, "bash", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert completed("inci", "", "1") == "incidents"
    assert completed("probe", "--time", "2") == "--timeout"


def _commands() -> dict[str, argparse.ArgumentParser]:
    found = make_parser("0")._subparsers
    assert found is not None
    return dict(found._group_actions[0].choices or {})  # type: ignore[arg-type]


@pytest.mark.parametrize("command", sorted(_commands()))
def test_help_describes_a_command_and_shows_examples_that_parse(command: str) -> None:
    shown = _commands()[command].format_help()
    examples = [line.strip() for line in shown.partition("\nexamples:\n")[2].splitlines()]

    assert _commands()[command].description
    assert examples
    for line in examples:
        program, *words = itertools.takewhile(lambda w: w not in "<>", shlex.split(line))
        assert program == "service-registry"
        assert make_parser("0").parse_args(words).command == command


class _Watched(Console):
    """A console that always takes itself for a terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(force_terminal=True, **options)


def test_people_see_that_something_is_under_way_and_pipes_do_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with waiting("reading"):
        pass
    assert capsys.readouterr() == ("", "")

    monkeypatch.setattr("rich.console.Console", _Watched)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with waiting("reading"):
        pass
    printed = capsys.readouterr()
    assert "reading" in printed.err
    assert printed.out == ""


def test_a_preset_of_ones_own_is_checked_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = "config/providers"
    config = tmp_path / "services.yaml"
    config.write_text("services: [{id: a, provider: billing, api_key: '${BILLING_TOKEN:-x}'}]")

    checked = run("providers", "--check", f"{folder}/billing.yaml")
    unknown = run("check-config", str(config))
    known = run("check-config", str(config), "--providers", folder)
    shown = run("providers", "billing", "--providers", folder)
    presets.cache_clear()

    output = capsys.readouterr()
    assert (checked, unknown, known, shown) == (0, 1, 0, 0)
    assert "ok: provider billing: GET /status, 6 answers" in output.out
    assert "Billing (internal)" in output.out
    assert "must be one of" in output.err


def test_a_broken_preset_is_told_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: Mine\ntype: toy\n")

    assert run("providers", "--check", str(path)) == 1
    assert f"{path}:2: type: must be one of" in capsys.readouterr().err


def test_a_program_of_ones_own_is_not_started_because_its_key_variable_is_set() -> None:
    found = source_of(None, {"VLLM_API_KEY": "k-1", "OPENAI_API_KEY": "k-2"})()

    assert [declared.raw["id"] for declared in found.services] == ["openai"]


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("servces",), "services"),
        (("serve", "--confg", "x"), "--config"),
        (("incidents", "--severity", "hgh"), "high"),
        (("incidents", "ack", "x", "--admin-tokn-file", "x"), "--admin-token-file"),
        (("import", "x", "--from", "gatsu"), "gatus"),
        (("notify", "tset"), "test"),
        (("completion", "bsh"), "bash"),
        (("maintenance", "strt", "openai"), "start"),
        (("top", "--fault", "provder"), "provider"),
        (("providers", "opnai"), "openai"),
        (("probe", "apl", "--config", "{good}"), "api"),
        (("notify", "test", "slak", "--config", "{told}"), "slack"),
    ],
)
def test_the_name_that_was_meant_is_suggested(
    arguments: tuple[str, ...],
    near: str,
    good: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = tmp_path / "told.yaml"
    told.write_text(GOOD + "notify: [{slack: {url: 'https://hooks.slack.com/services/x'}}]\n")

    code = run(*(one.format(good=good, told=told) for one in arguments))

    assert code == 2
    assert capsys.readouterr().err.rstrip().endswith(f"; did you mean {near}?")


def test_what_is_like_nothing_gets_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    run("zzzzzz")

    assert "did you mean" not in capsys.readouterr().err


def test_a_key_among_the_arguments_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    run("services", "--kye", KEY)

    assert KEY not in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_knows_the_commands_that_change_services(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("completion", shell)

    script = capsys.readouterr().out
    for word in ("top", "watch", "add", "remove", "pause", "resume", "maintenance", "cancel"):
        assert word in script


def test_check_config_counts_the_entries_of_notify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "told.yaml"
    path.write_text(GOOD + "notify: [{webhook: {url: 'https://hooks.example.com/x'}}]\n")

    assert run("check-config", str(path)) == 0

    assert ", 1 `notify` entry, 0 warnings" in capsys.readouterr().out


def test_check_config_finds_a_key_file_without_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "services.yaml"
    path.write_text(f"services:\n  - {{id: a, provider: openai, api_key_file: {tmp_path}/none}}\n")

    assert run("check-config", str(path)) == 1

    expected = f"{path}:2: services[0].api_key_file: the key file cannot be read"
    assert expected in capsys.readouterr().err
