"""Who was told, in one sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.incidents import Entry, EntryKind, Incident, Told, ToldState, told_sentence
from exporter.incidents.model import AlertState
from tests.incidents.saying import NOW


def told(state: str, medium: str = "email", receiver: str = "page", **more: object) -> Told:
    fields = {"receiver": receiver, "integration": medium, "state": ToldState(state)}
    return Told(**fields | more)  # type: ignore[arg-type]


def incident(*found: Told, over: bool = False, **more: object) -> Incident:
    state = AlertState(fingerprint="a", severity="high", firing=not over, starts_at=NOW, told=found)
    fields = {"alerts": (state,), "resolved_at": NOW + 60 if over else None} | more
    return Incident(
        id="i", key="k", alertname="ServiceDown", severity="high", started_at=NOW, **fields
    )  # type: ignore[arg-type]


TWO_MINUTES = NOW + 120
SENT = [told("delivered", name, at=TWO_MINUTES) for name in ("pagerduty", "slack", "email")]


@pytest.mark.parametrize(
    ("found", "sentence", "once_over"),
    [
        (SENT, "told: page (mail, PagerDuty, Slack) at 08:02 UTC", None),
        (
            [told("delivered", at=TWO_MINUTES), told("delivered", receiver="duty", at=NOW + 3600)],
            "told: duty (mail) at 09:00 UTC; page (mail) at 08:02 UTC",
            None,
        ),
        (
            [told("delivered", name, name, at=TWO_MINUTES) for name in ("slack", "webhook")],
            "told: Slack at 08:02 UTC; webhook at 08:02 UTC",
            None,
        ),
        (
            [told("suppressed", why="inhibited", by="MonitoringNetworkDown")],
            "nobody yet: held back by MonitoringNetworkDown until our network is back",
            "nobody: held back by MonitoringNetworkDown",
        ),
        (
            [told("suppressed", why="inhibited", by="TheirAlert")],
            "nobody yet: held back by TheirAlert",
            "nobody: held back by TheirAlert",
        ),
        (
            [told("suppressed", why="inhibited")],
            "nobody yet: held back by another alert",
            "nobody: held back by another alert",
        ),
        (
            [told("suppressed", why="inhibited", by="ServiceDown")],
            "nobody yet: held back by a higher severity of the same alert",
            "nobody: held back by a higher severity of the same alert",
        ),
        (
            [
                told("suppressed", "mail", why="inhibited", by="ServiceDown"),
                told("suppressed", "page", why="inhibited", by="ProviderOutage"),
            ],
            "nobody yet: held back by ProviderOutage until the provider is back",
            "nobody: held back by ProviderOutage",
        ),
        (
            [told("suppressed", why="silenced", by="ann", until=NOW + 21600)],
            "nobody yet: silenced until 14:00 UTC by ann",
            "nobody: silenced by ann",
        ),
        (
            [told("suppressed", why="silenced", by="ann", until=NOW + 86400 * 400)],
            "nobody yet: silenced until 19 Feb 2028 08:00 UTC by ann",
            "nobody: silenced by ann",
        ),
        (
            [told("suppressed", why="outside", by="office-hours")],
            "nobody yet: muted until office hours",
            "nobody: muted outside office hours",
        ),
        (
            [told("failing", at=NOW + 180)],
            "nobody: mail fails since 08:03 UTC",
            "nobody: mail failed",
        ),
        (
            [told("failing", at=NOW + 180), told("failing", "slack", at=NOW + 200)],
            "nobody: mail, Slack fail since 08:03 UTC",
            "nobody: mail, Slack failed",
        ),
        (
            [told("pending"), told("unknown", "webhook")],
            "nobody yet: it has not been sent to page (mail); of page (webhook) it is not known",
            "nobody, as far as is known: it ended before page (mail) was told",
        ),
        (
            [],
            "nobody: no `notify` is set that takes it; add one to the configuration, then try"
            " `service-registry notify test`",
            None,
        ),
        (
            [told("unknown")],
            "not known: Alertmanager does not say whether page (mail) was told",
            None,
        ),
    ],
)
def test_the_sentence(found: list[Told], sentence: str, once_over: str | None) -> None:
    assert told_sentence(incident(*found), NOW) == sentence
    assert told_sentence(incident(*found, over=True), NOW) == (once_over or sentence)


def test_alertmanagers_own_nobody_is_not_a_missing_notify() -> None:
    silent = replace(incident(), receivers=("nobody",))

    assert told_sentence(silent, NOW) == "nobody: it is sent to no receiver that reaches somebody"


def test_what_no_poll_has_shown_is_not_known() -> None:
    fresh = AlertState(fingerprint="a", severity="high", firing=True, starts_at=NOW)
    posted = (Entry(at=NOW, kind=EntryKind.POSTED),)

    assert told_sentence(incident(alerts=(fresh,)), NOW) == "not known"
    by_hand = incident(alerts=(fresh,), manual=True)
    assert told_sentence(by_hand, NOW) == "nobody: it was created by hand"
    sent = incident(alerts=(fresh,), manual=True, timeline=posted)
    assert told_sentence(sent, NOW) == "not known"


def test_of_several_alerts_the_best_news_count_and_of_one_that_ended_only_what_was_delivered() -> (
    None
):
    low = AlertState(
        fingerprint="a",
        severity="low",
        firing=False,
        starts_at=NOW,
        told=(told("delivered", receiver="mail", at=NOW), told("failing", at=NOW)),
    )
    high = AlertState(
        fingerprint="b", severity="high", firing=True, starts_at=NOW, told=(told("pending"),)
    )

    found = incident(alerts=(low, high)).told

    assert [(one.receiver, one.state) for one in found] == [
        ("mail", "delivered"),
        ("page", "pending"),
    ]
