"""What one more thing said of an alert does to its incident."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from exporter.incidents import EntryKind, IncidentStatus
from exporter.incidents.alerts import made
from exporter.incidents.model import Source
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert, kinds, labels, listed, spans, told


@pytest.fixture
def log(clock: FakeClock) -> Listener:
    return Listener(clock=clock)


def at(seconds: float, end: float | None = None, **about: str) -> dict[str, Any]:
    return alert(NOW + seconds, None if end is None else NOW + end, **about)


def seen(seconds: float, **about: str) -> dict[str, Any]:
    return listed(NOW + seconds, **about)


async def test_an_outage_opens_and_ends(log: Listener) -> None:
    await log.hears(at(0))
    opened = await log.one()
    await log.hears(at(0, 100))

    ended = await log.one()
    assert (opened.status, opened.severity, opened.service) == ("open", "critical", "stripe")
    assert opened.summary == "ServiceDown is critical"
    assert (ended.status, ended.resolved_by) == ("resolved", "alertmanager")
    assert await log.tells() == ["opened 0", "resolved 100"]


async def test_the_same_message_again_changes_nothing(log: Listener) -> None:
    for message in (at(0), at(0, severity="high"), at(0, 100), at(0, 100, severity="high")):
        changed = await log.hears(message)
        before = await log.all()

        assert changed == 1
        assert await log.hears(message) == 0
        assert await log.all() == before


async def test_a_message_of_several_alerts_counts_incidents(log: Listener) -> None:
    changed = await log.hears(at(0, severity="high"), at(1), at(2, service="other"))

    assert changed == 2
    assert [len(one.alerts) for one in await log.all()] == [2, 1]


async def test_a_ladder_is_one_incident_that_is_raised(log: Listener) -> None:
    await log.hears(at(0, severity="high"))
    await log.hears(at(60))
    await log.hears(at(0, 100, severity="high"))
    still = await log.one()
    await log.hears(at(60, 120))

    incident = await log.one()
    assert still.status is IncidentStatus.OPEN
    assert (incident.severity, incident.reached) == ("critical", ("critical", "high"))
    assert incident.summary == "ServiceDown is critical"
    assert told(incident) == ["opened 0", "raised 60", "resolved 120"]


async def test_an_escalation_is_told_and_joins_the_outage(log: Listener) -> None:
    await log.hears(at(0))
    for level in ("1", "2", "1"):
        await log.hears(at(900, alertname="ServiceUnresolved", escalation=level))

    incident = await log.one()
    assert kinds(incident) == [EntryKind.OPENED, EntryKind.ESCALATED, EntryKind.ESCALATED]
    assert [entry.note for entry in incident.timeline] == ["critical", "level 1", "level 2"]
    assert incident.summary == "ServiceDown is critical"


async def test_the_order_of_a_ladders_messages_does_not_matter(log: Listener) -> None:
    about = ({"severity": "high"}, {"severity": "critical"})
    messages = [
        at(0, **about[0]),
        at(60, **about[1]),
        at(0, 100, **about[0]),
        at(60, 130, **about[1]),
    ]

    for order in itertools.permutations(messages):
        for part in range(1, 5):
            fresh = Listener(clock=log.clock)
            for message in order[:part]:
                await fresh.hears(message)
            one = await fresh.one()
            final = (spans([one]), one.severity, one.reached)
            ended = {m["labels"]["severity"] for m in order[:part] if m["status"] == "resolved"}
            known = {m["labels"]["severity"] for m in order[:part]}
            starts = {"high": 0.0, "critical": 60.0}
            ends = {"high": 100.0, "critical": 130.0}
            over = max(ends[s] for s in known) if ended == known else None
            assert final == (
                [(min(starts[s] for s in known), over)],
                "critical" if "critical" in known else "high",
                tuple(s for s in ("critical", "high") if s in known),
            )


async def test_an_end_without_a_beginning_is_written_as_a_whole(log: Listener) -> None:
    await log.hears(at(0, 100))

    assert await log.tells() == ["opened 0", "resolved 100"]
    assert spans(await log.all()) == [(0, 100)]


async def test_a_second_outage_within_the_grace_is_the_same(log: Listener) -> None:
    for message in (at(0), at(0, 100), at(700), at(700, 800)):
        await log.hears(message)

    assert await log.tells() == ["opened 0", "resolved 100", "reopened 700", "resolved 800"]
    assert (await log.one()).reopened == 1
    assert spans(await log.all()) == [(0, 800)]


async def test_a_second_outage_after_the_grace_is_another(log: Listener) -> None:
    for message in (at(0), at(0, 100), at(701), at(701, 800)):
        await log.hears(message)

    assert spans(await log.all()) == [(0, 100), (701, 800)]
    assert [one.reopened for one in await log.all()] == [0, 0]


async def test_a_second_outage_of_which_only_the_end_is_heard_is_told_as_one(
    log: Listener,
) -> None:
    await log.hears(at(0, 100))
    await log.hears(at(300, 400))

    assert await log.tells() == ["opened 0", "resolved 100", "reopened 300", "resolved 400"]
    assert (await log.one()).reopened == 1


async def test_the_ends_of_two_outages_may_come_in_any_order(log: Listener) -> None:
    await log.hears(at(300, 400))
    await log.hears(at(0, 100))

    assert spans(await log.all()) == [(0, 400)]


async def test_a_late_repeat_of_an_outage_that_is_over_changes_nothing(log: Listener) -> None:
    for message in (at(0), at(0, 100), at(5000), at(5000, 6000)):
        await log.hears(message)
    before = await log.all()

    for message in (at(0), at(0, 100), at(5000), at(5000, 6000)):
        assert await log.hears(message) == 0

    assert await log.all() == before


@pytest.mark.parametrize("severity", ["critical", "high"])
async def test_a_late_message_of_the_outage_before_does_not_touch_the_next(
    log: Listener, severity: str
) -> None:
    for message in (at(0), at(0, 100), at(5000, severity="high")):
        await log.hears(message)

    await log.hears(at(0, severity=severity))
    await log.hears(at(0, 100, severity=severity))

    assert spans(await log.all()) == [(0, 100), (5000, None)]
    assert [one.severity for one in await log.all()] == ["critical", "high"]


async def test_an_old_start_in_a_poll_does_not_pull_the_next_outage_back(log: Listener) -> None:
    for message in (at(0), at(0, 100), at(5000)):
        await log.hears(message)
    await log.to(5030)

    await log.polls(seen(50))

    assert spans(await log.all()) == [(0, 100), (5000, None)]


async def test_a_late_end_of_the_time_before_does_not_end_the_time_after(log: Listener) -> None:
    await log.hears(at(0))
    await log.hears(at(300))  # the end at 100 is on its way
    await log.hears(at(0, 100))

    assert spans(await log.all()) == [(0, None)]

    await log.hears(at(300, 400))

    assert await log.tells() == ["opened 0", "resolved 400"]


async def test_an_alert_that_returns_while_another_fires_is_heard(log: Listener) -> None:
    for message in (
        at(0, severity="high"),
        at(60),
        at(60, 100),
        at(200),
        at(0, 250, severity="high"),
    ):
        await log.hears(message)
    open_ = spans(await log.all())
    await log.hears(at(200, 300))

    assert open_ == [(0, None)]
    assert await log.tells() == ["opened 0", "raised 60", "resolved 300"]


async def test_an_earlier_start_that_is_heard_late_moves_the_beginning(log: Listener) -> None:
    await log.hears(at(60))
    await log.hears(at(0, severity="high"))

    assert spans(await log.all()) == [(0, None)]
    assert kinds(await log.one()) == [EntryKind.OPENED]


# -- false ends ------------------------------------------------------------------------------


async def test_a_false_end_is_mended_by_a_new_start(log: Listener) -> None:
    await log.hears(at(0))
    await log.hears(at(0, 240))
    await log.hears(at(300))

    assert await log.tells() == ["opened 0", "resolved 240", "reopened 300"]


async def test_a_false_end_with_the_old_start_is_mended_by_a_poll(log: Listener) -> None:
    await log.hears(at(0))
    await log.hears(at(0, 240))
    ignored = await log.hears(at(0))
    await log.to(300)
    await log.polls(seen(0))
    await log.polls(seen(0))
    again = await log.hears(at(0, 240))
    await log.hears(at(0, 500))

    assert (ignored, again) == (0, 0)
    assert await log.tells() == ["opened 0", "resolved 240", "reopened 240", "resolved 500"]
    assert (await log.one()).reopened == 1


async def test_a_poll_from_before_the_end_does_not_reopen(log: Listener) -> None:
    await log.hears(at(0))
    await log.to(90)
    asked = log.clock.now()
    await log.hears(at(0, 100))

    changes = await log.log.fold([made(labels(), {}, NOW)], Source.POLL, asked)

    assert changes == []


# -- polls -----------------------------------------------------------------------------------


async def test_what_is_not_listed_twice_has_ended_when_it_was_missed_first(log: Listener) -> None:
    await log.hears(at(0))
    found = []
    for second in (30, 60, 90, 120):
        await log.to(second)
        await log.polls(*([seen(0)] if second == 30 else []))
        found += spans(await log.all())

    assert found == [(0, None), (0, None), (0, 60), (0, 60)]
    assert await log.tells() == ["opened 0", "resolved 60"]
    assert (await log.one()).resolved_by == "alertmanager poll"


async def test_a_message_between_two_polls_starts_the_count_anew(log: Listener) -> None:
    await log.hears(at(0))
    await log.to(30)
    await log.polls()
    await log.hears(at(0))
    await log.to(60)
    await log.polls()

    assert (await log.one()).resolved_at is None


async def test_an_empty_list_of_a_young_alertmanager_means_nothing(log: Listener) -> None:
    await log.hears(at(0))
    for second in (30, 60, 90):
        await log.to(second)
        await log.polls(complete=False)

    assert await log.tells() == ["opened 0"]


async def test_a_poll_finds_what_no_message_told(log: Listener) -> None:
    await log.to(30)
    await log.polls(seen(0), seen(10, severity="high"))

    incident = await log.one()
    assert told(incident) == ["opened 0"]
    assert incident.receivers == ("incident-log", "page")
    assert incident.timeline[0].by == "alertmanager poll"


async def test_silences_and_inhibitions_are_told_once(log: Listener) -> None:
    await log.hears(at(0))
    for second, by in ((30, ""), (60, "silenced"), (90, "silenced"), (120, ""), (150, "")):
        await log.to(second)
        await log.polls(seen(0, by=by))

    assert await log.tells() == ["opened 0", "suppressed 60", "unsuppressed 120"]


async def test_a_suppressed_beginning_is_told(log: Listener) -> None:
    await log.to(30)
    await log.polls(seen(0, by="inhibited"))

    assert await log.tells() == ["opened 0", "suppressed 30"]
    assert (await log.one()).suppressed == "inhibited"


@pytest.mark.parametrize("turned", [False, True])
async def test_the_lower_step_of_a_ladder_that_the_higher_inhibits_is_no_news(
    log: Listener, turned: bool
) -> None:
    both = [seen(0, severity="high", by="inhibited"), seen(60)]
    await log.to(70)
    await log.polls(*(reversed(both) if turned else both))
    await log.hears(at(60, 100))  # and no end of the inhibited
    await log.to(130)
    await log.polls(seen(0, severity="high"))
    for second in (160, 190):
        await log.to(second)
        await log.polls()

    incident = await log.one()
    assert {EntryKind.SUPPRESSED, EntryKind.UNSUPPRESSED}.isdisjoint(kinds(incident))
    assert spans([incident]) == [(0, 160)]


async def test_what_a_complete_poll_leaves_over_may_be_suppressed(log: Listener) -> None:
    for second in (70, 100, 130):
        await log.to(second)
        top = [seen(60)] if second == 70 else []
        await log.polls(seen(0, severity="high", by="silenced"), *top)

    assert (await log.tells())[-1] == "suppressed 130"


async def test_a_message_of_a_further_alert_reaches_people(log: Listener) -> None:
    await log.to(30)
    await log.polls(seen(0, severity="high", by="silenced"))
    await log.hears(at(60))

    assert kinds(await log.one()) == [
        EntryKind.OPENED,
        EntryKind.SUPPRESSED,
        EntryKind.RAISED,
        EntryKind.UNSUPPRESSED,
    ]
    assert (await log.one()).suppressed == ""


async def test_a_silenced_alert_is_ended_by_polls_and_not_unsuppressed(log: Listener) -> None:
    await log.hears(at(0))
    for second in (30, 60, 90):
        await log.to(second)
        await log.polls(*([seen(0, by="silenced")] if second == 30 else []))

    assert await log.tells() == ["opened 0", "suppressed 30", "resolved 60"]


# -- no trouble ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "about",
    [
        {"severity": "none"},
        {"alertname": "Watchdog", "severity": "none"},
        {"alertname": "Watchdog", "severity": "critical"},
    ],
)
async def test_what_is_no_trouble_makes_no_incident(log: Listener, about: dict[str, str]) -> None:
    await log.hears(at(0, **about), at(0, 10, **about))
    await log.polls(seen(0, **about))

    assert await log.all() == []


# -- what Prometheus saw ---------------------------------------------------------------------


async def test_prometheus_fills_gaps_and_changes_nothing_that_is_known(log: Listener) -> None:
    await log.hears(at(0))
    await log.hears(at(0, 100))
    await log.hears(at(0, service="open"))
    before = await log.all()

    changes = await log.log.fold(
        [made(labels(service=name), {}, NOW + 10, NOW + 90) for name in ("stripe", "open")],
        Source.PROMETHEUS,
        NOW + 500,
    )

    assert changes == []
    assert await log.all() == before


@pytest.mark.parametrize("turned", [False, True])
async def test_prometheus_tells_of_a_whole_ladder(log: Listener, turned: bool) -> None:
    ladder = [
        made(labels(severity="high"), {}, NOW, NOW + 100),
        made(labels(), {}, NOW + 60, NOW + 115),
        made(labels(), {}, NOW + 300, NOW + 400),
    ]
    for _ in range(2):
        await log.log.fold(ladder[::-1] if turned else ladder, Source.PROMETHEUS, NOW + 5000)

    incident = await log.one()
    assert spans([incident]) == [(0, 400)]
    assert (incident.severity, incident.resolved_by) == ("critical", "prometheus")


async def test_a_late_message_does_not_reopen_what_prometheus_saw_end(log: Listener) -> None:
    await log.log.fold([made(labels(), {}, NOW, NOW + 100)], Source.PROMETHEUS, NOW + 500)

    await log.hears(at(15, cluster="main"))

    assert spans(await log.all()) == [(0, 100)]


async def test_what_opens_an_incident_again_tells_its_own_text(log: Listener) -> None:
    first, again = alert(NOW, NOW + 60), alert(NOW + 120)
    first["annotations"] = {"description": "At fault: our own network."}
    again["annotations"] = {"description": "At fault: the provider."}

    await log.hears(first)
    await log.hears(again)

    found = await log.one()
    assert (found.reopened, found.description) == (1, "At fault: the provider.")


async def test_the_timeline_ends_when_the_incident_did(log: Listener) -> None:
    await log.hears(at(0))
    for later in range(60, 1200, 60):
        await log.to(later)
        await log.polls()
    assert (await log.one()).resolved_by == Source.POLL

    await log.hears(at(0, 40))

    assert await log.tells() == ["opened 0", "resolved 40"]
    assert told(await log.log.get((await log.one()).id)) == ["opened 0", "resolved 40"]
