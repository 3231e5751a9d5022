"""The alert table says what the shipped rules say; what it leaves out has a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.alerting import NAMES, NOT_ALONE
from exporter.alerting.models import MODEL_RULES
from exporter.alerting.own import LAG_BOUNDS
from exporter.alerting.rule import Rule
from exporter.alerting.table import NETWORK_RULES, OWN_RULES, PROVIDER_RULES, SERVICE_RULES
from exporter.alerting.words import runbook_url
from exporter.metrics.own import LAG_BUCKETS
from tests.documents import yaml_of
from tests.engines import seconds_of

FOLDER = Path(__file__).parent.parent.parent / "prometheus" / "rules"
SHIPPED = [
    rule
    for path in sorted(FOLDER.glob("*.yml"))
    for group in yaml_of(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
TABLE: list[Rule[Any]] = [
    *SERVICE_RULES,
    *MODEL_RULES,
    *PROVIDER_RULES,
    *NETWORK_RULES,
    *OWN_RULES,
]


def _shipped(rule: Rule[Any]) -> dict[str, Any]:
    """Return the shipped rule of a row: of two with one name, they stand in the same order."""
    same = [row for row in TABLE if row.alert == rule.alert]
    named = [one for one in SHIPPED if one["alert"] == rule.alert]
    assert len(same) == len(named), rule.alert
    return named[next(i for i, row in enumerate(same) if row is rule)]


EACH = pytest.mark.parametrize(
    "rule", TABLE, ids=lambda rule: f"{rule.alert}-{rule.kind or rule.severity}"
)


@EACH
def test_a_row_says_what_its_rule_says(rule: Rule[Any]) -> None:
    shipped = _shipped(rule)

    assert seconds_of(shipped.get("for", "0s")) == rule.hold
    assert seconds_of(shipped.get("keep_firing_for", "0s")) == rule.keep
    labels = {"category": rule.category} | ({"severity": rule.severity} if rule.severity else {})
    assert shipped["labels"] == labels
    notes = shipped["annotations"]
    assert notes["runbook_url"] == runbook_url(rule.alert)
    assert notes["__dashboardUid__"] == rule.dashboard
    assert ("fault" in notes) == (rule.fault is not None)


@EACH
def test_a_row_gets_its_severity_from_the_thresholds_that_its_rule_reads(rule: Rule[Any]) -> None:
    compared = re.findall(
        r"max by \(environment, service, provider, team, severity[^)]*\)"
        r" \(service_threshold_(\w+)\)",
        _shipped(rule)["expr"],
    )

    assert set(compared) == ({str(rule.kind)} if rule.kind is not None else set())


def test_every_shipped_alert_is_judged_here_or_has_a_reason() -> None:
    shipped = {rule["alert"] for rule in SHIPPED}

    assert shipped == NAMES | set(NOT_ALONE)
    assert not NAMES & set(NOT_ALONE)
    assert all(NOT_ALONE.values())


def test_late_probes_are_counted_by_the_bounds_of_the_metric() -> None:
    assert LAG_BOUNDS == LAG_BUCKETS


def _comparisons() -> Iterator[tuple[str, str]]:
    for rule in SERVICE_RULES:
        if rule.kind is not None:
            yield rule.beyond.__name__, _shipped(rule)["expr"]


def test_a_row_compares_as_its_rule_does() -> None:
    signs = {"gt": ">", "ge": ">=", "lt": "<"}

    for name, expression in _comparisons():
        found = re.search(r"(<=?|>=?) on \(environment, service\) group_right \(\)", expression)
        assert found is not None
        assert found.group(1) == signs[name]
