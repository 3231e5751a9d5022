"""Numbers as Prometheus' template functions write them."""

from __future__ import annotations

import pytest

from exporter.alerting import instance_of, words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        # the cases of template/template_test.go, Prometheus 2.42
        (0.0, "0s"),
        (1.0, "1s"),
        (60.0, "1m 0s"),
        (3600.0, "1h 0m 0s"),
        (86400.0, "1d 0h 0m 0s"),
        (86400.0 + 3600, "1d 1h 0m 0s"),
        (-(86400.0 * 2 + 3600 * 3 + 60 * 4 + 5), "-2d 3h 4m 5s"),
        (899.99, "14m 59s"),
        (0.1, "100ms"),
        (0.0001, "100us"),
        (0.12345, "123.5ms"),
        (60.1, "1m 0s"),
        (60.5, "1m 0s"),
        (1.2345, "1.234s"),
        (12.345, "12.35s"),
        (-0.00005, "-50us"),
    ],
)
def test_a_duration_is_written_as_in_prometheus(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.03, "3%"), (0.12345, "12.35%"), (1.0, "100%"), (0.0, "0%")]
)
def test_a_share_is_written_as_in_prometheus(ratio: float, text: str) -> None:
    assert words.percentage(ratio) == text


def test_times_are_written_as_people_say_them() -> None:
    at = 1_767_323_045.5  # 2026-01-02 03:04:05.5

    assert words.minute(at) == "03:04 UTC on 2 January"
    assert words.second(at) == "03:04:05 UTC on 2 January"
    assert words.date(at) == "2 January 2026, 03:04 UTC"


@pytest.mark.parametrize("at", [1e18, -1e18])
def test_a_time_that_no_calendar_has_is_called_unknown(at: float) -> None:
    assert words.date(at) == "an unknown time"


@pytest.mark.parametrize(
    ("host", "instance"),
    [("127.0.0.1", "127.0.0.1:9642"), ("::1", "[::1]:9642"), ("box.example", "box.example:9642")],
)
def test_an_instance_is_called_as_a_scrape_would_call_it(host: str, instance: str) -> None:
    assert instance_of(host, 9642) == instance


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_who_listens_everywhere_is_called_by_its_own_name(host: str) -> None:
    assert instance_of(host, 9642).rpartition(":")[0] not in ("", host)
