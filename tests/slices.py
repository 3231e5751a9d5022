"""Of the shipped rules those that matter to a case: what is left out could change nothing in it.

promtool evaluates every rule of its files at each step, also those that have nothing to read. A
rule is left out if no row of it is possible, or if nothing that is asked depends on it and it
cannot fail. Found in the expressions themselves, so that no list has to follow the rules.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import promql_parser as promql

from tests.engines import Group, Node, Rule, is_scalar, name_of, nodes, parsed, read_names

ALERTS = "ALERTS"
EVERYTHING = ""
"""What a selector asks that names no metric."""
_FROM_NOTHING = {"absent", "absent_over_time", "scalar", "vector"}
"""Functions that have a row where their argument has none."""


def slice_of(
    groups: Sequence[Group], given: Collection[str], asked: Collection[str], *, texts: bool = True
) -> list[Group]:
    """Return of *groups* what can change an answer about *asked* in a case with the series *given*.

    *asked* has names of alerts and of series; `ALERTS` are all alerts. The annotations of an alert
    are asked too, unless *texts* is false.
    """
    rules = [(rule, parsed(rule)) for group in groups for rule in group["rules"]]
    there = _there(rules, given)
    wanted = _wanted(rules, asked, texts=texts)
    kept = [
        rule
        for rule, tree in rules
        if _has_rows(tree, there) and (name_of(rule) in wanted or _may_fail(tree, there))
    ]
    parts = [group | {"rules": [r for r in group["rules"] if r in kept]} for group in groups]
    return [group for group in parts if group["rules"]]


def asked_in(tree: Node) -> set[str]:
    """Return what *tree* asks: alerts by their names where it names them, else all."""
    found = set()
    for node in nodes(tree):
        if isinstance(node, promql.VectorSelector):
            alerts = _alerts_of(node) if node.name in (ALERTS, "ALERTS_FOR_STATE") else None
            found |= {node.name or EVERYTHING} if alerts is None else alerts
    return found


def _alerts_of(node: Node) -> set[str]:
    exact = {
        one.value
        for one in node.matchers.matchers
        if one.name == "alertname" and one.op == promql.MatchOp.Equal
    }
    return exact or {ALERTS}


def _there(rules: Sequence[tuple[Rule, Node]], given: Collection[str]) -> set[str]:
    """Return the names that can have rows where *given* have."""
    found, new = set[str](), set(given)
    while new:
        found |= new
        new = {_output(rule) for rule, tree in rules if _has_rows(tree, found)} - found
    return found


def _output(rule: Rule) -> str:
    return str(rule.get("record", ALERTS))


def _wanted(rules: Sequence[tuple[Rule, Node]], asked: Collection[str], *, texts: bool) -> set[str]:
    """Return the names of what *asked* depends on."""
    found, new = set[str](), set(asked)
    while new:
        found |= new
        new = set()
        for rule, tree in rules:
            if {name_of(rule), _output(rule), EVERYTHING} & found:
                new |= {name_of(rule), *asked_in(tree)}
                new |= set(_read_by_texts(rule)) if texts else set()
        new -= found
    return found


def _read_by_texts(rule: Rule) -> Iterator[str]:
    """Yield the words of the annotations, and so the names of the series that they ask for."""
    for text in rule.get("annotations", {}).values():
        yield from re.findall(r"[a-zA-Z_:][\w:]*", text)


def _has_rows(node: Node, there: Collection[str]) -> bool:
    """Return whether a row of *node* is possible where only *there* have any."""
    if isinstance(node, promql.VectorSelector):
        return node.name is None or node.name in there
    if isinstance(node, promql.MatrixSelector):
        return _has_rows(node.vector_selector, there)
    if isinstance(node, promql.Call):
        every = [_has_rows(argument, there) for argument in node.args]
        return node.func.name in _FROM_NOTHING or all(every)
    if isinstance(node, promql.BinaryExpr):
        left, right = (_has_rows(side, there) for side in (node.lhs, node.rhs))
        kind = str(node.op)
        return left if kind == "unless" else left or right if kind == "or" else left and right
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return _has_rows(node.expr, there)
    if isinstance(node, promql.AggregateExpr):
        return _has_rows(node.expr, there)
    return True


def _may_fail(tree: Node, there: Collection[str]) -> bool:
    """Return whether *tree* could find two rows where it may have one.

    That is a join of two vectors, and `or`, whose sides may have the same labels once the name of
    what is recorded replaces theirs.
    """
    return any(
        str(node.op) not in ("and", "unless")
        and not is_scalar(node.lhs)
        and not is_scalar(node.rhs)
        and _has_rows(node.lhs, there)
        and _has_rows(node.rhs, there)
        for node in nodes(tree)
        if isinstance(node, promql.BinaryExpr)
    )


def metrics_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Return the metrics of which both have the same series with the same samples."""
    names = {series.partition("{")[0] for series in (*one, *other)}
    differ = {s.partition("{")[0] for s in (*one, *other) if one.get(s) != other.get(s)}
    return names - differ


def not_decided_by(metrics: Collection[str], groups: Sequence[Group]) -> set[str]:
    """Return the alerts that read, also through other rules, anything but *metrics*."""
    reads = [(rule, read_names(parsed(rule))) for group in groups for rule in group["rules"]]
    recorded = {rule["record"] for rule, _ in reads if "record" in rule}
    known = set(metrics)
    while new := {
        name
        for name in recorded - known
        if all(names <= known | {name} for rule, names in reads if rule.get("record") == name)
    }:
        known |= new
    return {rule["alert"] for rule, names in reads if "alert" in rule and not names <= known}
