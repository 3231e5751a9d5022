"""Time passes: results grow stale, windows open and close, and nothing holds the loop meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exporter.clock import in_slices
from exporter.config import Maintenance, Target
from exporter.model import Outcome, Reason, Result, Verdict
from exporter.registry import Registry
from exporter.results import Results
from exporter.results.aging import SLICE_SERVICES, Aging
from tests.clocks import QuickClock
from tests.fakes import service_target
from tests.programs import fleet


@dataclass
class Shown:
    """Who listens, writing down what it hears."""

    stale: list[str] = field(default_factory=list)
    windows: dict[str, bool] = field(default_factory=dict)

    def refresh(self, target: Target) -> None:
        self.stale.append(target.id)

    def set_maintenance(self, target: Target, active: bool) -> None:
        self.windows[target.id] = active


class Stage:
    """A registry whose services never have a result."""

    def __init__(self, *targets: Target) -> None:
        self.clock, self.registry, self.results = QuickClock(), Registry(), Results()
        self.shown = Shown()
        self.registry.replace(targets)
        self.aging = Aging(self.registry, self.results, self.clock, self.shown)


async def test_silence_is_told_once_after_three_intervals() -> None:
    stage = Stage(service_target("a", interval=10.0), service_target("b", interval=1000.0))

    for _ in range(3):
        await stage.aging.look()
        await stage.clock.advance(31.0)
    await stage.aging.look()

    assert stage.shown.stale == ["a"]


async def test_the_silence_that_a_provider_asks_for_is_no_silence_of_ours() -> None:
    target = service_target("a", interval=10.0)
    stage = Stage(target)
    at = stage.clock.now()
    limited = Result(
        service="a",
        at=at,
        outcome=Outcome(reason=Reason.RATE_LIMITED, retry_after=3600.0),
        verdict=Verdict.QUOTA,
    )
    stage.results.of("a").add(limited, target)
    found = []

    for seconds in (0.0, 3600.0, 29.0, 2.0):
        await stage.clock.advance(seconds)
        await stage.aging.look()
        found.append(list(stage.shown.stale))

    assert found == [[], [], [], ["a"]]


async def test_a_window_opens_and_closes_by_itself() -> None:
    clock = QuickClock()
    window = Maintenance(start=clock.now() + 10, end=clock.now() + 20)
    stage = Stage(service_target("a", maintenance=(window,)), service_target("b"))
    seen = []

    for _ in range(3):
        await stage.aging.look()
        seen.append(dict(stage.shown.windows))
        await stage.clock.advance(12.0)

    assert seen == [{"a": False}, {"a": True}, {"a": False}]


async def test_what_is_removed_or_changed_during_a_look_is_left_alone() -> None:
    stage = Stage(*(service_target(f"s{i}", interval=1.0) for i in range(SLICE_SERVICES + 2)))
    await stage.aging.look()
    await stage.clock.advance(10.0)

    look = asyncio.create_task(stage.aging.look())
    await asyncio.sleep(0)  # the first slice is over
    stage.registry.remove(f"s{SLICE_SERVICES}")
    stage.results.forget(f"s{SLICE_SERVICES}")
    stage.registry.put(service_target(f"s{SLICE_SERVICES + 1}", interval=1000.0))
    await look

    assert stage.shown.stale == [f"s{i}" for i in range(SLICE_SERVICES)]
    assert f"s{SLICE_SERVICES}" not in stage.results.by_service


@pytest.mark.parametrize(("count", "turns"), [(0, 0), (1, 0), (9, 0), (10, 1), (25, 2)])
async def test_the_loop_runs_after_every_slice(count: int, turns: int) -> None:
    ticks = itertools.count()
    ticking = asyncio.create_task(_tick(ticks))
    await asyncio.sleep(0)
    before = next(ticks)

    items = [item async for item in in_slices(range(count), 10)]

    assert items == list(range(count))
    assert next(ticks) - before - 1 == turns
    ticking.cancel()


async def _tick(ticks: itertools.count[int]) -> None:
    while True:
        next(ticks)
        await asyncio.sleep(0)


_SERVE = """
import asyncio, gc, os, signal, sys
from exporter.app import App, Options
from exporter.cli.serving import serve
from exporter.config import read_files
from pathlib import Path

before = gc.get_freeze_count()  # Python 3.12 begins with some

def started(app):
    print(gc.get_freeze_count() - before)
    os.kill(os.getpid(), signal.SIGTERM)

app = App(Options(source=lambda: read_files([Path(sys.argv[1])], {}), environment={}, port=0))
asyncio.run(serve(app, started))
"""


@pytest.mark.parametrize(("count", "frozen"), [(3, False), (600, True)])
def test_many_services_are_out_of_the_cycle_collectors_sight(
    tmp_path: Path, count: int, frozen: bool
) -> None:
    config = tmp_path / "services.yaml"
    config.write_text(fleet("http://127.0.0.1:1", count, "1h"))
    run = subprocess.run(
        [sys.executable, "-c", _SERVE, str(config)], capture_output=True, text=True, check=True
    )
    assert (int(run.stdout) > 50 * count) is frozen


_RENDER = """
import asyncio, gc, os, signal, sys
from exporter.app import App, Options
from exporter.cli.serving import serve
from exporter.config import read_files
from exporter.metrics.exposition import LOAD
from pathlib import Path

async def main(app):
    started = asyncio.Event()
    serving = asyncio.create_task(serve(app, lambda app: started.set()))
    await started.wait()
    before = gc.get_freeze_count()
    await app.exposition.settle()
    print(LOAD, gc.get_freeze_count() - before)
    os.kill(os.getpid(), signal.SIGTERM)
    await serving

app = App(Options(source=lambda: read_files([Path(sys.argv[1])], {}), environment={}, port=0))
asyncio.run(main(app))
"""


def test_their_rendered_lines_are_out_of_its_sight_too(tmp_path: Path) -> None:
    config = tmp_path / "services.yaml"
    config.write_text(fleet("http://127.0.0.1:1", 600, "1h"))
    run = subprocess.run(
        [sys.executable, "-c", _RENDER, str(config)], capture_output=True, text=True, check=True
    )
    at_once, frozen = map(int, run.stdout.split())
    assert frozen > 2 * at_once
