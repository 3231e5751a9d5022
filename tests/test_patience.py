"""What other work takes from the machine is not held against the programs that are waited for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.patience import Patience, seconds_waited


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
