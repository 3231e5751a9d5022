"""The same alerts go to a real Alertmanager with the shipped routes, and both say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from exporter.incidents import from_webhook
from exporter.incidents.alerts import fingerprint
from exporter.incidents.model import Alert
from exporter.notifying import payloads
from exporter.notifying.messages import Message, in_order
from exporter.notifying.routes import group_of, route_of
from exporter.secret import Secret
from tests.alertmanager import (
    Request,
    Sink,
    alertmanager,
    http_sink,
    mail_sink,
    post,
    shipped,
)
from tests.alertmanager import alert as posted
from tests.notifying.stage import DOWN, START, WEBHOOK, Stage, alert, said

pytestmark = pytest.mark.slow
ABOUT_US = {"alertname": "ExporterDown", "severity": "critical", "cluster": "main"}
HIGH = DOWN | {"severity": "high"}
CASES = {  # no shipped rule lets one of them inhibit another
    "critical": [
        DOWN | {"alertname": "One", "category": "availability"},
        DOWN | {"alertname": "Two", "pod": 'odd "quotes" \\ and ü'},
    ],
    "of the monitoring": [
        ABOUT_US | one for one in ({"job": "b"}, {"instance": "a"}, {"job": "a"})
    ],
    "custom": [DOWN | {"provider": "custom", "service": "own"}],
    "high": [HIGH | {"service": name, "provider": "stripe"} for name in ("a", "b")],
    "high of a service": [HIGH | {"provider": "custom", "service": "own-two"}],
}


@dataclass(frozen=True, slots=True)
class Real:
    """A running Alertmanager, and what it sends."""

    url: str
    sink: Sink[Request]

    def sent(self, path: str, labels: dict[str, str], count: int = 1) -> list[Any]:
        """Return the messages to *path* about the group of an alert with *labels*."""
        key = group_key(labels)
        wanted = Message(id="", entry="", group=key, at=0.0, alerts=()).dedup_key

        def is_wanted(got: Request) -> bool:
            if got.path != path:
                return False
            return key.text == got.body.get("groupKey") or wanted == got.body.get("dedup_key")

        return [got.body for got in self.sink.wait(is_wanted, count)]


def group_key(labels: dict[str, str]) -> Any:
    route = route_of(labels)
    assert route is not None
    return group_of(route, labels)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    folder = tmp_path_factory.mktemp("alertmanager")
    with http_sink() as sink, mail_sink() as mail:
        config = shipped(folder, sink=sink.url, mail=mail.address)
        with alertmanager(config) as url:
            yield Real(url, sink)


def as_message(body: dict[str, Any]) -> Message:
    """Return our message with the alerts of Alertmanager's."""
    alerts = in_order(from_webhook(body))
    return Message(
        id="1",
        entry=body["receiver"],
        group=group_key(dict(alerts[0].labels)),
        at=START,
        alerts=alerts,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_webhook_message_is_alertmanagers_field_for_field(real: Real, case: str) -> None:
    given = [labels | {"case": case} for labels in CASES[case]]
    post(real.url, *(posted(labels, summary="It is down.", fault="ours") for labels in given))
    (theirs,) = real.sent("/webhook", given[0])

    ours = payloads.webhook(as_message(theirs), theirs["externalURL"])

    assert len(theirs["alerts"]) == len(given)
    assert list(ours) == list(theirs), "the order of the fields too"
    for one, other in zip(ours.pop("alerts"), theirs.pop("alerts"), strict=True):
        assert list(one) == list(other)
        gap = datetime.fromisoformat(one["startsAt"]) - datetime.fromisoformat(other["startsAt"])
        assert abs(gap.total_seconds()) < 0.001
        skipped = ("startsAt", "generatorURL")
        assert {k: v for k, v in one.items() if k not in skipped} == {
            k: v for k, v in other.items() if k not in skipped
        }
    assert ours == theirs


def test_an_incident_of_pagerduty_has_the_same_key_and_fields(real: Real) -> None:
    labels = DOWN | {"service": "paged"}
    post(real.url, posted(labels, summary="It is down.", runbook_url="https://example.com/r"))
    (theirs,) = real.sent("/pagerduty", labels)
    (hook,) = real.sent("/webhook", labels)

    ours = payloads.pagerduty(as_message(hook), "https://page", Secret(theirs["routing_key"]))

    assert set(ours) == set(theirs)
    same = ("routing_key", "dedup_key", "event_action", "client", "links")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    mine, other = ours["payload"], theirs["payload"]
    assert {k: v for k, v in mine.items() if k != "custom_details"} == {
        k: v for k, v in other.items() if k != "custom_details"
    }
    assert set(mine["custom_details"]) == set(other["custom_details"])


async def test_a_group_is_told_the_same_in_the_same_order(real: Real) -> None:
    labels = {name: DOWN | {"alertname": name, "service": "told"} for name in ("One", "Two")}
    steps = (("One",), ("One", "Two"), ("Two",), ())

    theirs = list[tuple[str, ...]]()
    for number, step in enumerate(steps, 1):
        ended = set(steps[number - 2] if number > 1 else ()) - set(step)
        alerts = [posted(labels[name]) for name in step]
        post(real.url, *alerts, *(posted(labels[name], ended=True) for name in ended))
        messages = real.sent("/webhook", labels["One"], number)
        theirs.append(named(from_webhook(messages[-1])))

    ours = list[tuple[str, ...]]()
    async with Stage(WEBHOOK) as stage:
        for step in steps:
            now = stage.clock.now()
            await stage.fires(*(alert(labels[name], at=now) for name in step))
            await stage.passes(90)
        ours = [named(message.alerts) for message in stage.hook.sent]

    assert theirs == [("+One",), ("+One", "+Two"), ("+Two", "-One"), ("-Two",)]
    assert ours == theirs


def named(alerts: Any) -> tuple[str, ...]:
    return said(
        [
            Alert(
                fingerprint=fingerprint(one.labels),
                labels={"service": one.labels["alertname"]},
                firing=one.firing,
                starts_at=one.starts_at,
            )
            for one in alerts
        ]
    )
