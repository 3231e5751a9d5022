"""What was seen continues after a restart, however damaged the state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.app import App, Options
from exporter.config import Configuration
from exporter.config.declarations import LatencyObjective, Objectives
from exporter.model import Outcome, Reason, Result, Verdict, verdict_of
from exporter.results import Tally, status_of
from exporter.secret import Secret
from exporter.store import Store, StoreError
from tests.fakes import KEY, FakeClock, service_target

TARGET = service_target(
    "a",
    key=Secret(KEY),
    objectives=Objectives(latency=LatencyObjective(threshold=0.8, target=0.99)),
)
COUNTED = (
    "attempts",
    "bad",
    "buckets",
    "changes",
    "events",
    "held",
    "in_a_row",
    "last_success",
    "latency_sum",
    "reasons",
)


def result(reason: Reason, at: float = 1000.0, **more: Any) -> Result:
    verdict = more.pop("verdict", verdict_of(reason))
    outcome = Outcome(
        reason=reason,
        duration=0.9,
        phases=(0.1, 0.2, 0.3, 0.2, 0.1),
        status=503,
        keyed=True,
        **more,
    )
    return Result(service="a", at=at, outcome=outcome, verdict=verdict, attempts=2)


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    for at, reason in ((0.5, Reason.OK), (1.0, Reason.AUTH_INVALID), (2.0, Reason.OK)):
        made.add(result(reason, at), TARGET)
    for at in (3.0, 4.0):
        made.add(result(Reason.TIMEOUT, at, verdict=Verdict.NETWORK), TARGET)
    return made


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    opened = Store.open(tmp_path / "data", clock, None)
    yield opened
    opened.close()


def counted(tally: Tally) -> dict[str, Any]:
    return {name: getattr(tally, name) for name in COUNTED}


def restored(state: Any) -> Tally:
    made = Tally()
    made.restore(state)
    return made


def test_counters_and_the_last_verdict_continue(store: Store, tally: Tally) -> None:
    store.save_states({"a": tally.dump()})

    again = restored(store.states()["a"])

    assert counted(again) == counted(tally)
    assert again.last is not None
    assert tally.last is not None
    assert again.last.outcome == tally.last.outcome
    assert (again.last.at, again.last.verdict) == (4.0, Verdict.NETWORK)
    assert status_of(TARGET, again) == status_of(TARGET, tally)


def test_the_next_result_counts_on(tally: Tally) -> None:
    again = restored(tally.dump())

    for each in (tally, again):
        each.add(result(Reason.OK, 5.0), TARGET)

    assert counted(again) == counted(tally)
    assert again.changes == 2


def test_a_tally_without_results_is_kept_as_one() -> None:
    again = restored(Tally().dump())

    assert again.last is None
    assert counted(again) == counted(Tally())


def test_no_key_is_in_the_state(tally: Tally) -> None:
    assert KEY not in json.dumps(tally.dump())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reasons", {"timeout": -1, "of another version": 3, "ok": True, "dns": 1.5}),
        ("reasons", [1, 2]),
        ("buckets", {"wide": 3, "1": "many"}),
        ("events", [1]),
        ("events", [1, None]),
        ("bad", "00"),
        ("attempts", 2**60),
        ("changes", "3"),
        ("in_a_row", None),
        ("held", -1),
        ("latency_sum", float("nan")),
        ("last_success", -1),
        ("last", "yesterday"),
        ("last", {"service": "a", "at": 1, "verdict": "guilty", "reason": "ok", "duration": 1}),
        ("last", {"service": "a", "at": 1, "verdict": "ok", "reason": "fine", "duration": 1}),
        ("last", {"service": "a", "at": True, "verdict": "ok", "reason": "ok", "duration": 1}),
        ("of another version", 1),
    ],
)
def test_a_damaged_field_is_as_new_and_the_others_continue(
    tally: Tally, field: str, value: Any
) -> None:
    again = restored(tally.dump() | {field: value})

    expected = counted(tally) | ({field: counted(Tally())[field]} if field in COUNTED else {})
    assert counted(again) == expected
    assert (again.last is None) == (field == "last")


@pytest.mark.parametrize(
    "more",
    [{"phases": [1, 2]}, {"phases": [1, 2, 3, 4, "x"]}, {"status": "x"}, {"http_version": None}],
)
def test_a_damaged_detail_of_the_last_result_is_left_out(more: dict[str, Any]) -> None:
    last = {"service": "a", "at": 1, "verdict": "ok", "reason": "ok", "duration": 2}

    again = restored({"last": last | more})

    assert again.last == Result(
        service="a", at=1.0, verdict=Verdict.OK, outcome=Outcome(reason=Reason.OK, duration=2.0)
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*COUNTED, "last"]), _json))
def test_no_state_breaks_a_start(state: dict[str, Any]) -> None:
    again = restored(state)

    again.add(result(Reason.OK), TARGET)

    assert again.last is not None


async def test_an_exporter_that_ends_closes_its_database(tmp_path: Path) -> None:
    app = App(Options(source=Configuration, environment={}, port=0, data_dir=tmp_path / "data"))
    stop = asyncio.Event()
    stop.set()

    await app.run(stop, lambda started: None)

    with pytest.raises(StoreError, match="ProgrammingError"):
        app.store.services()
