"""What people say stands: the first to take an incident, and the end of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from exporter.incidents import EntryKind, IncidentError, IncidentLog, Query, UnknownIncidentError
from exporter.store import Store, StoreError
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert, kinds, listed, spans


@pytest.fixture
def log(clock: FakeClock) -> Listener:
    return Listener(clock=clock)


async def test_the_first_to_take_an_incident_stays(log: Listener) -> None:
    await log.hears(alert(NOW))
    id_ = (await log.one()).id
    await log.to(50)
    await log.log.acknowledge(id_, "anna", "mine")
    await log.to(60)
    await log.log.acknowledge(id_, "bob")
    again = await log.log.acknowledge(id_, "bob", "me too")

    assert (again.status, again.acknowledged_by) == ("acknowledged", "anna")
    assert again.acknowledged_at == NOW + 50
    assert [(e.kind, e.by, e.note) for e in again.timeline[1:]] == [
        (EntryKind.ACKNOWLEDGED, "anna", "mine"),
        (EntryKind.NOTE, "bob", "me too"),
    ]


async def test_an_acknowledgement_survives_reopening(log: Listener) -> None:
    await log.hears(alert(NOW))
    await log.log.acknowledge((await log.one()).id, "anna")
    await log.hears(alert(NOW, NOW + 100))
    await log.hears(alert(NOW + 200))

    incident = await log.one()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", "anna")


async def test_a_resolved_incident_cannot_be_taken(log: Listener) -> None:
    await log.hears(alert(NOW), alert(NOW, NOW + 100))
    before = await log.one()

    with pytest.raises(IncidentError, match="a resolved incident cannot be acknowledged"):
        await log.log.acknowledge(before.id, "anna")

    assert await log.one() == before


async def test_nobody_takes_an_incident_before_it_began(log: Listener) -> None:
    await log.hears(alert(NOW + 3))  # the clocks of two machines

    taken = await log.log.acknowledge((await log.one()).id, "anna")

    assert taken.acknowledged_at == NOW + 3
    assert next(iter(log.log.counts.acknowledge.values())).sum == 0.0


async def test_what_a_person_has_ended_stays_ended_while_it_fires_on(log: Listener) -> None:
    await log.hears(alert(NOW, severity="high"))
    await log.to(100)
    ended = await log.log.resolve((await log.one()).id, "anna", "not ours")

    for second in (130, 160, 190):
        await log.to(second)
        await log.hears(alert(NOW, severity="high"))
        await log.hears(alert(NOW + 60))  # the next step, heard late
        await log.polls(listed(NOW, severity="high"), listed(NOW + 60))
    await log.hears(alert(NOW, NOW + 500, severity="high"))

    assert (ended.resolved_by, ended.by_person) == ("anna", True)
    assert await log.one() == ended
    assert spans(await log.all()) == [(0, 100)]


@pytest.mark.parametrize(
    ("start", "expected"), [(200, [(0, None)]), (701, [(0, 100), (701, None)])]
)
async def test_what_begins_after_a_persons_end_is_heard(
    log: Listener, start: float, expected: list[tuple[float, float | None]]
) -> None:
    await log.hears(alert(NOW))
    await log.to(100)
    await log.log.resolve((await log.one()).id, "anna")

    await log.hears(alert(NOW + start))

    assert spans(await log.all()) == expected


async def test_a_whole_outage_after_a_persons_end_is_told(log: Listener) -> None:
    await log.hears(alert(NOW))
    await log.to(100)
    await log.log.resolve((await log.one()).id, "anna")

    await log.hears(alert(NOW + 200, NOW + 300))

    incident = await log.one()
    assert kinds(incident) == [
        EntryKind.OPENED,
        EntryKind.RESOLVED,
        EntryKind.REOPENED,
        EntryKind.RESOLVED,
    ]
    assert (incident.resolved_by, incident.by_person) == ("alertmanager", False)


async def test_an_end_that_is_known_is_not_ended_again(log: Listener) -> None:
    await log.hears(alert(NOW, NOW + 100))
    id_ = (await log.one()).id

    await log.to(110)
    same = await log.log.resolve(id_, "anna")
    noted = await log.log.resolve(id_, "anna", "was mine")

    assert kinds(same) == [EntryKind.OPENED, EntryKind.RESOLVED]
    assert (noted.resolved_by, noted.by_person) == ("alertmanager", False)
    assert noted.timeline[-1].note == "was mine"


async def test_notes_are_kept_in_their_order(log: Listener) -> None:
    await log.hears(alert(NOW))
    id_ = (await log.one()).id
    for number in range(3):
        await log.log.note(id_, "anna", f"line {number}\nand more")

    assert [e.note for e in (await log.one()).timeline[1:]] == [
        f"line {number}\nand more" for number in range(3)
    ]


async def test_an_unknown_incident_is_told(log: Listener) -> None:
    for asked in (
        log.log.get("x"),
        log.log.acknowledge("x", "a"),
        log.log.resolve("x", "a"),
        log.log.note("x", "a", "b"),
        log.log.record("x", EntryKind.ACTION, "a", "b"),
    ):
        with pytest.raises(UnknownIncidentError, match="there is no such incident"):
            await asked


# -- by hand ---------------------------------------------------------------------------------


async def test_a_manual_incident_is_ended_by_a_person_alone(log: Listener) -> None:
    made = await log.log.create(
        severity="high",
        summary="Slow",
        by="anna",
        service="stripe",
        environment="prod",
        provider="stripe",
        team="pay",
        description="since noon",
    )
    about = {
        "alertname": "ManualIncident",
        "category": "manual",
        "source": "manual",
        "incident": made.id,
        "severity": "high",
    }

    await log.hears(alert(NOW, **about))
    echoed = await log.one()
    await log.hears(alert(NOW, NOW + 300, **about))
    for second in (330, 360, 390):
        await log.to(second)
        await log.polls()
    still = await log.one()
    await log.log.resolve(made.id, "anna")
    await log.hears(alert(NOW, **about), alert(NOW, NOW + 390, **about))
    await log.polls(listed(NOW, **about))

    assert (made.manual, made.status, made.team) == (True, "open", "pay")
    assert (made.summary, made.description) == ("Slow", "since noon")
    assert [state.fingerprint for state in echoed.alerts] == [alert(NOW, **about)["fingerprint"]]
    assert still.status == "open"
    assert spans(await log.all()) == [(0, 390)]
    assert kinds(await log.one()) == [EntryKind.OPENED, EntryKind.RESOLVED]


async def test_manual_incidents_of_one_service_are_kept_apart(log: Listener) -> None:
    for _ in range(2):
        await log.log.create(severity="low", summary="x", by="anna", service="a")
        await log.log.create(severity="low", summary="x", by="anna")

    assert len(await log.log.unresolved()) == 4


async def test_texts_of_a_manual_incident_have_the_bounds_of_alertmanagers(log: Listener) -> None:
    made = await log.log.create(
        severity="low", summary="s" * 9999, by="anna", environment="e" * 9999
    )

    about = {
        "alertname": "ManualIncident",
        "category": "manual",
        "source": "manual",
        "incident": made.id,
        "severity": "low",
        "environment": "e" * 9999,
        "provider": "",
        "service": "",
        "team": "",
    }
    await log.hears(alert(NOW, **about))

    assert (len(made.summary), len(made.environment)) == (4096, 256)
    assert (await log.one()).id == made.id


@pytest.mark.parametrize("incident", ["", "of-a-lost-log"])
async def test_a_manual_alert_that_is_not_ours_is_an_alert_like_others(
    log: Listener, incident: str
) -> None:
    about = {"alertname": "ManualIncident", "source": "manual", "incident": incident}
    await log.hears(alert(NOW, **about))
    opened = await log.one()
    await log.hears(alert(NOW, NOW + 300, **about))

    assert not opened.manual
    assert await log.log.manual(0.0) == []
    assert spans(await log.all()) == [(0, 300)]


async def test_without_alertmanager_a_manual_incident_says_that_nobody_knows(
    clock: FakeClock,
) -> None:
    log = IncidentLog(Store.in_memory(clock).incidents, clock)
    log.why_nobody = "no Alertmanager is known: nobody was notified"

    made = await log.create(severity="low", summary="x", by="anna")

    (one,) = await log.find(Query())
    assert one.id == made.id
    assert "nobody was notified" in one.timeline[-1].note


# -- the log itself --------------------------------------------------------------------------


async def test_many_at_once_are_folded_one_after_the_other(log: Listener) -> None:
    await asyncio.gather(
        *(log.hears(alert(NOW + n, severity=s)) for n in range(20) for s in ("high", "critical")),
        *(log.log.create(severity="low", summary="x", by="a", service="s") for _ in range(5)),
        log.log.refresh(),
    )

    assert [len(one.alerts) for one in await log.all() if not one.manual] == [2]
    assert log.log.counts == log.store.incidents.counts(NOW - 600)


async def test_a_message_that_is_cancelled_is_kept_all_the_same(log: Listener) -> None:
    task = asyncio.create_task(log.hears(alert(NOW)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await log.hears(alert(NOW, service="other"))

    assert len(await log.all()) in (1, 2)
    assert not any(len(one.alerts) != 1 for one in await log.all())


async def test_a_watchdog_is_remembered(log: Listener) -> None:
    assert log.log.watchdog_at is None
    await log.to(30)
    await log.hears(alert(NOW, alertname="Watchdog", severity="none"))

    again = Listener(log.store, log.clock)

    assert log.log.watchdog_at == again.log.watchdog_at == NOW + 30
    assert await log.all() == []


async def test_the_end_of_a_watchdog_is_no_sign_of_life(log: Listener) -> None:
    await log.hears(alert(NOW, NOW + 10, alertname="Watchdog", severity="none"))

    assert log.log.watchdog_at is None


class _Uncountable:
    """A store that keeps everything and cannot count."""

    def __init__(self, store: Store) -> None:
        self._store = store.incidents

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def counts(self, settled: float) -> object:
        raise StoreError("not now")


async def test_what_is_kept_is_told_so_even_if_it_cannot_be_counted(clock: FakeClock) -> None:
    log = IncidentLog(_Uncountable(Store.in_memory(clock)), clock)  # type: ignore[arg-type]

    made = await log.create(severity="low", summary="x", by="anna")

    assert [one.id for one in await log.find(Query())] == [made.id]
    with pytest.raises(StoreError):
        await log.refresh()


async def test_every_entry_is_logged_without_texts(
    log: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await log.hears(alert(NOW) | {"annotations": {"summary": "a-text-of-others"}})
        await log.hears(alert(NOW, NOW + 100))

    assert caplog.messages == ["incident opened", "incident resolved"]
    assert all("a-text-of-others" not in str(record.__dict__) for record in caplog.records)


async def test_no_counter_goes_back_when_an_end_turns_out_false_much_later(log: Listener) -> None:
    row = ("stripe", "prod", "stripe")
    await log.hears(alert(NOW + 20, severity="high"))
    await log.log.acknowledge((await log.one()).id, "anna")
    await log.hears(alert(NOW + 20, NOW + 60, severity="high"))
    await log.to(3600)
    await log.log.refresh()
    settled = log.log.counts
    await log.polls(listed(NOW + 10, severity="high"))
    await log.hears(alert(NOW, severity="critical"))

    assert (await log.one()).status == "acknowledged"
    assert settled.resolve[row].count == settled.resolve[row].buckets[0] == 1
    assert log.log.counts.resolve == settled.resolve
    assert log.log.counts.acknowledge == settled.acknowledge
