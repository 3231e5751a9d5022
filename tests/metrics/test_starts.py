"""Start times: only for a Prometheus that looks for them, close enough for a short search, true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families

from exporter.metrics import IncidentMetrics
from exporter.metrics.models import model_pieces
from exporter.metrics.starts import EVERY_LINES, LONG_AGO
from exporter.model import Reason
from exporter.models import ModelStates
from exporter.registry import Registry
from exporter.textformat import OPENMETRICS
from tests.api.managed import running as running_app
from tests.fakes import service_target
from tests.metrics.test_exposition import AT, Stage, rich_probe, rich_target
from tests.metrics.test_incidents import A, counts
from tests.scripted_models import model

PLAIN = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
PROTO = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.7,"
"""What Prometheus puts before it when start times or native histograms are switched on."""


async def text(stage: Stage, **form: bool) -> str:
    return b"".join([piece async for piece in stage.exposition.chunks(**form)]).decode()


def ours(shown: str) -> str:
    """Return *shown* without what it says of the process, which goes on between two pages."""
    return re.split("# HELP (?:exporter|process)_", shown)[0]


def blocks(shown: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the type and the lines of each family of services."""
    for block in re.split(r"(?m)^# HELP ", shown.split("# HELP exporter_", maxsplit=1)[0]):
        if found := re.search(r"^# TYPE \w+ (\w+)\n", block, re.MULTILINE):
            yield found[1], block[found.end() :].splitlines()


def longest_search(shown: str) -> int:
    """Return how many lines Prometheus reads at most to look for one start time."""
    longest = 0
    for kind, lines in blocks(shown):
        if kind != "gauge":
            ends = [i for i, line in enumerate(lines) if "_created{" in line]
            longest = max([longest, *(b - a for a, b in pairwise([-1, *ends, len(lines)]))])
    return longest


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    for number in range(100):
        rich_probe(stage, stage.put(rich_target(f"s{number}")), list(Reason)[number % 9])
    return stage


async def test_a_search_is_as_short_for_many_services_as_for_few(stage: Stage) -> None:
    assert longest_search(await text(stage, openmetrics=True)) >= 100 * 25

    shown = await text(stage, openmetrics=True, starts=True)

    assert longest_search(shown) <= EVERY_LINES + len(Reason)


async def test_a_compact_page_has_start_times_too() -> None:
    stage = Stage(compact=True)
    for number in range(100):
        stage.probe(stage.put(service_target(f"s{number}")), Reason.OK)

    shown = await text(stage, openmetrics=True, starts=True)

    assert longest_search(shown) <= 3 * EVERY_LINES
    assert shown.count("_created{") < 0.1 * shown.count("\n")


async def test_the_page_is_read_and_else_the_same(stage: Stage) -> None:
    stage.exposition._began = AT

    plain, shown = [await text(stage, openmetrics=True, starts=on) for on in (False, True)]

    found = re.compile(r"^(probe|service)_\w+_created\{.*\n", re.MULTILINE)
    assert found.search(plain) is None
    assert ours(found.sub("", shown)) == ours(plain)
    made = [
        one
        for family in open_families(shown)
        for one in family.samples
        if one.name.endswith("_created") and "service" in one.labels
    ]
    assert {one.value for one in made} == {AT}
    assert len({one.name for one in made}) == 6


async def test_a_start_time_is_behind_its_own_metric(stage: Stage) -> None:
    lines = (await text(stage, openmetrics=True, starts=True)).splitlines()

    for before, line in pairwise(lines):
        if line.startswith(("probe_", "service_")) and "_created{" in line:
            metric = re.sub(r"_created(\{.*\}) .*", r"_(?:total|count)\1", re.escape(line))
            name, _, rest = line.partition("_created{")
            labels = "{" + rest.rpartition(" ")[0]
            assert before.startswith((f"{name}_total{labels} ", f"{name}_count{labels} ")), metric


async def test_braces_and_quotes_in_labels_stay_in_labels() -> None:
    stage = Stage()
    for number in range(EVERY_LINES):
        stage.put(replace(service_target(f"s{number}"), environment='a "}" b\\', provider="{x} 1"))

    shown = await text(stage, openmetrics=True, starts=True)

    environments = {
        one.labels["environment"]
        for family in open_families(shown)
        for one in family.samples
        if one.name == "probe_attempts_created"
    }
    assert environments == {'a "}" b\\'}


def test_incidents_and_models_have_them_too() -> None:
    rows = [(f"s{number}", A[1], A[2]) for number in range(50)]
    registry = Registry()
    registry.replace(service_target(row[0]) for row in rows)
    incidents = IncidentMetrics(registry)
    incidents.show(counts(*rows))
    states = ModelStates()
    for row in rows:
        states.put(replace(service_target(row[0]), models=(model("m"),)))

    pieces = (
        *incidents.pieces(openmetrics=True, began=AT),
        *model_pieces(states, openmetrics=True, began=AT),
    )
    shown = b"".join(pieces).decode()

    assert longest_search(shown) <= 2 * EVERY_LINES
    families = {family.name: family for family in open_families(shown + "# EOF\n")}
    assert all(
        any(one.name.endswith("_created") for one in family.samples) == (family.type != "gauge")
        for family in families.values()
    )
    assert [*model_pieces([], openmetrics=True, began=AT)] == []


@pytest.mark.parametrize(("accept", "found"), [(PLAIN, False), (PROTO + PLAIN, True)])
async def test_who_asks_for_protobuf_first_gets_them(accept: str, found: bool) -> None:
    services = [{"id": f"s{n}", "base_url": "http://127.0.0.1:9"} for n in range(EVERY_LINES)]
    async with running_app(f"services: {services}") as client, aiohttp.ClientSession() as session:
        asked = session.get(f"{client.base}/metrics", headers={"Accept": accept})
        async with asked as response:
            shown = await response.text()

    assert response.headers["Content-Type"] == OPENMETRICS
    assert ("probe_attempts_created{" in shown) is found


@pytest.mark.parametrize("kept", [False, True])
async def test_counters_began_with_the_process_or_before_the_first_release(
    tmp_path: Path, kept: bool
) -> None:
    more: dict[str, Any] = {"data": tmp_path} if kept else {}
    async with running_app(**more) as client:
        began, now = client.app.exposition._began, client.app.clock.now()

    assert (began == LONG_AGO) is kept
    assert kept or now - 60 < began <= now
