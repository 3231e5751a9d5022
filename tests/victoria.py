"""The shipped rules over one history in the real engines: which alert fires when.

In Prometheus: `promtool test rules`, which evaluates every group at each step. In VictoriaMetrics:
remote write, then vmalert's replay, one link of the chains at a time, since a replay does not wait
for what it has just recorded. A replay knows no `keep_firing_for`, so that both sides go without.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import struct
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.engines import Group, links_of, name_of, parsed, read_names, seconds_of
from tests.fleet import SCRAPE, SCRAPES, START, History, shifted
from tests.programs import free_port, program, running, unhurried

Key = tuple[tuple[str, str], ...]
Times = dict[Key, list[int]]
"""By labels of an alert: at which seconds from the start."""


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What an engine made of a history."""

    firing: Times
    rows: Times
    """When the expression has a row: the alert is pending or fires."""


# Staleness as Prometheus' scrapes write it: model/value/value.go, StaleNaN.
STALE = struct.pack("<Q", 0x7FF0000000000002)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_NOT_COMPARED = {"__name__", "alertstate", "alertgroup", "cluster"}


# -- rules ------------------------------------------------------------------------------------


def of_alerts(groups: Sequence[Group], alerts: Collection[str] | None = None) -> list[Group]:
    """Return *groups* with *alerts*, or all, and what they read; without `keep_firing_for`."""
    every = [rule for group in groups for rule in group["rules"]]
    rules = [r for r in every if alerts is None or "record" in r or r["alert"] in alerts]
    reads = {name_of(rule): read_names(parsed(rule)) for rule in rules if "record" in rule}
    wanted: set[str] = set()
    new = set().union(*(read_names(parsed(rule)) for rule in rules if "alert" in rule))
    while new:
        wanted |= new
        new = set().union(*(reads.get(name, set()) for name in new)) - wanted
    return [
        group
        | {
            "rules": [
                {field: value for field, value in rule.items() if field != "keep_firing_for"}
                for rule in group["rules"]
                if rule in rules and ("alert" in rule or rule["record"] in wanted)
            ]
        }
        for group in groups
    ]


def remembering(groups: Sequence[Group]) -> set[str]:
    """Return the alerts that read a series which reads its own last value.

    A replay asks for the whole time at once, and so has no last value; a live vmalert has
    (tests/test_story_victoria.py).
    """
    rules = [rule for group in groups for rule in group["rules"]]
    reads = {name_of(rule): read_names(parsed(rule)) for rule in rules}
    own = {name for name, names in reads.items() if name in names}
    return {rule["alert"] for rule in rules if "alert" in rule and reads[rule["alert"]] & own}


def stages(groups: Sequence[Group]) -> list[list[Group]]:
    """Return *groups* in parts none of which reads what it records itself, alerts last."""
    links = links_of(groups)

    def stage_of(rule: dict[str, Any]) -> int:
        return max(links.values()) + 1 if "alert" in rule else links[rule["record"]]

    found = []
    for stage in range(1, max(links.values(), default=0) + 2):
        parts = [
            group | {"rules": [rule for rule in group["rules"] if stage_of(rule) == stage]}
            for group in groups
        ]
        found.append([group for group in parts if group["rules"]])
    return found


# -- Prometheus -------------------------------------------------------------------------------


def _values(rows: list[tuple[int, float]]) -> str:
    """Return *rows* in promtool's notation: a scrape without the series ends it."""
    words, following, last = [], 0, None
    for at, value in rows:
        if at > following:
            words += ["stale" if last is not None else "_", *["_"] * (at - following - 1)]
        words.append(_number(value))
        following, last = at + 1, value
    if following < SCRAPES:
        words.append("stale")
    return " ".join(words)


def _number(value: float) -> str:
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)


def in_prometheus(folder: Path, groups: Sequence[Group], found: History) -> Seen:
    """Return what Prometheus' own rule manager makes of *found*."""
    (folder / "rules.yml").write_text(json.dumps({"groups": groups}))
    test = {
        "interval": f"{SCRAPE}s",
        "input_series": [
            {"series": series, "values": _values(rows)}
            for series, rows in shifted(found, -START).items()
        ],
        # Expecting nothing, every alert is a failure, and those are printed.
        "promql_expr_test": [
            {"expr": "ALERTS", "eval_time": f"{at * SCRAPE}s"} for at in range(SCRAPES)
        ],
    }
    suite = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{SCRAPE}s",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [test],
    }
    (folder / "suite.yml").write_text(json.dumps(suite))
    command = [*unhurried("promtool"), "test", "rules", str(folder / "suite.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return _printed(done.stdout + done.stderr)


_CASE = re.compile(r'time: (\w+),\s+exp:\s*"?nil"?,?\s+got:\s*"?(.*?)"?\s*(?=expr: |\Z)', re.DOTALL)


def _printed(text: str) -> Seen:
    seen = Seen({}, {})
    for time, got in _CASE.findall(text):
        seconds = sum(int(n) * {"h": 3600, "m": 60, "s": 1}[u] for n, u in _parts(time))
        for inside in re.findall(r"\{(.*?)\} 1E\+00", got.replace('\\"', '"')):
            labels = dict(_LABEL.findall(inside))
            for times in (seen.rows, seen.firing)[: 1 + (labels["alertstate"] == "firing")]:
                times.setdefault(_key(labels), []).append(seconds)
    return seen


def _parts(time: str) -> list[tuple[str, str]]:
    return re.findall(r"(\d+)([hms])", time)


def _key(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((k, v) for k, v in labels.items() if k not in _NOT_COMPARED))


# -- VictoriaMetrics --------------------------------------------------------------------------


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _pair(name: str, value: str) -> bytes:
    return _part(1, _part(1, name.encode()) + _part(2, value.encode()))


def written(found: History) -> Iterator[bytes]:
    """Yield bodies of remote write 1.0, snappy without compression, by a hundred series.

    Text would not do: it has no way to say that a series has ended.
    """
    times = [_part_of_time(at) for at in range(SCRAPES + 1)]
    series = list(found.items())
    for i in range(0, len(series), 100):
        body = b"".join(_part(1, _series(*one, times)) for one in series[i : i + 100])
        # One literal with a length of four bytes; format_description.txt of snappy, 2.1.
        yield _varint(len(body)) + b"\xfc" + struct.pack("<I", len(body) - 1) + body


def _part_of_time(at: int) -> bytes:
    return b"\x10" + _varint((START + at * SCRAPE) * 1000)


def _series(series: str, rows: list[tuple[int, float]], times: list[bytes]) -> bytes:
    name, _, labels = series.partition("{")
    out = [_pair("__name__", name)]
    out += [_pair(k, v.replace('\\"', '"')) for k, v in sorted(_LABEL.findall(labels))]
    following = rows[0][0]
    for at, value in rows:
        if at > following:
            out.append(_part(2, b"\x09" + STALE + times[following]))
        out.append(_part(2, b"\x09" + struct.pack("<d", value) + times[at]))
        following = at + 1
    if following <= SCRAPES:
        out.append(_part(2, b"\x09" + STALE + times[following]))
    return b"".join(out)


@contextlib.contextmanager
def storage(folder: Path, *flags: str) -> Iterator[str]:
    """Run a victoria-metrics that keeps everything and answers about the last second too."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [
        program("victoria-metrics"),
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
        "-memory.allowedBytes=256MB",
        *flags,
    ]
    with running(command, None, base + "/health"):
        yield base


def ask(base: str, path: str, body: bytes | None = None, **query: str) -> bytes:
    """Return the answer of a victoria-metrics, or of a vmalert."""
    url = f"{base}{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.build_opener().open(url, body, timeout=60) as answer:
        return bytes(answer.read())


def vmalert(folder: Path, rules: dict[str, Any], *flags: str) -> None:
    """Run a vmalert over *rules* until it ends by itself."""
    path = folder / f"rules-{free_port()}.yml"
    path.write_text(json.dumps(rules))
    command = [program("vmalert"), f"-rule={path}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_victoria(folder: Path, groups: Sequence[Group], found: History, *flags: str) -> Seen:
    """Return what a vmalert with *flags* beside its storage makes of *found*."""
    folder.mkdir()
    with storage(folder) as base:
        for body in written(found):
            ask(base, "/api/v1/write", body)
        for part in stages(groups):
            ask(base, "/internal/force_flush")
            vmalert(
                folder,
                {"groups": part},
                f"-datasource.url={base}",
                f"-remoteWrite.url={base}",
                f"-replay.timeFrom={_rfc3339(START)}",
                f"-replay.timeTo={_rfc3339(START + (SCRAPES - 1) * SCRAPE)}",
                "-replay.maxDatapointsPerQuery=10000",
                "-replay.rulesDelay=0s",
                "-replay.disableProgressBar",
                *flags,
            )
        ask(base, "/internal/force_flush")
        return Seen(_fired(base), _rows(base, groups))


def _fired(base: str) -> Times:
    match = {"match[]": 'ALERTS{alertstate="firing"}'}
    found: Times = {}
    for line in ask(base, "/api/v1/export", **match).decode().splitlines():
        row = json.loads(line)
        times = found.setdefault(_key(row["metric"]), [])
        times += [t // 1000 - START for t in row["timestamps"]]
    return found


def _rows(base: str, groups: Sequence[Group]) -> Times:
    """Return the rows of every alert at every `LOOKS`, asked for as vmalert does when it is live.

    A replay asks for the whole time at once, and then a counter that comes back after a gap is
    known from before.
    """
    found: Times = {}
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    for at in LOOKS:
        for rule in alerts:
            query = {"query": rule["expr"], "time": str(START + at), **_AS_VMALERT}
            answer = json.loads(ask(base, "/api/v1/query", **query))
            for row in answer["data"]["result"]:
                labels = {**row["metric"], **rule.get("labels", {}), "alertname": rule["alert"]}
                found.setdefault(_key(labels), []).append(at)
    return found


# -- comparing --------------------------------------------------------------------------------

# The step is the default of -datasource.queryStep. A live vmalert ends what it records with a
# marker of staleness, a replay does not: without the bound a row would live five minutes more.
_AS_VMALERT = {"step": "5m", "max_lookback": "1m", "nocache": "1"}
LOOKS = range(240, SCRAPES * SCRAPE, 240)
"""When every group of rules is due."""


def tolerances(groups: Sequence[Group]) -> dict[tuple[str, str], int]:
    """Return by name and label `burn` two intervals of the slowest group that an alert is of."""
    every: dict[str, float] = {}
    reads: dict[str, set[str]] = {}
    for group in groups:
        for rule in group["rules"]:
            if "record" in rule:
                every[rule["record"]] = seconds_of(group["interval"])
                reads[rule["record"]] = read_names(parsed(rule))

    def slowest(names: set[str]) -> float:
        known = names & every.keys()
        return max([0.0, *(max(every[name], slowest(reads[name] - {name})) for name in known)])

    return {
        (rule["alert"], rule.get("labels", {}).get("burn", "")): int(
            2 * max(seconds_of(group["interval"]), slowest(read_names(parsed(rule))))
        )
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    }


def _shown(key: Key) -> str:
    return " ".join(f"{name}={value}" for name, value in key if name not in ("category", "team"))


def _spans(times: Sequence[int], step: int) -> str:
    """Return *times* as spans of minutes."""
    spans: list[list[int]] = []
    for at in sorted(times):
        if spans and at - spans[-1][1] <= step:
            spans[-1][1] = at
        else:
            spans.append([at, at])
    return ", ".join(f"{first / 60:g}-{last / 60:g}" for first, last in spans)


def strange(one: Times, other: Times, margins: Mapping[tuple[str, str], int]) -> list[str]:
    """Return what is in *one* and not, up to its margin, in *other*: labels and minutes."""
    found = []
    for key, times in one.items():
        labels = dict(key)
        margin = margins[labels["alertname"], labels.get("burn", "")]
        known = {at // SCRAPE for at in other.get(key, ())}
        reach = range(-margin // SCRAPE, margin // SCRAPE + 1)
        alone = [at for at in times if not any(at // SCRAPE + d in known for d in reach)]
        if alone:
            found.append(f"{_shown(key)}: {_spans(alone, 240)}")
    return sorted(found)


def steady(times: Times, margins: Mapping[tuple[str, str], int]) -> Times:
    """Return of *times* the `LOOKS` around which nothing changes for the margin of an alert."""
    found: Times = {}
    for key, all_of_it in times.items():
        labels = dict(key)
        margin = margins[labels["alertname"], labels.get("burn", "")]
        known = {at // SCRAPE for at in all_of_it}
        reach = range(-margin // SCRAPE, margin // SCRAPE + 1)
        found[key] = [at for at in LOOKS if all(at // SCRAPE + d in known for d in reach)]
    return {key: looks for key, looks in found.items() if looks}
