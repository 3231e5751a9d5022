"""A long search leaves the loop alone, and its thread counts until it ends."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

import exporter.matching.beside as module
from exporter.matching import Beside, pattern_matches
from exporter.matching.beside import AT_ONCE, LONG_TEXT
from tests.patience import within


async def test_the_loop_runs_while_a_slow_pattern_is_searched_for() -> None:
    text = "".join(random.Random(1).choices("ab", k=300_000))
    turns, beside = 0, Beside()
    search = asyncio.create_task(
        beside.run(lambda: pattern_matches("[ab]*a[ab]{150}c", text), length=len(text))
    )
    while not search.done():
        turns += 1
        await asyncio.sleep(0.001)

    assert not await search
    assert turns > 10


async def test_a_short_text_costs_no_thread() -> None:
    here = await Beside().run(threading.current_thread, length=LONG_TEXT)

    assert here is threading.current_thread()


async def test_an_error_is_the_callers() -> None:
    with pytest.raises(ZeroDivisionError):
        await Beside().run(lambda: 1 // 0, length=LONG_TEXT + 1)


async def test_who_gave_up_takes_a_place_until_the_work_has_ended() -> None:
    beside, go, running = Beside(), threading.Event(), threading.Semaphore(0)

    def work() -> bool:
        running.release()
        return go.wait(30)

    given_up = [asyncio.create_task(beside.run(work, length=LONG_TEXT + 1)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    assert all([running.acquire(timeout=30) for _ in given_up])
    for task in given_up:
        task.cancel()
    waiting = asyncio.create_task(beside.run(lambda: "done", length=LONG_TEXT + 1))
    await asyncio.gather(*given_up, return_exceptions=True)
    assert not waiting.done()

    go.set()
    assert await within(30, waiting) == "done"


async def test_a_thread_that_dies_before_its_first_line_holds_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As without memory, when the thread was made and could not run: CPython prints that only."""
    monkeypatch.setattr(module, "START_SECONDS", 0.05)
    beside, started = Beside(), []
    with monkeypatch.context() as patch:
        patch.setattr(module._thread, "start_new_thread", lambda *given: started.append(given))
        for _ in range(AT_ONCE + 1):
            with pytest.raises(MemoryError):
                await within(30, beside.run(lambda: "never", length=LONG_TEXT + 1))

    for search, arguments in started:  # one that was only late does nothing
        search(*arguments)
    assert await beside.run(lambda: "done", length=LONG_TEXT + 1) == "done"
