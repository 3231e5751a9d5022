"""In which order the files of tests run, and which of them get the cores before the others.

Half of the time of the suite is tests that wait: real programs, on clocks of their own. So there
are two workers for a core, and the longest files come first, one that waits after one that
computes: at the end small files are left, and no worker is alone with a long one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Protocol, TypeVar

WAITING = (
    "tests/test_story.py",
    "tests/test_chain.py",
    "tests/test_story_victoria.py",
    "tests/test_readme_stack.py",
    "tests/test_restart.py",
    "tests/test_demo.py",
    "tests/test_chain_messages.py",
    "tests/test_chain_kills.py",
    "tests/test_stack.py",
    "tests/test_stack_command.py",
    "tests/test_ticket.py",
    "tests/test_vmalert.py",
    "tests/probers/test_network_faults.py",
    "tests/probers/test_name_servers.py",
    "tests/probers/test_rebinding.py",
    "tests/probers/test_hostile.py",
    "tests/hostile/test_behaviours.py",
    "tests/models/test_kills.py",
    "tests/serving/test_flood.py",
    "tests/serving/test_crowd.py",
    "tests/test_clock_process.py",
    "tests/test_process.py",
    "tests/test_http_sd.py",
    "tests/test_stopped.py",
    "tests/incidents/test_told_live.py",
    "tests/library/test_examples.py",
)
"""Real programs that have to keep to real time, for which they need little of a core, but soon."""
COMPUTING = (
    "tests/test_victoria.py",
    "tests/test_rule_timing.py",
    "tests/test_rules.py",
    "tests/page/test_browser.py",
    "tests/incidents/test_histories.py",
    "tests/store/test_damage.py",
    "tests/alerting/test_both_ways.py",
    "tests/api/test_openapi.py",
    "tests/grafana/test_past.py",
    "tests/page/test_accessibility.py",
    "tests/page/test_accessibility_of_parts.py",
    "tests/test_fuzz.py",
    "tests/test_conventions.py",
    "tests/config/test_corpus.py",
    "tests/page/test_times.py",
    "tests/page/test_use.py",
    "tests/providers/test_presets.py",
    "tests/probers/test_never_ok.py",
    "tests/test_mutants.py",
)
"""Those with the most CPU seconds come first; a short file that is missing here is no mistake."""
FIRST = tuple(
    file for both in itertools.zip_longest(COMPUTING, WAITING) for file in both if file is not None
)
_AHEAD = -10
"""Their niceness: of a core that ten others want too, they get half."""


class Test(Protocol):
    """What is known of a collected test."""

    @property
    def nodeid(self) -> str:
        """The file and the name, after `::`."""


Some = TypeVar("Some", bound=Test)


def file_of(test: Test) -> str:
    """Return the file of *test*, from the root of the repository."""
    return test.nodeid.partition("::")[0]


def in_order(tests: list[Some]) -> list[Some]:
    """Return *tests* with those of `FIRST` in front, else in the order they have."""
    rank = {file: number for number, file in enumerate(FIRST)}
    return sorted(tests, key=lambda test: rank.get(file_of(test), len(rank)))


@contextlib.contextmanager
def ahead(test: Test) -> Iterator[None]:
    """Put this process, and what it starts meanwhile, ahead of others if *test* is `WAITING`.

    Only root may; without that they share the cores as everybody does.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    if file_of(test) in WAITING:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, min(before, _AHEAD))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
