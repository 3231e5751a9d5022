"""The embedded response keeps the incident log and the notifier in step with what fires."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from exporter.alerting import NoNotifier
from exporter.config import Monitoring
from exporter.config.declarations import Alerts
from exporter.config.files import Configuration
from exporter.config.thresholds import thresholds_of
from exporter.incidents import Decider, EntryKind, Incident, IncidentStatus, Query, Told, ToldState
from exporter.incidents.alerts import NOTIFICATIONS_FAILING, fingerprint, made
from exporter.incidents.model import Alert
from exporter.model import Outcome, Reason
from exporter.store import Store
from tests.alerting.day import PERIOD, START, Day, Process
from tests.clocks import QuickClock
from tests.fakes import settle
from tests.fleet import Situation, seen
from tests.incidents.saying import alert as sent
from tests.incidents.saying import message
from tests.test_clock import YEARS, JumpyClock


class Noting:
    """A notifier that remembers what it was given."""

    def __init__(self) -> None:
        self.taken: list[list[Alert]] = []
        self.rests = 0
        self.receipts: dict[str, tuple[Told, ...]] = {}
        self.before: Callable[[], None] = lambda: None
        self.fails: list[Alert] = []

    @property
    def states(self) -> Sequence[str]:
        return ["webhook"]

    async def take(self, alerts: Sequence[Alert], now: float) -> None:
        self.before()
        self.taken.append(list(alerts))

    def rest(self) -> None:
        self.rests += 1

    def told(self, fingerprint: str) -> tuple[Told, ...]:
        return self.receipts.get(fingerprint, ())

    def failing(self) -> list[Alert]:
        return self.fails


class Stage:
    """A process with two services whose answers are set at will."""

    def __init__(self, clock: QuickClock | None = None, **changes: Any) -> None:
        self.answers = {"api": seen(), "other": seen()}
        rows = thresholds_of(Alerts(escalate_after=(300.0,), key_invalid_after=400.0), 30.0)
        self.day = Day(
            minutes=0,
            services={
                name: Situation(script=self._script(name), changes={"thresholds": rows} | changes)
                for name in self.answers
            },
        )
        self.clock = clock or QuickClock(float(START))
        self.store = Store.in_memory(self.clock)
        self.process = Process(self.day, self.clock, self.store, {})
        self.notifier = Noting()
        self.process.response.notifier = self.notifier

    def _script(self, name: str) -> Any:
        return lambda minute: self.answers[name]

    def answer(self, outcome: Outcome, *names: str) -> None:
        """Let all services, or those of *names*, answer so from now on."""
        for name in names or self.answers:
            self.answers[name] = outcome

    async def pass_by(self, seconds: float) -> None:
        """Let so much time pass, with a round every quarter of a minute."""
        for _ in range(int(seconds // PERIOD)):
            await self.clock.advance(PERIOD)
            await self.process.response.round()

    async def restart(self, away: float = 30.0) -> None:
        """Kill the exporter and start it again."""
        kept = await self.process.kill()
        await self.clock.advance(away)
        self.process = Process(self.day, self.clock, self.store, kept)
        self.process.response.notifier = self.notifier
        await settle()

    async def incidents(self, name: str = "") -> list[Incident]:
        found = await self.process.incidents.find(Query(service=name))
        return sorted(found, key=lambda one: one.started_at)

    async def one(self, name: str = "api") -> Incident:
        """Return the only incident of *name*, but for one that it is not probed."""
        all_ = await self.incidents(name)
        (found,) = [one for one in all_ if one.alertname != "ServiceNotProbed"]
        return found

    def alert(self, name: str = "ServiceDown", **labels: str) -> Alert | None:
        """Return the alert that was given to the notifier last."""
        wanted = {"alertname": name, **labels}.items()
        found = [one for one in self.notifier.taken[-1] if wanted <= one.labels.items()]
        return found[0] if found else None


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with _stage() as found:
        yield found


@contextlib.asynccontextmanager
async def _stage(clock: QuickClock | None = None, **changes: Any) -> AsyncIterator[Stage]:
    stage = Stage(clock, **changes)
    await stage.pass_by(60)
    try:
        yield stage
    finally:
        await stage.process.kill()


FAILS = seen(Reason.SERVER_ERROR, status=500)


async def test_an_outage_is_one_incident_from_its_first_alert_to_its_last(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(600)
    stage.answer(seen())
    await stage.pass_by(300)

    found = await stage.one()
    assert found.alertname == "ServiceDown"
    assert (found.severity, found.provider, found.team) == ("critical", "custom", "platform")
    assert found.summary == "api (production) fails its health check."
    assert "Last HTTP status: 500" in found.description
    assert found.runbook_url.endswith("#servicedown")
    kinds = [entry.kind for entry in found.timeline if entry.kind is not EntryKind.SUPPRESSED]
    assert kinds == [
        EntryKind.OPENED,
        EntryKind.RAISED,
        EntryKind.ESCALATED,
        EntryKind.RESOLVED,
    ]
    assert {entry.by for entry in found.timeline} == {"embedded"}
    assert found.status is IncidentStatus.RESOLVED
    assert await stage.incidents("other") == []


async def test_an_acknowledgement_stops_the_escalation(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(180)
    await stage.process.incidents.acknowledge((await stage.one()).id, "Ada")
    await stage.pass_by(600)

    assert EntryKind.ESCALATED not in [entry.kind for entry in (await stage.one()).timeline]
    assert stage.alert("ServiceUnresolved") is None
    assert stage.alert() is not None


async def test_the_notifier_is_given_what_is_held_back_and_by_what(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(240)

    critical, high = stage.alert(severity="critical"), stage.alert(severity="high")
    assert critical is not None
    assert high is not None
    assert (critical.suppressed, critical.held_by) == ("", ())
    assert (high.suppressed, high.held_by) == ("inhibited", (critical.fingerprint,))
    assert high.fingerprint == fingerprint(high.labels)


async def test_who_was_told_is_in_the_log(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(180)
    found = stage.alert(severity="high")
    assert found is not None
    told = Told(receiver="webhook", integration="webhook", state=ToldState.DELIVERED, at=1.0)
    stage.notifier.receipts[found.fingerprint] = (told,)
    await stage.pass_by(30)

    incident = await stage.one()
    assert incident.told == (told,)
    assert incident.receivers == ("webhook",)
    assert EntryKind.NOTIFIED in [entry.kind for entry in incident.timeline]


async def test_what_people_report_is_given_to_the_notifier(stage: Stage) -> None:
    made = await stage.process.incidents.create(severity="high", summary="x", by="Ada")
    await stage.pass_by(15)

    found = stage.alert("ManualIncident")
    assert found is not None
    assert found.labels["incident"] == made.id
    told = Told(receiver="mail", integration="email", state=ToldState.DELIVERED, at=1.0)
    stage.notifier.receipts[found.fingerprint] = (told,)
    await stage.pass_by(15)
    assert (await stage.process.incidents.get(made.id)).told == (told,)
    await stage.process.incidents.resolve(made.id, "Ada")
    await stage.pass_by(15)
    assert stage.alert("ManualIncident") is None


# -- restarts --------------------------------------------------------------------------------


async def test_an_open_incident_survives_a_restart_as_it_was(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(400)
    before, alert = await stage.one(), stage.alert(severity="critical")
    assert alert is not None

    await stage.restart()
    await stage.pass_by(15)
    after = stage.alert(severity="critical")
    assert after is not None
    assert after.starts_at == alert.starts_at
    await stage.pass_by(900)
    found = await stage.one()
    assert (found.id, found.reopened, found.status) == (before.id, 0, IncidentStatus.OPEN)
    assert [s.starts_at for s in found.alerts] == [s.starts_at for s in before.alerts]


async def test_an_incident_is_not_over_before_the_first_result_after_a_restart(
    stage: Stage,
) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(300)
    kept = await stage.process.kill()
    await stage.clock.advance(3600)
    stage.answer(seen())
    stage.process = Process(stage.day, stage.clock, stage.store, kept)
    stage.process.response.notifier = stage.notifier
    stage.process.scheduler.stop()  # no probe yet
    for _ in range(20):  # longer than anything is kept firing
        await stage.process.response.round()
        assert stage.alert(severity="critical") is not None
        stage.clock.jump(PERIOD)

    assert (await stage.one()).status is IncidentStatus.OPEN


async def test_an_incident_whose_cause_is_gone_after_a_restart_ends(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(300)
    stage.answer(seen())
    await stage.restart(away=3600.0)
    await stage.pass_by(60)
    assert (await stage.one()).status is IncidentStatus.OPEN  # kept firing for two minutes
    await stage.pass_by(180)

    found = await stage.one()
    assert found.status is IncidentStatus.RESOLVED
    assert found.reopened == 0


async def test_what_is_counted_over_a_time_is_not_over_because_the_count_began_anew(
    stage: Stage,
) -> None:
    for answer in (FAILS, seen()) * 4:
        stage.answer(answer, "api")
        await stage.pass_by(30)
    assert stage.alert("ServiceFlapping") is not None

    await stage.restart()
    await stage.pass_by(1800)
    assert stage.alert("ServiceFlapping") is not None
    await stage.pass_by(150)
    assert stage.alert("ServiceFlapping") is None


async def test_an_escalation_is_counted_from_before_the_restart(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(270)  # 30 to 60 s until it counts as down
    down = stage.alert(severity="high")
    assert down is not None
    await stage.restart(away=15.0)
    while stage.alert("ServiceUnresolved") is None:
        await stage.pass_by(15)

    escalated = stage.alert("ServiceUnresolved")
    assert escalated is not None
    assert 300 < escalated.starts_at - down.starts_at <= 300 + 2 * PERIOD


async def test_what_is_no_longer_registered_ends_after_a_restart(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(300)
    services = dict(stage.day.services)
    del services["api"]
    stage.day.services = services
    await stage.restart()
    await stage.pass_by(15 * 46)

    assert (await stage.one()).status is IncidentStatus.RESOLVED


# -- who decides -----------------------------------------------------------------------------


def _configured(incidents: str | None) -> Configuration:
    return Configuration(monitoring=Monitoring(incidents=incidents))


@pytest.mark.parametrize(
    ("declared", "alertmanager", "decider"),
    [
        (None, False, Decider.EMBEDDED),
        (None, True, Decider.ALERTMANAGER),
        ("embedded", True, Decider.EMBEDDED),
        ("alertmanager", False, Decider.ALERTMANAGER),
        ("off", True, Decider.OFF),
    ],
)
async def test_the_setting_decides_or_else_whether_an_alertmanager_is_known(
    stage: Stage,
    declared: str | None,
    alertmanager: bool,
    decider: Decider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    response = type(stage.process.response)(
        stage.process._evaluator, stage.process.incidents, stage.clock, alertmanager=alertmanager
    )

    response.follow(_configured(declared))

    assert response.decider is stage.process.incidents.decider is decider
    assert response.is_alertmanagers == (decider is Decider.ALERTMANAGER)
    assert decider.sentence in caplog.text


async def test_where_others_decide_nothing_is_judged(stage: Stage) -> None:
    stage.process.response.follow(_configured("off"))
    stage.answer(FAILS)
    await stage.pass_by(300)

    assert await stage.incidents() == []
    assert stage.process.response.alerts == ()


async def test_switching_over_and_back_keeps_the_incident(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(300)
    before = await stage.one()
    stage.process.response.follow(_configured("alertmanager"))
    stage.notifier.taken.clear()
    await stage.pass_by(300)
    assert (await stage.one()).status is IncidentStatus.OPEN
    assert (stage.notifier.rests, stage.notifier.taken) == (1, [])

    stage.process.response.follow(_configured(None))
    await stage.pass_by(300)
    found = await stage.one()
    assert (found.id, found.reopened) == (before.id, 0)
    stage.answer(seen())
    await stage.pass_by(300)
    assert (await stage.one()).status is IncidentStatus.RESOLVED


async def test_an_alert_of_before_goes_on_with_who_was_told(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(180)
    found = stage.alert(severity="high")
    assert found is not None
    told = Told(receiver="page", integration="pagerduty", state=ToldState.DELIVERED, at=1.0)
    stage.notifier.receipts[found.fingerprint] = (told,)
    await stage.pass_by(15)

    await stage.restart()
    await stage.pass_by(15)

    after = stage.alert(severity="high")
    assert after is not None
    assert after.told == (told,)


async def test_what_an_alertmanager_reports_does_not_end_for_want_of_a_finding(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    now = stage.clock.now
    await stage.process.incidents.receive(message(sent(now(), service="api", environment="x")))
    for _ in range(15):
        await stage.pass_by(240)
        await stage.process.incidents.receive(message(sent(now(), service="api", environment="x")))

    assert (await stage.one()).status is IncidentStatus.OPEN
    assert caplog.text.count("one of both is enough") == 1


async def test_what_nobody_reports_any_more_ends(stage: Stage) -> None:
    about = {"alertname": "ServiceErrorBudgetBurn", "service": "api", "environment": "production"}
    foreign = {"alertname": "DiskFull", "service": "disk"}
    report = message(sent(stage.clock.now(), **about), sent(stage.clock.now(), **foreign))
    await stage.process.incidents.receive(report)
    await stage.pass_by(2400)

    assert (await stage.one()).status is IncidentStatus.RESOLVED
    (disk,) = await stage.incidents("disk")
    assert disk.status is IncidentStatus.OPEN  # of a rule that is not ours


# -- what can go wrong -----------------------------------------------------------------------


async def test_a_round_that_fails_loses_no_end(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(300)

    def fail() -> None:
        raise OSError("disk full")

    stage.notifier.before = fail
    stage.answer(seen())
    for _ in range(20):
        await stage.clock.advance(PERIOD)
        with contextlib.suppress(OSError):
            await stage.process.response.round()
    assert (await stage.one()).status is IncidentStatus.OPEN
    stage.notifier.before = lambda: None
    await stage.pass_by(15)

    assert (await stage.one()).status is IncidentStatus.RESOLVED


async def test_the_loop_goes_on_after_a_failure(stage: Stage) -> None:
    running = asyncio.create_task(stage.process.response.run())
    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        raise OSError("disk full")

    stage.notifier.before = fail
    await _until(stage, lambda: tries >= 2)
    stage.notifier.before = lambda: None
    stage.notifier.taken.clear()
    await _until(stage, lambda: len(stage.notifier.taken) >= 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _until(stage: Stage, done: Callable[[], bool]) -> None:
    """Let time pass until it is so: the log is written in threads."""
    for _ in range(2000):
        if done():
            return
        await stage.clock.advance(PERIOD)
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


async def test_a_service_that_cannot_be_judged_costs_the_others_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.process.results.of("other").limits = {"requests": "no limit"}  # type: ignore[dict-item]
    stage.answer(FAILS, "api")
    await stage.pass_by(300)

    assert (await stage.one()).status is IncidentStatus.OPEN
    assert caplog.text.count("bug in judging other") == 1


async def test_what_is_removed_ends_at_once(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(300)
    stage.process.registry.remove("api")
    await stage.pass_by(15)

    assert (await stage.one()).status is IncidentStatus.RESOLVED


async def test_a_change_of_the_severity_ends_what_had_the_former(stage: Stage) -> None:
    stage.answer(FAILS, "api")
    await stage.pass_by(180)
    now = stage.process.registry.get("api")
    rows = thresholds_of(Alerts(severity={"down": "low"}), 30.0)
    stage.process.registry.put(replace(now, thresholds=rows))
    await stage.pass_by(15)
    assert stage.alert(severity="low") is not None
    await stage.pass_by(150)

    assert stage.alert(severity="high") is None
    assert (await stage.one()).status is IncidentStatus.OPEN


async def test_without_a_medium_a_report_says_that_nobody_is_notified() -> None:
    async with _stage() as stage:
        stage.process.response.notifier = NoNotifier()
        stage.process.response.follow(_configured(None))
        await stage.process.incidents.create(severity="low", summary="x", by="Ada")

        (found,) = await stage.incidents()
        assert "no medium is configured" in found.timeline[-1].note


# -- the wall clock ----------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [YEARS, -86_400.0, -600.0, 3600.0, 86_400.0])
async def test_a_step_of_the_wall_clock_ends_and_begins_nothing(jump: float) -> None:
    clock = JumpyClock(1_800_000_000.0)
    async with _stage(clock) as stage:
        stage.answer(FAILS, "api")
        stage.answer(seen(Reason.AUTH_INVALID, status=401), "other")
        await stage.pass_by(180)
        before = {alert.fingerprint: alert.starts_at for alert in stage.notifier.taken[-1]}
        assert {"ServiceDown"} == {a.labels["alertname"] for a in stage.notifier.taken[-1]}

        clock.shift = jump
        for _ in range(6):
            await stage.pass_by(15)
            after = {
                alert.fingerprint: alert.starts_at
                for alert in stage.notifier.taken[-1]
                if alert.labels["service"] == "api" and alert.labels["severity"] == "high"
            }
            assert after.items() <= before.items()
            assert after
            assert stage.alert("ServiceUnresolved") is None
            assert stage.alert("ServiceNotProbed") is None
            assert stage.alert("ServiceKeyRejected") is None
        await stage.pass_by(300)
        assert stage.alert("ServiceUnresolved") is not None
        assert stage.alert("ServiceKeyRejected") is not None
        stage.answer(seen())
        await stage.pass_by(1200)
        assert not stage.notifier.taken[-1]
        assert {one.status for one in await stage.incidents()} == {IncidentStatus.RESOLVED}


async def test_a_place_that_cannot_be_told_is_an_incident_until_it_can(stage: Stage) -> None:
    labels = {"alertname": NOTIFICATIONS_FAILING, "severity": "critical", "medium": "mail"}
    stage.notifier.fails = [made(labels, {"summary": "no mail"}, stage.clock.now())]
    await stage.pass_by(30)
    (found,) = [one for one in await stage.incidents() if one.alertname == NOTIFICATIONS_FAILING]
    assert found.status is IncidentStatus.OPEN
    assert found.summary == "no mail"

    stage.notifier.fails = []
    await stage.pass_by(30)
    (found,) = [one for one in await stage.incidents() if one.alertname == NOTIFICATIONS_FAILING]
    assert found.status is IncidentStatus.RESOLVED
