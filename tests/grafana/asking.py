"""Ask a Prometheus what a dashboard asks, and read the answer as Grafana shows it.

Variables, `$__rate_interval`, steps, legends, merged tables, value mappings and thresholds follow
@grafana/prometheus and @grafana/data 13; drawing is not done here.
"""

from __future__ import annotations

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.grafana.promql import interpolated
from tests.grafana.reading import BOARDS, Json, panel_of

SCRAPE = 15
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(text: str) -> int:
    """Return a duration such as 5m or now-6h in seconds."""
    found = re.fullmatch(r"(?:now-)?(\d+)([smhdw])", text)
    assert found, text
    return int(found[1]) * _SECONDS[found[2]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query returned: its labels and, oldest first, its values and their times."""

    labels: Mapping[str, str]
    values: tuple[float, ...]
    times: tuple[float, ...]

    @property
    def last(self) -> float:
        return self.values[-1]


class QueryError(Exception):
    """Prometheus refuses a query; the text is its own."""


@dataclass(slots=True)
class Desk:
    """Somebody before a Grafana at the Unix time *now*, who has *chosen* values of variables."""

    base: str
    now: float
    chosen: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, **parameters: Any) -> Any:
        """Return what the API answers to *parameters*."""
        data = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.base}/api/v1/{path}?{data}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(error.read().decode()) from None

    # -- as Grafana fills a query in ---------------------------------------------------------

    def variables(self, board: Json) -> dict[str, str]:
        """Return the text of every variable; each has values, or the dashboard is empty."""
        found: dict[str, str] = {}
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                values = self.values_of(variable, found)
                assert values, f"variable {variable['name']} is empty"
                every = variable.get("allValue") or sorted(values)[0]
                found[variable["name"]] = self.chosen.get(variable["name"], every)
        return found

    def values_of(self, variable: Json, known: Mapping[str, str]) -> list[str]:
        """Return the values that *variable* offers."""
        text = variable["query"]["query"]
        found = re.fullmatch(r"label_values\((.+), *(\w+)\)", text)
        assert found, text
        match = {"match[]": interpolated(found[1], known)}
        since = {"start": self.now - 86400, "end": self.now}
        return list(self.get(f"label/{found[2]}/values", **match, **since))

    def ask(self, board: Json, panel: Json, target: Json) -> list[Answer]:
        """Return the answer to *target* over the dashboard's time or the panel's own."""
        covers = seconds(panel.get("timeFrom") or board["time"]["from"])
        step = max(SCRAPE, covers // panel.get("maxDataPoints", 1000))
        if "interval" in panel:
            step = max(step, seconds(panel["interval"]))
        filled = interpolated(target["expr"], self._globals(board, covers, step))
        if target["instant"]:
            return self.query(filled)
        start = self.now - covers // step * step
        rows = self.get("query_range", query=filled, start=start, end=self.now, step=step)
        return [_answer(row["metric"], row["values"]) for row in rows["result"]]

    def query(self, promql: str) -> list[Answer]:
        """Return the answer to an instant query."""
        rows = self.get("query", query=promql, time=self.now)["result"]
        return [_answer(row["metric"], [row["value"]]) for row in rows]

    def _globals(self, board: Json, covers: int, step: int) -> dict[str, str]:
        rate = max(step + SCRAPE, 4 * SCRAPE)
        return {
            "__rate_interval": f"{rate}s",
            "__interval": f"{step}s",
            "__range": f"{covers}s",
            **self.variables(board),
        }

    # -- as Grafana shows it -----------------------------------------------------------------

    def panel(self, board: str, title: str) -> list[list[Answer]]:
        """Return the answers to the queries of a panel."""
        panel = panel_of(board, title)
        return [self.ask(BOARDS[board], panel, target) for target in panel["targets"]]

    def stat(self, board: str, title: str) -> dict[str, str]:
        """Return what a stat shows: the text by the legend of its series."""
        panel = panel_of(board, title)
        found = {
            legend(target, answer): shown(panel, legend(target, answer), answer.last)[0]
            for target, answers in zip(panel["targets"], self.panel(board, title), strict=True)
            for answer in answers
        }
        return found or {"": shown(panel, "", None)[0]}

    def table(self, board: str, title: str) -> list[dict[str, str]]:
        """Return the rows of a table as they are shown, texts mapped."""
        panel = panel_of(board, title)
        return [
            {name: shown(panel, name, value)[0] for name, value in row.items()}
            for row in merged(panel, self.panel(board, title))
        ]


def _answer(labels: Mapping[str, str], values: list[Any]) -> Answer:
    return Answer(labels, tuple(float(v) for _, v in values), tuple(float(t) for t, _ in values))


def legend(target: Json, answer: Answer) -> str:
    """Return the name of a series."""
    return re.sub(
        r"\{\{\s*(\w+)\s*\}\}", lambda m: answer.labels.get(m[1], ""), target["legendFormat"]
    )


def merged(panel: Json, found: list[list[Answer]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table: frames merged by the labels that all have, then organised."""
    frames = [(i, answers) for i, answers in enumerate(found) if answers]
    single = len(frames) == 1
    labels = [{name for answer in answers for name in answer.labels} for _, answers in frames]
    shared = sorted(set.intersection(*labels)) if labels else []
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for i, answers in frames:
        for answer in answers:
            row = rows.setdefault(tuple(answer.labels.get(s, "") for s in shared), {})
            value = "Value" if single else f"Value #{chr(ord('A') + i)}"
            assert value not in row, f"{panel['title']}: two rows for {answer.labels}"
            row |= {**answer.labels, value: answer.last}
    organize = panel["transformations"][1]["options"]
    names = set(organize["indexByName"]) - set(organize["excludeByName"])
    names -= {n for n in names if n.startswith("Value") and (n == "Value") is not single}
    for row in rows.values():
        known = {name: row.get(name) for name in names} | row
        for name in organize["excludeByName"]:
            known.pop(name, None)
        yield {organize["renameByName"].get(k, k): v for k, v in known.items()}


def settings(panel: Json, name: str) -> Json:
    """Return the field settings of the series or column *name*."""
    found = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            found |= {entry["id"]: entry["value"] for entry in override["properties"]}
    return found


def shown(panel: Json, name: str, value: float | str | None) -> tuple[str, str]:
    """Return the text and the colour of *value* in the series or column *name*."""
    config = settings(panel, name)
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    for mapping in config.get("mappings", ()):
        options = mapping["options"]
        if mapping["type"] == "special":
            if missing:
                return options["result"]["text"], options["result"]["color"]
        elif not missing and _key(value) in options:
            return options[_key(value)]["text"], options[_key(value)]["color"]
    steps = config["thresholds"]["steps"]
    if missing:
        return config.get("noValue", ""), steps[0]["color"]
    if isinstance(value, str):
        return value, steps[0]["color"]
    assert value is not None
    colour = [s["color"] for s in steps if s["value"] is None or value >= s["value"]][-1]
    return f"{value:.6g}", colour


def _key(value: float | str | None) -> str:
    return f"{value + 0.0:g}" if isinstance(value, float) else str(value)  # -0 is 0
