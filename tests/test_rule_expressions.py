"""The shipped rules mean the same in Prometheus and in VictoriaMetrics: looked for in the parse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import engines
from tests.documents import yaml_of
from tests.engines import CHECKS, Check

FILES = sorted((Path(__file__).parent.parent / "prometheus" / "rules").glob("*.yml"))
GROUPS: list[engines.Group] = [
    group for path in FILES for group in yaml_of(path.read_text())["groups"]
]

AVERAGE = "avg by (service) (rate(bad[5m]))"


def _group(*rules: tuple[str, str], interval: str = "15s", name: str = "g") -> engines.Group:
    """Return a group of (name, expression); a name with a colon is recorded."""
    kinds = [("record" if ":" in rule else "alert", rule, expr) for rule, expr in rules]
    return {
        "name": name,
        "interval": interval,
        "rules": [{kind: rule, "expr": expr} for kind, rule, expr in kinds],
    }


def _alert(expr: str) -> list[engines.Group]:
    return [_group(("A", expr))]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_shipped_rules_mean_the_same_in_both_engines(check: Check) -> None:
    assert check(GROUPS) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_a_user_switches_on_means_the_same_in_both_engines(check: Check) -> None:
    others = FILES[0].parent.parent / "other-calls.yml"

    assert check([*GROUPS, *yaml_of(others.read_text())["groups"]]) == []


def test_the_rules_are_read() -> None:
    assert sum(len(group["rules"]) for group in GROUPS) > 50


BAD = [
    (engines.joins, _alert(f"a:b > 1 and {AVERAGE} > 2")),
    (engines.joins, _alert("raw and a:b")),
    (engines.joins, _alert("raw * ignoring (x) group_left () sum without (x) (raw)")),
    (engines.joins, _alert("clamp_min(a:b, 1) - raw")),
    (engines.joins, _alert("(max(a) == 0) or (max by (x) (b) == 0)")),
    (engines.joins, _alert("raw unless sum_over_time(a:b[1h])")),
    (engines.joins, _alert("max by (s) (raw or a:b)")),
    (engines.joins, _alert("raw + max_over_time(sum(raw)[1h:5m])")),
    (engines.counting, _alert("sum(increase(x_total[5m])) > 3")),
    (engines.counting, _alert("changes(process_start_time_seconds[15m]) >= 3")),
    (engines.counting, _alert("max(rate(x_total[30m]) * 1800) >= 4")),
    (engines.counting, _alert("increase(x[5m]) < rate(x[5m]) * 300 or increase(x[5m])")),
    (engines.counting, _alert("increase(x[5m]) < rate(y[5m]) * 300 or rate(y[5m]) * 300")),
    (engines.slow_chains, [_group(("a:b", "raw"), ("c:d", "a:b"), interval="2m")]),
    (
        engines.slow_chains,
        [
            _group(("a:b", "raw"), interval="2m", name="first"),
            _group(("A", "a:b > 1"), interval="2m", name="second"),
        ],
    ),
    (
        engines.long_chains,
        [
            _group(
                ("a:0", "x"),
                *((f"a:{n + 1}", f"a:{n}") for n in range(5)),
                ("A", "a:5"),
                interval="1m",
            )
        ],
    ),
    (engines.not_numbers, _alert("max by (s) (key_valid + Inf) > 3")),
    (engines.not_numbers, _alert("key_valid * -Inf > 3")),
    (engines.not_numbers, _alert("failed / total > 0.01")),
    (engines.not_numbers, _alert("failed / (total >= 0) > 0.01")),
    (engines.not_numbers, _alert("failed / (total > bool 0) > 0.01")),
    (engines.not_numbers, _alert("failed / 0 > 0.01")),
    (engines.not_numbers, _alert("failed / on (a) stddev by (a) (total > 0) > 0.01")),
    (engines.fields, [_group() | {"query_offset": "1m"}]),
    (engines.fields, [_group() | {"rules": [{"alert": "A", "expr": "x", "debug": True}]}]),
]


@pytest.mark.parametrize(
    ("check", "groups"), BAD, ids=[f"{check.__name__}{i}" for i, (check, _) in enumerate(BAD)]
)
def test_a_bad_rule_is_found_by_its_check_only(check: Check, groups: list[Any]) -> None:
    found = {one.__name__: one(groups) for one in CHECKS}

    assert [name for name, lines in found.items() if lines] == [check.__name__]


GOOD = {
    "named": _alert(f"a:b > 1 and on (service) {AVERAGE} > 2 unless on () sum(raw)"),
    "grouped": _alert("a:b * on (x) group_left (team) max by (x, team) (raw)"),
    "raw": _alert("raw * other > 1 and some"),
    "scalars": _alert("1 - a:b * 30 * 86400 + time() < 3600 * -2"),
    "rate": _alert("max(rate(x_total[30m])) * 60 >= 4"),
    "smaller count": _alert(
        'max((increase(x{a="b"}[5m]) < 300 * rate(x{a="b"}[5m])) or rate(x{a="b"}[5m]) * 300) > 2'
    ),
    "guarded": _alert(
        "failed / (total > 0) > 1 or on (a) sum(failed) / on (a) sum by (a) (total > 0) > 1"
    ),
    "counted": _alert("sum by (a) (x) / on (a) count by (a) (y) > 2"),
    "infinite record": [_group(("a:b", "key_valid + Inf"))],
    "two links": [_group(("a:b", "x"), ("c:d", "a:b"), ("A", "c:d > 1"))],
    "slow group of fast series": [
        _group(("a:b", "raw"), interval="30s", name="fast"),
        _group(("c:d", "sum_over_time(a:b[1d])"), interval="4m", name="slow"),
        _group(("A", "c:d > 1"), interval="30s", name="alerts"),
    ],
    "limited": [_group() | {"limit": 5}],
}


@pytest.mark.parametrize("groups", GOOD.values(), ids=GOOD.keys())
def test_a_good_rule_is_found_by_no_check(groups: list[Any]) -> None:
    assert [line for check in CHECKS for line in check(groups)] == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15.0), ("1m30s", 90.0), ("2h", 7200.0), ("500ms", 0.5)]
)
def test_intervals_are_read(text: str, seconds: float) -> None:
    assert engines.seconds_of(text) == seconds
