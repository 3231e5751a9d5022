"""Who was told is what the counters prove, with servers in the forms of 0.25 and 0.35."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.incidents import EntryKind, Incident, Peers, ToldState, told_sentence
from exporter.incidents.alerts import fingerprint
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Json, alert, iso, labels, listed, message
from tests.incidents.servers import Alertmanager
from tests.incidents.test_reconcile import Stage

CONFIG = """
route:
  receiver: page
  routes:
  - {receiver: night, matchers: ['a="b"'], active_time_intervals: [office-hours]}
  - {receiver: quiet, matchers: ['a="c"'], mute_time_intervals: [weekend]}
receivers:
- name: page
  pagerduty_configs: [{routing_key: <secret>}]
  email_configs: [{to: a@b}]
- {name: mail, email_configs: [{to: a@b}]}
- {name: night, slack_configs: [{channel: '#a'}]}
- {name: quiet, slack_configs: [{channel: '#a'}]}
- {name: hook, webhook_configs: [{url: <secret>}]}
- {name: nobody}
- {name: incident-log, webhook_configs: [{url: 'http://exporter:9642/api/alertmanager'}]}
"""
NETWORK = {"alertname": "MonitoringNetworkDown", "service": "", "provider": "", "team": ""}


@pytest.fixture
async def stage(
    clock: FakeClock, alertmanager: Alertmanager, second: Alertmanager
) -> AsyncIterator[Stage]:
    alertmanager.config = second.config = CONFIG
    count(alertmanager, email=(7, 2), pagerduty=(3, 0), slack=(0, 0), webhook=(90, 0))
    made = Stage(clock, Peers([alertmanager.url], timeout=5.0))
    await made.round(0)  # it was running before the alert came
    yield made
    await made.peers.close()


def count(server: Alertmanager, receiver: str = "", **tallies: tuple[float, float]) -> None:
    """Have *server* count tries and failures of integrations."""
    server.counted |= {(name, receiver): tally for name, tally in tallies.items()}


def down(receivers: tuple[str, ...] = ("page", "incident-log"), **more: Any) -> Json:
    return listed(NOW, receivers=receivers, **more)


def states(incident: Incident) -> dict[str, str]:
    return {f"{told.receiver}/{told.integration}": str(told.state) for told in incident.told}


async def told(stage: Stage) -> str:
    return told_sentence(await stage.one(), stage.clock.now())


# -- delivered, pending, failing -------------------------------------------------------------


async def test_what_is_routed_is_not_delivered(stage: Stage, alertmanager: Alertmanager) -> None:
    alertmanager.alerts = [down()]

    await stage.rounds(30, 60)

    assert states(await stage.one()) == {"page/email": "pending", "page/pagerduty": "pending"}
    assert await told(stage) == ("nobody yet: it has not been sent to page (mail, PagerDuty)")
    assert await stage.tells() == ["opened 0"]


async def test_what_was_sent_is_told_with_its_time(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down()]
    await stage.round(30)
    count(alertmanager, email=(8, 2), pagerduty=(4, 0))
    await stage.round(120)
    count(alertmanager, email=(9, 2))
    await stage.round(150)

    assert await told(stage) == "told: page (mail, PagerDuty) at 08:02 UTC"
    one = await stage.one()
    assert {told.at for told in one.told} == {NOW + 120}
    (entry,) = (entry for entry in one.timeline if entry.kind is EntryKind.NOTIFIED)
    assert (entry.at, entry.by, entry.note) == (NOW + 120, "page", "mail, PagerDuty")


async def test_a_message_sent_before_the_first_look_at_its_alert_counts(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down()]
    count(alertmanager, pagerduty=(4, 0))

    await stage.round(30)

    assert await told(stage) == "told: page (PagerDuty) at 08:00 UTC"


async def test_a_message_that_is_begun_is_not_delivered(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    """`notifications_total` grows when a message is begun: its tries decide."""
    alertmanager.alerts = [down(("mail",))]
    await stage.round(30)
    count(alertmanager, email=(10, 5))
    await stage.round(60)
    count(alertmanager, email=(14, 9))
    await stage.round(90)

    assert await told(stage) == "nobody: mail fails since 08:01 UTC"
    assert await stage.tells() == ["opened 0", "failing 60"]


async def test_what_failed_and_then_went_out_is_told_once_it_fails_no_more(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(("mail",))]
    count(alertmanager, email=(9, 4))
    await stage.round(30)
    count(alertmanager, email=(10, 4))
    await stage.round(60)
    early = states(await stage.one())
    await stage.round(120)

    assert early == {"mail/email": "failing"}  # the one sent may be another alert's
    assert await told(stage) == "told: mail (mail) at 08:01 UTC"
    assert await stage.tells() == ["opened 0", "failing 30", "notified 60"]


async def test_one_medium_that_fails_is_shown_beside_one_that_works(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down()]
    count(alertmanager, email=(9, 4), pagerduty=(4, 0))
    await stage.round(60)

    assert await told(stage) == ("told: page (PagerDuty) at 08:01 UTC; mail fails since 08:01 UTC")


async def test_one_sent_and_one_failed_of_two_is_not_known(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(("mail",)), down(("mail",), service="other")]
    alertmanager.groups = [grouped("mail", alertmanager.alerts[0]), grouped("mail", down())]
    alertmanager.groups[1] = grouped("mail", alertmanager.alerts[1])
    count(alertmanager, email=(10, 3))

    await stage.rounds(30, 60, 90, 120, 150)

    for one in await stage.all():
        assert states(one) == {"mail/email": "unknown"}


async def test_receivers_are_told_apart_where_their_names_are_counted(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.counted = {}
    for name in ("mail", "page"):
        count(alertmanager, name, email=(5, 0), webhook=(5, 0))
    await stage.round(30)
    alertmanager.alerts = [down(("mail",)), down(("page",), service="other")]
    count(alertmanager, "mail", email=(6, 0))
    count(alertmanager, "page", email=(8, 3))
    await stage.round(60)

    found = {one.service: states(one) for one in await stage.all()}
    assert found == {
        "stripe": {"mail/email": "delivered"},
        "other": {"page/email": "failing", "page/pagerduty": "pending"},
    }


async def test_a_failed_try_that_is_half_counted_is_not_a_success(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    """The try is counted before its failure: a page written in between shows a success."""
    alertmanager.alerts = [down(("mail",))]
    await stage.round(30)
    count(alertmanager, email=(8, 2))
    alertmanager.counted_next = {("email", ""): (8, 3)}
    await stage.round(60)

    assert states(await stage.one()) == {"mail/email": "failing"}


# -- what counts nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("receivers", [("nobody",), ("incident-log",), ("nobody", "incident-log")])
async def test_nobody_and_the_log_are_nobody(
    stage: Stage, alertmanager: Alertmanager, receivers: tuple[str, ...]
) -> None:
    alertmanager.alerts = [down(receivers)]
    await stage.round(30)
    count(alertmanager, webhook=(99, 0))
    await stage.round(60)

    assert (await stage.one()).told == ()
    assert await told(stage) == "nobody: it is sent to no receiver that reaches somebody"


async def test_the_logs_receiver_is_known_by_its_messages(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.log.receive(message(alert(NOW)) | {"receiver": "hook"})
    alertmanager.alerts = [down(("hook",))]
    await stage.round(30)
    count(alertmanager, webhook=(99, 0))
    await stage.round(60)

    assert (await stage.one()).told == ()


async def test_webhooks_prove_nothing_while_the_logs_are_counted_with_them(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(("hook",))]
    await stage.round(30)
    count(alertmanager, webhook=(99, 0))
    await stage.round(60)

    assert states(await stage.one()) == {"hook/webhook": "unknown"}
    assert await told(stage) == (
        "not known: Alertmanager does not say whether hook (webhook) was told"
    )


@pytest.mark.parametrize("missing", ["metrics", "config", "both"])
async def test_a_peer_that_does_not_say_leaves_it_unknown(
    clock: FakeClock, alertmanager: Alertmanager, missing: str
) -> None:
    if missing == "metrics":
        alertmanager.config = CONFIG
    elif missing == "config":
        count(alertmanager, email=(1, 0), pagerduty=(1, 0))
    stage = Stage(clock, Peers([alertmanager.url], timeout=5.0))
    alertmanager.alerts = [down(("page", "incident-log"))]
    await stage.rounds(0, 30, 60)
    await stage.peers.close()

    assert set(states(await stage.one()).values()) == {"unknown"}
    assert (await told(stage)).startswith("not known: Alertmanager does not say whether ")


async def test_what_fired_before_the_first_look_is_unknown_until_something_is_sent(
    clock: FakeClock, alertmanager: Alertmanager
) -> None:
    alertmanager.config = CONFIG
    count(alertmanager, email=(1, 0))
    alertmanager.alerts = [down(("mail",))]
    stage = Stage(clock, Peers([alertmanager.url], timeout=5.0))
    await stage.rounds(30, 60)
    before = states(await stage.one())
    count(alertmanager, email=(2, 0))
    await stage.round(90)
    await stage.peers.close()

    assert before == {"mail/email": "unknown"}
    assert await told(stage) == "told: mail (mail) at 08:01 UTC"


# -- restarts and peers ----------------------------------------------------------------------


async def test_a_restart_of_alertmanager_loses_and_invents_nothing(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(("mail",)), down(("page",), service="other")]
    count(alertmanager, pagerduty=(4, 0))
    await stage.round(30)
    alertmanager.started = NOW + 40
    alertmanager.counted = {("email", ""): (0, 0), ("pagerduty", ""): (0, 0)}
    await stage.rounds(60, 90)

    found = {one.service: states(one) for one in await stage.all()}
    # Nothing was seen to be sent to mail; but it may have been, just before the restart.
    assert found["stripe"] == {"mail/email": "unknown"}
    assert found["other"] == {"page/email": "unknown", "page/pagerduty": "delivered"}


async def test_when_an_incident_opens_again_nobody_is_told_yet(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(("mail",)), down(("page",), severity="high")]
    count(alertmanager, email=(8, 2), pagerduty=(4, 0))
    await stage.round(30)
    alertmanager.alerts = []
    await stage.rounds(60, 90)
    alertmanager.alerts = [listed(NOW + 100, receivers=("page",), severity="high")]
    await stage.round(120)

    assert states(await stage.one()) == {"page/email": "pending", "page/pagerduty": "pending"}


async def test_what_was_perhaps_sent_before_a_restart_is_not_called_pending(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    """A new process learns of the alert when Prometheus repeats it, a minute later."""
    alertmanager.alerts = [down(("mail",))]
    await stage.round(30)
    alertmanager.started, alertmanager.alerts = NOW + 40, []
    await stage.rounds(60, 90)
    alertmanager.alerts = [down(("mail",))]
    await stage.rounds(120, 150)

    assert states(await stage.one()) == {"mail/email": "unknown"}


async def test_what_was_sent_in_a_long_time_without_a_look_proves_nothing(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(("mail",))]
    count(alertmanager, email=(99, 2))
    await stage.round(600)

    assert states(await stage.one()) == {"mail/email": "unknown"}


async def test_an_alert_that_fires_again_beside_another_is_told_anew(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    other = down(("nobody",), severity="high")
    alertmanager.alerts = [down(("mail",)), other]
    count(alertmanager, email=(8, 2))
    await stage.round(30)
    alertmanager.alerts = [other]
    await stage.rounds(60, 90)
    alertmanager.alerts = [listed(NOW + 100, receivers=("mail",)), other]
    await stage.round(120)

    assert states(await stage.one()) == {"mail/email": "pending"}


async def test_what_a_restarted_one_sends_counts(stage: Stage, alertmanager: Alertmanager) -> None:
    alertmanager.alerts = [down(("mail",))]
    await stage.round(30)
    alertmanager.started = NOW + 40
    count(alertmanager, email=(1, 0))
    await stage.round(60)

    assert states(await stage.one()) == {"mail/email": "delivered"}


async def test_what_any_peer_delivered_is_delivered(
    clock: FakeClock, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    stage = Stage(clock, Peers([alertmanager.url, second.url], timeout=5.0))
    for server in (alertmanager, second):
        server.config = CONFIG
        count(server, email=(3, 0))
    await stage.round(0)
    alertmanager.alerts = second.alerts = [down(("mail",))]
    await stage.round(30)
    waiting = states(await stage.one())
    count(second, email=(4, 0))
    await stage.round(60)
    await stage.peers.close()

    assert waiting == {"mail/email": "pending"}
    assert states(await stage.one()) == {"mail/email": "delivered"}


async def test_while_a_peer_is_away_nothing_is_called_pending(
    clock: FakeClock, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    stage = Stage(clock, Peers([alertmanager.url, second.url], timeout=5.0))
    for server in (alertmanager, second):
        server.config = CONFIG
        count(server, email=(3, 0))
    await stage.round(0)
    second.dead = True
    alertmanager.alerts = [down(("mail",))]
    await stage.round(30)
    await stage.peers.close()

    assert states(await stage.one()) == {"mail/email": "unknown"}


async def test_a_restart_of_the_exporter_keeps_what_was_told(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down()]
    count(alertmanager, email=(8, 2), pagerduty=(4, 1))
    await stage.round(30)
    again = Stage(stage.clock, Peers([alertmanager.url], timeout=5.0), stage.store)  # type: ignore[arg-type]
    before = states(await stage.one())
    await again.round(60)
    await again.peers.close()

    assert before == {"page/email": "delivered", "page/pagerduty": "failing"}
    assert states(await again.one()) == before
    assert await again.tells() == ["opened 0", "notified 30", "failing 30"]


async def test_what_fires_again_is_told_anew(stage: Stage, alertmanager: Alertmanager) -> None:
    alertmanager.alerts = [down(("mail",))]
    count(alertmanager, email=(8, 2))
    await stage.round(30)
    alertmanager.alerts = []
    await stage.rounds(60, 90)
    alertmanager.alerts = [listed(NOW + 100, receivers=("mail",))]
    await stage.round(120)

    assert states(await stage.one()) == {"mail/email": "pending"}


# -- suppressed ------------------------------------------------------------------------------


async def test_what_is_inhibited_names_the_alert_that_holds_it_back(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    cause = listed(NOW, **NETWORK)
    effect = down(by="inhibited", held_by=cause["fingerprint"])
    alertmanager.alerts = [cause, effect]
    await stage.round(30)
    count(alertmanager, pagerduty=(4, 0))  # of the cause
    await stage.round(60)

    service, network = sorted(await stage.all(), key=lambda one: one.alertname, reverse=True)
    assert told_sentence(service, NOW) == (
        "nobody yet: held back by MonitoringNetworkDown until our network is back"
    )
    assert told_sentence(network, NOW) == "told: page (PagerDuty) at 08:01 UTC"
    assert (await stage.log.causes()) == {service.id: network.id}
    alertmanager.alerts = [down()]
    await stage.round(90)
    await stage.round(120)
    freed = next(one for one in await stage.all() if one.service)
    assert states(freed) == {"page/email": "pending", "page/pagerduty": "pending"}
    assert (await stage.log.causes()) == {}


@pytest.mark.parametrize("order", [1, -1])
async def test_a_lower_severity_that_its_own_higher_one_holds_back_has_no_say(
    stage: Stage, alertmanager: Alertmanager, order: int
) -> None:
    higher = down(("hook",), severity="critical")
    lower = down(("hook",), severity="high", by="inhibited", held_by=higher["fingerprint"])
    alertmanager.alerts = [higher, lower][::order]
    await stage.rounds(30, 60)

    assert states(await stage.one()) == {"hook/webhook": "unknown"}


async def test_a_message_of_the_cause_is_not_one_of_what_becomes_inhibited(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down()]
    await stage.round(30)
    cause = listed(NOW, **NETWORK)
    alertmanager.alerts = [cause, down(by="inhibited", held_by=cause["fingerprint"])]
    count(alertmanager, pagerduty=(4, 0))
    await stage.round(60)

    assert ToldState.DELIVERED not in {
        told.state for one in await stage.all() if one.service for told in one.told
    }


async def test_a_silence_names_its_end_and_its_author(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(by="silenced")]
    alertmanager.silences = [
        {"id": "x", "endsAt": iso(NOW + 21600), "createdBy": "ann", "status": {"state": "active"}},
        {"id": "other", "endsAt": iso(NOW + 90000), "createdBy": "bob"},
        {"id": "x"},
        7,
    ]
    await stage.round(30)

    assert await told(stage) == "nobody yet: silenced until 14:00 UTC by ann"
    assert all(told.until == NOW + 21600 for told in (await stage.one()).told)


async def test_without_the_silences_it_is_silenced_all_the_same(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts, alertmanager.silences = [down(by="silenced")], {"error": "no"}
    await stage.round(30)

    assert await told(stage) == "nobody yet: silenced"


def grouped(receiver: str, alert: Json, *muted: str) -> Json:
    """Return a group of one alert as 0.35 lists it."""
    status = alert["status"] | {"mutedBy": list(muted)}
    group = {"service": alert["labels"]["service"]}
    return {
        "receiver": {"name": receiver},
        "labels": group,
        "alerts": [alert | {"status": status}],
    }


@pytest.mark.parametrize(
    ("receiver", "interval", "sentence"),
    [
        ("night", "office-hours", "nobody yet: muted until office hours"),
        ("quiet", "weekend", "nobody yet: muted by the time interval weekend"),
    ],
)
async def test_a_time_interval_mutes(
    stage: Stage, alertmanager: Alertmanager, receiver: str, interval: str, sentence: str
) -> None:
    alertmanager.alerts = [down((receiver, "incident-log"))]
    alertmanager.groups = [
        grouped(receiver, alertmanager.alerts[0], interval),
        grouped("incident-log", alertmanager.alerts[0]),
    ]
    count(alertmanager, slack=(5, 0))
    await stage.round(30)

    assert await told(stage) == sentence
    assert (await stage.one()).suppressed == ""


async def test_what_one_peer_does_not_mute_is_not_muted(
    clock: FakeClock, alertmanager: Alertmanager, second: Alertmanager
) -> None:
    stage = Stage(clock, Peers([alertmanager.url, second.url], timeout=5.0))
    for server, muted in ((alertmanager, ("office-hours",)), (second, ())):
        server.config = CONFIG
        server.alerts = [down(("night",))]
        server.groups = [grouped("night", server.alerts[0], *muted)]
    await stage.round(30)
    await stage.peers.close()

    assert [(t.state, t.by) for t in (await stage.one()).told] == [(ToldState.UNKNOWN, "")]


async def test_what_may_be_muted_is_unknown_where_alertmanager_does_not_say(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    """Before 0.28 groups have no mutedBy: a message to Slack is another alert's."""
    alertmanager.alerts = [down(("night",))]
    await stage.round(30)
    count(alertmanager, slack=(1, 0))
    await stage.round(60)

    assert await told(stage) == "not known: the time interval office hours may mute it"


# -- the rest --------------------------------------------------------------------------------


async def test_the_status_is_asked_again_only_when_it_may_have_changed(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    await stage.rounds(30, 60, 590)
    once = alertmanager.asked.count("GET /api/v2/status")
    await stage.round(610)
    aged = alertmanager.asked.count("GET /api/v2/status")
    alertmanager.started = NOW + 615
    await stage.round(640)

    assert (once, aged, alertmanager.asked.count("GET /api/v2/status")) == (1, 2, 3)


async def test_garbage_in_place_of_what_proves_it_changes_nothing(
    stage: Stage, alertmanager: Alertmanager
) -> None:
    alertmanager.alerts = [down(by="silenced")]
    for groups, silences, metrics in (
        ([[]], [[]], "\x00"),
        ({"a": 1}, None, 'alertmanager_notification_requests_total{integration="email"} +Inf\n'),
        ([{"receiver": {"name": 5}, "alerts": 7}], [{"id": {}}], "alertmanager_config_hash x\n"),
        ([{"receiver": {"name": "a"}, "alerts": [{"fingerprint": 1}, 7]}], "x", ""),
    ):
        alertmanager.groups, alertmanager.silences = groups, silences
        alertmanager.metrics = metrics
        await stage.round(stage.clock.now() - NOW + 30)

    assert len(stage.succeeded) == 5
    assert await told(stage) == "nobody yet: silenced"


async def test_a_reason_of_the_message_is_kept(stage: Stage) -> None:
    said = message(alert(NOW)) | {"notification_reason": "first notification"}
    await stage.log.receive(said)
    again = message(alert(NOW, NOW + 9)) | {"notification_reason": "all alerts resolved"}
    await stage.log.receive(again)

    assert [entry.note for entry in (await stage.one()).timeline] == [
        "critical (first notification)",
        "all alerts resolved",
    ]


def test_the_fingerprint_of_a_source_is_that_of_its_labels() -> None:
    assert listed(NOW, **NETWORK)["fingerprint"] == fingerprint(labels(**NETWORK))


async def test_what_is_sent_while_a_new_group_waits_is_another_groups(
    clock: FakeClock, alertmanager: Alertmanager
) -> None:
    alertmanager.config = CONFIG.replace("receiver: page\n", "receiver: page\n  group_wait: 3m\n")
    count(alertmanager, email=(7, 2), pagerduty=(0, 0))
    stage = Stage(clock, Peers([alertmanager.url], timeout=5.0))
    await stage.round(0)
    alertmanager.alerts = [down()]
    alertmanager.groups = [grouped("page", alertmanager.alerts[0])]
    await stage.round(30)
    count(alertmanager, email=(8, 2))
    await stage.rounds(60, 90, 120, 150, 180)
    early = states(await stage.one())
    count(alertmanager, email=(9, 2))
    await stage.round(210)
    # One that joins a group which has been sent may be sent at any time.
    alertmanager.alerts.append(down(severity="high"))
    again = {"service": "stripe"}
    alertmanager.groups.append(grouped("page", alertmanager.alerts[1]) | {"labels": again})
    await stage.round(240)
    count(alertmanager, pagerduty=(1, 0))
    await stage.round(270)
    await stage.peers.close()

    assert early == {"page/email": "pending", "page/pagerduty": "pending"}
    (one,) = await stage.all()
    assert states(one) == {"page/email": "delivered", "page/pagerduty": "delivered"}
    assert {t.integration: (t.at or 0) - NOW for t in one.told} == {"email": 210, "pagerduty": 270}


@pytest.mark.parametrize(
    ("received", "state"),
    [
        pytest.param(31.0, "suppressed", id="in time, so that its group waits"),
        pytest.param(62.0, "delivered", id="late, so that it is sent at once"),
        pytest.param(None, "delivered", id="when is not said"),
    ],
)
async def test_what_others_send_while_a_page_waits_for_its_cause_is_not_the_page(
    stage: Stage, alertmanager: Alertmanager, received: float | None, state: str
) -> None:
    page = listed(NOW + 31)
    page["updatedAt"] = None if received is None else iso(NOW + received)
    await stage.round(30)
    alertmanager.alerts, alertmanager.groups = [page], [grouped("page", page)]
    count(alertmanager, email=(8, 2))  # the end of another alert
    await stage.round(60)
    cause = listed(NOW + 40, **NETWORK)
    alertmanager.alerts = [cause, page | {"status": inhibited(cause)}]
    await stage.round(90)

    one = next(one for one in await stage.all() if one.service)
    assert states(one) == {"page/email": state, "page/pagerduty": "suppressed"}
    assert ("held back by MonitoringNetworkDown" in told_sentence(one, NOW)) == (
        state == "suppressed"
    )


def inhibited(cause: Json) -> Json:
    return {"state": "suppressed", "silencedBy": [], "inhibitedBy": [cause["fingerprint"]]}
