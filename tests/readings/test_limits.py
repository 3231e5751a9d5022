"""Rate limits in the headers of an answer: a provider's own, the standards', and others."""

from __future__ import annotations

import pytest

from exporter.model import Limit
from exporter.providers import presets
from exporter.readings import GENERIC, LimitHeader, Readings
from tests.readings.reading import JAN_2026, NOW, read


def headers_of(name: str) -> Readings:
    limits = presets()[name].rate_limits
    assert limits is not None
    return Readings(headers=limits.headers, retry_after=limits.retry_after)


STYLES: list[tuple[str, dict[str, str], dict[str, Limit]]] = [
    (
        "openai",
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m30s",
            "x-ratelimit-remaining-tokens": "7",
        },
        {"requests": Limit(limit=60, remaining=0, reset=NOW + 90), "tokens": Limit(remaining=7)},
    ),
    (
        "anthropic",
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
        },
        {"requests": Limit(limit=50, reset=JAN_2026)},
    ),
    (
        "github",
        {
            "x-ratelimit-limit": "5000",
            "x-ratelimit-remaining": "4999",
            "x-ratelimit-reset": "1767225600",
        },
        {"requests": Limit(limit=5000, remaining=4999, reset=JAN_2026)},
    ),
    (
        "cloudflare",
        {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=1200;w=300'},
        {"requests": Limit(limit=1200, remaining=50, reset=NOW + 30)},
    ),
    (
        "hubspot",
        {"x-hubspot-ratelimit-max": "100", "x-hubspot-ratelimit-daily-remaining": "9"},
        {"burst": Limit(limit=100), "daily": Limit(remaining=9)},
    ),
]


@pytest.mark.parametrize(("name", "headers", "limits"), STYLES, ids=[s[0] for s in STYLES])
def test_limits_are_read_in_the_style_of_the_provider(
    name: str, headers: dict[str, str], limits: dict[str, Limit]
) -> None:
    assert read(headers_of(name), headers).limits == limits


GENERIC_LIMITS: list[tuple[dict[str, str], Limit | None]] = [
    ({"x-ratelimit-limit": "10"}, Limit(limit=10)),
    (
        {"ratelimit-limit": "5", "ratelimit-remaining": "4", "ratelimit-reset": "1"},
        Limit(limit=5, remaining=4, reset=NOW + 1),
    ),
    ({"ratelimit-reset": "1767225600"}, Limit(reset=JAN_2026)),
    ({"x-ratelimit-remaining": " 3 "}, Limit(remaining=3)),
    ({"ratelimit": '"a";r=3;t=9'}, Limit(remaining=3, reset=NOW + 9)),
    ({"ratelimit": '"a"; r=3 ; t=9'}, Limit(remaining=3, reset=NOW + 9)),
    ({"ratelimit-policy": '"burst";q=100;w=60,"day";q=1000;w=86400'}, Limit(limit=100)),
    ({"ratelimit-policy": '"a";q=100;pk=:cHsdsRa894==:'}, Limit(limit=100)),
    ({"ratelimit": '"a"'}, None),
    ({"ratelimit": "limit=10, remaining=5"}, Limit(limit=10, remaining=5)),
    (
        {"ratelimit": "limit=100, remaining=50, reset=30"},
        Limit(limit=100, remaining=50, reset=NOW + 30),
    ),
    (
        {"ratelimit": "limit=100, remaining=50, reset=50", "ratelimit-policy": "100;w=900"},
        Limit(limit=100, remaining=50, reset=NOW + 50),
    ),
    (
        {
            "ratelimit": '"burst";r=9;t=1, "day";r=10;t=99',
            "ratelimit-policy": '"burst";q=10;w=1,"day";q=1000;w=86400',
        },
        Limit(limit=1000, remaining=10, reset=NOW + 99),
    ),
    (
        {
            "ratelimit-limit": "10, 10;w=1, 50;w=60",
            "ratelimit-remaining": "9",
            "ratelimit-reset": "1",
        },
        Limit(limit=10, remaining=9, reset=NOW + 1),
    ),
    (
        {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "20;w=21600"},
        Limit(limit=100, remaining=20),
    ),
    (
        {
            "x-ratelimit-limit-minute": "60",
            "x-ratelimit-remaining-minute": "5",
            "x-ratelimit-limit-hour": "1000",
            "x-ratelimit-remaining-hour": "900",
        },
        Limit(limit=60, remaining=5),
    ),
    (
        {
            "x-rate-limit-limit": "600",
            "x-rate-limit-remaining": "25",
            "x-rate-limit-reset": "1767225600",
        },
        Limit(limit=600, remaining=25, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1767225600000"},
        Limit(limit=None, remaining=1, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "6m0s"},
        Limit(limit=None, remaining=1, reset=NOW + 360),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "2026-01-01T00:00:00Z"},
        Limit(limit=None, remaining=1, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "Thu, 01 Jan 2026 00:00:00 GMT"},
        Limit(limit=None, remaining=1, reset=JAN_2026),
    ),
    (
        {"x-ratelimit-limit": "-1", "x-ratelimit-remaining": "-1", "x-ratelimit-reset": "0"},
        None,
    ),
    ({"x-ratelimit-remaining-images": "3"}, None),
    ({"ratelimit": '"a;r=3'}, None),
    ({"ratelimit": ""}, None),
    ({"x-ratelimit-limit": "many"}, None),
    ({"x-ratelimit-limit": "1e18"}, None),
    ({"x-ratelimit-limit": "nan"}, None),
    ({"x-ratelimit-limit": "1" * 65}, None),
    ({"x-ratelimit-reset": "never"}, None),
]


@pytest.mark.parametrize(("headers", "limit"), GENERIC_LIMITS)
def test_headers_of_the_standards_are_read_without_a_preset(
    headers: dict[str, str], limit: Limit | None
) -> None:
    expected = {} if limit is None else {"requests": limit}

    assert read(headers=headers).limits == expected


def test_a_preset_with_headers_of_its_own_looks_at_no_others() -> None:
    own = Readings(headers=(LimitHeader(header="x-own", kind="limit", resource="own"),))

    values = read(own, {"x-own": "3", "x-ratelimit-limit": "10"})

    assert values.limits == {"own": Limit(limit=3)}


@pytest.mark.parametrize(
    "headers",
    [
        # discord.com/developers/docs/topics/rate-limits
        {
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset-after": "60.0",
        },
        {"ratelimit": "Limit=5, Remaining=0, Reset=60"},
        # rapidapi.com, api-sports.io, linear.app: the resource first
        {
            "x-ratelimit-requests-limit": "5",
            "x-ratelimit-requests-remaining": "0",
            "x-ratelimit-requests-reset": "60",
        },
        # developer.zendesk.com
        {"x-rate-limit": "5", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "60"},
        {
            "x-ratelimit-limit": '"5"',
            "x-ratelimit-remaining": '"0"',
            "x-ratelimit-reset": '"60"',
        },
    ],
)
def test_a_limit_is_read_in_forms_that_no_draft_has(headers: dict[str, str]) -> None:
    limit = Limit(limit=5.0, remaining=0.0, reset=NOW + 60)

    assert read(GENERIC, headers).limits == {"requests": limit}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("1,000", 1000.0),
        ('"1,000,000"', 1_000_000.0),
        ("10, 100", 10.0),
        ("10,100;w=60", 10.0),
        ("10,20", 10.0),
        ("1000,1000", 1000.0),
        ("100 per 60 seconds", 100.0),
        ("unlimited", None),
    ],
)
def test_a_number_with_commas_between_its_thousands_is_no_list(
    text: str, limit: float | None
) -> None:
    headers = {"x-ratelimit-limit": text, "x-ratelimit-remaining": "7"}

    assert read(GENERIC, headers).limits == {"requests": Limit(limit=limit, remaining=7)}


def test_a_policy_of_another_unit_than_requests_is_no_limit_of_requests() -> None:
    headers = {
        "ratelimit-policy": '"size";q=1000000;qu="content-bytes";w=60, "all";q=10;w=1',
        "ratelimit": '"size";r=0;t=30, "all";r=9;t=1',
    }

    assert read(GENERIC, headers).limits == {
        "requests": Limit(limit=10, remaining=9, reset=NOW + 1)
    }
    del headers["ratelimit"]
    assert read(GENERIC, headers).limits == {"requests": Limit(limit=10)}


def test_of_two_equal_limits_the_one_with_a_reset_is_shown() -> None:
    plain = {"ratelimit-limit": "100/hour", "ratelimit-remaining": "5"}
    more = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "9"}

    limit = Limit(limit=100.0, remaining=5.0, reset=NOW + 9)
    assert read(GENERIC, plain | more).limits == {"requests": limit}
