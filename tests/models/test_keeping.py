"""What is known of a model continues after a restart, and ends with its service."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.metrics.models import model_pieces
from exporter.model import Reason, Verdict
from exporter.models import ModelResult, ModelState, Skip, model_sentence
from exporter.models.keeping import dump, restore
from exporter.registry import RegistryChange
from exporter.store import Store
from exporter.store.models import MOST_BYTES
from tests.api.managed import running
from tests.fakes import FakeClock
from tests.models.serving import config, state
from tests.models.test_checks import Rig, streamed
from tests.streams.vendor import finish, stream, text
from tests.vendor import Vendor


async def test_figures_continue_after_a_restart(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        events = (0, text("O")), (0.02, text("K")), (0.02, finish(prompt_tokens=9))
        vendor.on("/v1/chat/completions", stream(*events))
        pages, sentences = [], []
        async with running(config(vendor, "m"), data=tmp_path) as client:
            for _ in range(3):
                await client.app.models.check(state(client), "person")
            vendor.on("/v1/chat/completions", stream(end="cut"))
            for _ in range(2):
                await client.app.models.check(state(client), "person")
            pages.append(b"".join(model_pieces([state(client)], openmetrics=False)))
            sentences.append(model_sentence(state(client), 0.0))
            usual = state(client).usual_first_token
        async with running(config(vendor, "m"), data=tmp_path) as client:
            while state(client).remaining is None:
                await client.ask("GET", "/-/healthy")
            pages.append(b"".join(model_pieces([state(client)], openmetrics=False)))
            sentences.append(model_sentence(state(client), 0.0))
            again = state(client).usual_first_token

    assert b'reason="protocol"} 2\n' in pages[0]
    assert pages[0] == pages[1]
    assert sentences[0] == sentences[1]
    assert "m fails since" in sentences[0]
    assert usual is not None
    assert again == pytest.approx(usual, abs=1e-6)


async def test_a_skipped_check_is_kept_too() -> None:
    async with Rig(day=0.0) as rig:
        await rig.pass_(330)
        kept = rig.store.models.all()

    figures = kept["shop", "gpt-4o"]
    assert figures["skipped"] == {"budget_all": 1}
    found = ModelState(rig.target, rig.target.models[0])
    restore(found, figures)
    assert (found.withheld, found.skipped[Skip.BUDGET_ALL]) == (Skip.BUDGET_ALL, 1)


async def test_figures_go_with_the_service(tmp_path: Path) -> None:
    async with Vendor() as vendor:
        vendor.on("/v1/chat/completions", stream((0, text("OK")), (0, finish())))
        async with running(config(vendor, "m", "n"), data=tmp_path) as client:
            await client.app.models.check(state(client), "person")
            await client.app.models.check(state(client, "n"), "person")
            assert sorted(client.app.store.models.all()) == [("ai", "m"), ("ai", "n")]
        async with running(config(vendor, "n"), data=tmp_path) as client:
            async with asyncio.timeout(30):
                while ("ai", "m") in client.app.store.models.all():
                    await client.ask("GET", "/-/healthy")
            assert state(client, "n").reasons[Reason.OK] == 1
        async with running(config(vendor, "m", "n"), data=tmp_path) as client:
            assert state(client, "m").last is None


async def test_a_model_that_comes_back_under_its_name_begins_anew() -> None:
    async with Rig() as rig:
        await rig.pass_(330)
        rig.checks.follow(RegistryChange(removed=(rig.target,)))
        await rig.pass_(1)
        assert rig.store.models.all() == {}
        rig.checks.follow(RegistryChange(added=(rig.target,)))
        found = rig.states.get("shop", "gpt-4o")

    assert found is not None
    assert found.reasons.total() == 0


def test_what_is_damaged_is_passed_over() -> None:
    state = checked()
    whole = dump(state)
    rubbish: list[Any] = [None, -1, 1e300, "x", [], {}, True, [None], {"ok": -1}, "9" * 400]

    for name in whole:
        for value in rubbish:
            found = ModelState(state.target, state.model)
            restore(found, {**whole, name: value})
            assert model_sentence(found, 0.0)
            assert b"".join(model_pieces([found], openmetrics=True))
    for name in whole["last"]:
        for value in rubbish:
            found = ModelState(state.target, state.model)
            restore(found, {**whole, "last": {**whole["last"], name: value}})
            assert model_sentence(found, 0.0)
            assert b"".join(model_pieces([found], openmetrics=False))


def test_a_row_is_bounded_and_holds_no_word_of_an_answer() -> None:
    state = checked()
    assert state.last is not None
    state.last.reading.error = {"message": "WORDS " * 1000}
    state.last.reading.model = "WORDS"
    long = replace(state.last, outcome=replace(state.last.outcome, detail="d" * 100_000))
    for number in range(200):
        state.add(replace(long, at=float(number)))

    text = json.dumps(dump(state))

    assert "WORDS" not in text
    assert len(text) < MOST_BYTES / 4


def test_a_damaged_row_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    counted: list[str] = []
    store = Store.open(tmp_path, FakeClock(), None, count=counted.append)
    store.models.save(("a", "m"), {"good": 1})
    store.models.save(("b", "m"), {"good": 2})
    with store.models._database.write() as db:
        db.execute("UPDATE model_states SET state = '{' WHERE service = 'a'")

    assert store.models.all() == {("b", "m"): {"good": 2}}
    assert counted == ["model_states"]
    store.close()


def checked() -> ModelState:
    """Return the state of a model after good and bad checks."""
    rig = Rig()
    state = rig.states.get("shop", "gpt-4o")
    assert state is not None
    for number, seen in enumerate([streamed(), streamed(Reason.TIMEOUT, first=None)]):
        result = ModelResult(
            at=float(number),
            outcome=seen.outcome,
            reading=seen.reading,
            verdict=Verdict.OK if seen.outcome.success else Verdict.PROVIDER,
            spent=10**20,
        )
        state.add(result)
    return state
