"""`add`, `remove`, `pause`, `resume`, `maintenance` against a running exporter."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.cli import main
from tests.api.managed import OLD, TOKEN, Client, running, secret_key
from tests.vendor import Vendor, answer

CHECK = {"interval": "5m", "timeout": "1s", "retries": 0, "allow_private_addresses": True}


class Shell:
    """Types commands for one exporter."""

    def __init__(self, client: Client, token: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.client, self._capsys = client, capsys
        self.common = ["--url", client.base, "--admin-token-file", str(token)]

    async def __call__(self, *arguments: str, token: bool = True) -> tuple[int, str, str]:
        """Return exit code, output and errors."""
        more = self.common if token else self.common[:2]
        self._capsys.readouterr()
        code = await asyncio.to_thread(main, [*arguments, *more])
        found = self._capsys.readouterr()
        return code, found.out, found.err


@pytest.fixture
async def shell(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Shell]:
    vendor.on("/", answer())
    token = tmp_path / "token"
    token.write_text(TOKEN)
    config = json.dumps(
        {"services": [{"id": "filed", "base_url": vendor.url(), "health_check": CHECK}]}
    )
    async with running(config, data=tmp_path / "data", environment=secret_key(tmp_path)) as client:
        yield Shell(client, token, capsys)


def added(vendor: Vendor, *more: str) -> tuple[str, ...]:
    settings = [f"--set=health_check.{name}={json.dumps(value)}" for name, value in CHECK.items()]
    return ("add", "shop", "--base-url", vendor.url(), *settings, *more)


# -- add -----------------------------------------------------------------------------------------


async def test_a_service_is_added_with_its_settings_and_the_next_step_is_named(
    shell: Shell, vendor: Vendor
) -> None:
    more = ("--team", "web", "--set", "health_check.expected_status_codes=[200, 204]")

    code, output, _ = await shell(*added(vendor, *more))

    target = shell.client.app.registry.get("shop")
    assert code == 0
    assert output.splitlines() == [
        "shop: registered, probed every 300 s",
        "see its results: service-registry watch shop",
    ]
    assert (target.team, target.interval) == ("web", 300.0)
    assert target.endpoint is not None
    assert target.endpoint.expect.statuses == {200, 204}


async def test_the_key_comes_from_a_file_or_standard_input_and_is_never_shown(
    shell: Shell, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text(OLD + "\n")
    code, output, errors = await shell(*added(vendor, "--key-file", str(path)))
    from_file = shell.client.app.registry.get("shop").key
    await shell("remove", "shop", "--yes")
    monkeypatch.setattr("sys.stdin", io.StringIO(OLD + "\n"))

    await shell(*added(vendor, "--key-file", "-"))

    from_input = shell.client.app.registry.get("shop").key
    assert code == 0
    assert from_file == from_input
    assert from_file is not None
    assert from_file.reveal() == OLD
    assert OLD not in output + errors


SECRET = "sk-0123456789abcdef"
SECRETS = (
    f"api_key={SECRET}",
    f"api_key_next={SECRET}",
    f"additional_headers.X-Token={SECRET}",
    f"health_check.headers={{X-Token: {SECRET}}}",
    f"health_check.proxy=http://a:{SECRET}@proxy",
)


async def test_no_secret_is_taken_as_an_argument_nor_shown(shell: Shell) -> None:
    for setting in SECRETS:
        code, output, errors = await shell("add", "shop", "--set", setting)

        assert code == 2
        assert "give the key with --key-file" in errors
        assert "0123456789abcdef" not in output + errors
        assert "shop" not in shell.client.app.registry


async def test_every_mistake_is_told_with_its_field_and_what_was_meant(shell: Shell) -> None:
    code, _, errors = await shell(
        "add", "shop", "--provider", "opnai", "--set", "health_chek.interval=30s"
    )

    assert code == 1
    assert "the service is not valid" in errors
    assert "  health_chek: unknown field health_chek; did you mean health_check?" in errors
    assert "; did you mean openai?" in errors


async def test_a_warning_of_the_exporter_is_shown(shell: Shell, vendor: Vendor) -> None:
    off = ("--set", "health_check.enabled=false")

    _, output, _ = await shell("add", "shop", "--base-url", vendor.url(), *off)

    what = "base_url: is not a public address: needs health_check.allow_private_addresses"
    lines = output.splitlines()
    mend = lines[lines.index(f"warning: {what}") + 1]
    assert mend.startswith("to mend it: service-registry remove shop, and add it again with --set")
    assert "--set health_check.allow_private_addresses=true" in mend


async def test_a_setting_has_a_field_and_a_value(shell: Shell) -> None:
    for setting in ("interval", "=30s", "health_check..interval=30s"):
        code, _, errors = await shell("add", "shop", "--set", setting)

        assert code == 2
        assert "--set must be FIELD=VALUE, such as health_check.interval=30s" in errors


# -- remove --------------------------------------------------------------------------------------


async def test_without_a_terminal_nothing_is_removed_unasked(
    shell: Shell, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shell(*added(vendor))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    refused = await shell("remove", "shop")
    kept = "shop" in shell.client.app.registry
    done = await shell("remove", "shop", "--yes")

    assert refused[0] == 2
    assert "without a terminal give --yes" in refused[2]
    assert kept
    assert done[:2] == (0, "shop: removed\n")
    assert "shop" not in shell.client.app.registry


async def test_a_service_of_a_file_is_removed_in_the_file(shell: Shell) -> None:
    code, _, errors = await shell("remove", "filed", "--yes")

    assert code == 1
    assert "filed is in a configuration file; change it there" in errors


class Terminal(io.StringIO):
    """A terminal on which somebody has typed."""

    def isatty(self) -> bool:
        return True


async def test_on_a_terminal_it_asks_and_only_yes_is_yes(
    shell: Shell, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shell(*added(vendor))

    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    kept = await shell("remove", "shop")
    still_there = "shop" in shell.client.app.registry
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    removed = await shell("remove", "shop")

    asked = "remove shop with its key and its results? [y/N] "
    assert kept[:2] == (1, asked + "kept\n")
    assert still_there
    assert removed[:2] == (0, asked + "shop: removed\n")
    assert "shop" not in shell.client.app.registry


# -- pause, maintenance --------------------------------------------------------------------------


async def test_a_service_of_a_file_is_paused_and_resumed(shell: Shell) -> None:
    paused = await shell("pause", "filed", "--by", "ann", "--reason", "they move")
    pause = shell.client.app.registry.get("filed").pause
    resumed = await shell("resume", "filed", "--by", "bob")
    again = await shell("resume", "filed")

    assert paused[0] == 0
    assert "by ann; it is not probed" in paused[1]
    assert "`service-registry resume filed`" in paused[1]
    assert pause is not None
    assert (pause.by, pause.reason) == ("ann", "they move")
    assert resumed[:2] == (0, "filed: probed again\n")
    assert (again[0], again[2]) == (1, "service-registry: filed is not paused\n")


async def test_maintenance_is_started_planned_shown_stopped_and_cancelled(shell: Shell) -> None:
    verb = "maintenance"
    start = ("2126-12-01T22:00:00Z", "2126-12-01T23:30:00Z")

    started = await shell(verb, "start", "filed", "--for", "2h", "--by", "ann", "--reason", "db")
    planned = await shell(verb, "plan", "filed", "--from", start[0], "--for", "90m")
    shown = await shell(verb, "show", "filed", token=False)
    stopped = await shell(verb, "stop", "filed")
    again = await shell(verb, "stop", "filed")
    cancelled = await shell(verb, "cancel", "filed")

    assert "filed: in maintenance, 1 window" in started[1]
    assert "by ann: db" in started[1]
    assert "  2126-12-01 22:00:00Z to 2126-12-01 23:30:00Z by " in planned[1]
    assert shown[1] == planned[1]
    assert stopped[1].splitlines()[0] == "filed: not in maintenance, 1 window"
    assert (again[0], again[2]) == (1, "service-registry: filed has no maintenance that is open\n")
    assert cancelled[1] == "filed: not in maintenance, 0 windows\n"


async def test_a_window_needs_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["maintenance", "start", "filed"])

    assert ended.value.code == 2
    assert "one of the arguments --for --until is required" in capsys.readouterr().err


ABOUT_NOBODY = (
    ("pause", "filde"),
    ("resume", "filde"),
    ("remove", "filde", "--yes"),
    ("maintenance", "start", "filde", "--for", "1h"),
    ("maintenance", "show", "filde"),
    ("rotate-key", "filde", "--rollback"),
)


async def test_the_service_that_was_meant_is_named(shell: Shell) -> None:
    for arguments in ABOUT_NOBODY:
        code, output, errors = await shell(*arguments, token=arguments[1] != "show")

        assert code == 1
        assert "there is no such service: did you mean filed?" in output + errors


async def test_without_the_token_the_way_to_give_it_is_named(shell: Shell) -> None:
    code, _, errors = await shell("pause", "filed", token=False)

    assert code == 2
    assert "give --admin-token-file FILE" in errors
    assert "`service-registry make-secrets secrets`, then `serve --admin-token-file" in errors
