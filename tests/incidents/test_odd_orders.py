"""Late, odd and hostile messages: no order of them leaves the log in a state that is not true."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Listener, alert, listed, message, spans


@pytest.fixture
def log(clock: FakeClock) -> Listener:
    return Listener(clock=clock)


def at(seconds: float, end: float | None = None, **about: str) -> dict[str, Any]:
    return alert(NOW + seconds, None if end is None else NOW + end, **about)


async def test_a_late_end_of_another_alert_opens_nothing(log: Listener) -> None:
    await log.hears(at(0), at(0, 100))

    await log.hears(at(300, 400, severity="high"))

    assert spans(await log.all()) == [(0, 400)]
    for second in (1000, 1030):
        await log.to(second)
        await log.polls()
    assert await log.log.unresolved() == []


async def test_a_late_end_beside_a_newer_open_incident_is_folded_with_its_neighbours(
    log: Listener,
) -> None:
    for one in (at(0), at(0, 100), at(5000)):
        await log.hears(one)

    await log.hears(at(300, 400, severity="high"), at(5000, service="innocent"))

    found = await log.all()
    assert spans([one for one in found if one.service == "stripe"]) == [(0, 400), (5000, None)]
    assert spans([one for one in found if one.service == "innocent"]) == [(5000, None)]


async def test_the_end_of_what_held_two_outages_together_parts_them(log: Listener) -> None:
    await log.hears(at(0, severity="high"))
    await log.hears(at(5000))

    await log.hears(at(0, 100, severity="high"))

    assert spans(await log.all()) == [(0, 100), (5000, None)]
    assert [one.severity for one in await log.all()] == ["high", "critical"]


async def test_the_end_of_a_later_time_is_not_that_of_the_time_before(log: Listener) -> None:
    for one in (at(0), at(700, 750), at(700), at(0, 50)):
        await log.hears(one)

    assert spans(await log.all()) == [(0, 50), (700, 750)]


async def test_an_outage_between_two_that_is_heard_last_makes_them_one(log: Listener) -> None:
    for one in (at(0, 100), at(1100, 1200)):
        await log.hears(one)
    first, second = await log.all()
    await log.log.note(second.id, "ann", "seen")

    await log.hears(at(500, 600, severity="high"))

    whole = await log.one()
    assert spans([whole]) == [(0, 1200)]
    assert whole.id == first.id
    assert "seen" in [entry.note for entry in whole.timeline]
    assert (await log.log.get(second.id)).id == first.id


async def test_a_time_in_the_far_future_does_not_outlast_what_polls_show(log: Listener) -> None:
    await log.log.receive(message(at(0), at(0, 10**9)))
    assert spans(await log.all()) == [(0, 0)]
    for second in (100, 130, 160):
        await log.to(second)
        await log.polls(listed(NOW))

    assert spans(await log.all()) == [(0, None)]
