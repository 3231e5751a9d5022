"""What Alertmanager's pages show is read within bounds, whatever they hold."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.incidents.evidence import (
    LARGEST_CONFIG,
    Tally,
    counters,
    groups,
    routing,
    silences,
)
from tests.incidents.saying import NOW
from tests.incidents.servers import metrics


def test_tries_that_did_not_fail_are_messages() -> None:
    found = counters(metrics({("email", ""): (9, 4), ("slack", ""): (2, 0)}, NOW))

    assert found is not None
    assert found.tallies == {("email", ""): Tally(5, 4), ("slack", ""): Tally(2, 0)}
    assert (found.by_receiver, found.started, found.config) == (False, NOW, "1.2e+14")
    assert found.of(("webex", "")) == Tally()


def test_receivers_are_read_where_they_are_named() -> None:
    found = counters(metrics({("email", r"a\"b\\c"): (1, 0)}, NOW))

    assert found is not None
    assert found.by_receiver
    assert list(found.tallies) == [("email", 'a"b\\c')]


@pytest.mark.parametrize("text", ["", "\x00", "[]", "up 1\n", "alertmanager_notifications_total 1"])
def test_a_page_without_them_is_none(text: str) -> None:
    assert counters(text) is None


@pytest.mark.parametrize("end", ["", "\n", "\r", '"} 1'])
def test_a_hostile_page_takes_no_longer_than_another(end: str) -> None:
    piece = 'alertmanager_notification_requests_total{integration="'
    page = (piece + end) * (4_000_000 // len(piece))

    begun = time.process_time()
    counters(page)

    assert time.process_time() - begun < 5  # a quadratic reading takes minutes


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    counters(text)
    counters(f"alertmanager_notification_requests_total{{{text}}} 1")
    routing(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["receiver", "name", "alerts", "labels", "status", "mutedBy", "fingerprint", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(_json)
def test_any_answer_can_be_read(answer: Any) -> None:
    groups(answer)
    silences(answer, ["x"])


def test_receivers_are_read_with_their_media() -> None:
    found = routing(
        """
route:
  receiver: a
  routes:
  - active_time_intervals: [office]
    group_wait: 2h
    routes: [{receiver: b, group_wait: 500ms, mute_time_intervals: [night, 7], routes: {a: b}}, 5]
receivers:
- {name: a, email_configs: [{to: x}], slack_configs: [{channel: y}], opsgenie_configs: []}
- {name: ours, webhook_configs: [{url: 'http://u:p@exporter:9642/api/alertmanager'}]}
- {name: both, webhook_configs: [{url: 'http://e/api/alertmanager'}, {url: 'http://other'}]}
- {name: incident-log, webhook_configs: [{url: <secret>}]}
- {name: [a]}
- 7
"""
    )

    assert found is not None
    assert found.integrations == {
        "a": ("email", "slack"),
        "ours": (),
        "both": ("webhook",),
        "incident-log": (),
    }
    assert found.ours == {"ours", "both", "incident-log"}
    assert found.hidden
    assert found.active == {"office"}
    assert found.limited == {"a": ("office",), "b": ("night",)}
    assert found.waits == {"a": 30.0, "b": 0.5}


@pytest.mark.parametrize(
    "config",
    [
        None,
        7,
        "",
        "[]",
        "receivers: 7",
        "a: b: c",
        "receivers: [" * 100,
        "{a: &a [1,1,1,1,1,1,1,1,1], b: &b [*a,*a,*a,*a,*a,*a,*a], c: [*b,*b,*b,*b,*b,*b,*b]}",
        "#" * (LARGEST_CONFIG + 1),
    ],
)
def test_a_configuration_that_cannot_be_read_is_none(config: Any) -> None:
    assert routing(config) is None


def test_routes_without_end_are_read_to_a_depth() -> None:
    deep = "route: " + "{routes: [" * 14 + "{receiver: a}" + "]}" * 14

    assert routing(deep + "\nreceivers: []") is not None
