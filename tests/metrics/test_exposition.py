"""The page: a view on the results, complete from the start, without ghosts."""

from __future__ import annotations

import asyncio
import gzip
import random
import subprocess
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from exporter.config import Objectives, Target, Threshold, ThresholdKind
from exporter.config.declarations import LatencyObjective
from exporter.metrics import FAMILIES, Exposition, IncidentMetrics, OwnMetrics, PageNews
from exporter.metrics.exposition import RENDER_SECONDS, SLICE_RENDERED
from exporter.metrics.family import When
from exporter.model import (
    FACTS,
    OFFLINE,
    Certificate,
    Limit,
    Outcome,
    Reason,
    Result,
    Verdict,
    verdict_of,
)
from exporter.registry import Registry, RegistryChange
from exporter.results import Results, status_of
from exporter.secret import Secret
from exporter.statuspages import State
from tests.fakes import FakeClock, service_target
from tests.programs import program

AT = 1_800_000_000.0


class Stage:
    """Results, exposition and a shorthand for one probe."""

    def __init__(
        self,
        *,
        lean: bool = False,
        compact: bool = False,
        page: State | None = None,
        news: PageNews | None = None,
    ) -> None:
        self.results, self.own = Results(), OwnMetrics("0.0.test")
        self.exposition = Exposition(
            self.results,
            self.own,
            IncidentMetrics(Registry()),
            lean=lean,
            compact=compact,
            page=lambda target: page,
            news=lambda target: news or PageNews(),
        )

    def put(self, target: Target) -> Target:
        self.exposition.put(target)
        return target

    def probe(self, target: Target, reason: Reason = Reason.OK, **outcome: Any) -> None:
        seen = Outcome(reason=reason, **({"duration": 0.02} | outcome))
        result = Result(
            service=target.id, at=AT, outcome=seen, verdict=verdict_of(reason), attempts=1
        )
        self.results.of(target.id).add(result, target)
        self.exposition.refresh(target)

    async def text(self, *, openmetrics: bool = False) -> str:
        pieces = [p async for p in self.exposition.chunks(openmetrics=openmetrics)]
        return b"".join(pieces).decode()

    async def samples(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the samples of *name* by the values of *labels*."""
        return {
            tuple(s.labels[label] for label in labels): s.value
            for family in families(await self.text())
            for s in family.samples
            if s.name == name
        }


@pytest.fixture
def stage() -> Stage:
    return Stage()


def rich_target(name: str = "a") -> Target:
    """Return a target with everything that a family can show."""
    return replace(
        service_target(name),
        team='say "hi"\n\\o/',
        key_configured=True,
        objectives=Objectives(
            availability=0.999, latency=LatencyObjective(threshold=0.8, target=0.99)
        ),
        thresholds=(
            Threshold(ThresholdKind.CONSECUTIVE_FAILURES, "high", 3),
            Threshold(ThresholdKind.ESCALATE_AFTER, "critical", 3600, "2"),
        ),
    )


def rich_probe(stage: Stage, target: Target, reason: Reason = Reason.OK) -> None:
    stage.probe(
        target,
        reason,
        phases=(0.001, 0.002, 0.003, 0.01, 0.004),
        status=200,
        http_version=1.1,
        content_length=12,
        certificate=Certificate(expiry=AT + 86400),
        limits={"requests": Limit(limit=60, remaining=59, reset=AT + 1)},
        quotas={("credits", "usd"): 12.5},
        readings={("queue", "jobs"): 3.0},
        key_expiry=AT + 1000,
        provider_seconds=0.007,
        keyed=True,
    )


def promtool(page: str) -> tuple[int, str, str]:
    """Return exit code, output and errors of `promtool check metrics`."""
    command = [program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


async def test_a_load_of_many_services_is_rendered_in_slices(stage: Stage) -> None:
    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    targets = [service_target(f"s{i}") for i in range(10 * SLICE_RENDERED)]
    stage.exposition.follow(RegistryChange(added=tuple(targets)))
    assert not stage.exposition.statuses  # nothing is rendered yet
    stage.exposition.drop("s0")
    working = asyncio.create_task(other_work())

    await stage.exposition.settle()

    working.cancel()
    assert turns >= 9
    assert dict(stage.exposition.statuses) == {"unknown": len(targets) - 1}


async def test_results_that_come_faster_than_they_are_rendered_hold_no_page_back(
    stage: Stage,
) -> None:
    targets = [stage.put(service_target(f"s{i}")) for i in range(3 * SLICE_RENDERED)]
    enough, turns = 1000, 0

    async def flood() -> None:
        nonlocal turns
        while turns < enough:
            for target in targets:
                stage.probe(target)
            turns += 1
            await asyncio.sleep(0)

    for target in targets:
        stage.probe(target, Reason.SERVER_ERROR)
    flooding = asyncio.create_task(flood())

    seen = await stage.samples("probe_results_total", "service", "reason")

    assert turns < enough
    assert all(seen[target.id, "server_error"] == 1 for target in targets), "known before the page"
    flooding.cancel()


async def test_every_enum_value_is_there_before_the_first_probe(stage: Stage) -> None:
    stage.put(service_target("a"))

    reasons = await stage.samples("probe_results_total", "reason")
    verdicts = await stage.samples("service_verdict", "verdict")

    assert reasons == {(reason,): 0 for reason in Reason}
    assert verdicts == {(verdict,): 0 for verdict in Verdict}


@pytest.mark.parametrize("reason", Reason)
async def test_each_reason_sets_exactly_its_verdict(stage: Stage, reason: Reason) -> None:
    target = stage.put(service_target("a"))

    stage.probe(target, reason)

    verdicts = await stage.samples("service_verdict", "verdict")
    assert [v for (v,), value in verdicts.items() if value] == [verdict_of(reason)]
    assert (await stage.samples("probe_results_total", "reason"))[(reason,)] == 1


@pytest.mark.parametrize(
    ("reason", "up", "valid"),
    [
        (Reason.OK, {("a",): 1}, {("a",): 1}),
        (Reason.KEY_OK_LIMITED, {("a",): 1}, {("a",): 1}),
        (Reason.AUTH_INVALID, {("a",): 1}, {("a",): 0}),
        (Reason.QUOTA_EXHAUSTED, {("a",): 1}, {("a",): 1}),
        (Reason.IP_BLOCKED, {("a",): 1}, {}),
        (Reason.SERVER_ERROR, {("a",): 0}, {}),
        (Reason.TIMEOUT, {("a",): 0}, {}),
        (Reason.INTERNAL, {}, {}),
    ],
)
async def test_up_and_key_valid_follow_from_the_reason(
    stage: Stage, reason: Reason, up: dict[Any, float], valid: dict[Any, float]
) -> None:
    target = stage.put(service_target("a"))

    stage.probe(target, reason, keyed=True)

    assert await stage.samples("service_up", "service") == up
    assert await stage.samples("service_key_valid", "service") == valid


async def test_a_probe_without_a_key_says_nothing_about_keys(stage: Stage) -> None:
    target = stage.put(service_target("a"))

    stage.probe(target, Reason.OK, keyed=False)

    assert await stage.samples("service_key_valid", "service") == {}


async def test_a_removed_service_leaves_no_series(stage: Stage) -> None:
    kept, gone = stage.put(service_target("kept")), stage.put(service_target("gone-one"))
    rich_probe(stage, kept)
    rich_probe(stage, gone)

    stage.exposition.drop("gone-one")
    stage.results.forget("gone-one")

    assert "gone-one" not in await stage.text()
    assert 'service="kept"' in await stage.text()


async def test_a_stale_result_is_no_data_and_the_verdict_monitoring(stage: Stage) -> None:
    target = stage.put(service_target("a"))
    rich_probe(stage, target)

    stage.results.grown_stale(target, AT, 0.0)
    stage.results.grown_stale(target, AT + 10_000, 0.0)
    stage.exposition.refresh(target)

    for name in ("probe_success", "service_up", "service_key_valid", "probe_duration_seconds"):
        assert await stage.samples(name, "service") == {}
    verdicts = await stage.samples("service_verdict", "verdict")
    assert [v for (v,), value in verdicts.items() if value] == [Verdict.MONITORING]


async def test_states_are_counted_as_they_change(stage: Stage) -> None:
    dice, known = random.Random(7), dict[str, Target]()
    for _ in range(400):
        id_ = f"s{dice.randrange(12)}"
        target = known.get(id_)
        match dice.randrange(4):
            case 0:
                known[id_] = stage.put(service_target(id_, enabled=dice.random() < 0.7))
            case 1 if target:
                stage.probe(target, dice.choice(list(Reason)))
            case 2 if target:
                stage.results.of(id_).stale = True
                stage.exposition.refresh(target)
            case 3 if target:
                del known[id_]
                stage.exposition.drop(id_)
                stage.results.forget(id_)
        counted = Counter(
            str(status_of(t, stage.results.of(t.id))) if t.enabled else "disabled"
            for t in known.values()
        )
        await stage.exposition.settle()
        assert +stage.exposition.statuses == counted


async def _after_pages(stage: Stage, clock: FakeClock, turns: list[int]) -> asyncio.Task[None]:
    """Return the running loop after a page, and further ones so many *turns* apart."""
    running = asyncio.create_task(stage.exposition.run(clock))
    for count in [0, *turns]:
        for _ in range(count):
            await clock.advance(RENDER_SECONDS)
        await stage.text()
    return running


async def test_little_is_left_for_a_page_to_render() -> None:
    stage, clock = Stage(), FakeClock()
    target = stage.put(service_target("a"))
    running = await _after_pages(stage, clock, [3])
    stage.probe(target)

    await clock.advance(RENDER_SECONDS)
    await clock.advance(RENDER_SECONDS)

    assert +stage.exposition.statuses == Counter({"unknown": 1}), "a page comes later"
    await clock.advance(RENDER_SECONDS)
    assert +stage.exposition.statuses == Counter({"healthy": 1}), "a page may come now"
    running.cancel()


@pytest.mark.parametrize("turns", [[], [1]], ids=["one page ever", "no page any more"])
async def test_where_nobody_reads_pages_nothing_is_rendered(turns: list[int]) -> None:
    stage, clock = Stage(), FakeClock()
    target = stage.put(service_target("a"))
    running = await _after_pages(stage, clock, turns)
    for _ in range(3):
        await clock.advance(RENDER_SECONDS)
    stage.probe(target)

    for _ in range(20):
        await clock.advance(RENDER_SECONDS)

    assert +stage.exposition.statuses == Counter({"unknown": 1})
    assert "probe_success{" in await stage.text(), "a page shows all there is"
    assert +stage.exposition.statuses == Counter({"healthy": 1})
    running.cancel()


@pytest.mark.parametrize("change", [{"enabled": False}, {"endpoint": None}])
async def test_what_is_not_probed_any_more_says_nothing_about_now(
    stage: Stage, change: dict[str, Any]
) -> None:
    target = stage.put(service_target("a"))
    rich_probe(stage, target)

    stage.put(replace(target, **change))

    for name in ("probe_success", "service_up", "service_key_valid", "probe_duration_seconds"):
        assert await stage.samples(name, "service") == {}
    assert set((await stage.samples("service_verdict", "verdict")).values()) == {0.0}
    assert await stage.samples("probe_attempts_total", "service") != {}


async def test_a_refresh_shows_what_a_full_rendering_would(stage: Stage) -> None:
    target = stage.put(rich_target())
    for reason in (Reason.OK, Reason.TIMEOUT, Reason.TIMEOUT, Reason.AUTH_INVALID, Reason.OK):
        rich_probe(stage, target, reason)
        refreshed = (await stage.text()).split("# HELP process_")[0]

        stage.exposition.put(target)

        assert (await stage.text()).split("# HELP process_")[0] == refreshed


async def test_each_family_stands_in_one_block_with_its_head(stage: Stage) -> None:
    for name in "abc":
        rich_probe(stage, stage.put(rich_target(name)))

    heads = [line.split()[2] for line in (await stage.text()).splitlines() if "# TYPE" in line]

    assert len(heads) == len(set(heads))


@pytest.mark.parametrize("lean", [False, True])
@pytest.mark.parametrize("compact", [False, True])
async def test_promtool_finds_nothing_to_say(lean: bool, compact: bool) -> None:
    stage = Stage(lean=lean, compact=compact, page=State.OPERATIONAL)
    rich_probe(stage, stage.put(rich_target()))

    assert await asyncio.to_thread(promtool, await stage.text()) == (0, "", "")


async def test_openmetrics_and_text_hold_the_same_samples(stage: Stage) -> None:
    rich_probe(stage, stage.put(rich_target()))

    text = {
        (s.name, *sorted(s.labels.items())): s.value
        for f in families(await stage.text())
        for s in f.samples
    }
    page = await stage.text(openmetrics=True)
    opened = {
        (s.name, *sorted(s.labels.items())): s.value for f in open_families(page) for s in f.samples
    }

    assert page.endswith("# EOF\n")
    ours = {k for k in text if not k[0].startswith(("process_", "exporter_"))}
    assert ours == {k for k in opened if not k[0].startswith(("process_", "exporter_"))}
    assert all(text[k] == opened[k] for k in ours)


async def test_hostile_text_in_a_label_stays_text(stage: Stage) -> None:
    stage.put(rich_target())

    found = await stage.samples("service_info", "team")

    assert found == {('say "hi"\n\\o/',): 1}


async def test_lean_shows_only_the_reasons_seen_and_no_histogram() -> None:
    stage = Stage(lean=True)
    target = stage.put(service_target("a"))
    stage.probe(target, Reason.TIMEOUT)

    reasons = await stage.samples("probe_results_total", "reason")

    assert reasons == {("ok",): 0, ("timeout",): 1}
    assert await stage.samples("probe_latency_seconds_count", "service") == {}


async def test_gzip_is_the_same_page_also_when_it_is_long(stage: Stage) -> None:
    for number in range(600):
        stage.put(rich_target(f"s{number}"))

    packed = b"".join([p async for p in stage.exposition.compressed()])

    unpacked = gzip.decompress(packed).decode().split("# HELP process_")[0]
    assert unpacked == (await stage.text()).split("# HELP process_")[0]
    assert 'service="s599"' in unpacked


async def test_a_failing_family_does_not_fail_the_page(stage: Stage) -> None:
    target = stage.put(service_target("a"))

    # A certificate that is no certificate: the renderer of its family raises.
    stage.results.of("a").certificate = object()  # type: ignore[assignment]
    stage.exposition.put(target)

    assert (await stage.samples("service_info", "service")) == {("a",): 1}
    assert (await stage.samples("exporter_render_errors_total"))[()] == 1
    assert "probe_ssl" not in await stage.text()


async def test_maintenance_is_shown_while_a_window_is_open(stage: Stage) -> None:
    target = stage.put(service_target("a"))

    stage.exposition.set_maintenance(target, True)
    during = await stage.samples("service_maintenance", "service")
    stage.exposition.set_maintenance(target, False)

    assert during == {("a",): 1}
    assert await stage.samples("service_maintenance", "service") == {("a",): 0}


async def test_a_service_slowed_by_a_rejected_key_may_be_silent_for_longer(stage: Stage) -> None:
    rows = (Threshold(ThresholdKind.PROBE_STALE, "high", 180),)
    target = stage.put(replace(service_target("a"), thresholds=rows))
    name = "service_threshold_probe_stale_seconds"
    before = await stage.samples(name, "severity")

    stage.probe(target, Reason.AUTH_INVALID, keyed=True)

    assert before == {("high",): 180}
    assert await stage.samples(name, "severity") == {("high",): 900}


async def test_since_when_and_why_it_fails_is_there_only_while_it_does(stage: Stage) -> None:
    target, name, seen = (
        stage.put(service_target("a")),
        "service_failing_since_timestamp_seconds",
        [],
    )

    for reason in (Reason.OK, Reason.TIMEOUT, Reason.SERVER_ERROR, Reason.KEY_OK_LIMITED):
        stage.probe(target, reason)
        seen.append(await stage.samples(name, "service", "provider", "reason", "verdict"))
    stage.probe(target, Reason.DNS)
    stage.results.of("a").stale = True
    stage.exposition.refresh(target)

    assert seen[0] == seen[3] == await stage.samples(name, "reason") == {}
    assert seen[1] == {("a", target.provider, "timeout", "provider"): AT}
    assert seen[2] == {("a", target.provider, "server_error", "provider"): AT}


async def test_every_reason_is_explained_with_every_verdict_that_it_can_have(stage: Stage) -> None:
    rows = await stage.samples("exporter_reason_info", "reason", "verdict", "fault", "advice")

    assert set(rows.values()) == {1}
    assert len(rows) == len(Reason) + len(OFFLINE)
    assert {(reason, str(FACTS[reason].verdict)) for reason in Reason} <= {row[:2] for row in rows}
    for reason, verdict, fault, advice in rows:
        offline = verdict == Verdict.NETWORK and reason in OFFLINE
        facts = FACTS[Reason(reason)]
        assert fault == ("our network down" if offline else facts.fault)
        assert advice == facts.advice or (offline and "our own network" in advice)


async def test_until_when_a_provider_makes_us_wait_is_shown_and_no_alarm_is_raised_by_it(
    stage: Stage,
) -> None:
    rows = (Threshold(ThresholdKind.PROBE_STALE, "high", 180),)
    target = stage.put(replace(service_target("a"), thresholds=rows))
    names = ("service_retry_after_timestamp_seconds", "service_threshold_probe_stale_seconds")
    seen = []

    for reason, wait in ((Reason.OK, None), (Reason.RATE_LIMITED, 7200.0), (Reason.DNS, None)):
        stage.probe(target, reason, retry_after=wait, duration=2.0)
        seen.append([list((await stage.samples(name)).values()) for name in names])

    assert seen == [[[], [180]], [[AT + 7202], [7202 + 180]], [[], [180]]]


async def test_a_changed_key_forgets_what_was_told_about_the_old(stage: Stage) -> None:
    target = stage.put(rich_target())
    rich_probe(stage, target)

    changed = replace(target, key=Secret("another-key-0123456789"))
    stage.exposition.put(changed)
    stage.probe(changed, Reason.OK, keyed=True)

    assert await stage.samples("service_rate_limit_remaining", "resource") == {}
    assert await stage.samples("service_key_expiry_timestamp_seconds", "service") == {}


async def test_objectives_and_their_events_go_together(stage: Stage) -> None:
    target = stage.put(rich_target())

    stage.probe(target, Reason.OK, duration=0.9)
    stage.probe(target, Reason.SERVER_ERROR)
    stage.probe(target, Reason.AUTH_INVALID)

    events = await stage.samples("service_sli_events_total", "slo")
    bad = await stage.samples("service_sli_bad_events_total", "slo")
    assert events == {("availability",): 2, ("latency",): 1}
    assert bad == {("availability",): 1, ("latency",): 1}
    assert await stage.samples("service_slo_objective_ratio", "slo") == {
        ("availability",): 0.999,
        ("latency",): 0.99,
    }


def test_every_family_has_help_and_a_name_of_its_kind() -> None:
    for family in FAMILIES:
        assert family.help.endswith(".")
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.when in When


async def test_a_service_that_cannot_be_shown_leaves_the_others_fresh(stage: Stage) -> None:
    bad, good = stage.put(service_target("bad")), stage.put(service_target("good"))
    for target in (bad, good):
        stage.probe(target)
    stage.results.of("bad").last = object()  # type: ignore[assignment]

    success = await stage.samples("probe_success", "service")

    assert success == {("good",): 1}
    assert (await stage.samples("exporter_render_errors_total"))[()] == 1


@pytest.mark.parametrize("openmetrics", [False, True])
def test_what_is_told_of_the_exporter_comes_family_by_family(
    stage: Stage, openmetrics: bool
) -> None:
    pieces = [piece.decode() for piece in stage.own.pieces(openmetrics=openmetrics)]

    assert all(piece.count("# HELP ") <= 2 for piece in pieces)  # a counter's has its _created
    assert len(pieces) > 30
    assert stage.own.page(openmetrics=openmetrics).decode().count("# EOF") == openmetrics
