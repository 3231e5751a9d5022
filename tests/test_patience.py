"""What other work takes from the machine is not held against the programs that are waited for."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import Patience, patient, seconds_held, seconds_waited, within


class Machine:
    """Says for how long threads have waited for a core."""

    def __init__(self) -> None:
        self.now, self.waited = 100.0, {"1": 7.0}

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, tick=lambda: self.now, waited=lambda: dict(self.waited))

    def passes(self, seconds: float, **held: float) -> None:
        self.now += seconds
        for thread, more in held.items():
            self.waited[thread] = self.waited.get(thread, 0.0) + more


def test_on_an_idle_machine_the_seconds_are_seconds() -> None:
    machine = Machine()
    patience = machine.patience(60)

    machine.passes(59.9)
    assert not patience.is_over
    machine.passes(0.2)
    assert patience.is_over


def test_what_threads_waited_for_a_core_does_not_count() -> None:
    machine = Machine()
    patience = machine.patience(60)

    machine.passes(90, **{"1": 20.0, "2": 20.0})  # the second is new
    assert not patience.is_over
    machine.passes(11)
    assert patience.is_over


def test_it_ends_although_the_machine_gives_nothing() -> None:
    machine = Machine()
    patience = machine.patience(60)

    for _ in range(230):
        machine.passes(1, **{"1": 50.0})
        assert not patience.is_over
    machine.passes(11, **{"1": 50.0})
    assert patience.is_over


def test_what_ended_takes_nothing_back() -> None:
    machine = Machine()
    patience = machine.patience(60)

    machine.waited.clear()
    machine.passes(61)
    assert patience.is_over


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux, which CI is, counts it")
def test_the_programs_that_were_started_are_seen_with_their_threads() -> None:
    code = (
        "import threading, sys; threading.Thread(target=sys.stdin.read).start(); print(flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = seconds_waited()
        assert child.stdin is not None
        child.stdin.close()

    assert str(child.pid) in found
    assert len(found.keys() - seconds_waited().keys()) >= 2


async def test_a_block_that_waits_on_an_idle_machine_is_cancelled_after_its_seconds() -> None:
    begun = time.monotonic()

    with pytest.raises(TimeoutError):
        await within(0.1, asyncio.Event().wait())

    assert time.monotonic() - begun >= 0.1


async def test_what_comes_in_time_is_returned_and_nothing_is_left_behind() -> None:
    coming = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.7, coming.set_result, "come")  # after the first look

    assert await within(30, coming) == "come"


async def test_a_block_has_more_time_while_the_machine_gives_none() -> None:
    begun, waits = time.monotonic(), itertools.count(0.0, 9.0)

    with pytest.raises(TimeoutError):
        async with patient(0.6, waited=lambda: {"1": next(waits)}):
            await asyncio.Event().wait()

    assert time.monotonic() - begun >= 0.8


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux, which CI is, counts it")
def test_what_one_process_waited_for_a_core_is_counted_alone() -> None:
    """Two that want one core: each waits about as long as the other runs."""
    core = str(min(os.sched_getaffinity(0)))
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    command = ["taskset", "-c", core, sys.executable, "-c", code]
    before = seconds_held(os.getpid())

    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
    ):
        for each in (one, other):
            assert each.stdout is not None
            each.stdout.readline()
        waited = [seconds_held(each.pid) for each in (one, other)]
        for each in (one, other):
            assert each.stdin is not None
            each.stdin.write(b"\n")
            each.stdin.close()

    assert sum(waited) >= 0.2
    assert seconds_held(one.pid) == 0.0, "it has ended"
    assert seconds_held(os.getpid()) >= before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux, which CI is, counts it")
def test_a_stopwatch_tells_what_others_took_apart() -> None:
    """Of two that want one core, one measures itself while it computes."""
    core = str(min(os.sched_getaffinity(0)))
    code = (
        "import time\nfrom tests.patience import Stopwatch\nwatch = Stopwatch()\n"
        "while time.process_time() < 0.6: pass\nprint(*watch.read())"
    )
    pinned = ["taskset", "-c", core, sys.executable, "-c"]
    root = Path(__file__).parents[1]

    with subprocess.Popen([*pinned, "while True: pass"]) as rival:
        done = subprocess.run(
            [*pinned, code], cwd=root, capture_output=True, text=True, check=True, timeout=60
        )
        rival.kill()

    seconds, given = map(float, done.stdout.split())
    assert 0 < given < seconds - 0.1
