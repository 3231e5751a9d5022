"""A message costs its alerts, not the incidents that are open or known; what is kept is bounded."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.incidents import Incident, Query
from exporter.metrics.incidents import IncidentMetrics
from exporter.store import Store
from exporter.store import incidents as table
from exporter.store.schema import STEPS, migrate
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert, listed


class Steps:
    """Counts the steps of SQLite's virtual machine: what a query touches, and no clock."""

    def __init__(self, log: Listener) -> None:
        self._db, self._count = log.store._database._db, 0

    def __enter__(self) -> Steps:
        def more() -> int:
            self._count += 1
            return 0

        self._db.set_progress_handler(more, 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._db.set_progress_handler(None, 0)

    @property
    def number(self) -> int:
        return self._count


async def grown(clock: FakeClock, open_: int, ended: int, services: int) -> Listener:
    log = Listener(clock=clock)
    names = [f"s{n % services}" for n in range(open_)]
    await log.hears(*(alert(NOW, service=s, slo=f"o{n}") for n, s in enumerate(names)))
    if ended:
        await log.hears(*(alert(NOW, NOW + 1, service="past", slo=f"o{n}") for n in range(ended)))
    await log.log.refresh()
    return log


async def test_a_new_alert_costs_the_same_among_very_many_incidents() -> None:
    numbers = []
    for many in (20, 3000):
        log = await grown(FakeClock(NOW), open_=many, ended=many, services=many)
        with Steps(log) as steps:
            await log.hears(alert(NOW + 10, service="one-more"))
            await log.hears(alert(NOW + 10, NOW + 20, service="one-more"))
            await log.log.stats()
            await log.log.find(Query(status="open", limit=10))
            await log.log.find(Query(service="one-more", limit=10))
        numbers.append(steps.number)

    assert numbers[1] < 3 * numbers[0]


async def test_only_rows_that_changed_are_shown_anew() -> None:
    log = await grown(FakeClock(NOW), open_=300, ended=0, services=300)

    await log.hears(alert(NOW + 10, service="one-more"))

    assert log.shown[-1].changed == {("one-more", "prod", "stripe")}
    assert len(log.shown[-1].total) == 301


def lines_of(metrics: IncidentMetrics) -> list[bytes]:
    """Return the lines of the page, sorted."""
    return sorted(b"".join(metrics.pieces(openmetrics=False)).splitlines())


class _All:
    def __contains__(self, service: str) -> bool:
        return True


async def test_rows_shown_one_by_one_are_those_of_a_whole_page(clock: FakeClock) -> None:
    log = Listener(clock=clock)
    metrics = IncidentMetrics(_All())  # type: ignore[arg-type]
    log.log._show = metrics.show
    for n in range(6):
        await log.hears(alert(NOW + n, service=f"s{n % 3}", slo=f"o{n}"))
        await log.hears(alert(NOW + n, NOW + n + 5, service=f"s{n % 2}", slo=f"o{n}"))
    await log.log.acknowledge((await log.log.unresolved())[0].id, "ann")

    whole = IncidentMetrics(_All())  # type: ignore[arg-type]
    again = Listener(log.store, clock)
    again.store.incidents._sums = table.Sums()
    again.log._show = whole.show
    await again.log.refresh()

    assert lines_of(metrics) == lines_of(whole)


_kinds = st.sampled_from(
    [
        ("ServiceDown", "a", "prod"),
        ("ServiceDown", "b", "prod"),
        ("ServiceDown", "b", "dev"),
        ("ServiceCertificateExpiringSoon", "a", "prod"),
        ("ProviderOutage", "", "prod"),
        ("MonitoringNetworkDown", "", "dev"),
        ("MonitoringNetworkDown", "", ""),
    ]
)


@given(st.lists(st.tuples(_kinds, st.sampled_from(["open", "taken", "ended"])), max_size=9))
@settings(max_examples=80, deadline=None)
def test_what_covers_others_is_shown_in_their_rows(
    steps: list[tuple[tuple[str, str, str], str]],
) -> None:
    """An acknowledged outage of a provider changes rows that no message was about."""
    store = Store.in_memory(FakeClock(NOW))
    metrics = IncidentMetrics(_All())  # type: ignore[arg-type]
    for (alertname, service, environment), state in steps:
        key = f"{alertname} {service} {environment}"
        one = Incident(
            id=key,
            key=key,
            alertname=alertname,
            service=service,
            environment=environment,
            provider="" if alertname == "MonitoringNetworkDown" else "stripe",
            severity="high",
            reached=("high",),
            started_at=NOW,
            acknowledged_at=NOW + 1 if state == "taken" else None,
            resolved_at=NOW + 2 if state == "ended" else None,
        )
        store.incidents.put(one, [])
        metrics.show(store.incidents.counts(NOW))

    whole = IncidentMetrics(_All())  # type: ignore[arg-type]
    whole.show(replace(store.incidents.counts(NOW), changed=None))

    assert lines_of(metrics) == lines_of(whole)


async def test_of_too_many_incidents_the_oldest_ended_ones_go(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_INCIDENTS", 10)
    log = Listener(clock=clock)
    await log.hears(alert(NOW, service="open"))
    for n in range(20):
        await log.hears(alert(NOW + n * 1000, NOW + n * 1000 + 60))

    found = [one.started_at - NOW for one in await log.all()]
    assert found == [0, *(n * 1000 for n in range(11, 20))]
    assert (await log.all())[0].service == "open"
    await log.to(10**6)
    await log.log.refresh()
    row = ("stripe", "prod", "stripe")
    assert log.log.counts.total[row, "critical"] == 20
    assert log.log.counts.resolve[row].count == 20
    assert (await log.log.stats()).total == 10


async def test_of_very_many_open_ones_the_worst_and_newest_are_looked_at(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.incidents.log.MOST_UNRESOLVED", 3)
    log = Listener(clock=clock)
    for n in range(4):
        await log.hears(alert(NOW + n, service=f"low{n}", severity="low"))
    await log.hears(alert(NOW, service="bad"))

    assert [one.service for one in await log.log.unresolved()] == ["bad", "low2", "low3"]


async def test_an_alert_that_comes_and_goes_for_ever_keeps_its_timeline_short(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_ENTRIES", 40)
    log = Listener(clock=clock)
    await log.hears(alert(NOW))
    await log.log.note((await log.one()).id, "ann", "seen")
    for n in range(1, 60):
        await log.hears(alert(NOW + n * 100 - 100, NOW + n * 100 - 50))
        await log.hears(alert(NOW + n * 100))

    one = await log.one()
    assert one.reopened == 59
    assert len(one.timeline) <= 42
    assert [entry.note for entry in one.timeline if entry.by == "ann"] == ["seen"]
    assert len(one.past) + len(json.dumps(one.past)) < 1000


async def test_an_incident_remembers_a_bounded_number_of_past_times(clock: FakeClock) -> None:
    log = Listener(clock=clock)
    await log.hears(alert(NOW))
    for n in range(1, 101):
        await log.hears(alert(NOW + n * 1000, NOW + n * 1000 + 10, severity="high"))

    past = (await log.one()).past
    assert len(past) == 64
    assert past[0][0] == NOW + 1000  # the older ones are one


async def test_what_an_older_version_kept_is_counted_on(tmp_path: Path, clock: FakeClock) -> None:
    log = Listener(Store.open(tmp_path / "new", clock, None), clock)
    for n in range(3):
        await log.hears(alert(NOW + n * 5000, NOW + n * 5000 + 60))
    await log.hears(alert(NOW + 20_000))
    await log.to(30_000)
    await log.log.refresh()
    expected, stats = log.log.counts, await log.log.stats()
    rows = [one for one in await log.all()]
    log.store.close()

    (tmp_path / "old").mkdir(mode=0o700)
    db = sqlite3.connect(tmp_path / "old" / "registry.db", isolation_level=None)
    migrate(db, STEPS[:4])
    columns = [name for name in table._COLUMNS if name != "past"]
    for one in rows:
        values = dict(zip(table._COLUMNS, table._row(one), strict=True))
        given = [values[name] for name in columns]
        db.execute(
            f"INSERT INTO incidents ({', '.join(columns)}) VALUES ({', '.join('?' * len(given))})",
            given,
        )
    gone = {"buckets": [1] * 9, "count": 1, "sum": 30.0}
    kept = [("resolve", json.dumps(gone)), ("critical", "1")]
    row = ("stripe", "prod", "stripe")
    db.executemany("INSERT INTO past_sums VALUES (?, ?, ?, ?, ?)", [(*row, *one) for one in kept])
    db.close()
    old = Listener(Store.open(tmp_path / "old", clock, None), clock)
    await old.log.refresh()

    assert old.log.counts.open == expected.open
    assert old.log.counts.total[row, "critical"] == expected.total[row, "critical"] + 1
    assert old.log.counts.resolve[row].count == expected.resolve[row].count + 1
    assert old.log.counts.resolve[row].sum == expected.resolve[row].sum + 30.0
    assert await old.log.stats() == stats
    old.store.close()


@pytest.mark.parametrize("complete", [True, False])
async def test_a_poll_of_many_ends_what_it_does_not_list(complete: bool) -> None:
    log = await grown(FakeClock(NOW), open_=700, ended=0, services=700)
    for second in (30, 60):
        await log.to(second)
        await log.polls(
            *(listed(NOW, service=f"s{n}", slo=f"o{n}") for n in range(3)), complete=complete
        )

    assert (await log.log.stats()).open == (3 if complete else 700)
