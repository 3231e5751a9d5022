"""Every query of every panel, asked at one moment, and what must hold of the answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana.words import OK
from tests.grafana.asking import Answer, Desk, legend, merged, settings, shown
from tests.grafana.reading import BOARDS, Json, panels

Place = tuple[str, str, str]
"""Dashboard, panel, query; the query `@` is an annotation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A panel and the answers to its queries."""

    board: str
    panel: Json
    answers: list[list[Answer]]

    def places(self) -> Iterator[tuple[Place, list[Answer]]]:
        for target, answers in zip(self.panel["targets"], self.answers, strict=True):
            yield (self.board, self.panel["title"], target["refId"]), answers


def ask(desk: Desk, name: str) -> Iterator[Asked]:
    """Ask everything of a dashboard; a query that Prometheus refuses raises."""
    board = BOARDS[name]
    for panel in panels(board):
        yield Asked(name, panel, [desk.ask(board, panel, t) for t in panel["targets"]])
    for mark in board["annotations"]["list"]:
        target = {**mark["target"], "refId": "@", "instant": False}
        panel = {"title": mark["name"], "targets": [target], "type": "annotation"}
        yield Asked(name, panel, [desk.ask(board, panel, target)])


def not_finite(asked: Sequence[Asked]) -> set[Place]:
    """Return the queries with a value that cannot be drawn."""
    return {
        place
        for one in asked
        for place, answers in one.places()
        if not all(math.isfinite(v) for answer in answers for v in answer.values)
    }


def empty(asked: Sequence[Asked]) -> set[Place]:
    """Return the queries without an answer."""
    return {place for one in asked for place, answers in one.places() if not answers}


def green(asked: Sequence[Asked], now: float) -> set[tuple[str, str]]:
    """Return the panels that show something *now* in the colour of all is well."""
    return {
        (one.board, one.panel["title"])
        for one in asked
        if any(colour == OK for colour in _colours(one, now))
    }


def _colours(one: Asked, now: float) -> Iterator[str]:
    panel = one.panel
    if panel["type"] == "table":
        for row in merged(panel, one.answers):
            for name, value in row.items():
                if "custom.cellOptions" in settings(panel, name):
                    yield shown(panel, name, value)[1]
    elif panel["type"] in ("stat", "bargauge", "state-timeline", "status-history"):
        found = False
        for target, answers in zip(panel["targets"], one.answers, strict=True):
            for answer in answers:
                if answer.times[-1] == now:
                    found = True
                    yield shown(panel, legend(target, answer), answer.last)[1]
        if not found:
            yield shown(panel, "", None)[1]


def strays(asked: Sequence[Asked]) -> set[tuple[str, str]]:
    """Return the tables with rows that their first query does not know.

    Of one frame alone Grafana calls the value `Value`, which is shown as that of the first query.
    """
    found = set()
    for one in asked:
        if one.panel["type"] != "table":
            continue
        first, *others = one.answers
        for answers in others:
            shared = {name for answer in (*first, *answers) for name in answer.labels}
            for answer in (*first, *answers):
                shared &= set(answer.labels)
            known = {tuple(a.labels[s] for s in sorted(shared)) for a in first}
            if not {tuple(a.labels[s] for s in sorted(shared)) for a in answers} <= known:
                found.add((one.board, one.panel["title"]))
    return found
