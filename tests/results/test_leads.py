"""Our failures beside the providers' pages: when they begin and end, and what timelines say."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Target
from exporter.incidents import EntryKind, IncidentLog
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.registry import Registry
from exporter.results import Failures, Leads, Minutes, Results
from exporter.results.leads import AUTHOR
from exporter.statuspages import Claim, Health, PageIncident, PageRecord, State, StatusPage
from exporter.statuspages.incidents import Reading
from exporter.store import Store
from tests.fakes import FakeClock, service_target
from tests.incidents.saying import alert, message

PAGE = StatusPage(url="https://status.example", adapter="statuspage", confidence="doc")
MINUTE = 60.0


class Pages:
    """Records by page; notes who is said to fail."""

    def __init__(self) -> None:
        self.records = {PAGE: PageRecord()}
        self.failing: set[str] = set()

    def record(self, page: StatusPage | None) -> PageRecord | None:
        return self.records.get(page) if page is not None else None

    def note(self, page: StatusPage | None, service: str, *, failing: bool) -> None:
        (self.failing.add if failing else self.failing.discard)(service)

    def forget(self, service: str) -> None:
        self.failing.discard(service)


class Desk:
    """Leads with everything around them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.registry, self.results, self.pages = Registry(), Results(), Pages()
        self.log = IncidentLog(Store.in_memory(self.clock).incidents, self.clock)
        self.leads = Leads(self.registry, self.results, self.pages, self.log, self.clock)
        self.target = service_target("stripe", provider="stripe", status_page=PAGE)
        self.registry.subscribe(self.leads.follow)
        self.registry.replace([self.target])
        self.start = self.clock.now()
        self.read(State.OPERATIONAL)

    async def at(self, minute: float) -> None:
        await self.clock.advance(self.start + minute * MINUTE - self.clock.now())

    def saw(self, reason: Reason, target: Target | None = None, **more: Any) -> None:
        target = target or self.target
        outcome = Outcome(reason=reason, duration=0.1, **more)
        result = Result(
            service=target.id, at=self.clock.now(), outcome=outcome, verdict=verdict_of(reason)
        )
        self.results.of(target.id).add(result, target)
        self.leads.probe(target, result)

    def read(self, state: State, *incidents: PageIncident) -> None:
        reading = Reading(state=state, incidents=incidents)
        self.pages.records[PAGE].take(reading, self.clock.now(), uncertainty=60.0)

    def posted(self, minute: float, **more: Any) -> PageIncident:
        at = self.start + minute * MINUTE
        return PageIncident(id="i", title="Elevated errors", posted=at, **more)

    async def opened(self, **about: str) -> str:
        await self.log.receive(message(alert(self.clock.now(), **about)))
        (incident,) = await self.log.unresolved()
        return incident.id

    async def notes(self, id_: str) -> list[str]:
        await self.leads.write()
        timeline = (await self.log.get(id_)).timeline
        return [one.note for one in timeline if one.by == AUTHOR and one.kind is EntryKind.NOTE]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_failure_begins_with_the_first_probe_that_the_provider_fails(desk: Desk) -> None:
    desk.saw(Reason.OK)
    await desk.at(5)
    desk.saw(Reason.RATE_LIMITED)
    assert desk.leads.of(desk.target) is None

    await desk.at(11)
    desk.saw(Reason.SERVER_ERROR)
    await desk.at(12)
    desk.saw(Reason.TIMEOUT)
    await desk.at(31)
    desk.read(State.MAJOR_OUTAGE, desk.posted(31))

    lead = desk.leads.of(desk.target)
    assert lead is not None
    assert (lead.since, lead.seconds) == (desk.start + 11 * MINUTE, 20 * MINUTE)


async def test_a_failure_ends_when_the_provider_answers_and_is_known_for_an_hour(
    desk: Desk,
) -> None:
    desk.saw(Reason.SERVER_ERROR)
    await desk.at(3)
    desk.saw(Reason.AUTH_INVALID)
    await desk.at(62)
    lead = desk.leads.of(desk.target)
    await desk.at(64)

    assert lead is not None
    assert lead.until == desk.start + 3 * MINUTE
    assert desk.leads.of(desk.target) is None


async def test_what_fails_again_within_ten_minutes_goes_on(desk: Desk) -> None:
    since = []
    for minute, reason in ((0, "server_error"), (2, "ok"), (11, "timeout"), (13, "ok")):
        await desk.at(minute)
        desk.saw(Reason(reason))
    for minute in (20, 21, 35):
        await desk.at(minute)
        desk.saw(Reason.OK if minute == 21 else Reason.SERVER_ERROR)
        lead = desk.leads.of(desk.target)
        assert lead is not None
        since.append(lead.since - desk.start)

    assert since == [0, 0, 35 * MINUTE]


async def test_after_a_restart_a_failure_goes_on(desk: Desk) -> None:
    desk.saw(Reason.SERVER_ERROR)
    await desk.at(5)
    again = Desk()
    again.start = desk.start
    again.results.of("stripe").restore(desk.results.of("stripe").dump())
    await again.at(6)
    again.saw(Reason.SERVER_ERROR)

    lead = again.leads.of(again.target)
    assert lead is not None
    assert lead.since == desk.start


async def test_a_page_is_hurried_from_the_first_failure_to_the_first_answer(desk: Desk) -> None:
    seen = []
    for reason in ("ok", "server_error", "dns", "rate_limited", "ok"):
        desk.saw(Reason(reason))
        seen.append(bool(desk.pages.failing))

    assert seen == [False, True, True, False, False]


async def test_a_removed_service_is_forgotten(desk: Desk) -> None:
    desk.saw(Reason.SERVER_ERROR)

    desk.registry.replace([])

    assert desk.leads.of(desk.target) is None
    assert not desk.pages.failing


@pytest.mark.parametrize("page", [None, replace(PAGE, adapter=None)])
async def test_without_a_page_that_can_be_read_there_is_no_lead(
    desk: Desk, page: StatusPage | None
) -> None:
    other = replace(desk.target, status_page=page)
    if page is not None:
        desk.pages.records[page] = PageRecord()
    desk.saw(Reason.SERVER_ERROR, other)

    assert desk.leads.of(other) is None


async def test_the_timeline_says_what_the_page_says_each_thing_once(desk: Desk) -> None:
    desk.start = desk.clock.now()
    desk.saw(Reason.SERVER_ERROR)
    id_ = await desk.opened()

    silent = await desk.notes(id_)
    again = await desk.notes(id_)
    await desk.at(20)
    desk.read(State.OPERATIONAL)
    desk.read(State.MAJOR_OUTAGE, desk.posted(20))
    later = await desk.notes(id_)

    assert len(silent) == 1
    assert silent[0].endswith("their page is green")
    assert again == silent
    assert len(later) == 2
    assert later[1].endswith('20 minutes after us (± 1 minute); their title: "Elevated errors"')


async def test_a_restart_writes_nothing_again(desk: Desk) -> None:
    desk.saw(Reason.SERVER_ERROR)
    id_ = await desk.opened()
    written = await desk.notes(id_)

    desk.leads._written.clear()

    assert await desk.notes(id_) == written


async def test_a_page_that_changes_all_the_time_does_not_fill_the_timeline(desk: Desk) -> None:
    desk.saw(Reason.SERVER_ERROR)
    id_ = await desk.opened()

    for minute in range(1, 41):
        await desk.at(minute)
        desk.pages.records[PAGE].miss(
            Health.STALE if minute % 2 else Health.MOVED, desk.clock.now()
        )
        notes = await desk.notes(id_)

    assert len(notes) == 10


@pytest.mark.parametrize(
    ("about", "count"),
    [
        ({"alertname": "ServiceDown"}, 1),
        ({"alertname": "ServiceCertificateExpiringSoon", "category": "tls"}, 0),
        ({"alertname": "ProviderOutage", "service": "", "category": "provider"}, 1),
        ({"alertname": "ProviderSilentOutage", "service": "", "category": "provider"}, 1),
        (
            {
                "alertname": "ProviderOutage",
                "service": "",
                "category": "provider",
                "provider": "twilio",
            },
            0,
        ),
        ({"service": "another"}, 0),
    ],
)
async def test_incidents_of_the_outage_are_written_to_and_no_others(
    desk: Desk, about: dict[str, str], count: int
) -> None:
    environment = desk.target.environment
    desk.saw(Reason.SERVER_ERROR)
    id_ = await desk.opened(**({"environment": environment} | about))

    assert len(await desk.notes(id_)) == count


async def test_a_page_that_was_not_read_yet_is_not_written_about(desk: Desk) -> None:
    desk.pages.records[PAGE] = PageRecord()
    desk.saw(Reason.SERVER_ERROR)
    id_ = await desk.opened()
    lead = desk.leads.of(desk.target)

    assert lead is not None
    assert lead.claim is Claim.UNREAD
    assert await desk.notes(id_) == []


# -- memory ------------------------------------------------------------------------------------


async def kept_of_a_service(store: Store, reason: Reason, count: int = 300) -> float:
    """Return how many bytes minutes, failures and leads hold of each after an hour of *reason*."""
    desk = Desk()
    targets = [replace(desk.target, id=f"s{number}") for number in range(count)]
    desk.registry.replace(targets)
    outcome = Outcome(reason=reason, duration=0.1, status=503, request_id="req-1")
    verdict = verdict_of(reason)
    tracemalloc.start()
    minutes, failures = Minutes(), Failures(store.failures, desk.registry, desk.clock)
    for minute in range(60):
        at = desk.start + minute * MINUTE
        for target in targets:
            result = Result(service=target.id, at=at, outcome=outcome, verdict=verdict)
            minutes.add(target, result, counted=True, before=at - MINUTE if minute else None)
            desk.leads.probe(target, result)
            if not result.success:
                failures.add(result, spell=desk.start, until=at + 180)
        minutes.drain(at)
        minutes.written()
        await failures.save()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / count


async def test_what_explains_failures_takes_under_a_kibibyte_of_a_service(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data", FakeClock(), None)

    works = await kept_of_a_service(store, Reason.OK)
    fails = await kept_of_a_service(store, Reason.SERVER_ERROR)
    store.close()

    assert works < 1024
    assert fails < 4 * 1024, works
