"""PromQL of dashboards as a tree: variables filled in, selectors found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import promql_parser

GLOBALS = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__range": "6h",
    "__range_s": "21600",
    "__from": "0",
    "__to": "1",
}
EVERYTHING = ".+"
"""What All stands for; Grafana formats no such text."""
_VARIABLE = re.compile(r"\$(?:([a-zA-Z_]\w*)|\{(\w+)(?::(\w+))?\})")
"""`$1` of a label_replace is none."""


def variables_of(text: str) -> set[str]:
    """Return the names of the variables in *text*."""
    return {m[1] or m[2] for m in _VARIABLE.finditer(text)}


def interpolated(text: str, values: Mapping[str, str] | None = None) -> str:
    """Return *text* with its variables filled in; without *values* by something of their kind."""

    def fill(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        value = GLOBALS.get(name, "x") if values is None else values[name]
        return re.escape(value) if found[3] == "regex" and value != EVERYTHING else value

    return _VARIABLE.sub(fill, text)


def ranged(text: str) -> Iterator[tuple[str, str]]:
    """Yield function and metric of every function over a range of a metric."""
    found: list[tuple[str, str]] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.Call):
            for argument in node.args:
                if isinstance(argument, promql_parser.MatrixSelector):
                    found.append((node.func.name, argument.vector_selector.name or ""))
        return True

    promql_parser.walk(promql_parser.parse(interpolated(text)), visit)
    yield from found


def selectors(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the metric and the matchers of every selector; variables stand as they are."""
    kept = {name: f"\\${name}" for name in variables_of(text) - GLOBALS.keys()}
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    filled = interpolated(text, {**GLOBALS, **{n: f"__{n}__" for n in kept}})
    promql_parser.walk(promql_parser.parse(filled), visit)
    for node in found:
        matchers = {m.name: re.sub(r"__(\w+?)__", r"$\1", m.value) for m in node.matchers.matchers}
        yield node.name or matchers.get("__name__", ""), matchers
