"""What an answer says of the end of an API or a model, in the forms that are really sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.matching import NO_JSON, TOO_LARGE, json_of
from exporter.providers import presets
from exporter.readings import GENERIC, NOTHING, Listing, Readings, RetirementReadings, value_date
from exporter.readings.retirement import MOST_TEXT, date_in, links_in
from exporter.retirement import EARLIEST, LATEST, Notice, Retirement

NOW = 1_800_000_000.0


def read(
    headers: dict[str, str], readings: Readings = GENERIC, body: Any = NO_JSON, status: int = 200
) -> Retirement | None:
    return readings.read(status, headers, lambda: body, NOW).retirement


def said(headers: dict[str, str], readings: Readings = GENERIC) -> Notice | None:
    found = read(headers, readings)
    return None if found is None else found.notices["api"]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


DAYS: list[tuple[str, str | None]] = [
    # the standards
    ("@1688169599", "2023-06-30 23:59:59"),
    ("@1688169599;q=1", "2023-06-30 23:59:59"),
    ("Mon, 01 Feb 2021 00:00:00 GMT", "2021-02-01"),  # GitHub
    ("Wed, 31 Dec 2025 23:59:59 GMT", "2025-12-31 23:59:59"),  # Zalando
    # as they are sent by others
    ("Fri, 11 Nov 2020 23:59:59 GMT", "2020-11-11 23:59:59"),  # Dow Jones: it was a Wednesday
    ("11 Nov 2020", "2020-11-11"),
    ("Sunday, 06-Nov-33 08:49:37 GMT", "2033-11-06 08:49:37"),
    ("Sun Nov  6 08:49:37 2033", "2033-11-06 08:49:37"),
    ('"2026-12-11"', "2026-12-11"),
    ("2026-12-11T10:00:00.123+02:00", "2026-12-11 08:00:00"),
    ("2026-12-11T10:00:00-0130", "2026-12-11 11:30:00"),
    ("2026-12-11 10:00", "2026-12-11 10:00:00"),
    ('date="Sun, 11 Nov 2018 23:59:59 GMT"', "2018-11-11 23:59:59"),
    ("it was removed on September 15th, 2025.", "2025-09-15"),
    ("1688169599", "2023-06-30 23:59:59"),
    ("1688169599000", "2023-06-30 23:59:59"),
    ("Sat, 31 Dec 2026 23:59:59 +0200", "2026-12-31 21:59:59"),  # the zone of mails
    ("2026-12-11 10:00:00 -05:00", "2026-12-11 15:00:00"),
    ("2026/12/11", "2026-12-11"),
    ("Fri, 11 Dec 2026 10:00:00 GMT, Sat, 12 Dec 2026 10:00:00 GMT", "2026-12-11 10:00:00"),
    ("31 Dec 2016 23:59:60 GMT", "2016-12-31 23:59:59"),  # a leap second
    # no day
    ("true", None),
    ('version="1.2"', None),
    ("soon", None),
    ("", None),
    ("Fri, 31 Dec 9999 23:59:59 GMT", None),
    ("@253402300799", None),
    ("@-1", None),
    ("@0", None),
    ("31 Feb 2026", None),
    ("2026-13-01", None),
    ("Sunday, 06-Nov-94 08:49:37 GMT", None),  # RFC 850: 1994
    ("20261211", None),
    ("2026/12-11", None),
    ("2026-12-11-12-13", "2026-12-11"),
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_a_day_is_read_in_every_form_that_is_sent(text: str, day: str | None) -> None:
    assert date_in(text) == (None if day is None else at(day))


@pytest.mark.parametrize(
    ("headers", "notice"),
    [
        ({"deprecation": "@1688169599"}, Notice(deprecated=True, deprecated_at=1688169599.0)),
        ({"deprecation": "true"}, Notice(deprecated=True)),
        ({"deprecation": "?1"}, Notice(deprecated=True)),
        ({"deprecation": 'version="1.2"'}, Notice(deprecated=True)),
        ({"deprecation": "see our blog"}, Notice(deprecated=True)),
        ({"sunset": "Mon, 01 Feb 2021 00:00:00 GMT"}, Notice(sunset_at=at("2021-02-01"))),
        (
            {"deprecation": "false", "sunset": "Mon, 01 Feb 2021 00:00:00 GMT"},
            Notice(sunset_at=at("2021-02-01")),
        ),
        (
            {"deprecation": "@1688169599", "sunset": "never"},
            Notice(deprecated=True, deprecated_at=1688169599.0),
        ),
    ],
)
def test_the_two_standards_are_read_from_every_answer(
    headers: dict[str, str], notice: Notice
) -> None:
    assert said(headers) == notice
    assert read({"x-request-id": "1", **headers}, status=500) == Retirement(notices={"api": notice})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"deprecation": "false"},
        {"deprecation": "?0"},
        {"deprecation": " "},
        {"deprecation": '"false"'},
        {"deprecation": "?0;x=1"},
        {"deprecation": "never"},
        {"deprecation": "n/a"},
        {"sunset": "never"},
        {"link": '<https://a.example/>; rel="sunset"'},
    ],
)
def test_what_announces_nothing_is_nothing(headers: dict[str, str]) -> None:
    assert read(headers) is None
    assert GENERIC.read(200, {"date": "x"}, lambda: NO_JSON, NOW) is NOTHING


def test_links_are_taken_by_their_relation_and_only_to_the_web() -> None:
    link = (
        '<https://a.example/why,now>; type="text/html"; rel="deprecation", '
        "<https://a.example/new>;rel=successor-version, "
        '<https://b.example/>; rel="next sunset", <https://c.example/>; rel=sunset, '
        "<https://d.example/>; rel=next"
    )
    assert dict(links_in(link)) == {
        "deprecation": "https://a.example/why,now",
        "successor-version": "https://a.example/new",
        "sunset": "https://b.example/",
    }
    for address in (
        "javascript:alert(1)",
        "/relative",
        "https://user:secret@a.example/",
        "https://a.example/\x1b[31m",
        "https://ä.example/",
        "https://a.example/" + "x" * 600,
    ):
        assert links_in(f"<{address}>; rel=sunset") == ()


def test_a_warning_in_words_is_read_where_the_preset_says_so() -> None:
    cohere = presets()["cohere"].readings
    removal = "model 'command' is deprecated and will be removed on September 15, 2025."

    assert said({"x-api-warning": removal}, cohere) == Notice(
        deprecated=True, sunset_at=at("2025-09-15")
    )
    assert said({"x-api-warning": "deprecated since 2025-01-02"}, cohere) == Notice(
        deprecated=True, deprecated_at=at("2025-01-02")
    )
    assert read({"x-api-warning": "your trial ends on 2025-01-02"}, cohere) is None
    assert read({"x-api-warning": removal}) is None


# -- lists -----------------------------------------------------------------------------------------


def listed(provider: str, body: Any, *models: str, status: int = 200) -> Retirement:
    known = presets()[provider].models
    assert known is not None
    assert known.list is not None
    radar = RetirementReadings(listing=known.list.place, models=models)
    found = read({}, Readings(radar=radar), body, status)
    assert found is not None
    return found


def test_each_vendors_list_is_read_as_it_is() -> None:
    openai = {
        "object": "list",
        "data": [
            {"id": "gpt-5", "shutdown_date": "2026-12-11"},
            {"id": "gpt-6", "shutdown_date": None},
        ],
    }
    found = listed("openai", openai, "gpt-5", "gpt-6", "gpt-4")
    assert found.listed == {"gpt-5": True, "gpt-6": True, "gpt-4": False}
    assert found.notices == {"gpt-5": Notice(sunset_at=at("2026-12-11"))}

    mistral = {
        "data": [
            {"id": "mistral-small-2603", "aliases": ["mistral-small-latest"]},
            {"id": "old", "deprecation": "2026-05-25T12:00:00Z"},
        ]
    }
    found = listed("mistral", mistral, "mistral-small-latest", "old")
    assert found.listed == {"mistral-small-latest": True, "old": True}
    assert found.notices == {
        "old": Notice(deprecated=True, deprecated_at=at("2026-05-25 12:00:00"))
    }

    azure = {"data": [{"id": "gpt-4o", "deprecation": {"inference": 1_800_000_000}}]}
    assert listed("azure-openai", azure, "gpt-4o").notices["gpt-4o"].sunset_at == 1_800_000_000

    cohere = {"models": [{"name": "command", "is_deprecated": True}, {"name": "command-a"}]}
    found = listed("cohere", cohere, "command", "command-a")
    assert found.notices == {"command": Notice(deprecated=True)}

    openrouter = {"data": [{"id": "x/y", "expiration_date": "2027-01-01"}]}
    assert listed("openrouter", openrouter, "x/y").notices["x/y"].sunset_at == at("2027-01-01")


def test_a_prefix_is_no_part_of_the_name_on_either_side() -> None:
    body = {"models": [{"name": "models/gemini-3-flash"}]}

    found = listed("gemini", body, "gemini-3-flash", "models/gemini-9")
    assert found.listed == {"gemini-3-flash": True, "models/gemini-9": False}


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("anthropic", {"data": [{"id": "claude-a"}], "has_more": True}),
        ("gemini", {"models": [{"name": "models/claude-a"}], "nextPageToken": "x"}),
    ],
)
def test_a_model_may_be_on_a_further_page_so_nothing_is_known(provider: str, body: Any) -> None:
    assert listed(provider, body, "claude-a", "claude-b").listed == {"claude-a": True}


@pytest.mark.parametrize(
    "body",
    [NO_JSON, TOO_LARGE, None, {}, {"data": []}, {"data": None}, {"data": [1, {"id": 2}, "gpt-5"]}],
)
def test_what_is_no_list_shows_nothing(body: Any) -> None:
    assert listed("openai", body, "gpt-5").listed == {}


def test_an_error_is_no_list_even_if_it_looks_like_one() -> None:
    body = {"data": [{"id": "gpt-6"}]}

    assert listed("openai", body, "gpt-5", status=503).listed == {}
    assert listed("openai", body, "gpt-5").listed == {"gpt-5": False}


def test_a_list_of_too_many_models_is_no_list() -> None:
    entry = b'{"id":"gpt-5"},'
    body = json_of(b'{"data":[' + entry * 1_000_000 + entry[:-1] + b"]}")

    assert body is TOO_LARGE
    assert listed("openai", body, "gpt-5").listed == {}


def test_another_version_than_the_one_that_is_used_is_noticed() -> None:
    radar = RetirementReadings(version_header="x-shopify-api-version", version="2026-01")
    readings = Readings(radar=radar)

    for header, served in (("2026-01", True), (" 2026-01 ", True), ("2026-04", False)):
        found = read({"x-shopify-api-version": header}, readings)
        assert found is not None
        assert found.is_version_served is served
    assert read({"date": "x"}, readings) is None


def test_an_answer_about_a_model_is_attributed_to_it() -> None:
    found = read({"deprecation": "true"}, Readings(radar=RetirementReadings(subject="gpt-5")))

    assert found is not None
    assert found.notices == {"gpt-5": Notice(deprecated=True)}


# -- hostile ---------------------------------------------------------------------------------------

_DATE_PIECES = st.sampled_from(
    [
        *("@", "-", "1" * 9, "9999", "2026", "31", "Nov", "Sun, ", " ", ":", "T", "00:00:00"),
        *("+99:99", "\u0661\u0662", "=", '"', ";", ",", "\x00", "e9", ".5", "Z", "GMT", "true"),
    ]
)
_HEADER = st.one_of(st.text(max_size=200), st.lists(_DATE_PIECES, max_size=30).map("".join))


@given(_HEADER, _HEADER, _HEADER)
def test_no_header_is_too_strange(deprecation: str, sunset: str, link: str) -> None:
    found = read({"deprecation": deprecation, "sunset": sunset, "link": link})

    for notice in found.notices.values() if found is not None else ():
        for day in (notice.deprecated_at, notice.sunset_at):
            assert day is None or EARLIEST <= day <= LATEST
        for _, address in notice.links:
            assert address.startswith(("https://", "http://", "HTTP"))
            assert address.isascii()
            assert address.isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(st.sampled_from(["data", "id", "deprecation", "sunset"]), inner)
        ),
        max_leaves=20,
    )
)
def test_no_body_is_too_strange(body: Any) -> None:
    listing = Listing(
        entries="$.data[*]",
        aliases="id",
        more="$.id",
        deprecated=("deprecation",),
        sunset=("sunset", "deprecation.sunset"),
    )
    found = read({}, Readings(radar=RetirementReadings(listing=listing, models=("m",))), body)

    assert found is not None
    assert found.listed is not None
    assert set(found.listed) <= {"m"}
    day = value_date(body)
    assert day is None or EARLIEST <= day <= LATEST


class Counted(str):
    """A text that counts how much of it is taken."""

    taken = 0

    def __getitem__(self, key: Any) -> str:
        found = super().__getitem__(key)
        Counted.taken = max(Counted.taken, len(found))
        return found


@pytest.mark.parametrize("piece", ["1", "2026-", "Nov ", "@", "<", "<a>", ";rel=", '"', ", "])
def test_a_long_header_is_read_only_at_its_beginning(piece: str) -> None:
    long = (piece * 65_536)[:65_536]

    Counted.taken = 0
    assert date_in(Counted(long)) is None
    assert Counted.taken == MOST_TEXT
    assert links_in(long) == ()
    assert read({"deprecation": long, "sunset": long, "link": long}) is not None
    many = ", ".join(f"<https://a.example/{n}>; rel=next" for n in range(40))
    assert len(many) < 2048
    assert links_in(f"{many}, <https://a.example/>; rel=sunset") == ()
