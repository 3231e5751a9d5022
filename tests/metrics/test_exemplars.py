"""Exemplars: request ids of failures and slow answers, in OpenMetrics only, as Prometheus reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families

from exporter.config import Target
from exporter.config.declarations import LatencyObjective, Objectives
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.results import Results
from exporter.results.exemplars import KEPT_SECONDS
from tests.api.managed import running as running_app
from tests.fakes import service_target
from tests.metrics.test_exposition import AT, Stage
from tests.patience import patient
from tests.programs import free_port, program, running
from tests.vendor import Vendor, answer

Found = dict[tuple[str, str], tuple[str, float, float]]
"""By name and last label: the request id, value and time of an exemplar."""


@pytest.fixture
def stage() -> Stage:
    return Stage()


def probe(
    stage: Stage, target: Target, reason: Reason = Reason.SERVER_ERROR, at: float = AT, **seen: Any
) -> None:
    outcome = Outcome(reason=reason, **({"duration": 0.02, "request_id": "req-1"} | seen))
    made = Result(service=target.id, at=at, outcome=outcome, verdict=verdict_of(reason))
    stage.results.of(target.id).add(made, target)
    stage.exposition.refresh(target)


async def exemplars(stage: Stage) -> Found:
    return {
        (s.name, s.labels.get("reason", s.labels.get("le", ""))): (
            s.exemplar.labels["request_id"],
            s.exemplar.value,
            float(s.exemplar.timestamp),
        )
        for family in open_families(await stage.text(openmetrics=True))
        for s in family.samples
        if s.exemplar is not None
    }


async def test_a_failure_is_the_example_of_its_reason(stage: Stage) -> None:
    a, b = stage.put(service_target("a")), stage.put(service_target("b"))
    probe(stage, a, at=AT - 60, request_id="req-0")
    probe(stage, a)
    probe(stage, a, Reason.OVERLOADED, request_id="req-2")
    probe(stage, b, Reason.OK, request_id="req-3")

    assert await exemplars(stage) == {
        ("probe_results_total", "server_error"): ("req-1", 1, AT),
        ("probe_results_total", "overloaded"): ("req-2", 1, AT),
    }


@pytest.mark.parametrize(
    ("seconds", "objective", "bound"),
    [
        (0.99, None, None),
        (1.2, None, "2.5"),
        (40.0, None, "+Inf"),
        (1.2, 2.0, None),
        (0.3, 0.2, "0.5"),
    ],
)
async def test_a_slow_answer_is_the_example_of_its_bucket(
    stage: Stage, seconds: float, objective: float | None, bound: str | None
) -> None:
    goal = LatencyObjective(threshold=objective, target=0.99) if objective else None
    target = stage.put(replace(service_target("a"), objectives=Objectives(latency=goal)))

    probe(stage, target, Reason.OK, duration=seconds)

    wanted: Found = {}
    if bound is not None:
        wanted[("probe_latency_seconds_bucket", bound)] = ("req-1", seconds, AT)
    assert await exemplars(stage) == wanted


async def test_text_plain_has_none_and_the_same_lines(stage: Stage) -> None:
    target = stage.put(service_target("a"))
    probe(stage, target)
    probe(stage, target, Reason.OK, duration=3.0)

    text = await stage.text()

    assert " # {" not in text
    marked = (await stage.text(openmetrics=True)).splitlines()
    # The process goes on between the two pages.
    bare = {line.partition(" # {")[0] for line in marked if not line.startswith(("#", "process_"))}
    assert bare == {line for line in text.splitlines() if not line.startswith(("#", "process_"))}


@pytest.mark.parametrize(
    "request_id",
    ["", "with space", 'say"hi"', "back\\slash", "new\nline", "x" * 119, "é", "-begins", "a{b}"],
)
async def test_what_is_no_clean_token_is_no_example(stage: Stage, request_id: str) -> None:
    probe(stage, stage.put(service_target("a")), request_id=request_id)

    assert await exemplars(stage) == {}


async def test_the_longest_has_118_characters(stage: Stage) -> None:
    probe(stage, stage.put(service_target("a")), request_id="x" * 118)

    ((text, *_),) = (await exemplars(stage)).values()
    assert len("request_id" + text) == 128


async def test_an_example_is_offered_for_minutes_and_then_forgotten(stage: Stage) -> None:
    target = stage.put(service_target("a"))
    probe(stage, target)
    probe(stage, target, Reason.OK, at=AT + KEPT_SECONDS)
    assert len(await exemplars(stage)) == 1

    probe(stage, target, Reason.OK, at=AT + KEPT_SECONDS + 1)

    assert await exemplars(stage) == {}
    assert stage.results.of("a").exemplars is None


async def test_none_is_ahead_of_a_clock_that_was_set_back(stage: Stage) -> None:
    target = stage.put(service_target("a"))
    probe(stage, target)
    probe(stage, target, Reason.OVERLOADED, at=AT - 3600, request_id="req-2")

    assert list(await exemplars(stage)) == [("probe_results_total", "overloaded")]

    assert stage.results.forget_paces() == ["a"]
    stage.exposition.refresh(target)
    assert await exemplars(stage) == {}


async def test_lean_mode_has_examples_of_results(stage: Stage) -> None:
    lean = Stage(lean=True)
    target = lean.put(service_target("a"))
    probe(lean, target)
    probe(lean, target, Reason.OK, duration=3.0, request_id="req-2")

    assert await exemplars(lean) == {("probe_results_total", "server_error"): ("req-1", 1, AT)}


def test_a_service_that_works_holds_none() -> None:
    results, target = Results(), service_target("a")
    for i in range(100):
        outcome = Outcome(reason=Reason.OK, duration=0.2, request_id=f"req-{i}")
        made = Result(service="a", at=AT + i, outcome=outcome, verdict=verdict_of(Reason.OK))
        results.of("a").add(made, target)

    assert results.of("a").exemplars is None


# -- Prometheus itself -------------------------------------------------------------------------


def _asked(url: str) -> Any:
    with urllib.request.build_opener().open(url, timeout=5) as response:
        return json.load(response)["data"]


KEY = "sk-live-0123456789abcdefghij"
LONGEST = "r" + "0" * 117
HOSTILE = (
    'say"hi"',
    "back\\slash",
    "\u00e9" * 59,
    LONGEST + "0",
    'x"} 1 99999999999',
    "# {a=b} 1",
    f"req-{KEY}",
    f"req-{KEY[::-1]}",
)


async def test_prometheus_keeps_them_and_answers_them(vendor: Vendor, tmp_path: Path) -> None:
    """Among answers of which each would break the page, or take a key with it, by its id."""
    ids = ("req_kept_by_prometheus", LONGEST, *HOSTILE)
    check = {"interval": "1s", "retries": 0, "allow_private_addresses": True}
    services = []
    for number, request_id in enumerate(ids):
        vendor.on(f"/{number}", answer(500, b"{}", [("X-Request-Id", request_id)]))
        about = {"id": f"s{number}", "base_url": vendor.url(f"/{number}"), "api_key": KEY}
        services.append({**about, "health_check": check})
    async with running_app(json.dumps({"services": services})) as client:
        for service in services:
            await client.probed(str(service["id"]))
        found, targets = await _scraped(client.base, tmp_path)

    kept = {
        (one["seriesLabels"]["service"], one["seriesLabels"]["reason"]): {
            each["labels"]["request_id"] for each in one["exemplars"]
        }
        for one in found
    }
    assert kept == {("s0", "server_error"): {ids[0]}, ("s1", "server_error"): {LONGEST}}
    assert targets["activeTargets"][0]["health"] == "up"
    assert targets["activeTargets"][0]["lastError"] == ""


async def _scraped(exporter: str, tmp_path: Path) -> tuple[list[Any], Any]:
    """Return the exemplars that a Prometheus has of the failures of *exporter*, and its targets."""
    port = free_port()
    scrape = {"job_name": "a", "static_configs": [{"targets": [exporter.split("//")[1]]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    command = [
        program("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]
    base = f"http://127.0.0.1:{port}"
    span = urllib.parse.urlencode({"query": "probe_results_total", "start": 0, "end": 2**32})
    with contextlib.ExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, running(command, None, f"{base}/-/ready"))
        async with patient(60):
            found: list[Any] = []
            while not found:
                await asyncio.sleep(0.1)
                found = await asyncio.to_thread(_asked, f"{base}/api/v1/query_exemplars?{span}")
        targets = await asyncio.to_thread(_asked, f"{base}/api/v1/targets")
        await asyncio.to_thread(stack.close)

    return found, targets
