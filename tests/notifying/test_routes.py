"""Groups, times and receivers are those of the shipped alertmanager.yml, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.notifying.routes import ROUTES, Route, group_of, receivers, route_of
from tests.alertmanager import seconds
from tests.notifying.stage import ALL, DOWN, EMAIL, PAGERDUTY, SLACK, WEBHOOK, entries
from tests.test_routes import CONFIG

INHERITED = ("group_by", "group_wait", "group_interval", "repeat_interval")
NOT_OURS = {"deadman", "incident-log", "nobody"}
NAMES = {
    ('environment!~"(production|prod)?"',): "non-production",
    ('escalation=~".+"',): "escalation",
    ('escalation=~".+"', 'provider=~"(custom)?"'): "escalation of a service",
    ('severity="critical"',): "critical",
    ('severity="critical"', 'provider="",service=""'): "critical of the monitoring",
    ('severity="high"',): "high",
    ('severity="high"', 'provider=~"(custom)?"'): "high of a service",
    ('severity="medium"',): "medium",
    ('severity="low"',): "low",
    (): "other",
}


def shipped() -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the matchers of each shipped route that tells people, and what it has or inherits."""

    def walk(route: dict[str, Any], above: dict[str, Any], path: tuple[str, ...]) -> Any:
        own = {name: route.get(name, above.get(name)) for name in INHERITED}
        if route["receiver"] if "receiver" in route else above["receiver"]:
            own["receiver"] = route.get("receiver", above.get("receiver"))
        yield path, own
        for child in route.get("routes", ()):
            matchers = ",".join(sorted(child.get("matchers", ())))
            yield from walk(child, own, (*path, matchers) if matchers else path)

    root = CONFIG["route"]
    for number, (path, own) in enumerate(walk(root, {}, ())):
        if number and own["receiver"] not in NOT_OURS and 'team="payments"' not in path:
            yield path, own


def test_every_shipped_route_is_here_with_its_times() -> None:
    rows = dict(shipped())

    assert set(rows) == set(NAMES)
    assert set(NAMES.values()) == set(ROUTES)
    for path, own in rows.items():
        assert ROUTES[NAMES[path]] == Route(
            name=NAMES[path],
            matchers=path,
            group_by=tuple(own["group_by"]),
            wait=seconds(own["group_wait"]),
            interval=seconds(own["group_interval"]),
            repeat=seconds(own["repeat_interval"]),
        ), path


@pytest.mark.parametrize(
    ("labels", "route"),
    [
        (DOWN, "critical"),
        (DOWN | {"provider": "custom"}, "critical"),
        ({"alertname": "ExporterDown", "severity": "critical"}, "critical of the monitoring"),
        (DOWN | {"severity": "high"}, "high"),
        (DOWN | {"severity": "high", "provider": "custom"}, "high of a service"),
        (DOWN | {"severity": "medium"}, "medium"),
        (DOWN | {"severity": "low"}, "low"),
        (DOWN | {"severity": "odd"}, "other"),
        (DOWN | {"severity": "none"}, None),
        ({"alertname": "Watchdog", "severity": "critical"}, None),
        (DOWN | {"environment": "staging"}, "non-production"),
        (DOWN | {"environment": "prod"}, "critical"),
        (DOWN | {"environment": "staging", "escalation": "1"}, "non-production"),
        (DOWN | {"escalation": "1"}, "escalation"),
        (DOWN | {"escalation": "2", "provider": "custom"}, "escalation of a service"),
    ],
)
def test_an_alert_takes_the_route_of_its_labels(labels: dict[str, str], route: str | None) -> None:
    found = route_of(labels)

    assert (found.name if found else None) == route


def test_a_group_is_what_the_route_says_without_the_labels_that_are_missing() -> None:
    route = ROUTES["critical"]

    key = group_of(route, DOWN | {"pod": "x", "incident": ""})

    assert dict(key.labels) == {
        "environment": "production",
        "provider": "openai",
        "service": "openai",
    }
    assert key.text == (
        '{}/{severity="critical"}:{environment="production", provider="openai", service="openai"}'
    )


def told(text: str, **labels: str) -> list[str]:
    configuration = entries(text)
    found = receivers(configuration.notify, DOWN | labels)
    return [entry.key for entry in found]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({}, "webhook slack pagerduty email"),
        ({"severity": "high"}, "webhook slack email"),
        ({"severity": "medium"}, "webhook email"),
        ({"severity": "low"}, "webhook slack"),
        ({"severity": "odd"}, "webhook slack"),
        ({"escalation": "1"}, "webhook pagerduty email"),
        ({"environment": "staging"}, "webhook slack"),
        ({"environment": "staging", "severity": "medium"}, "webhook slack"),
        ({"environment": "staging", "escalation": "1"}, "webhook slack"),
        ({"environment": "", "service": "", "provider": ""}, "webhook slack pagerduty email"),
    ],
)
def test_by_default_each_medium_is_told_what_the_shipped_routes_tell_it(
    labels: dict[str, str], names: str
) -> None:
    assert told(ALL, **labels) == names.split()


MEDIA = {
    "pagerduty": PAGERDUTY,
    "slack": SLACK,
    "email": EMAIL,
}


@pytest.mark.parametrize("medium", MEDIA)
def test_the_defaults_of_a_medium_are_the_receivers_of_the_shipped_file(medium: str) -> None:
    """A webhook gets everything here; the others what a receiver with that medium gets there."""
    by_name = {one["name"]: one for one in CONFIG["receivers"]}
    for path, own in shipped():
        labels = {
            "non-production": {"environment": "staging"},
            "escalation": {"escalation": "1"},
            "escalation of a service": {"escalation": "1", "provider": "custom"},
            "critical of the monitoring": {"service": "", "provider": "", "environment": ""},
            "high": {"severity": "high"},
            "high of a service": {"severity": "high", "provider": "custom"},
            "medium": {"severity": "medium"},
            "low": {"severity": "low"},
            "other": {"severity": "odd"},
        }.get(NAMES[path], {})
        expected = f"{medium}_configs" in by_name[own["receiver"]]
        assert (medium in told(f"{WEBHOOK}, {MEDIA[medium]}", **labels)) == expected, path


def test_what_would_reach_nobody_goes_to_all_but_pagerduty() -> None:
    assert told(f"{SLACK}, {PAGERDUTY}", severity="medium") == ["slack"]
    assert told(EMAIL, environment="staging") == ["email"]
    assert told(EMAIL, severity="low") == ["email"]
    assert told(PAGERDUTY, severity="high") == []
    assert told("{slack: {url: 'http://a/'}, severities: [critical]}", severity="high") == []
    assert told(EMAIL, severity="none") != []  # route_of keeps it from everybody
    assert route_of(DOWN | {"severity": "none"}) is None


def test_an_entry_may_say_what_it_is_told() -> None:
    pager = "{pagerduty: {routing_key: sentinel-routing-key}, "
    assert told(pager + "severities: [high]}") == []
    assert told(pager + "severities: [high]}", severity="high") == ["pagerduty"]
    assert told(pager + "environments: [staging]}") == []
    assert told(pager + "environments: [staging]}", environment="staging") == ["pagerduty"]
    assert told(pager + "teams: [payments]}", team="web") == []
    assert told(pager + "teams: [payments]}", team="payments") == ["pagerduty"]
    assert told(pager + "teams: [payments]}") == ["pagerduty"], "without a team it is everybody's"
    assert told(pager + "escalations: [2]}", escalation="1") == []
    assert told(pager + "escalations: [2]}", escalation="2") == ["pagerduty"]
    duty = "{email: {to: [a@example.com], smtp: 'a:25'}, severities: [], escalations: [1]}"
    assert told(f"{duty}, {SLACK}") == ["slack"]
    assert told(f"{duty}, {SLACK}", escalation="1") == ["email"]


@given(
    st.fixed_dictionaries(
        {
            "severity": st.sampled_from(["critical", "high", "medium", "low", "", "odd"]),
            "environment": st.sampled_from(["", "production", "staging"]),
            "escalation": st.sampled_from(["", "1"]),
            "provider": st.sampled_from(["", "custom", "openai"]),
        }
    ),
    st.sampled_from([WEBHOOK, SLACK, EMAIL]),
)
def test_one_entry_of_any_medium_but_pagerduty_is_told_everything(
    labels: dict[str, str], text: str
) -> None:
    assert len(told(text, **labels)) == 1
