"""`service-registry incidents`, against a running exporter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.cli.incidents import under_causes
from exporter.evidence import Evidence
from exporter.incidents import from_api
from exporter.incidents.model import Source
from exporter.model import Outcome, Reason, Result, Verdict
from tests.api.test_edge import TOKEN, Client, running
from tests.incidents.saying import NOW, listed

CONFIG = "services: [{id: api, team: pay, base_url: 'http://127.0.0.1:9', enabled: false}]"


class Terminal:
    """Types commands and reads what they print."""

    def __init__(self, client: Client, token: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.client, self.capture = client, capture
        self.where = ("--url", client.base)
        self.how = (*self.where, "--admin-token-file", str(token))

    async def type(self, *words: str) -> tuple[int, str, str]:
        """Return the exit code and both outputs of `incidents` with *words*."""
        code = await asyncio.to_thread(main, ("incidents", *words))
        return (code, *self.capture.readouterr())

    async def opened(self, *more: str) -> str:
        """Open an incident; return its id."""
        words = ("create", "nobody can pay", *more, "--by", "ann", "--json", *self.how)
        return str(json.loads((await self.type(*words))[1])["id"])


@pytest.fixture
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Terminal]:
    (tmp_path / "token").write_text(TOKEN)
    async with running(CONFIG) as client:
        yield Terminal(client, tmp_path / "token", capsys)


async def test_an_empty_list_is_reported_as_such(terminal: Terminal) -> None:
    assert (await terminal.type(*terminal.where))[:2] == (0, "no incidents\n")


async def test_a_reported_incident_is_listed_with_what_it_is_about(terminal: Terminal) -> None:
    id_ = await terminal.opened("--service", "api", "--severity", "critical")

    code, output, _ = await terminal.type(*terminal.where)

    assert code == 0
    assert all(word in output for word in (id_, "critical", "open", "nobody can pay"))


async def test_the_filters_of_the_api_can_be_typed_before_or_after_the_verb(
    terminal: Terminal,
) -> None:
    await terminal.opened("--service", "api")

    for words in (
        ("--severity", "low"),
        ("list", "--severity", "low"),
        ("--severity", "low", "list"),
    ):
        assert (await terminal.type(*words, *terminal.where))[1] == "no incidents\n"
    assert "api" not in (await terminal.type("list", "--service", "api", *terminal.where))[2]


async def test_an_incident_is_taken_noted_and_ended_by_name(terminal: Terminal) -> None:
    id_ = await terminal.opened()

    await terminal.type("ack", id_, "on it", "--by", "ann", *terminal.how)
    await terminal.type("note", id_, "the bank says 10 minutes", "--by", "bob", *terminal.how)
    code, _, _ = await terminal.type("resolve", id_, "--by", "bob", *terminal.how)
    output = (await terminal.type("show", id_, *terminal.where))[1]

    assert code == 0
    for line in (
        "acknowledged by ann: on it",
        "note by bob: the bank says 10 minutes",
        "resolved by bob",
    ):
        assert line in output
    found = json.loads((await terminal.type("show", id_, "--json", *terminal.where))[1])
    assert (found["status"], found["acknowledged_by"]) == ("resolved", "ann")


async def test_json_is_that_of_the_api(terminal: Terminal) -> None:
    await terminal.opened()

    output = (await terminal.type("list", "--json", *terminal.where))[1]

    assert json.loads(output) == json.loads((await terminal.client.ask("GET", "/api/incidents"))[2])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("show", "nobody"), 1, "there is no such incident"),
        (("show", "../services/api"), 1, "there is no such incident"),
        (("list", "--limit", "0"), 1, "limit must be a number from 1 to 1000"),
        (("ack", "nobody"), 2, "give --admin-token-file"),
    ],
)
async def test_a_refused_command_prints_one_line(
    terminal: Terminal, words: tuple[str, ...], code: int, message: str
) -> None:
    found = await terminal.type(*words, *terminal.where)

    assert found[0] == code
    assert message in found[2]
    assert found[2].count("\n") == 1


async def test_what_is_held_back_is_indented_under_its_cause(terminal: Terminal) -> None:
    cause = listed(NOW, alertname="MonitoringNetworkDown", service="", provider="", team="")
    held = [
        listed(NOW, service=name, by="inhibited", held_by=cause["fingerprint"])
        for name in ("a", "b")
    ]
    log, other = terminal.client.app.incidents, listed(NOW - 50, service="other")
    await log.fold(from_api([*held, cause, other]), Source.POLL, NOW)

    _, output, _ = await terminal.type(*terminal.where)

    rows = [line.split("\u2502")[1].rstrip() for line in output.splitlines() if "\u2502" in line]
    indents = [len(row) - len(row.lstrip()) for row in rows]
    assert sorted(indents) == [1, 1, 3, 3]
    first = indents.index(3)
    assert (indents[first - 1], indents[first + 1]) == (1, 3)
    assert "MonitoringNetworkDown is critical" in output.replace("\n", "")


async def test_the_failures_at_both_ends_are_in_the_timeline(terminal: Terminal) -> None:
    app = terminal.client.app
    now = app.clock.now()
    for ago, request_id in ((60, "req-first"), (30, "req-last")):
        kept = Evidence(excerpt="out of capacity")
        outcome = Outcome(
            reason=Reason.OVERLOADED, status=503, request_id=request_id, evidence=kept
        )
        made = Result(service="api", at=now - ago, outcome=outcome, verdict=Verdict.PROVIDER)
        app.failures.add(made, spell=now - 60, until=now + 600)
    id_ = await terminal.opened("--service", "api")

    lines = (await terminal.type("show", id_, *terminal.where))[1].splitlines()

    places = [
        next(i for i, line in enumerate(lines) if text in line)
        for text in (
            "first failure: overloaded, HTTP 503, request id req-first, out of capacity",
            "last failure: overloaded, HTTP 503, request id req-last, out of capacity",
            "opened by ann",
        )
    ]
    assert places == sorted(places)


async def test_who_was_told_is_shown(terminal: Terminal) -> None:
    id_ = await terminal.opened("--service", "api")

    for words in (("show", id_), ("list",)):
        _, output, _ = await terminal.type(*words, *terminal.where)
        assert "nobody" in output


def test_what_holds_each_other_back_is_listed_once() -> None:
    rows = [{"id": "a", "held_back_by": "b"}, {"id": "b", "held_back_by": "a"}, {"id": "c"}]

    found = [(row["id"], depth) for row, depth in under_causes(rows)]

    assert found == [("c", 0), ("a", 0), ("b", 0)]
