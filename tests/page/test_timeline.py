"""The timeline of a service: what is known is where it belongs, and what is unknown is nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config.declarations import Maintenance
from exporter.config.uses import Used
from exporter.model import Certificate, Limit
from exporter.page.timeline import NOW_X, Event, Timeline, events_of, timeline
from exporter.results import Radar, Source, Tally
from exporter.results.runway import Runways
from exporter.retirement import API, Notice, Retirement
from tests.fakes import service_target
from tests.page.stage import NOW

DAY = 86_400.0


def point(days: float, kind: str = "key") -> Event:
    return Event(kind=kind, text=f"{days}", at=NOW + days * DAY, until=NOW + days * DAY)


def span(begin: float, end: float | None, kind: str = "incident") -> Event:
    until = None if end is None else NOW + end * DAY
    return Event(kind=kind, text=f"{begin}", at=NOW + begin * DAY, until=until, lasts=True)


def known(tally: Tally | None = None, rotated: float | None = None, **fields: Any) -> list[str]:
    """Return the texts of what is known, as the page shows it."""
    target = service_target("a", **fields)
    return [one.text for one in events_of(target, tally or Tally(), (), rotated, NOW)]


def marks(line: Timeline) -> list[tuple[float, float, str]]:
    return [(mark.x, mark.width, mark.beyond) for lane in line.lanes for mark in lane.marks]


def test_nothing_known_is_nothing_shown() -> None:
    line = timeline(events_of(service_target("a"), Tally(), (), None, NOW), NOW)

    assert (line.lanes, line.ahead, line.past, line.unlisted) == ((), (), (), 0)


@pytest.mark.parametrize(
    ("days", "x", "beyond"),
    [
        (-30, 0, ""),
        (0, NOW_X, ""),
        (30, 50, ""),
        (90, 100, ""),
        (90.1, 100, "after"),
        (-31, 0, "before"),
    ],
)
def test_a_point_is_at_its_place_or_beyond_the_axis(days: float, x: float, beyond: str) -> None:
    assert marks(timeline([point(days)], NOW)) == [(x, 0.0, beyond)]


@pytest.mark.parametrize(
    ("begin", "end", "x", "width"),
    [
        (-15, -3, 12.5, 10),
        (-60, -24, 0, 5),
        (-6, None, 20, 5),
        (84, 200, 95, 5),
        (-60, 200, 0, 100),
    ],
)
def test_a_span_is_cut_to_the_axis(begin: float, end: float | None, x: float, width: float) -> None:
    assert marks(timeline([span(begin, end)], NOW)) == [(x, width, "")]


def test_what_was_over_a_month_ago_is_left_out_but_for_what_has_expired() -> None:
    line = timeline([span(-40, -31), span(-40, -29), point(-45, "certificate")], NOW)

    assert [lane.kind for lane in line.lanes] == ["incident", "certificate"]
    assert [len(lane.marks) for lane in line.lanes] == [1, 1]
    assert len(line.past) == 2


def test_what_goes_on_comes_first_then_what_is_next_then_the_newest_of_the_past() -> None:
    events = [point(40), span(-2, None), point(5), span(-9, -8), point(-3), span(-20, 1)]

    line = timeline(events, NOW)

    assert [event.text for event in line.ahead] == ["-2", "-20", "5", "40"]
    assert [event.text for event in line.past] == ["-3", "-9"]


def test_of_a_long_past_the_newest_are_listed_and_the_others_counted() -> None:
    line = timeline([span(-n - 1, -n) for n in range(1, 21)], NOW)

    assert [event.text for event in line.past] == [str(-n - 1) for n in range(1, 9)]
    assert line.unlisted == 12
    assert len(line.lanes[0].marks) == 20


def test_the_picture_moves_on_once_an_hour() -> None:
    events = [span(-3, -2), point(9)]

    pictures = {timeline(events, NOW + 60 * minute).lanes for minute in range(60)}

    assert len(pictures) == 1
    assert timeline(events, NOW + 3600).lanes not in pictures


def test_expiries_and_rotations_are_told_as_past_or_to_come() -> None:
    tally = Tally()
    tally.certificate = Certificate(expiry=NOW + DAY)
    tally.key_expiry = NOW - DAY

    assert known(tally, NOW - 2 * DAY) == ["Certificate expires", "Key has expired", "Key rotated"]
    assert known(None, NOW - 31 * DAY) == []


def test_limits_and_quotas_are_told_while_they_fall() -> None:
    tally = Tally()
    tally.limits = {
        "falls": Limit(limit=10, remaining=4),
        "ended": Limit(limit=10, remaining=4),
        "empty": Limit(limit=10, remaining=0, reset=NOW + 60),
        "steady": Limit(limit=10, remaining=9, reset=NOW + 60),
    }
    tally.quotas = {("credits", "USD"): 5.0, ("mails", "1"): 7.0, ("none", "1"): 0.0}
    tally.runways = Runways()
    tally.runways.limits = {"falls": NOW + 300, "ended": NOW - 1}
    tally.runways.quotas = {("credits", "USD"): NOW + DAY, ("none", "1"): NOW}

    assert known(tally) == [
        "Limit falls is used up at this pace",
        "Limit empty is full again",
        "Quota credits is used up at this pace",
    ]


def test_maintenance_is_told_with_its_reason() -> None:
    windows = (
        Maintenance(start=NOW - DAY, end=NOW - DAY / 2, reason="disks"),
        Maintenance(start=NOW + DAY, end=NOW + 2 * DAY),
    )

    assert known(maintenance=windows) == ["Maintenance: disks", "Maintenance"]


def test_what_ends_is_told_with_its_day_and_what_is_gone_with_its_hour() -> None:
    tally = Tally()
    tally.radar = radar = Radar()
    api, old = Notice(deprecated=True, deprecated_at=NOW - DAY), Notice(sunset_at=NOW - 3 * DAY)
    notices = {API: api, "new": Notice(sunset_at=NOW + 40 * DAY), "old": old}
    both = {"new": True, "left": True}
    radar.take(Retirement(notices=notices, listed=both), Source.LIST, NOW - 9 * DAY)
    radar.take(Retirement(notices=notices, listed={**both, "left": False}), Source.LIST, NOW - 60)
    radar.note_answer("refused", NOW - 30, is_gone=True)
    target = service_target("a", uses=Used(models=("new", "old", "left", "refused")))

    line = timeline(events_of(target, tally, (), None, NOW), NOW)

    assert [(lane.kind, len(lane.marks)) for lane in line.lanes] == [("retirement", 5)]
    assert [event.text for event in line.ahead] == ["Model new is switched off"]
    assert [(event.text, event.at - NOW) for event in line.past] == [
        ("Model refused was answered to be gone", -30),
        ("Model left left the provider's list", -60),
        ("API is deprecated", -DAY),
        ("Model old was to be switched off", -3 * DAY),
    ]


def test_another_version_of_the_api_is_told_as_such() -> None:
    tally = Tally()
    tally.radar = Radar()
    tally.radar.take(Retirement(is_version_served=False), Source.PROBE, NOW - DAY)

    assert known(tally) == ["Answers name another API version"]
