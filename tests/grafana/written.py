"""What is written on a drawn dashboard, compared with what Prometheus answers.

A number is read back from its text, unit and all, and has to be the answer within half of the last
digit that is shown: so nothing here knows how Grafana rounds or which unit it chooses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.grafana.asking import Answer, Desk, legend, merged, settings, shown
from tests.grafana.reading import Json, panels

_SECONDS = {
    "ns": 1e-9,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "year": 31_536_000.0,
}
_TIMES: Mapping[str, Mapping[str, float]] = {
    "s": _SECONDS,
    "percentunit": {"%": 0.01},
    "short": {"": 1.0, "K": 1e3, "Mil": 1e6, "Bil": 1e9},
    "locale": {"": 1.0},
    "none": {"": 1.0},
    "bytes": {"B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
}
_AGO = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 30.4 * 86400}
_NUMBER = re.compile(r"(-?[\d,]*\.?\d+)\s*(\D*)")
OURS = ("state-timeline", "status-history")
"""Kinds of panels that are our own drawing, which proves nothing."""


def _says(text: str, value: float, unit: str) -> bool:
    """Return whether *text* is *value* to the last digit that it shows."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return False
    word = found[2].strip()
    times = _TIMES[unit].get(word) or _TIMES[unit].get(word.removesuffix("s"))
    if times is None:
        return False
    digits = found[1].replace(",", "")
    decimals = len(digits.partition(".")[2])
    return abs(float(digits) * times - value) <= times * (0.5 * 10**-decimals + 1e-6)


def _says_when(text: str, milliseconds: float, now: float) -> bool:
    """Return whether *text*, as `3 hours ago`, is about that time."""
    away = milliseconds / 1000 - now
    found = re.fullmatch(r"(in )?(an?|\d+|a few) (\w+?)s?( ago)?", text)
    if not found or bool(found[1]) == bool(found[4]):
        return False
    if abs(away) > 1 and (away > 0) is not bool(found[1]):
        return False
    if found[2] == "a few":
        return abs(away) <= 46
    count = int(found[2]) if found[2].isdigit() else 1
    return abs(abs(away) / _AGO[found[3]] - count) <= 0.61


def says(panel: Json, name: str, value: Any, text: str, now: float) -> bool:
    """Return whether *text* is what *panel* has to write for *value* in the field *name*."""
    plain = shown(panel, name, value)[0]
    mapped = value is None or isinstance(value, str) or plain != f"{value:.6g}"
    if mapped or math.isnan(value):
        return text == plain.strip()
    unit = settings(panel, name).get("unit", "short")
    if unit == "dateTimeFromNow":
        return _says_when(text, value, now)
    return _says(text, value, unit)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a page says was asked for its panels, and what is written on them."""

    desk: Desk
    board: Json
    asked: Sequence[tuple[str, str, str, Mapping[str, str]]]
    texts: Sequence[Mapping[str, Any]]

    def lies(self) -> Iterator[str]:
        """Yield a line for each text that is not what Prometheus answers, or that is missing."""
        texts = {one["title"]: one for one in self.texts if one["text"]}
        for panel in panels(self.board):
            if panel["type"] in OURS or not panel["targets"]:
                continue
            found = self._answers(panel)
            check = {"table": _table, "stat": _tiles, "bargauge": _tiles, "timeseries": _curves}
            if panel["type"] in check:
                text = texts[panel["title"]]
                if any(found) or panel["type"] == "stat":
                    lies = check[panel["type"]](panel, found, text, self.desk.now)
                else:
                    right = text["text"] == settings(panel, "").get("noValue")
                    lies = iter(()) if right else iter([text["text"]])
                yield from (f"{panel['title']}: {lie}" for lie in lies)

    def _answers(self, panel: Json) -> list[list[Answer]]:
        """Ask again what the page asked; `strict` because each target has to be asked once."""
        mine = {
            ref: (path, more) for title, ref, path, more in self.asked if title == panel["title"]
        }
        return [self._answer(*mine[target["refId"]]) for target in panel["targets"]]

    def _answer(self, path: str, parameters: Mapping[str, str]) -> list[Answer]:
        rows = self.desk.get(path, **parameters)["result"]
        values = [row["values"] if "values" in row else [row["value"]] for row in rows]
        return [
            Answer(
                {k: v for k, v in row["metric"].items() if k != "__name__"},
                tuple(float(v) for _, v in points),
                tuple(float(t) for t, _ in points),
            )
            for row, points in zip(rows, values, strict=True)
        ]


def _table(
    panel: Json, found: list[list[Answer]], text: Mapping[str, Any], now: float
) -> Iterator[str]:
    """Every answered row is drawn once, with every cell, in the order that is asked for."""
    names = [_column(panel, head) for head in text["heads"]]
    left = list(merged(panel, found))
    order: list[Any] = []
    by = panel["options"].get("sortBy", [{}])[0]
    for cells in text["rows"]:
        for row in left:
            pairs = zip(names, cells, strict=True)
            if all(says(panel, name, row.get(name), cell, now) for name, cell in pairs):
                left.remove(row)
                order.append(row.get(by.get("displayName")))
                break
        else:
            yield f"no row of the answer: {' | '.join(cells)}"
    yield from (f"not drawn: {row}" for row in left)
    if by:
        ranks = [(value is not None, value if value is not None else 0) for value in order]
        if ranks != sorted(ranks, reverse=by["desc"]):
            yield f"not sorted by {by['displayName']}: {order}"


def _column(panel: Json, head: str) -> str:
    """Return the name of the column that is headed *head*."""
    for override in panel["fieldConfig"]["overrides"]:
        for entry in override["properties"]:
            if entry["id"] == "displayName" and entry["value"] == head:
                return str(override["matcher"]["options"])
    return head


def _tiles(
    panel: Json, found: list[list[Answer]], text: Mapping[str, Any], now: float
) -> Iterator[str]:
    """Each answer is written in turn: its name, if it has one, and its value."""
    answers = [
        (legend(target, answer), answer.last)
        for target, each in zip(panel["targets"], found, strict=True)
        for answer in each
    ]
    rest = text["text"]
    for place, (name, value) in enumerate(answers):
        title = settings(panel, name).get("displayName", name)
        if not rest.startswith(title):
            yield f"{title} is not written where it should be: {rest}"
            return
        rest = rest.removeprefix(title)
        following = answers[place + 1][0] if place + 1 < len(answers) else ""
        following = settings(panel, following).get("displayName", following)
        end = rest.find(following, 1) if following else len(rest)
        if not says(panel, name, value, rest[:end].strip(), now):
            yield f"{title} is {value}, written as {rest[:end]}"
        rest = rest[end:]
    if not answers and rest != shown(panel, "", None)[0]:
        yield f"there is no answer, and it says {rest}"


def _curves(
    panel: Json, found: list[list[Answer]], text: Mapping[str, Any], now: float
) -> Iterator[str]:
    """The legend names each series, with its last value or its sum."""
    calc = [*panel["options"]["legend"]["calcs"], None][0]
    wanted = {
        legend(target, answer): answer
        for target, each in zip(panel["targets"], found, strict=True)
        for answer in each
        if not settings(panel, legend(target, answer)).get("custom.hideFrom", {}).get("legend")
    }
    for name, *value in text["legend"]:
        if name not in wanted:
            yield f"no series is called {name}"
            continue
        values = wanted.pop(name).values
        number = sum(values) if calc == "sum" else values[-1]
        if calc and not says(panel, name, number, value[0], now):
            yield f"{name} is {number}, written as {value[0]}"
    yield from (f"not in the legend: {name}" for name in wanted)
