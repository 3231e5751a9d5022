"""The inhibitions decide as those of the shipped alertmanager.yml, for every pair of alerts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.alerting import INHIBITIONS
from exporter.alerting.inhibition import Inhibitor, Matcher
from tests.documents import yaml_of

ROOT = Path(__file__).parent.parent.parent
SHIPPED = yaml_of((ROOT / "alertmanager" / "alertmanager.yml").read_text())["inhibit_rules"]
Labels = dict[str, str]


def alerts_of_the_rules() -> list[Labels]:
    """Return every alert of the shipped rules with each set of labels that makes a difference."""
    found: list[Labels] = []
    for path in sorted((ROOT / "prometheus" / "rules").glob("*.yml")):
        for group in yaml_of(path.read_text())["groups"]:
            for rule in group["rules"]:
                found += _variants(rule) if "alert" in rule else ()
    manual = {"alertname": "ManualIncident", "service": "a", "environment": "prod"}
    found += [manual | {"severity": one, "incident": one} for one in ("critical", "low")]
    unique = {tuple(sorted(one.items())): one for one in found}
    return list(unique.values())


def _variants(rule: dict[str, Any]) -> Iterator[Labels]:
    name = rule["alert"]
    severities = [rule["labels"].get("severity")]
    if severities == [None]:
        severities = ["critical", "high", "medium", "low"]
    for severity in severities:
        for place in _places(name):
            yield {"alertname": name, "severity": severity, **place}


def _places(name: str) -> Iterator[Labels]:
    if name.startswith("Service"):
        slos = [{"slo": "availability"}, {"slo": "latency"}] if "Budget" in name else [{}]
        for service, environment, slo in itertools.product("ab", ("prod", "dev"), slos):
            for cluster in ({}, {"cluster": "c"}):
                provider = {"provider": "stripe" if service == "a" else "custom"}
                yield {"service": service, "environment": environment} | provider | slo | cluster
    elif name.startswith("Model"):
        for service, environment, model in itertools.product("ab", ("prod", "dev"), "xy"):
            provider = {"provider": "stripe" if service == "a" else "custom"}
            yield {"service": service, "environment": environment, "model": model} | provider
    elif name.startswith("Provider"):
        yield from ({"provider": "stripe", "environment": e} for e in ("prod", "dev"))
    elif name == "MonitoringNetworkDown":
        yield from ({}, {"environment": "prod"}, {"environment": "dev"}, {"cluster": "c"})
    elif name == "AlertmanagerNotificationsFailing":
        yield from ({"integration": one, "instance": "m"} for one in ("webhook", "email"))
    else:
        yield {"instance": "x"}


def matches(matchers: list[str], labels: Labels) -> bool:
    """Return whether *labels* match, read from the file in a way of its own."""
    for written in matchers:
        name, sign, value = re.split(r"(=~|!~|!=|=)", written, maxsplit=1)
        pattern = value.strip('"') if "~" in sign else re.escape(value.strip('"'))
        hit = re.match(rf"^(?:{pattern})$", labels.get(name, "")) is not None
        if hit != (sign in ("=", "=~")):
            return False
    return True


Sides = list[tuple[bool, bool]]
"""Of each rule, whether an alert is its source, and its target."""


def _sides(labels: Labels) -> Sides:
    return [
        (matches(rule["source_matchers"], labels), matches(rule["target_matchers"], labels))
        for rule in SHIPPED
    ]


def _held(source: Labels, by: Sides, target: Labels, of: Sides) -> bool:
    """Return whether Alertmanager with the shipped file holds *target* back for *source*."""
    return any(
        all(source.get(name, "") == target.get(name, "") for name in rule["equal"])
        for rule, (is_source, too), (as_well, is_target) in zip(SHIPPED, by, of, strict=True)
        if is_source and is_target and not (too and as_well)
    )


def test_every_pair_of_alerts_is_decided_as_alertmanager_does() -> None:
    alerts = alerts_of_the_rules()
    sides = [_sides(one) for one in alerts]
    held = 0

    for source, by in zip(alerts, sides, strict=True):
        inhibitor = Inhibitor()
        inhibitor.add(source, "s")
        for target, of in zip(alerts, sides, strict=True):
            ours = bool(inhibitor.holder(target)) and source is not target
            theirs = _held(source, by, target, of) and source is not target
            assert ours == theirs, (source, target)
            held += ours

    assert len(alerts) > 250
    assert held > 500


def test_the_inhibitions_are_written_as_in_the_shipped_file() -> None:
    ours = [
        (
            [f'{m.label}{m.operator}"{m.value}"' for m in rule.source],
            [f'{m.label}{m.operator}"{m.value}"' for m in rule.target],
            list(rule.equal),
        )
        for rule in INHIBITIONS
    ]

    def key(one: tuple[list[str], list[str], list[str]]) -> str:
        return str(one)

    shipped = [(r["source_matchers"], r["target_matchers"], r["equal"]) for r in SHIPPED]
    assert sorted(ours, key=key) == sorted(shipped, key=key)


def test_a_source_that_is_a_target_too_holds_no_other_like_it_back() -> None:
    inhibitor = Inhibitor()
    down = {"alertname": "ServiceDown", "service": "a", "environment": "prod"}
    inhibitor.add(down | {"severity": "high"}, "high")
    inhibitor.add(down | {"severity": "critical"}, "critical")

    assert inhibitor.holder(down | {"severity": "critical"}) == ""
    assert inhibitor.holder(down | {"severity": "high"}) == "critical"
    assert inhibitor.holder(down | {"severity": "low"}) == "critical"


@pytest.mark.parametrize("written", ["severity", 'severity~"high"', "severity=high"])
def test_what_is_no_matcher_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not a matcher"):
        Matcher.of(written)
