"""What a page has: all, what rules and dashboards read, or no histogram; and how many series."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Objectives, Target
from exporter.config.declarations import Alerts, LatencyObjective
from exporter.config.thresholds import thresholds_of
from exporter.metrics import FAMILIES, PageNews
from exporter.metrics.selection import ABSENT, COMPACT_BUCKETS, families
from exporter.model import FACTS, Certificate, Limit, Reason, Verdict
from exporter.results import BUCKETS
from exporter.statuspages import State
from tests.engines import parsed, read_names
from tests.fakes import service_target
from tests.grafana.promql import selectors
from tests.grafana.reading import BOARDS, expressions
from tests.metrics.test_exposition import AT, Stage
from tests.test_rule_expressions import GROUPS

ROOT = Path(__file__).parent.parent.parent
MOST = {"custom": 40, "everything": 60}
"""Series of a service that works, as DESIGN promises."""
_SERIES = re.compile(r'^(\w+)\{[^}]*service="a"', re.MULTILINE)


LATENCY = LatencyObjective(threshold=0.8, target=0.99)


def service(alerts: Alerts, **changes: Any) -> Target:
    """Return a service with the thresholds of *alerts*."""
    return replace(service_target("a"), thresholds=thresholds_of(alerts, 60.0), **changes)


def plain() -> Target:
    """Return a custom API as a file declares it."""
    return service(Alerts())


def full() -> Target:
    """Return a service of a provider with every objective and threshold."""
    objectives = Objectives(availability=0.999, latency=LATENCY)
    return service(Alerts(latency_p95=2.0), key_configured=True, objectives=objectives)


def compact(**more: Any) -> Stage:
    return Stage(compact=True, **more)


def seen(stage: Stage, target: Target, reason: Reason = Reason.OK, **more: Any) -> None:
    usual = {"phases": (0.001, 0.002, 0.003, 0.01, 0.004), "status": 200, "http_version": 1.1}
    stage.probe(target, reason, **(usual | more))


async def counted(stage: Stage) -> Counter[str]:
    return Counter(_SERIES.findall(await stage.text()))


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_a_custom_api_has_at_most_forty_series(openmetrics: bool) -> None:
    stage = compact()
    seen(stage, stage.put(plain()), content_length=12)

    page = await stage.text(openmetrics=openmetrics)

    assert 30 < len(_SERIES.findall(page)) <= MOST["custom"]


async def test_a_service_with_everything_has_at_most_sixty() -> None:
    stage = compact(page=State.OPERATIONAL, news=PageNews(((("none", "none"), 1.0),)))
    resources = ("requests", "tokens", "input_tokens", "output_tokens")
    seen(
        stage,
        stage.put(full()),
        keyed=True,
        provider_seconds=0.01,
        certificate=Certificate(expiry=AT + 86400),
        limits={name: Limit(limit=60, remaining=59, reset=AT + 1) for name in resources},
    )

    found = await counted(stage)

    assert 50 < found.total() <= MOST["everything"], found


async def test_a_page_is_half_as_long() -> None:
    sizes = []
    for stage in (Stage(), compact()):
        for number in range(20):
            seen(stage, stage.put(replace(plain(), id=f"s{number}")), content_length=12)
        page = (await stage.text()).split("# HELP exporter_")[0]
        sizes.append(len(page.partition("# HELP process_")[0]))

    assert sizes[1] <= 0.5 * sizes[0]


def shown(page: str, name: str) -> list[str]:
    """Return the lines of *name*, from the first label of its own on."""
    lines = re.findall(rf'^{name}\{{service="a",\w+="[^"]*",\w+="[^"]*",?(.*)$', page, re.MULTILINE)
    return [line.replace("} ", " ") for line in lines]


async def test_no_rule_and_no_dashboard_reads_what_a_compact_page_has_not() -> None:
    read = {
        name for group in GROUPS for rule in group["rules"] for name in read_names(parsed(rule))
    }
    for board in BOARDS.values():
        read |= {metric for _, text in expressions(board) for metric, _ in selectors(text)}

    assert not ABSENT & read
    assert {f.name for f in FAMILIES} - {f.name for f in families(compact=True)} == ABSENT


async def test_reasons_are_there_once_they_occurred_and_those_of_rules_from_0() -> None:
    stage = compact()
    target = stage.put(plain())
    before = shown(await stage.text(), "probe_results_total")

    seen(stage, target, Reason.TIMEOUT)

    now = shown(await stage.text(), "probe_results_total")
    always = ['reason="ok" 0', 'reason="quota_exhausted" 0', 'reason="rate_limited" 0']
    assert before == always
    assert sorted(now) == sorted([*always, 'reason="timeout" 1'])


@pytest.mark.parametrize("reason", [*Reason, None])
async def test_of_verdicts_the_present_one_is_there_and_those_whose_0_is_read(
    reason: Reason | None,
) -> None:
    stage = compact()
    target = stage.put(plain())
    if reason is not None:
        seen(stage, target, reason)

    rows = shown(await stage.text(), "service_verdict")

    present = FACTS[reason].verdict if reason is not None else None
    expected = {str(v): int(v is present) for v in (Verdict.OK, Verdict.PROVIDER, present) if v}
    assert rows == [f'verdict="{v}" {expected[v]}' for v in Verdict if v in expected]


async def test_buckets_hold_what_those_of_a_complete_page_hold() -> None:
    pages = []
    for stage in (Stage(), compact()):
        target = stage.put(plain())
        for seconds in (0.001, 0.005, 0.02, 0.07, 0.3, 0.9, 2.0, 4.0, 8.0, 12.0, 40.0):
            seen(stage, target, duration=seconds)
        pages.append(shown(await stage.text(), "probe_latency_seconds_(?:bucket|sum|count)"))

    assert set(pages[1]) <= set(pages[0])
    assert len(pages[0]) - len(pages[1]) == len(BUCKETS) - len(COMPACT_BUCKETS)
    assert {BUCKETS[0], BUCKETS[-1]} <= set(COMPACT_BUCKETS) <= set(BUCKETS)


async def test_a_slow_answer_is_the_example_of_the_bucket_that_is_shown() -> None:
    stage = compact()
    target = stage.put(plain())
    for seconds, request_id in ((12.0, "req-1"), (20.0, "req-2"), (45.0, "req-3")):
        seen(stage, target, duration=seconds, request_id=request_id)

    lines = shown(await stage.text(openmetrics=True), "probe_latency_seconds_bucket")

    found = {line.split()[0]: line for line in lines if "#" in line}
    assert set(found) == {'le="30.0"', 'le="+Inf"'}
    assert 'request_id="req-3"' in found['le="+Inf"']
    assert re.search('request_id="req-[12]"', found['le="30.0"'])


async def test_a_threshold_is_there_while_it_is_compared() -> None:
    stage = compact()
    target = stage.put(full())

    async def rows() -> Counter[str]:
        found = await counted(stage)
        return Counter({n[18:]: c for n, c in found.items() if n.startswith("service_threshold_")})

    calm = {"consecutive_failures": 1, "latency_p95_seconds": 1, "probe_stale_seconds": 1}
    assert await rows() == calm
    seen(stage, target, certificate=Certificate(expiry=AT + 1), key_expiry=AT + 1, keyed=True)
    known = calm | {"certificate_remaining_seconds": 1, "key_remaining_seconds": 1}
    assert await rows() == known
    seen(stage, target, Reason.SERVER_ERROR)
    failing = {"consecutive_failures": 2, "escalate_after_seconds": 2, "state_changes_30m": 1}
    assert await rows() == known | failing
    seen(stage, target, Reason.AUTH_INVALID, keyed=True)
    assert await rows() == known | failing | {"key_invalid_seconds": 1}
    limits = {"requests": Limit(limit=60, remaining=0, reset=AT + 1)}
    seen(stage, target, Reason.RATE_LIMITED, keyed=True, limits=limits)
    limited = {"rate_limited_15m": 1, "rate_limit_remaining_ratio": 1}
    assert await rows() == known | failing | limited | {"key_invalid_seconds": 1}
    seen(stage, target, Reason.OK, keyed=True)
    assert await rows() == known | limited | {"state_changes_30m": 1}


async def test_the_threshold_that_stays_is_the_lowest() -> None:
    stage = compact()
    stage.put(service(Alerts(down_after=4, critical_after=2)))

    rows = shown(await stage.text(), "service_threshold_consecutive_failures")

    assert [row.rpartition(" ")[2] for row in rows] == ["2"]


async def test_maintenance_and_the_status_page_are_rows_while_there_is_something() -> None:
    stage = compact(page=State.DEGRADED, news=PageNews(((("investigating", "minor"), 1.0),)))
    target = stage.put(plain())
    before = shown(await stage.text(), "service_maintenance")

    stage.exposition.set_maintenance(target, True)

    page = await stage.text()
    assert (before, shown(page, "service_maintenance")) == ([], [" 1"])
    assert shown(page, "service_status_page") == ['state="degraded" 1']
    assert shown(page, "service_status_page_incident") == ['state="investigating",impact="minor" 1']


async def test_lean_and_compact_leave_out_what_either_does() -> None:
    stage = compact(lean=True)
    seen(stage, stage.put(plain()))

    found = await counted(stage)

    assert found["probe_results_total"] == 1
    assert found.total() < 25
    assert not [name for name in found if name.startswith("probe_latency")]


async def test_the_references_say_how_many_series_a_custom_api_has() -> None:
    found = []
    for lean, compacted in product((False, True), repeat=2):
        stage = Stage(lean=lean, compact=compacted)
        seen(stage, stage.put(plain()), content_length=12)
        found.append((await counted(stage)).total())
    whole, half, rest, both = found

    metrics = " ".join((ROOT / "exporter" / "metrics" / "README.md").read_text().split())
    settings = (ROOT / "config" / "README.md").read_text()
    assert f"for a custom API instead of {whole}," in metrics
    assert f"{rest} series for a custom API, {both} together" in metrics
    assert f"| {whole} series without a preset," in settings
    assert f"; {half} and 60 with `--metrics.compact`" in settings
    assert f"; {whole - rest} fewer with `--metrics.lean`" in settings


async def test_a_refreshed_compact_page_is_what_a_new_one_would_be() -> None:
    stage = compact()
    target = stage.put(full())
    for reason in (Reason.OK, Reason.TIMEOUT, Reason.AUTH_INVALID, Reason.RATE_LIMITED, Reason.OK):
        seen(stage, target, reason, keyed=True)
        refreshed = await counted(stage)
        page = (await stage.text()).split("# HELP process_")[0]

        stage.exposition.put(target)

        assert (await stage.text()).split("# HELP process_")[0] == page
        assert await counted(stage) == refreshed
