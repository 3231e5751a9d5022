"""Which rules matter to a case: none that could change its answer is left out."""

from __future__ import annotations

from typing import Any

import promql_parser as promql
import pytest

from tests.engines import Group, name_of
from tests.slices import asked_in, metrics_alike, not_decided_by, slice_of


def _groups(**rules: str) -> list[Group]:
    """Return a group of alerts, which have capitals, and of recorded series."""
    return [{"name": "g", "rules": [_rule(name, expr) for name, expr in rules.items()]}]


def _rule(name: str, expr: str) -> dict[str, Any]:
    return {"alert" if name[0].isupper() else "record": name, "expr": expr}


def _kept(groups: list[Group], given: set[str], asked: set[str], **more: bool) -> set[str]:
    found = slice_of(groups, given, asked, **more)
    return {name_of(rule) for group in found for rule in group["rules"]}


def test_what_is_asked_is_kept_with_all_that_it_reads() -> None:
    groups = _groups(one="x", two="max_over_time(one[1d:5m])", A="two > 1", B="x > 1", three="two")

    assert _kept(groups, {"x"}, {"A"}) == {"A", "one", "two"}
    assert _kept(groups, {"x"}, {"ALERTS"}) == {"A", "B", "one", "two"}
    assert _kept(groups, {"x"}, {""}) == {"A", "B", "one", "two", "three"}


def test_an_alert_that_is_asked_with_its_texts_needs_what_they_ask() -> None:
    groups = _groups(A="x", told="x", other="x")
    groups[0]["rules"][0]["annotations"] = {"summary": '{{ printf "max(told{a=%q})" "b" | query }}'}

    assert _kept(groups, {"x"}, {"A"}) == {"A", "told"}
    assert _kept(groups, {"x"}, {"A"}, texts=False) == {"A"}


def test_what_can_fail_is_kept_though_nobody_asks() -> None:
    groups = _groups(A="x", joined="x * on (a) y", made="x or on (a) y", kept="x and on (a) y")

    assert _kept(groups, {"x", "y"}, {"A"}) == {"A", "joined", "made"}
    assert _kept(groups, {"x"}, {"A"}) == {"A"}


@pytest.mark.parametrize(
    "expr",
    [
        "x",
        "-x",
        "sum by (a) (x)",
        "rate(x[5m])",
        "max_over_time(sum(x)[5m:1m])",
        "x or gone",
        "gone or x",
        "x unless gone",
        "x > 1",
        "time() - x",
        "vector(1)",
        "absent(gone)",
        "scalar(gone) + vector(1)",
        '{job="a"}',
    ],
)
def test_an_alert_that_can_have_a_row_is_kept(expr: str) -> None:
    assert _kept(_groups(A=expr), {"x"}, {"A"}) == {"A"}


@pytest.mark.parametrize(
    "expr",
    [
        "gone",
        "x and gone",
        "gone unless x",
        "x * gone",
        "histogram_quantile(0.9, gone)",
        "gone + 1",
    ],
)
def test_an_alert_that_can_have_no_row_is_left_out(expr: str) -> None:
    assert _kept(_groups(A=expr), {"x"}, {"A"}) == set()


def test_what_is_recorded_is_there_for_others_and_for_itself() -> None:
    groups = _groups(two="one", one="last_over_time(one[5m]) or x", B="two", none="none")

    assert _kept(groups, {"x"}, {"B"}) == {"B", "one", "two"}


def test_an_expression_asks_the_alerts_that_it_names_and_else_all() -> None:
    def asked(expr: str) -> set[str]:
        return asked_in(promql.parse(expr))

    assert asked('count(ALERTS{alertname="A"}) + x') == {"A", "x"}
    assert asked('ALERTS{alertstate="firing"} or ALERTS_FOR_STATE{alertname="A"}') == {
        "ALERTS",
        "A",
    }
    assert asked('ALERTS{alertname=~"A|B"}') == {"ALERTS"}
    assert asked('{__name__=~"x|y"}') == {""}


def test_what_reads_the_same_samples_only_is_decided() -> None:
    groups = _groups(two="one", one="last_over_time(one[5m]) or x", A="two", B="y", C="two and y")

    alike = metrics_alike({"x{}": [1], 'y{a="b"}': [1]}, {"x{}": [1], 'y{a="b"}': [2], "z{}": [1]})

    assert alike == {"x"}
    assert not_decided_by(alike, groups) == {"B", "C"}
    assert not_decided_by({"y"}, groups) == {"A", "C"}
    assert metrics_alike({"z{}": []}, {}) == set()
