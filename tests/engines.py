"""What a rule must not do because Prometheus and VictoriaMetrics do not agree about it.

Each check takes the groups of rule files and returns a line for every mistake. Measured with
Prometheus 2.42 and vmalert 1.151.0; the tests of both engines are tests/test_victoria.py.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import promql_parser as promql

Rule = dict[str, Any]
Group = dict[str, Any]
Node = Any  # promql_parser's classes have no common base
Check = Callable[[Sequence[Group]], list[str]]

GROUP_FIELDS = {"name", "interval", "limit", "rules"}
"""Prometheus 2.42 knows no `labels` and `query_offset`, vmalert no `query_offset`."""
RULE_FIELDS = {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
MOST_SECONDS_LATE = 300
_ARITHMETIC = {"+", "-", "*", "/", "%", "^", "atan2"}
_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def name_of(rule: Rule) -> str:
    """Return the name of an alert or of a recorded series."""
    return str(rule.get("alert") or rule.get("record"))


def parsed(rule: Rule) -> Node:
    """Return the expression of *rule* as a tree.

    Raises:
        ValueError: it is not PromQL.
    """
    return promql.parse(rule["expr"])


def nodes(tree: Node) -> list[Node]:
    """Return *tree* and every expression within it."""
    found: list[Node] = []

    def visit(node: Node) -> bool:
        found.append(node)
        return True

    promql.walk(tree, visit)
    return found


def _all(groups: Sequence[Group]) -> Iterator[tuple[Group, Rule, Node]]:
    for group in groups:
        for rule in group["rules"]:
            yield group, rule, parsed(rule)


def _shown(node: Node) -> str:
    return re.sub(r"\s+", " ", node.prettify())


def _bare(node: Node) -> Node:
    while isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        node = node.expr
    return node


def is_scalar(node: Node) -> bool:
    """Return whether *node* is a number, and not a vector."""
    node = _bare(node)
    if isinstance(node, promql.Call):
        return bool(node.func.return_type == promql.ValueType.Scalar)
    if isinstance(node, promql.BinaryExpr):
        return is_scalar(node.lhs) and is_scalar(node.rhs)
    return isinstance(node, promql.NumberLiteral)


def _has_made_labels(node: Node) -> bool:
    """Return whether rows of *node* have labels of an aggregate or of a recorded series."""
    node = _bare(node)
    if isinstance(node, promql.AggregateExpr):
        return True
    if isinstance(node, promql.BinaryExpr):
        return _has_made_labels(node.lhs) or _has_made_labels(node.rhs)
    if isinstance(node, promql.Call):
        return any(map(_has_made_labels, node.args))
    if isinstance(node, promql.SubqueryExpr):
        return _has_made_labels(node.expr)
    if isinstance(node, promql.MatrixSelector):
        node = node.vector_selector
    return isinstance(node, promql.VectorSelector) and ":" in (node.name or "")


def _names_its_labels(node: Node) -> bool:
    matching = node.modifier.matching if node.modifier else None
    return matching is not None and matching.type == promql.LabelModifierType.Include


def joins(groups: Sequence[Group]) -> list[str]:
    """Find joins that do not say `on (…)`.

    vmalert writes its -external.label into recorded series, an aggregate has not got it: without
    `on` such two never meet, and nothing says so. `ignoring` cannot know that label's name.
    """
    return [
        f"{name_of(rule)}: {node.op} without on (…): {_shown(node)}"
        for _, rule, tree in _all(groups)
        for node in nodes(tree)
        if isinstance(node, promql.BinaryExpr)
        and not (is_scalar(node.lhs) or is_scalar(node.rhs))
        and (_has_made_labels(node.lhs) or _has_made_labels(node.rhs))
        and not _names_its_labels(node)
    ]


def counting(groups: Sequence[Group]) -> list[str]:
    """Find counts of events on which the engines do not agree.

    `increase`: after a gap longer than the window VictoriaMetrics adds the whole value of a counter
    that comes back, if it is small: below 10 while it stands still. `rate(x[w]) * w`: for a series
    younger than the window it divides by the age, so that one event of a new service counts as
    dozens. The smaller of the two is right in both engines:
    `increase(x[w]) < rate(x[w]) * w or rate(x[w]) * w`. `changes`: an appearance is a change there.
    Source: rollupDelta, rollupDerivFast, rollupChanges of app/vmselect/promql/rollup.go, 1.151.0.
    """
    found = []
    for _, rule, tree in _all(groups):
        everything = nodes(tree)
        smaller = Counter(filter(None, map(_smaller_count, everything)))
        calls = [node for node in everything if isinstance(node, promql.Call)]
        increases = Counter(_shown(n.args[0]) for n in calls if n.func.name == "increase")
        rates = Counter(filter(None, map(_counted_by_rate, everything)))
        bare = [f"increase({n})" for n in increases - smaller]
        bare += [f"rate({n}) * its window" for n in rates - smaller - smaller]
        bare += [_shown(n) for n in calls if n.func.name == "changes"]
        found += [f"{name_of(rule)}: {text}" for text in bare]
    return found


def _counted_by_rate(node: Node) -> str:
    """Return the selector of `rate(x[w]) * w`, or nothing."""
    node = _bare(node)
    if not isinstance(node, promql.BinaryExpr) or str(node.op) != "*":
        return ""
    call, seconds = _bare(node.lhs), _bare(node.rhs)
    if not isinstance(call, promql.Call):
        call, seconds = seconds, call
    if not (isinstance(call, promql.Call) and call.func.name == "rate"):
        return ""
    window = call.args[0].range.total_seconds()
    counts = isinstance(seconds, promql.NumberLiteral) and seconds.val == window
    return _shown(call.args[0]) if counts else ""


def _smaller_count(node: Node) -> str:
    """Return the selector of `increase(x[w]) < rate(x[w]) * w or rate(x[w]) * w`, or nothing."""
    if not isinstance(node, promql.BinaryExpr) or str(node.op) != "or":
        return ""
    less, other = _bare(node.lhs), _counted_by_rate(node.rhs)
    if not isinstance(less, promql.BinaryExpr) or str(less.op) != "<":
        return ""
    call = _bare(less.lhs)
    same = (
        isinstance(call, promql.Call)
        and call.func.name == "increase"
        and _shown(call.args[0]) == other == _counted_by_rate(less.rhs)
    )
    return other if same else ""


def seconds_of(interval: str) -> float:
    """Return the seconds of a duration such as 1m30s."""
    return sum(float(n) * _UNIT[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", interval))


def read_names(tree: Node) -> set[str]:
    """Return the names of the series that *tree* reads."""
    return {n.name for n in nodes(tree) if isinstance(n, promql.VectorSelector) and n.name}


def slow_chains(groups: Sequence[Group]) -> list[str]:
    """Find chains inside groups that are evaluated less than once a minute.

    vmalert writes what a group records when the group is through, so that each link is an
    interval late.
    """
    recorded: dict[str, float] = {}
    own: dict[str, set[str]] = {}
    for group in groups:
        own[group["name"]] = {rule["record"] for rule in group["rules"] if "record" in rule}
        for name in own[group["name"]]:
            recorded[name] = max(seconds_of(group["interval"]), recorded.get(name, 0))
    return [
        f"{group['name']}: {name_of(rule)} reads {series}"
        for group, rule, tree in _all(groups)
        if seconds_of(group["interval"]) > 60
        for series in sorted(read_names(tree))
        if series in own[group["name"]] or recorded.get(series, 0) >= seconds_of(group["interval"])
    ]


def links_of(groups: Sequence[Group]) -> dict[str, int]:
    """Return how many links are below each recorded series, itself one of them."""
    rules = [rule for group in groups for rule in group["rules"] if "record" in rule]
    reads = {rule["record"]: read_names(parsed(rule)) for rule in rules}
    found: dict[str, int] = {}
    while len(found) < len(reads):
        before = len(found)
        for name in reads.keys() - found.keys():
            if reads[name] & reads.keys() <= found.keys() | {name}:
                below = (reads[name] & reads.keys()) - {name}
                found[name] = 1 + max((found[one] for one in below), default=0)
        assert len(found) > before, f"a circle of {reads.keys() - found.keys()}"
    return found


def long_chains(groups: Sequence[Group]) -> list[str]:
    """Find alerts that come more than five minutes late in vmalert, where each link is an interval.

    A series that reads its own last value is no link.
    """
    reads: dict[str, set[str]] = {}
    late: dict[str, float] = {}
    for group, rule, tree in _all(groups):
        if "record" in rule:
            reads[rule["record"]] = reads.get(rule["record"], set()) | read_names(tree)
            late[rule["record"]] = seconds_of(group["interval"])

    def longest(series: str, seen: tuple[str, ...] = ()) -> tuple[str, ...]:
        if series not in reads or series in seen:
            return seen
        ways = [longest(further, (*seen, series)) for further in sorted(reads[series])]
        return max([(*seen, series), *ways], key=lasts)

    def lasts(way: tuple[str, ...]) -> float:
        return sum(late[series] for series in way)

    found = []
    for _, rule, tree in _all(groups):
        if "alert" in rule:
            way = max(map(longest, sorted(read_names(tree))), key=lasts, default=())
            if lasts(way) > MOST_SECONDS_LATE:
                found.append(f"{name_of(rule)} reads {' <- '.join(way)}")
    return found


def _is_never_zero(node: Node) -> bool:
    """Return whether no row of a divisor can be 0."""
    node = _bare(node)
    if isinstance(node, promql.NumberLiteral):
        return bool(node.val != 0)
    if isinstance(node, promql.AggregateExpr):
        # A row counts at least one; a sum of what is above 0 is above 0, its deviation is not.
        kind = str(node.op)
        return kind in ("count", "group") or (
            kind in ("sum", "avg", "min", "max") and _is_never_zero(node.expr)
        )
    if isinstance(node, promql.BinaryExpr):
        limit = _bare(node.rhs)
        filters = node.modifier is None or not node.modifier.return_bool
        above = str(node.op) == ">" and isinstance(limit, promql.NumberLiteral) and limit.val >= 0
        return filters and above
    return False


def _is_infinite(node: Node) -> bool:
    node = _bare(node)
    return isinstance(node, promql.NumberLiteral) and not math.isfinite(node.val)


def not_numbers(groups: Sequence[Group]) -> list[str]:
    """Find alerts that reckon with Inf or NaN, or divide by what can be 0.

    A row with the value NaN fires in Prometheus and does not exist in VictoriaMetrics.
    """
    found = []
    for _, rule, tree in _all(groups):
        for node in nodes(tree) if "alert" in rule else ():
            if not isinstance(node, promql.BinaryExpr) or str(node.op) not in _ARITHMETIC:
                continue
            divides = str(node.op) in ("/", "%") and not _is_never_zero(node.rhs)
            if divides or any(map(_is_infinite, (node.lhs, node.rhs))):
                found.append(f"{name_of(rule)}: {_shown(node)}")
    return found


def fields(groups: Sequence[Group]) -> list[str]:
    """Find fields that Prometheus 2.42 or vmalert refuses."""
    groups_of = [f"{g['name']}: {f}" for g in groups for f in sorted(g.keys() - GROUP_FIELDS)]
    return groups_of + [
        f"{name_of(rule)}: {field}"
        for group in groups
        for rule in group["rules"]
        for field in sorted(rule.keys() - RULE_FIELDS)
    ]


CHECKS: tuple[Check, ...] = (joins, counting, slow_chains, long_chains, not_numbers, fields)
