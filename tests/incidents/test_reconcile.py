"""What no message tells is asked for: ends, silences, gaps; and Alertmanager is told by hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from exporter.incidents import EntryKind, IncidentLog, Peers, Query, Reconciliation
from exporter.incidents.alerts import fingerprint
from exporter.incidents.reconcile import ended
from exporter.store import Store, StoreError
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Json, Listener, alert, kinds, labels, listed, spans
from tests.incidents.servers import Alertmanager, Prometheus
from tests.patience import patient


class Stage(Listener):
    """A log that is reconciled with a server or two."""

    def __init__(self, clock: FakeClock, peers: Peers, store: Store | None = None) -> None:
        super().__init__(store, clock)
        self.succeeded: list[float] = []
        self.peers = peers
        self.wanted = True
        self.reconciliation = Reconciliation(
            self.log,
            self.store.incidents,
            peers,
            clock,
            on_success=self.succeeded.append,
            wanted=lambda: self.wanted,
        )

    async def round(self, at: float) -> None:
        await self.to(at)
        await self.reconciliation.round()

    async def rounds(self, *at: float) -> None:
        for each in at:
            await self.round(each)


@pytest.fixture
async def stage(
    clock: FakeClock, alertmanager: Alertmanager, prometheus: Prometheus
) -> AsyncIterator[Stage]:
    made = Stage(clock, Peers([alertmanager.url], prometheus.url, timeout=5.0))
    yield made
    await made.peers.close()


async def shown(condition: Callable[[], bool]) -> None:
    """Return once *condition* holds: servers and threads answer when they like."""
    async with patient(5):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    task = asyncio.create_task(stage.reconciliation.run())
    try:
        yield
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# -- asked -----------------------------------------------------------------------------------


async def test_what_is_not_listed_any_more_ends_in_the_second_round(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.hears(alert(NOW))
    alertmanager.alerts = [listed(NOW)]
    await stage.round(30)
    alertmanager.alerts = []
    await stage.round(60)
    first = await stage.one()
    await stage.round(90)

    assert first.status == "open"
    assert await stage.tells() == ["opened 0", "resolved 60"]
    assert stage.succeeded == [NOW + 30, NOW + 60, NOW + 90]


async def test_an_alertmanager_that_does_not_decide_is_not_asked_and_later_ends_nothing_at_once(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.hears(alert(NOW))
    await stage.log.create(severity="high", summary="x", by="ann")
    alertmanager.started = NOW - 86_400
    stage.wanted = False
    await stage.rounds(600, 900)
    assert stage.succeeded == []
    assert alertmanager.posted == []

    stage.wanted = True
    await stage.rounds(930, 960, 1190)
    (incident,) = [one for one in await stage.all() if not one.manual]
    assert incident.status == "open"
    assert alertmanager.posted
    await stage.rounds(1230, 1260)
    (incident,) = [one for one in await stage.all() if not one.manual]
    assert incident.status == "resolved"


async def test_an_alertmanager_that_has_just_started_ends_nothing(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.hears(alert(NOW))
    alertmanager.started = NOW

    await stage.rounds(30, 60, 270, 300)
    young = await stage.one()
    await stage.rounds(330, 360)

    assert young.status == "open"
    assert await stage.tells() == ["opened 0", "resolved 330"]


async def test_a_restart_is_seen_although_our_clock_is_a_day_ahead(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.hears(alert(NOW))
    alertmanager.alerts, alertmanager.started = [listed(NOW)], NOW - 10 * 86_400
    await stage.rounds(30, 60)
    alertmanager.alerts, alertmanager.started = [], NOW + 61 - 86_400

    await stage.rounds(90, 120, 360)
    young = await stage.one()
    await stage.rounds(390, 420)

    assert young.status == "open"
    assert await stage.tells() == ["opened 0", "resolved 390"]


async def test_an_alertmanager_that_does_not_answer_ends_nothing(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.hears(alert(NOW))
    alertmanager.dead = True

    await stage.rounds(30, 60, 90)

    assert await stage.tells() == ["opened 0"]
    assert stage.succeeded == []


async def test_a_silence_is_found_and_its_end(stage: Stage, alertmanager: Alertmanager) -> None:
    await stage.hears(alert(NOW))
    for second, by in ((30, "silenced"), (60, "silenced"), (90, "")):
        alertmanager.alerts = [listed(NOW, by=by)]
        await stage.round(second)

    assert await stage.tells() == ["opened 0", "suppressed 30", "unsuppressed 90"]


async def test_without_an_alertmanager_a_round_only_counts(clock: FakeClock) -> None:
    stage = Stage(clock, Peers([]))
    await stage.hears(alert(NOW, NOW + 100))
    counted = len(stage.shown)

    await stage.round(800)

    assert len(stage.shown) == counted + 1
    assert [times.count for times in stage.shown[-1].resolve.values()] == [1]
    assert stage.shown[counted - 1].resolve == {}


# -- told ------------------------------------------------------------------------------------


async def test_a_manual_incident_is_told_every_round_and_noted_once(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    made = await stage.log.create(
        severity="high",
        summary="Slow",
        by="anna",
        service="stripe",
        environment="prod",
        provider="stripe",
        team="pay",
    )

    await stage.rounds(0, 30)

    about = {
        "alertname": "ManualIncident",
        "category": "manual",
        "source": "manual",
        "incident": made.id,
        "severity": "high",
        "service": "stripe",
        "environment": "prod",
        "provider": "stripe",
        "team": "pay",
    }
    first, again = alertmanager.posted
    assert first == [
        {
            "labels": about,
            "annotations": {"summary": "Slow"},
            "startsAt": "2027-01-15T08:00:00.000000+00:00",
            "endsAt": "2027-01-15T08:05:00.000000+00:00",
        }
    ]
    assert again[0]["endsAt"] == "2027-01-15T08:05:30.000000+00:00"
    assert made.alerts[0].fingerprint == fingerprint(about)
    assert kinds(await stage.one()) == [EntryKind.OPENED, EntryKind.POSTED]


async def test_a_manual_incident_that_nobody_takes_is_not_noted_as_told(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.log.create(severity="high", summary="Slow", by="anna")
    alertmanager.refuses = True
    await stage.round(0)
    refused = kinds(await stage.one())
    alertmanager.refuses = False
    await stage.round(30)

    assert refused == [EntryKind.OPENED]
    assert kinds(await stage.one()) == [EntryKind.OPENED, EntryKind.POSTED]


async def test_the_end_of_a_manual_incident_is_told_for_five_minutes(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    made = await stage.log.create(severity="high", summary="Slow", by="anna")
    await stage.to(60)
    await stage.log.resolve(made.id, "anna")
    for number in range(300):  # a storm of others that began later and are over
        await stage.hears(alert(NOW + 1, NOW + 2, service=f"s{number}"))

    await stage.rounds(60, 90, 359, 360, 390)

    assert [[one["endsAt"] for one in post] for post in alertmanager.posted] == [
        ["2027-01-15T08:01:00.000000+00:00"]
    ] * 3


async def test_an_alert_is_not_told_back(stage: Stage, alertmanager: Alertmanager) -> None:
    alertmanager.alerts = [listed(NOW)]
    await stage.rounds(30, 60)

    assert alertmanager.posted == []


@pytest.mark.parametrize("incident", ["", "of-another-exporter"])
async def test_a_manual_alert_of_somebody_else_makes_no_endless_chain(
    stage: Stage, alertmanager: Alertmanager, incident: str
) -> None:
    about = {"alertname": "ManualIncident", "source": "manual", "incident": incident}
    alertmanager.alerts = [listed(NOW, **about)]
    for second in (30, 60, 90):
        await stage.round(second)
        alertmanager.alerts += [
            listed(NOW, **one["labels"]) for post in alertmanager.posted for one in post
        ]

    assert alertmanager.posted == []
    assert len(await stage.all()) == 1


async def test_a_log_that_lost_its_manual_incident_lets_it_end(
    clock: FakeClock, alertmanager: Alertmanager
) -> None:
    peers = Peers([alertmanager.url])
    before = Stage(clock, peers)
    await before.log.create(severity="high", summary="Slow", by="anna")
    await before.round(0)
    told = alertmanager.posted[0][0]["labels"]
    alertmanager.alerts = [listed(NOW, **told, service="", provider="", team="", environment="")]

    after = Stage(clock, peers)  # started without a directory
    await after.rounds(30, 60)
    alertmanager.alerts = []
    await after.rounds(330, 360)

    assert len(alertmanager.posted) == 1
    assert spans(await after.all()) == [(0, 330)]
    await peers.close()


# -- filled in -------------------------------------------------------------------------------


def series(*runs: tuple[int, int], **about: str) -> Json:
    """Return a series of ALERTS that fired in *runs* of seconds, sampled every 15."""
    at = [NOW + second for first, last in runs for second in range(first, last + 1, 15)]
    metric = {"__name__": "ALERTS", "alertstate": "firing", **labels(**about)}
    return {"metric": metric, "values": [[time, "1"] for time in at]}


async def test_what_came_and_went_while_nobody_listened_is_written_once(
    stage: Stage, prometheus: Prometheus
) -> None:
    await stage.round(0)
    prometheus.series = [
        series((600, 900), severity="high"),
        series((660, 900)),
        series((300, 315), service="b"),
        series((3000, 3660), service="fires"),
    ]

    again = Stage(stage.clock, stage.peers, stage.store)
    await again.rounds(3600, 3630, 3660)
    found = await again.all()
    prometheus.series.pop()
    await Stage(stage.clock, stage.peers, stage.store).rounds(7200, 7230, 7260)

    assert [one["start"] for one in prometheus.asked] == [f"{NOW:.3f}", f"{NOW + 3660:.3f}"]
    assert spans(found) == [(285, 315), (585, 900)]
    assert [one.severity for one in found] == ["critical", "critical"]
    assert {one.resolved_by for one in found} == {"prometheus"}
    assert await again.all() == found


async def test_what_ended_just_before_somebody_listens_again_is_found_too(
    stage: Stage, prometheus: Prometheus
) -> None:
    await stage.round(0)
    prometheus.series = [series((3570, 3585))]

    await stage.rounds(3600, 3630, 3660)

    assert spans(await stage.all()) == [(3555, 3585)]


async def test_the_absence_of_alertmanager_is_a_gap_as_well(
    stage: Stage, alertmanager: Alertmanager, prometheus: Prometheus
) -> None:
    await stage.round(0)
    alertmanager.dead = True
    await stage.rounds(30, 60, 600, 900)
    prometheus.series = [series((300, 600))]
    alertmanager.dead = False

    await stage.rounds(930, 960, 990)

    assert spans(await stage.all()) == [(285, 600)]


async def test_a_restart_while_a_gap_is_open_fills_it_whole(
    stage: Stage, prometheus: Prometheus
) -> None:
    await stage.round(0)
    prometheus.series = [series((600, 900))]
    await stage.round(3600)

    await Stage(stage.clock, stage.peers, stage.store).rounds(3630, 3660, 3690)

    assert prometheus.asked[0]["start"] == f"{NOW:.3f}"
    assert spans(await stage.all()) == [(585, 900)]


async def test_what_the_log_knows_is_not_written_again(
    stage: Stage, prometheus: Prometheus
) -> None:
    await stage.hears(alert(NOW + 590, NOW + 910, cluster="main"))
    await stage.round(0)
    await stage.to(3600)
    before = await stage.all()
    prometheus.series = [series((600, 900))]

    await stage.reconciliation.backfill()

    assert await stage.all() == before


@pytest.mark.parametrize("away", [0, 59])
async def test_a_short_absence_is_no_gap(stage: Stage, prometheus: Prometheus, away: float) -> None:
    await stage.round(0)

    await stage.rounds(away, away + 30, away + 60)

    assert prometheus.asked == []


async def test_the_first_start_of_all_has_no_gap(stage: Stage, prometheus: Prometheus) -> None:
    assert await stage.reconciliation.backfill()
    assert prometheus.asked == []


async def test_a_long_absence_is_filled_for_a_day(stage: Stage, prometheus: Prometheus) -> None:
    await stage.round(0)
    await stage.to(200_000)

    await stage.reconciliation.backfill()

    assert prometheus.asked[0]["start"] == f"{NOW + 200_000 - 86_400:.3f}"


async def test_a_prometheus_that_starts_later_than_we_is_asked_until_it_answers(
    stage: Stage, prometheus: Prometheus
) -> None:
    await stage.round(0)
    prometheus.dead, prometheus.series = True, [series((600, 900))]

    await stage.rounds(3600, 3630, 3660, 3690)
    prometheus.dead = False
    await stage.rounds(3720, 3750)

    assert [one["start"] for one in prometheus.asked] == [f"{NOW:.3f}"] * 3
    assert spans(await stage.all()) == [(585, 900)]


@pytest.mark.parametrize(
    "junk",
    [
        None,
        5,
        {},
        {"metric": {}},
        {"metric": [], "values": []},
        {"metric": {"a": 1}, "values": [[1, 1]]},
        {"metric": {"alertname": "X"}, "values": [["x", "1"]]},
        {"metric": {"alertname": "X"}, "values": [[1]]},
        {"metric": {"alertname": "X"}, "values": [[math.nan, "1"]]},
        {"metric": {"alertname": "X"}, "values": [[math.inf, "1"]]},
        {"metric": {"alertname": "X"}, "values": [[-math.inf, "1"]]},
    ],
)
def test_a_series_that_is_none_takes_no_other_with_it(junk: Any) -> None:
    good = {"metric": {"alertname": "Y", "x": "\ud800"}, "values": [[NOW, "1"]]}

    found = list(ended([junk, good], NOW + 3600, 15.0))

    assert [one.labels for one in found] == [{"alertname": "Y", "x": "?"}]


def test_labels_are_cut_as_in_a_message() -> None:
    about = {"alertname": "Y", "service": "s" * 300}

    (found,) = ended([{"metric": about, "values": [[NOW, "1"]]}], NOW + 3600, 15.0)

    assert found.labels["service"] == "s" * 256


# -- the loop --------------------------------------------------------------------------------


async def test_rounds_follow_each_other_and_can_be_had_soon(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    async with running(stage):
        await shown(lambda: len(stage.succeeded) == 1)
        await shown(lambda: stage.clock.sleeping == 1)
        await stage.clock.advance(29)
        assert len(stage.succeeded) == 1
        stage.reconciliation.schedule_round()
        await shown(lambda: len(stage.succeeded) == 2)
        await shown(lambda: stage.clock.sleeping == 1)
        await stage.clock.advance(30)
        await shown(lambda: len(stage.succeeded) == 3)

    assert stage.succeeded == [NOW, NOW + 29, NOW + 59]


class _Failing:
    """A store that fails as often as it is told to."""

    def __init__(self, store: Store) -> None:
        self._store, self.failures = store.incidents, list[tuple[str, Exception]]()

    def __getattr__(self, name: str) -> Any:
        if self.failures and self.failures[0][0] == name:
            raise self.failures.pop(0)[1]
        return getattr(self._store, name)


@pytest.mark.parametrize("where", ["counts", "manual", "note_contact", "last_contact", "by_key"])
@pytest.mark.parametrize("error", [StoreError("disk"), RuntimeError("bug")])
async def test_an_error_does_not_end_the_loop(
    alertmanager: Alertmanager,
    prometheus: Prometheus,
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: Exception,
) -> None:
    clock, succeeded = FakeClock(NOW), list[float]()
    storage = _Failing(Store.in_memory(clock))
    peers = Peers([alertmanager.url], prometheus.url)
    log = IncidentLog(storage, clock)
    loop = Reconciliation(log, storage, peers, clock, on_success=succeeded.append)
    alertmanager.alerts = [listed(NOW)]
    storage.failures = [(where, error)] * 2

    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(loop.run())
        for _ in range(2):
            await shown(lambda: clock.sleeping == 1)
            await clock.advance(30)
        await shown(lambda: len(succeeded) == 1)
    task.cancel()
    await asyncio.gather(task, peers.close(), return_exceptions=True)

    expected = "not reconciled" if isinstance(error, OSError) else "bug in a reconciliation"
    assert caplog.messages == [expected] * 2
    assert len(await log.find(Query())) == 1
