"""The month of `scene` in a real Prometheus, with what the shipped recording rules make of it.

The rules are not evaluated live but asked for, each over its time, with the names of other rules
replaced by their expressions: one pass instead of a month.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.documents import yaml_of
from tests.grafana import happened, scene
from tests.grafana.asking import Desk
from tests.grafana.live import prometheus
from tests.grafana.reading import ROOT
from tests.programs import free_port, unhurried

_NAME = re.compile(r"\b(?:slo|service|provider|environment):\w+:\w+\b(?!\{)")
_LOOKS_BACK = re.compile(r":\w+\[\w+\]")
_GIVEN = {"slo:service_sli_events:increase5m", "slo:service_sli_bad_events:increase5m"}
"""Written by the scene: they are the long memory."""
_LONG = re.compile(r":ratio_rate(?:1d|3d|30d)$|:(?:ratio|seconds)30d$|_objective:ratio$")


def recording_rules() -> dict[str, str]:
    """Return the expressions of the recording rules in terms of what is scraped."""
    path = ROOT / "prometheus" / "rules" / "10-recording.yml"
    rules = [rule for group in yaml_of(path.read_text())["groups"] for rule in group["rules"]]
    written = {rule["record"]: re.sub(r"#[^\n]*", "", rule["expr"]) for rule in rules}
    # A rule that looks back at what is recorded cannot be written in terms of what is scraped.
    written = {name: expr for name, expr in written.items() if not _LOOKS_BACK.search(expr)}

    def expanded(name: str) -> str:
        if name in _GIVEN or name not in written:
            return name
        return f"({_NAME.sub(lambda found: expanded(found[0]), written[name])})"

    return {
        name: " ".join(expanded(name).removeprefix("(").removesuffix(")").split())
        for name in written
        if name not in _GIVEN and not re.search(r":\w+\{", expanded(name))
    }


def _recorded(desk: Desk) -> Iterator[str]:
    for name, expr in recording_rules().items():
        spans = [(happened.RECENT, happened.END, 60)]
        if _LONG.search(name):
            quarter = 6 * happened.HOUR
            spans = [
                (happened.WEEKS, happened.END - 2 * quarter, quarter),
                (happened.RECENT, happened.DEAD, 300),
            ]
        for start, end, step in spans:
            found = desk.get("query_range", query=expr, start=start, end=end, step=step)
            for row in found["result"]:
                labels = ",".join(f'{k}="{v}"' for k, v in row["metric"].items())
                yield "".join(f"{name}{{{labels}}} {v} {int(t)}\n" for t, v in row["values"])
    yield "# EOF\n"


def _fill(folder: Path, texts: Iterator[str]) -> None:
    file = folder / "samples.txt"
    with file.open("w") as out:
        out.writelines(texts)
    command = [
        *unhurried("promtool"),
        "tsdb",
        "create-blocks-from",
        "--quiet",
        "--max-block-duration=1024h",
        "openmetrics",
        str(file),
        str(folder / "tsdb"),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file.unlink()


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    (folder / "prometheus.yml").write_text("{}")
    port = free_port()
    running: Any = prometheus(
        folder, folder / "prometheus.yml", port, "--storage.tsdb.retention.time=1000d"
    )
    with running:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def month(folder: Path) -> Iterator[str]:
    """Yield the address of a Prometheus that remembers the month before `happened.END`."""
    _fill(folder, scene.lines())
    with _serving(folder) as base:
        recorded = list(_recorded(Desk(base, happened.END)))
    _fill(folder, iter(recorded))
    with _serving(folder) as base:
        yield base
