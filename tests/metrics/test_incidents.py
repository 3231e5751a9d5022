"""The incident log as metrics: readable by both parsers, no history of what is gone."""

from __future__ import annotations

import math
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from exporter.incidents import Counts
from exporter.incidents.model import ACKNOWLEDGE_BUCKETS, RESOLVE_BUCKETS, Row, Times
from exporter.metrics import incident_page
from exporter.metrics.incidents import INCIDENT_FAMILIES
from tests.programs import program

A, B, NONE = ("a", "prod", "stripe"), ("b", "dev", "custom"), ("", "prod", "stripe")


def times(bounds: tuple[float, ...], *seconds: float) -> Times:
    return Times(
        buckets=tuple(sum(value <= bound for value in seconds) for bound in bounds),
        count=len(seconds),
        sum=sum(seconds),
    )


def counts(*rows: Row) -> Counts:
    return Counts(
        open={(row, "critical"): 1 for row in rows},
        total={(row, severity): n for row in rows for n, severity in enumerate(("high", "low"), 2)},
        acknowledged={row: row == A for row in rows},
        resolve={row: times(RESOLVE_BUCKETS, 12.5, 4000.0, 1e6) for row in rows},
        acknowledge={row: times(ACKNOWLEDGE_BUCKETS, 0.0, 31.25) for row in rows},
    )


def samples(text: str, *, openmetrics: bool = False) -> dict[tuple[str, ...], float]:
    """Return the samples by name and the values of their labels, in the order of the names."""
    read: Any = open_families(text + "# EOF\n") if openmetrics else families(text)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in read
        for sample in family.samples
    }


def page(shown: Counts, *known: str, openmetrics: bool = False) -> str:
    return incident_page(shown, known.__contains__, openmetrics=openmetrics).decode()


def test_every_family_is_shown_with_its_values() -> None:
    found = samples(page(counts(A), "a"))

    where = ("prod", "stripe", "a")
    assert found["service_incidents_open", "prod", "stripe", "a", "critical"] == 1
    assert found["service_incidents_total", "prod", "stripe", "a", "high"] == 2
    assert found["service_incident_acknowledged", *where] == 1
    resolve = "service_incident_resolve_seconds"
    assert found[f"{resolve}_sum", *where] == 1_004_012.5
    assert found[f"{resolve}_count", *where] == 3
    buckets = {
        float(key[2]): value for key, value in found.items() if key[0] == f"{resolve}_bucket"
    }
    assert buckets == {
        **{bound: 1.0 if bound < 4000 else 2.0 for bound in RESOLVE_BUCKETS},
        math.inf: 3.0,
    }
    assert found["service_incident_acknowledge_seconds_sum", *where] == 31.25


def test_both_formats_tell_the_same() -> None:
    shown = counts(A, B, NONE)

    plain = samples(page(shown, "a", "b"))
    opened = samples(page(shown, "a", "b", openmetrics=True), openmetrics=True)

    assert plain == opened
    assert {name for name, *_ in plain} == {
        name + suffix
        for family in INCIDENT_FAMILIES
        for name in [family.name]
        for suffix in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
    }


def test_openmetrics_names_a_counter_without_its_suffix() -> None:
    text = page(counts(A), "a", openmetrics=True)

    assert "# TYPE service_incidents counter\n" in text
    assert "# TYPE service_incidents_total" not in text
    assert "# TYPE service_incidents_total counter\n" in page(counts(A), "a")


def test_an_empty_log_has_no_series() -> None:
    assert page(Counts()) == page(Counts(), openmetrics=True) == ""


def test_a_service_that_is_gone_keeps_only_what_is_open() -> None:
    found = samples(page(counts(A, B, NONE), "b"))

    of_a = {name for name, *values in found if "a" in values}
    of_none = {name for name, *values in found if values[:3] == ["prod", "stripe", ""]}
    assert of_a == {"service_incidents_open", "service_incident_acknowledged"}
    assert {"service_incidents_total", "service_incidents_open"} <= of_none


_hostile = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)


@given(_hostile, _hostile, _hostile)
@settings(max_examples=150)
def test_hostile_labels_are_read_back(service: str, environment: str, provider: str) -> None:
    row = (service, environment, provider)
    shown = Counts(acknowledged={row: True})

    (family,) = families(page(shown))
    (sample,) = family.samples

    assert sample.labels == {"service": service, "environment": environment, "provider": provider}
    assert len(page(shown).splitlines(keepends=False)) >= 3


@pytest.mark.parametrize("text", ['"} 1\nup 0\n#', "\\", '\\"', "\n", "a\\nb", '{x="y"}'])
@pytest.mark.parametrize("openmetrics", [False, True])
def test_no_label_breaks_out_of_its_line(text: str, openmetrics: bool) -> None:
    shown = Counts(open={((text, text, text), "high"): 1})

    found = samples(page(shown, openmetrics=openmetrics), openmetrics=openmetrics)

    assert found == {("service_incidents_open", text, text, text, "high"): 1}


def test_promtool_finds_nothing_to_complain_about() -> None:
    text = page(counts(A, B, NONE), "a", "b")

    ran = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
