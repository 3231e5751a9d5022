"""`top`: what is shown, in which order, by which keys, and how the terminal is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from exporter.cli import main
from exporter.cli.terminal import _names
from exporter.cli.top import Choice, _todo, headline, table_of
from tests.api.managed import Client, running, secret_key
from tests.cli.screen import ALTERNATE, CURSOR, MAIN, Screen, screen
from tests.vendor import Vendor, answer

CHECK = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}


def row(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "provider": "openai",
        "environment": "production",
        "team": "",
        "enabled": True,
        "paused": False,
        "in_maintenance": False,
        "status": "healthy",
        "verdict": "ok",
        "reason": "ok",
        "since": 1000.0,
        "duration_ms": 10.0,
        "advice": "nothing to do",
        "retirement": [],
        **more,
    }


DOWN = {"status": "unhealthy", "verdict": "provider", "reason": "timeout", "advice": "wait"}
KEY = {"status": "degraded", "verdict": "credential", "reason": "auth_invalid"}
FLEET = [
    row("fine", duration_ms=90.0),
    row("off", enabled=False, status="unknown", verdict=None),
    row("rejected", **KEY, team="pay", since=500.0),
    row("down-long", **DOWN, since=100.0),
    row("down-now", **DOWN, since=900.0, team="pay", environment="staging"),
    row("expected", **DOWN, in_maintenance=True, since=50.0),
    row("unknown", status="unknown", verdict=None, reason=None, since=None, duration_ms=None),
]


def ids(choice: Choice) -> list[str]:
    return [one["id"] for one in choice.rows(FLEET, 1000.0)]


def ending(resource: str, **more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("listed", "gone_at", "deprecated_at", "sunset_at"))
    return {"resource": resource, **nothing, **more}


@pytest.mark.parametrize(
    ("seen", "todo"),
    [
        ([ending("gpt-x", listed=True)], "nothing to do"),
        (
            [ending("gpt-x", deprecated_at=1.0)],
            "move away from gpt-x (deprecated, no end is named)",
        ),
        ([ending("gpt-x", deprecated_at=1.0, gone_at=5.0)], "move away from gpt-x (gone)"),
        ([ending("gpt-x", listed=False)], "move away from gpt-x (gone)"),
        (
            [ending("api", sunset_at=1.8e9), ending("m", deprecated_at=1.0)],
            "move away from this API (ends on 2027-01-15), m (deprecated, no end is named)",
        ),
    ],
)
def test_what_a_service_that_works_uses_and_will_end_is_said(
    seen: list[dict[str, Any]], todo: str
) -> None:
    assert _todo(row("fine", retirement=seen)) == todo
    assert _todo(row("down", **DOWN, retirement=seen)) == "wait"


# -- order and choice ----------------------------------------------------------------------------


def test_worst_is_first_and_what_maintenance_explains_comes_after_what_nobody_expects() -> None:
    assert ids(Choice()) == [
        "down-long",
        "down-now",
        "rejected",
        "unknown",
        "expected",
        "fine",
        "off",
    ]


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [("name", "down-long", "unknown"), ("ms", "fine", "off"), ("since", "fine", "off")],
)
def test_other_orders(sort: str, first: str, last: str) -> None:
    found = ids(Choice(sort=sort))

    assert (found[0], found[-1]) == (first, last)


def test_services_are_chosen_by_fault_team_and_environment() -> None:
    assert ids(Choice(fault="credential")) == ["rejected"]
    assert ids(Choice(team="pay")) == ["down-now", "rejected"]
    assert ids(Choice(team="pay", environment="staging")) == ["down-now"]


def test_keys_go_through_the_orders_and_the_faults_and_teams_that_there_are() -> None:
    choice = Choice()

    seen = []
    for key in "sfft":
        assert choice.press(key, FLEET, 3)
        seen.append((choice.sort, choice.fault, choice.team))

    assert seen == [
        ("since", "", ""),
        ("since", "credential", ""),
        ("since", "provider", ""),
        ("since", "provider", "pay"),
    ]
    assert not choice.press("q", FLEET, 3)


def test_scrolling_stays_within_the_list() -> None:
    choice, seen = Choice(), []

    for key in ("up", "down", "page down", "page down", "page up", "end", "home", "j", "k", "x"):
        choice.press(key, FLEET, 3)
        seen.append(choice.first)

    assert seen == [0, 1, 4, 4, 1, 4, 0, 1, 0, 0]


def test_what_a_terminal_sends_for_a_key_has_a_name_and_the_unknown_none() -> None:
    sent = b"s\x1b[A\x1bOB\x1b[6~q\x1b[24~f"

    assert list(_names(sent)) == ["s", "up", "down", "page down", "q"]


# -- words ---------------------------------------------------------------------------------------


def test_the_headline_counts_by_fault() -> None:
    assert headline(FLEET) == (
        "3 of 7 fail: 2 provider (both openai), 1 key rejected; 1 in maintenance;"
        " of 1 nothing is known"
    )
    assert headline([row("a")]) == "none of 1 fails"
    assert headline([row("a", enabled=False, paused=True)]) == "none of 1 fails; 1 paused"


def test_the_headline_blames_nobody_while_our_own_network_is_down() -> None:
    told = headline(FLEET, 1_800_000_000.0)

    assert told.startswith("our network is down since ")
    assert told.endswith(": the services are shown as they were seen last")
    assert "provider" not in told


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_every_state_is_a_word_and_every_line_fits(columns: int) -> None:
    console = Console(width=columns, no_color=True)
    with console.capture() as captured:
        console.print(table_of(FLEET, 1000.0, columns))

    lines = captured.get().splitlines()
    assert len(lines) == len(FLEET) + 1
    assert all(len(line) <= columns for line in lines)
    states = [line.split()[0] for line in lines[1:]]
    assert states.count("unhealthy") == 2
    assert {"healthy", "disabled", "degraded", "maintenance", "unknown"} < set(states)


@pytest.mark.parametrize("columns", [80, 110])
def test_names_of_twenty_letters_are_whole_in_a_usual_terminal(columns: int) -> None:
    names = [f"payments-gateway-{number:03}" for number in (1, 2)]
    rows = [row(name, **{**DOWN, "verdict": "monitoring"}, team="payments") for name in names]
    console = Console(width=columns, no_color=True)
    with console.capture() as captured:
        console.print(table_of(rows, 100_000.0, columns))

    lines = captured.get().splitlines()[1:]
    assert [line.split()[1] for line in lines] == names
    assert all("monitoring" in line and "wait" in line for line in lines)


# -- against a running exporter ------------------------------------------------------------------


@pytest.fixture
async def client(vendor: Vendor, tmp_path: Path) -> AsyncIterator[Client]:
    vendor.on("/", answer())
    services = [
        {"id": f"shop-{number:02}", "base_url": vendor.url(), "team": "shop"}
        for number in range(30)
    ] + [{"id": "broken", "base_url": "http://127.0.0.1:1", "team": "pay"}]
    config = json.dumps({"defaults": {"health_check": CHECK}, "services": services})
    async with running(config, data=tmp_path / "data", environment=secret_key(tmp_path)) as found:
        for service in services:
            await found.probed(str(service["id"]))
        yield found


async def test_without_a_terminal_it_prints_once_and_a_failing_service_is_exit_code_1(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await asyncio.to_thread(main, ["top", "--url", client.base])

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[0] == "1 of 31 fails: 1 provider"
    assert lines[2].split()[:2] == ["unhealthy", "broken"]
    assert "\x1b" not in "".join(lines)


async def test_printed_once_only_what_is_chosen_decides_the_exit_code(client: Client) -> None:
    assert await asyncio.to_thread(main, ["top", "--team", "shop", "--url", client.base]) == 0


async def test_an_exporter_that_does_not_answer_is_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = await asyncio.to_thread(main, ["top", "--url", "http://127.0.0.1:1"])

    assert code == 2
    assert "no exporter answers at http://127.0.0.1:1" in capsys.readouterr().err


def play(base: str) -> str:
    """Use `top` as a person would; return all that was written."""
    with screen("top", "--url", base, "--interval", "0.2", rows=12, columns=100) as one:
        before = one.settings()
        first = one.until(lambda shown: "q quit" in shown)
        assert first.startswith("1 of 31 fails: 1 provider")
        assert re.search(r"\nunhealthy +broken", first)
        assert "1 to 9 of 31" in first
        assert all(len(line) <= 100 for line in first.splitlines())
        one.press("t")
        assert "unhealthy" in one.until(lambda shown: "team: pay" in shown)
        one.press("t")
        assert "broken" not in one.until(lambda shown: "team: shop" in shown)
        one.press("\x1b[6~")
        one.until(lambda shown: "10 to 18 of 30" in shown)
        one.press("s")
        one.until(lambda shown: "sort: since" in shown and "1 to 9 of 30" in shown)
        one.resize(8, 60)
        narrow = one.until(lambda shown: "what to do" not in shown and "shop-" in shown)
        assert all(len(line) <= 60 for line in narrow.splitlines())
        assert len(narrow.splitlines()) <= 8
        one.press("q")
        assert one.end() == 0
        assert one.settings() == before
        return one.output


async def test_it_is_sorted_filtered_scrolled_resized_and_left_as_the_terminal_was(
    client: Client,
) -> None:
    written = await asyncio.to_thread(play, client.base)

    assert written.index(ALTERNATE) < written.rindex(CURSOR) < written.rindex(MAIN)


def interrupted(base: str, how: str) -> tuple[int, bool, str]:
    with screen("top", "--url", base, NO_COLOR="1") as one:
        before = one.settings()
        one.until(lambda shown: "q quit" in shown)
        if how == "Ctrl-C":
            one.press("\x03")
        else:
            one.process.send_signal(signal.SIGTERM)
        code = one.end()
        return code, one.settings() == before, one.output


@pytest.mark.parametrize(("how", "code"), [("Ctrl-C", 0), ("SIGTERM", 128 + signal.SIGTERM)])
async def test_the_terminal_is_given_back_however_it_ends(
    client: Client, how: str, code: int
) -> None:
    found, is_restored, written = await asyncio.to_thread(interrupted, client.base, how)

    assert (found, is_restored) == (code, True)
    assert written.rindex(CURSOR) > written.index(ALTERNATE)
    assert written.rindex(MAIN) > written.index(ALTERNATE)
    assert "Traceback" not in written
    # NO_COLOR: bold and reverse may stay, no colour may.
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])(?:;[0-9;]*)?m", written)


async def test_an_exporter_that_goes_away_is_told_over_what_was_known(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.on("/", answer())
    service = {"id": "api", "base_url": vendor.url(), "health_check": CHECK}
    async with contextlib.AsyncExitStack() as stack:
        exporter = contextlib.AsyncExitStack()
        client = await exporter.enter_async_context(running(json.dumps({"services": [service]})))
        stack.push_async_exit(exporter)
        await client.probed("api")
        context = screen("top", "--url", client.base, "--interval", "0.2")
        one: Screen = stack.enter_context(context)
        await asyncio.to_thread(one.until, lambda shown: "none of 1 fails" in shown)

        await exporter.aclose()

        def is_old(shown: str) -> bool:
            return shown.startswith("OLD, of ") and "healthy" in shown

        shown = await asyncio.to_thread(one.until, is_old)
        assert "the exporter does not answer; trying again" in shown
        one.press("q")
        assert await asyncio.to_thread(one.end) == 0
