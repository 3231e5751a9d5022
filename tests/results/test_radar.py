"""What is known of the end of what a service uses, over many answers and a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Used
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.providers import RetirementFact
from exporter.readings import Listing, Readings, RetirementReadings
from exporter.results import Radar, Source, Tally, deprecations, ends, gone
from exporter.results.radar import CALL_SECONDS, MOST_NOTICES
from exporter.retirement import Notice, Retirement
from tests.fakes import make_endpoint, service_target

NOW = 1_800_000_000.0
USED = Used(models=("a", "b"), named=frozenset({"a"}))
FACT = RetirementFact(
    models="a", sunset="2027-06-01", source="a page", read_at="2026-11", confidence="doc"
)
LISTS = Readings(radar=RetirementReadings(listing=Listing(entries="$.data[*]"), models=("a", "b")))
LISTING = service_target(
    uses=USED, endpoint=make_endpoint("https://api.example/models", readings=LISTS)
)


def announced(resource: str = "api", **notice: Any) -> Retirement:
    return Retirement(notices={resource: Notice(**notice)})


def taken(*found: Retirement | None, source: Source = Source.PROBE) -> Radar:
    radar = Radar()
    for number, one in enumerate(found):
        radar.take(one, source, NOW + number)
        radar.forget_others(USED)
    return radar


def listed(**models: bool) -> Retirement:
    return Retirement(listed=models)


def probed(tally: Tally, found: Retirement | None, reason: Reason = Reason.OK) -> None:
    outcome = Outcome(reason=reason, retirement=found)
    at = NOW + sum(tally.reasons)
    tally.add(Result(service="it", at=at, outcome=outcome, verdict=verdict_of(reason)), LISTING)


def test_a_model_that_leaves_the_list_is_gone_from_the_first_list_without_it() -> None:
    radar = taken(listed(a=True), listed(a=False), listed(a=False))

    assert gone(radar) == ((("a", "list"), NOW + 1),)
    assert radar.listed == {"a": False}
    radar.take(listed(a=True), Source.PROBE, NOW + 9)
    assert gone(radar) == ()


def test_a_model_that_was_never_listed_is_not_gone() -> None:
    radar = taken(listed(a=False, b=False))

    assert gone(radar) == ()
    # b is only asked for answers: it may be an alias or a deployment
    assert radar.listed == {"a": False}
    assert taken(listed(b=True), listed(b=False)).listed == {"b": False}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Retirement(listed={}), Reason.OK),
        (None, Reason.TIMEOUT),
        (Retirement(listed={}), Reason.SERVER_ERROR),
        (announced(deprecated=True), Reason.SERVER_ERROR),
    ],
)
def test_an_answer_without_a_list_leaves_nothing_known(
    found: Retirement | None, reason: Reason
) -> None:
    tally = Tally()
    for one in (listed(a=True, b=True), listed(a=True, b=False)):
        probed(tally, one)
    probed(tally, found, reason)

    assert tally.radar is not None
    assert tally.radar.listed == {}
    assert gone(tally.radar) == ((("b", "list"), NOW + 1),)
    probed(tally, listed(a=False, b=False))
    assert [model for (model, _), _ in gone(tally.radar)] == ["b", "a"]


def test_a_service_without_announcements_has_no_radar() -> None:
    tally = Tally()
    probed(tally, None)

    assert tally.radar is None
    assert "radar" not in tally.dump()


def test_what_an_answer_says_no_more_is_withdrawn_but_for_calls_and_failures() -> None:
    sunset = announced(sunset_at=NOW + 99)

    assert ends(taken(sunset, None), USED) == ()
    assert ends(taken(sunset, None, source=Source.CALL), USED) == (("api", NOW + 99),)
    tally = Tally()
    probed(tally, sunset)
    probed(tally, None, Reason.TIMEOUT)
    probed(tally, Retirement(listed={}), Reason.SERVER_ERROR)
    assert ends(tally.radar, USED) == (("api", NOW + 99),)
    probed(tally, None)
    assert ends(tally.radar, USED) == ()


def test_an_announcement_in_a_call_is_over_a_week_later() -> None:
    radar = taken(announced(sunset_at=NOW + 99), source=Source.CALL)

    radar.take(None, Source.PROBE, NOW + CALL_SECONDS)
    assert ends(radar, USED)
    radar.take(None, Source.PROBE, NOW + CALL_SECONDS + 1)
    assert ends(radar, USED) == ()


def test_a_day_in_the_list_ends_with_the_entry_that_has_none() -> None:
    dated = Retirement(listed={"a": True}, notices={"a": Notice(sunset_at=NOW)})

    assert ends(taken(dated, Retirement(listed={})), USED) == (("a", NOW),)
    assert ends(taken(dated, listed(a=True)), USED) == ()


def test_the_answer_of_one_model_withdraws_nothing_of_another() -> None:
    radar = Radar()
    radar.take(announced("a", sunset_at=NOW), Source.MODEL_CHECK, NOW, about="a")
    radar.take(None, Source.MODEL_CHECK, NOW, about="b")
    assert ends(radar, USED) == (("a", NOW),)

    radar.take(None, Source.MODEL_CHECK, NOW, about="a")
    assert ends(radar, USED) == ()


def test_the_earliest_day_counts_and_a_fact_only_where_no_answer_has_one() -> None:
    facts = Used(models=("a",), facts={"a": FACT})
    radar = taken(announced("a", deprecated=True))

    assert ends(None, facts) == (("a", FACT.sunset_at),)
    assert ends(radar, facts) == (("a", FACT.sunset_at),)
    radar.take(announced("a", sunset_at=NOW + 9), Source.LIST, NOW)
    radar.take(announced("a", sunset_at=NOW + 5), Source.CALL, NOW)
    assert ends(radar, facts) == (("a", NOW + 5),)


def test_deprecated_without_a_day_counts_from_the_first_answer_that_said_so() -> None:
    radar = taken(announced(deprecated=True), announced(deprecated=True))

    assert deprecations(radar, USED) == (("api", NOW),)
    radar.take(announced(deprecated=True, deprecated_at=NOW - 9), Source.PROBE, NOW)
    assert deprecations(radar, USED) == (("api", NOW - 9),)


def test_an_api_version_that_is_not_served_has_ended() -> None:
    used = Used(api_version="2026-01", version_header="x-version")
    radar = Radar()
    for at, served in ((NOW, True), (NOW + 1, False), (NOW + 2, False)):
        radar.take(Retirement(is_version_served=served), Source.PROBE, at)
    radar.forget_others(used)

    assert ends(radar, used) == (("api", NOW + 1),)
    radar.take(Retirement(is_version_served=True), Source.PROBE, NOW)
    assert ends(radar, used) == ()


def test_what_is_not_used_is_not_kept_and_there_is_a_bound() -> None:
    many = Retirement(notices={str(n): Notice(sunset_at=NOW) for n in range(10_000)})
    radar = Radar()

    radar.take(many, Source.LIST, NOW)
    assert len(radar.seen) == MOST_NOTICES
    radar.forget_others(USED)
    assert radar.seen == {}


def test_it_goes_on_after_a_restart() -> None:
    before = Tally()
    probed(before, Retirement(listed={"a": True, "b": True}))
    notices = {"api": Notice(deprecated=True, sunset_at=NOW + 99, links=(("sunset", "https://x"),))}
    probed(before, Retirement(listed={"a": False, "b": True}, notices=notices))
    assert before.radar is not None
    before.radar.note_answer("b", NOW, is_gone=True)

    after = Tally()
    after.restore(json.loads(json.dumps(before.dump())))
    assert after.radar is not None
    assert gone(after.radar) == gone(before.radar)
    assert ends(after.radar, USED) == ends(before.radar, USED)
    assert deprecations(after.radar, USED) == deprecations(before.radar, USED)
    assert after.radar.listed == {}
    assert "https://x" not in json.dumps(before.dump())
    after.radar.take(listed(b=False), Source.PROBE, NOW + 50)
    assert (("b", "list"), NOW + 50) in gone(after.radar)


@pytest.mark.parametrize("time", ["x", None, True, -1.0, 1e300, [NOW], {}])
def test_a_damaged_time_is_no_time(time: Any) -> None:
    state = {
        "seen": [
            ["api", "probe", True, time, time, time, NOW],
            ["a", "list", True, 1, time, NOW, NOW],
        ],
        "left": {"a": time, "b": NOW},
        "refused": {"a": time},
        "version_gone_at": time,
    }
    radar = Radar.restored(state)

    assert radar is not None
    assert gone(radar) == ((("b", "list"), NOW),)
    assert ends(radar, USED) == ()
    assert deprecations(radar, USED) == (("a", NOW),)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["probe", "x"]),
        lambda inner: (
            st.lists(inner, max_size=7)
            | st.dictionaries(
                st.sampled_from(["seen", "left", "refused", "were_listed", "version_gone_at"]),
                inner,
            )
        ),
        max_leaves=20,
    )
)
def test_a_damaged_state_is_passed_over(state: Any) -> None:
    radar = Radar.restored(state)

    if radar is not None:
        ends(radar, USED)
        deprecations(radar, USED)
        json.dumps(radar.dump(), allow_nan=False)
