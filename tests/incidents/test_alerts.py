"""Alertmanager's two languages: what it sends is read, what it does not is refused without a word
of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.incidents import MessageError
from exporter.incidents.alerts import (
    fingerprint,
    from_api,
    from_webhook,
    key_of,
    made,
    severity_of,
    time_of,
    worst,
)
from tests.incidents.saying import NEVER, NOW, Listener, alert, iso, labels, listed, message

SENTINEL = "do-not-repeat-me"


def webhook_with(change: Callable[[Any], None]) -> Any:
    said = message(alert(NOW), alert(NOW, NOW + 60))
    change(said)
    return said


def api_with(change: Callable[[Any], None]) -> Any:
    said = [listed(NOW), listed(NOW, by="silenced")]
    change(said)
    return said


def test_a_message_is_read() -> None:
    firing, resolved = from_webhook(message(alert(NOW), alert(NOW, NOW + 60)))

    assert (firing.firing, firing.starts_at, firing.ends_at) == (True, NOW, None)
    assert (resolved.firing, resolved.starts_at, resolved.ends_at) == (False, NOW, NOW + 60)
    assert firing.labels == labels()
    assert firing.annotations == {"summary": "ServiceDown is critical"}
    assert firing.suppressed is None


def test_a_list_is_read() -> None:
    active, silenced, inhibited = from_api(
        [listed(NOW), listed(NOW, by="silenced"), listed(NOW, by="inhibited")]
    )

    assert active.firing
    assert [a.suppressed for a in (active, silenced, inhibited)] == ["", "silenced", "inhibited"]
    assert active.receivers == ("incident-log", "page")


def test_fields_of_newer_versions_are_passed_over() -> None:
    said = message(alert(NOW) | {"since": "0.99"})
    said |= {"notification_reason": "first notification", "routeLabels": {"a": "b"}}

    (found,) = from_webhook(said)

    assert replace(found, reason="") == from_webhook(message(alert(NOW)))[0]
    assert found.reason == "first notification"


def test_the_end_of_the_year_one_means_that_it_fires() -> None:
    (found,) = from_webhook(message(alert(NOW)))

    assert alert(NOW)["endsAt"] == NEVER
    assert found.ends_at is None


def test_an_end_before_the_start_is_the_start() -> None:
    (found,) = from_webhook(message(alert(NOW, NOW - 5)))

    assert found.ends_at == NOW


@pytest.mark.parametrize("digits", range(10))
@pytest.mark.parametrize(
    ("zone", "offset"), [("Z", 0), ("+00:00", 0), ("+02:00", 7200), ("-09:30", -34_200)]
)
def test_times_of_go_are_read(digits: int, zone: str, offset: int) -> None:
    fraction = "." + "123456789"[:digits] if digits else ""

    found = time_of(f"2027-01-15T08:00:00{fraction}{zone}", "x")

    assert found == pytest.approx(NOW - offset + float(f"0{fraction}"), abs=2e-6)


# Not to the last second of the year 9999: a float of that size would be rounded up into 10000.
@given(st.integers(0, 253_402_300_798), st.integers(0, 999_999))
def test_a_time_is_read_back(seconds: int, micros: int) -> None:
    at = seconds + micros / 1e6

    assert time_of(iso(at), "x") == pytest.approx(at, abs=2e-6)


def test_no_time_is_before_1970() -> None:
    assert time_of(NEVER, "x") == 0.0


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2027-01-15", "2027-01-15T08:00:00", "2027-13-01T00:00:00Z", 5, None]
)
def test_what_is_no_time_is_refused_at_its_place(text: Any) -> None:
    odd: list[MessageError] = []
    from_webhook(webhook_with(lambda said: said["alerts"][1].update(startsAt=text)), odd.append)

    assert [str(error) for error in odd] == ["alerts[1].startsAt must be an RFC 3339 time"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda m: m.pop("version"), "version"),
        (lambda m: m.update(version=SENTINEL), "version"),
        (lambda m: m.update(version=4), "version"),
        (lambda m: m.pop("alerts"), "alerts must"),
        (lambda m: m.update(alerts={SENTINEL: 1}), "alerts must"),
        (lambda m: [a.pop("labels") for a in m["alerts"]], r"alerts\[0\]\.labels"),
    ],
)
def test_a_malformed_message_is_refused_with_its_place_and_no_value(
    change: Callable[[Any], None], where: str
) -> None:
    with pytest.raises(MessageError, match=where) as caught:
        from_webhook(webhook_with(change))

    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda m: m["alerts"].append(SENTINEL), "alerts[2] must"),
        (lambda m: m["alerts"][2].update(status=SENTINEL), "alerts[2].status"),
        (lambda m: m["alerts"][2].pop("status"), "alerts[2].status"),
        (lambda m: m["alerts"][2].update(status=["firing"]), "alerts[2].status"),
        (lambda m: m["alerts"][2].pop("labels"), "alerts[2].labels"),
        (lambda m: m["alerts"][2].update(labels={}), "alerts[2].labels"),
        (lambda m: m["alerts"][2].update(labels=[SENTINEL]), "alerts[2].labels"),
        (lambda m: m["alerts"][2].update(labels={1: SENTINEL}), "alerts[2].labels"),
        (lambda m: m["alerts"][2].update(startsAt=SENTINEL), "alerts[2].startsAt"),
        (lambda m: m["alerts"][2].update(status="resolved", endsAt=SENTINEL), "alerts[2].endsAt"),
    ],
)
def test_an_odd_alert_takes_no_other_with_it(change: Callable[[Any], None], where: str) -> None:
    said = message(alert(NOW), alert(NOW, NOW + 60), alert(NOW, service="odd"))
    change(said)
    said["alerts"] = [*said["alerts"][2:], *said["alerts"][:2]]
    place = "alerts[0]" if len(said["alerts"]) == 3 else "alerts[1]"
    odd: list[MessageError] = []

    found = from_webhook(said, odd.append)

    assert [a.firing for a in found[-2:]] == [True, False]
    assert [str(error).startswith(where.replace("alerts[2]", place)) for error in odd] == [True]
    assert SENTINEL not in str(odd)


async def test_an_odd_alert_is_logged_and_the_others_become_incidents(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = Listener()

    with caplog.at_level("WARNING"):
        changed = await listener.hears(alert(NOW) | {"labels": SENTINEL}, alert(NOW, service="b"))

    assert changed == 1
    assert (await listener.one()).service == "b"
    (line,) = caplog.records
    assert line.getMessage() == "alert not read"
    assert SENTINEL not in str(vars(line))


def test_labels_that_are_no_texts_are_read_as_far_as_they_have_one() -> None:
    said = alert(NOW)
    said["labels"] |= {"port": 443, "ratio": 0.5, "canary": True, "none": None, "list": ["x"]}
    said["annotations"] = {"summary": "s", "count": 3, "none": None}

    (found,) = from_webhook(message(said))

    more = {"port": "443", "ratio": "0.5", "canary": "true"}
    assert found.labels == labels() | more
    assert found.annotations == {"summary": "s", "count": "3"}


@pytest.mark.parametrize("annotations", [None, SENTINEL, [SENTINEL], 5])
def test_an_alert_without_readable_annotations_has_none(annotations: Any) -> None:
    for found in (
        from_webhook(message(alert(NOW) | {"annotations": annotations})),
        from_api([listed(NOW) | {"annotations": annotations}]),
    ):
        assert found[0].annotations == {}


def test_of_many_labels_those_that_the_log_reads_are_kept() -> None:
    said = alert(NOW)
    said["labels"] = {f"a{i:03}": "x" for i in range(100)} | said["labels"]
    del said["fingerprint"]

    (found,) = from_webhook(message(said))

    assert len(found.labels) == 64
    assert found.labels.items() >= labels().items()
    assert found.fingerprint == fingerprint(said["labels"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda m: m.append(SENTINEL), r"\[2\] must"),
        (lambda m: m[0].pop("status"), r"\[0\] must be an object with a status"),
        (lambda m: m[0].update(status=SENTINEL), r"\[0\] must be an object with a status"),
        (lambda m: m[1].update(labels=None), r"\[1\]\.labels"),
        (lambda m: m[1].update(labels={"x": [SENTINEL]}), r"\[1\]\.labels"),
        (lambda m: m[0].update(startsAt=SENTINEL), r"\[0\]\.startsAt"),
        (lambda m: m[0].update(receivers=None), r"\[0\]\.receivers"),
        (lambda m: m[0].update(receivers=5), r"\[0\]\.receivers"),
    ],
)
def test_a_malformed_list_is_refused_with_its_place_and_no_value(
    change: Callable[[Any], None], where: str
) -> None:
    with pytest.raises(MessageError, match=where) as caught:
        from_api(api_with(change))

    assert SENTINEL not in str(caught.value)


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(st.data(), _junk)
def test_whatever_stands_anywhere_is_read_or_refused(data: st.DataObject, junk: Any) -> None:
    said: Any = data.draw(st.sampled_from([message(alert(NOW), alert(NOW, NOW)), [listed(NOW)]]))
    said = holder = {"all": copy.deepcopy(said)}
    place: Any = "all"
    while isinstance(holder[place], dict | list) and data.draw(st.booleans()):
        holder = holder[place]
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        place = data.draw(st.sampled_from(keys))
    holder[place] = junk

    for read in (from_webhook, from_api):
        try:
            found = read(said["all"])
        except MessageError:
            continue
        for one in found:
            assert severity_of(one.labels)
            key_of(one.labels).encode()
            json.dumps([dict(one.labels), one.fingerprint, one.receivers]).encode()


@given(st.text(st.characters(categories=["Cs", "L", "Cc"]), max_size=20))
def test_half_a_surrogate_pair_can_be_written_down(text: str) -> None:
    said = alert(NOW)
    said["labels"] |= {"x": text, text: "y"}
    said["annotations"] = {"summary": text}
    del said["fingerprint"]

    (found,) = from_webhook(message(said))

    for one in (*found.labels, *found.labels.values(), *found.annotations.values()):
        assert one.encode("utf-8").decode() == one
    assert len(found.fingerprint) == 16


def test_what_is_too_long_is_cut() -> None:
    said = alert(NOW) | {"annotations": {"summary": "s" * 10_000}, "fingerprint": "f" * 10_000}
    said["labels"] |= {"long": "l" * 10_000, "n" * 10_000: ""}

    (found,) = from_webhook(message(said))

    assert found.labels["long"] == "l" * 256
    assert "n" * 256 in found.labels
    assert found.annotations == {"summary": "s" * 4096}
    assert len(found.fingerprint) == 16


def test_the_fingerprint_is_alertmanagers_own() -> None:
    known = {"alertname": "A1", "environment": "prod", "service": "stripe", "severity": "critical"}

    assert fingerprint(known) == "63cf54bbedb97542"


@pytest.mark.parametrize("given_", [None, 5, "", "no hex", {"a": 1}])
def test_a_missing_fingerprint_is_made(given_: Any) -> None:
    (heard,) = from_webhook(message(alert(NOW) | {"fingerprint": given_}))
    (polled,) = from_api([listed(NOW) | {"fingerprint": given_}])

    assert heard.fingerprint == polled.fingerprint == fingerprint(labels())


def test_what_we_make_has_the_same_bounds() -> None:
    ours = made({"a": "x" * 999}, {"b": "\ud800"}, NOW)

    assert ours.labels == {"a": "x" * 256}
    assert ours.annotations == {"b": "?"}
    with pytest.raises(MessageError, match="labels must"):
        made({"a": 1}, {}, NOW)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("critical", "critical"),
        ("high", "high"),
        ("medium", "medium"),
        ("low", "low"),
        ("none", "none"),
        ("page", "critical"),
        ("error", "high"),
        ("warning", "medium"),
        ("info", "low"),
        ("", "medium"),
        ("Critical", "critical"),
        (" CRITICAL\t", "critical"),
        ("Warning", "medium"),
        ("High", "high"),
        ("None", "none"),
        ("INFO", "low"),
        ("crit", "critical"),
        ("Fatal", "critical"),
        ("URGENT", "critical"),
        ("major", "high"),
        ("err", "high"),
        ("minor", "medium"),
        ("Warn", "medium"),
        ("Notice", "low"),
        ("non-critical", "low"),
        ("P1", "critical"),
        ("SEV-2", "high"),
        ("sev 3", "medium"),
        ("p5", "low"),
        ("P6", "medium"),
        ("not critical at all", "medium"),
    ],
)
def test_severities_are_in_our_words(word: str, expected: str) -> None:
    assert severity_of({"severity": word}) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("P1 - Critical", "critical"),
        ("warning/high", "high"),
        ("Critical (P1)", "critical"),
        ("high-priority", "high"),
        ("non-critical", "low"),
        ("not critical", "medium"),
        ("Not classified", "medium"),
        ("none, info", "low"),
        ("none or less", "medium"),
        ("\uff43\uff52\uff49\uff54\uff49\uff43\uff41\uff4c", "critical"),  # full width
    ],
)
def test_of_several_words_the_worst_counts(words: str, expected: str) -> None:
    assert severity_of({"severity": words}) == expected


def test_the_watchdog_is_no_trouble_whatever_its_severity() -> None:
    assert severity_of({"alertname": "Watchdog", "severity": "critical"}) == "none"


def test_the_worst_of_severities() -> None:
    assert worst(("low", "high", "medium")) == "high"


@pytest.mark.parametrize(
    "more",
    [
        {"severity": "high"},
        {"team": "web"},
        {"category": "x"},
        {"cluster": "main"},
        {"burn": "fast"},
        {"escalation": "2", "alertname": "ServiceUnresolved"},
        {"provider": "other"},
        {"instance": "a"},
    ],
)
def test_a_trouble_stays_the_same_under(more: dict[str, str]) -> None:
    assert key_of(labels(**more)) == key_of(labels())


@pytest.mark.parametrize(
    "more",
    [
        {"service": "other"},
        {"environment": "dev"},
        {"slo": "latency"},
        {"model": "gpt-4o"},
        {"alertname": "ServiceFlapping"},
    ],
)
def test_another_trouble_differs_by(more: dict[str, str]) -> None:
    assert key_of(labels(**more)) != key_of(labels())


def test_each_model_of_a_service_is_a_trouble_of_its_own() -> None:
    one, other = labels(model="gpt-4o"), labels(model="gpt-4o-mini")

    assert key_of(one) != key_of(other)
    assert key_of(one | {"severity": "low"}) == key_of(one)


def test_a_key_that_is_stored_stays_what_it_was_before_models() -> None:
    given = {"alertname": "ServiceDown", "environment": "prod", "service": "pay"}

    assert key_of(given) == "ServiceDown\x1fprod\x1fpay\x1f"


def about(name: str, **more: str) -> str:
    return key_of({"alertname": name, "severity": "critical", **more})


def test_without_a_service_the_labels_tell_troubles_apart() -> None:
    assert about("ProviderOutage", provider="a") != about("ProviderOutage", provider="b")
    assert about("ProviderOutage", provider="a", environment="x") != about(
        "ProviderOutage", provider="a", environment="y"
    )
    assert about("ExporterDown", instance="a") != about("ExporterDown", instance="b")
    assert about("ExporterDown", instance="a", cluster="main") == about(
        "ExporterDown", instance="a", cluster=""
    )
    assert about("X", a="b", c="") == about("X", a="b")


def test_the_group_that_vmalert_names_tells_no_troubles_apart() -> None:
    group = {"alertgroup": "service_registry_outages"}

    assert about("ProviderOutage", provider="a", **group) == about("ProviderOutage", provider="a")
    assert about("Watchdog", **group) == about("Watchdog")


def test_two_manual_incidents_of_a_service_are_two() -> None:
    two = [about("ManualIncident", service="a", incident=id_) for id_ in ("x", "y")]

    assert two[0] != two[1]
