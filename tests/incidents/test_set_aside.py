"""One odd alert never refuses its neighbours; one disk that is full refuses all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from exporter.incidents import IncidentChange, fold
from exporter.incidents.alerts import MOST_OF_MESSAGE
from exporter.incidents.log import SLICE_ALERTS
from exporter.incidents.model import Alert, Incident
from exporter.incidents.states import Report
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert, listed, message


@pytest.fixture
def log(clock: FakeClock) -> Listener:
    return Listener(clock=clock)


def cursed(log: Listener) -> None:
    """Have the storage contradict every change about the service "cursed"."""
    with log.store._database.write() as db:
        for what in ("INSERT", "UPDATE"):
            db.execute(
                f"CREATE TRIGGER curse_{what} BEFORE {what} ON incidents"
                " WHEN NEW.service = 'cursed' BEGIN SELECT RAISE(ABORT, 'hush-hush'); END"
            )


async def services(log: Listener) -> list[str]:
    return sorted(one.service for one in await log.all())


async def test_a_change_that_the_storage_contradicts_is_set_aside(
    log: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    cursed(log)
    caplog.set_level(logging.WARNING)
    alerts = [alert(NOW, service=name) for name in ("a", "cursed", "b")]

    first = await log.log.receive(message(*alerts))
    again = await log.log.receive(message(*alerts))

    assert (first.changed, first.set_aside) == (2, 1)
    assert (again.changed, again.set_aside) == (0, 1)
    assert await services(log) == ["a", "b"]
    assert caplog.messages == ["alert set aside"]
    assert "hush-hush" not in str(caplog.records[0].__dict__)


async def test_a_bug_in_the_fold_costs_one_alert(
    log: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fold.fold

    def odd(known: Sequence[Incident], alert: Alert, report: Report) -> list[IncidentChange]:
        if alert.labels["service"] == "odd":
            raise KeyError("x")
        return real(known, alert, report)

    monkeypatch.setattr(fold, "fold", odd)

    received = await log.log.receive(message(*(alert(NOW, service=s) for s in ("a", "odd", "b"))))

    assert (received.changed, received.set_aside) == (2, 1)
    assert await services(log) == ["a", "b"]


async def test_a_poll_goes_on_beside_what_is_set_aside(log: Listener) -> None:
    cursed(log)
    await log.hears(alert(NOW, service="gone"))

    for second in (30, 60):
        await log.to(second)
        await log.polls(listed(NOW, service="cursed"), listed(NOW, service="new"))

    assert await services(log) == ["gone", "new"]
    assert [one.service for one in await log.log.unresolved()] == ["new"]


async def test_the_sums_do_not_count_what_is_set_aside(log: Listener) -> None:
    await log.hears(alert(NOW, service="a"))
    cursed(log)
    before = (await log.log.stats()).total

    await log.hears(alert(NOW, service="cursed"))

    assert (await log.log.stats()).total == before == 1
    assert {row[0] for row, _ in log.log.counts.total} == {"a"}


async def test_a_long_message_is_folded_in_slices_and_cut(
    log: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    real = log.store.incidents.atomic

    def counted() -> Any:
        nonlocal writes
        writes += 1
        return real()

    monkeypatch.setattr(log.store.incidents, "atomic", counted)
    same = alert(NOW)

    received = await log.log.receive(message(*[same] * (MOST_OF_MESSAGE + 5)))

    assert (received.changed, received.left_out) == (1, 5)
    assert writes == MOST_OF_MESSAGE / SLICE_ALERTS


async def test_an_incident_of_very_many_alerts_stays_small(log: Listener) -> None:
    many = [alert(NOW + n, cluster=f"c{n}", service="s") for n in range(450)]

    await log.hears(*many)

    one = await log.one()
    assert len(one.alerts) == 200
    await log.to(600)
    for second in (600, 630):
        await log.to(second)
        await log.polls(listed(NOW + 449, cluster="c449", service="s"))
    for second in (660, 690):
        await log.to(second)
        await log.polls(listed(NOW + 449, cluster="c449", service="s"))
    assert [one.service for one in await log.log.unresolved()] == ["s"]
    for second in (720, 750):
        await log.to(second)
        await log.polls()
    assert await log.log.unresolved() == []
