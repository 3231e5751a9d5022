"""The incident log is asked again only after a change."""

from __future__ import annotations

import asyncio
from typing import Any

from exporter.incidents import Incident, IncidentChange, Query
from exporter.page import incident_cache as module
from exporter.page.incident_cache import IncidentCache


class Log:
    """Answers once *answer* is set, and counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.listener: Any = None
        self.answer = asyncio.Event()
        self.answer.set()

    def subscribe(self, listener: Any) -> None:
        self.listener = listener

    async def find(self, query: Query) -> list[Incident]:
        self.asked += 1
        await self.answer.wait()
        return []

    def change(self) -> None:
        self.listener([IncidentChange(incident=object(), entries=())])  # type: ignore[arg-type]


def made() -> tuple[Log, IncidentCache]:
    log: Any = Log()
    return log, IncidentCache(log)


async def test_the_same_question_is_asked_once() -> None:
    log, cache = made()

    for _ in range(3):
        await cache.newest_of("a")
    await cache.newest_of("b")

    assert log.asked == 2


async def test_after_a_change_it_is_asked_again() -> None:
    log, cache = made()

    await cache.newest_of("a")
    log.change()
    await cache.newest_of("a")

    assert log.asked == 2


async def test_an_answer_of_before_a_change_is_not_remembered() -> None:
    log, cache = made()
    log.answer.clear()

    asking = asyncio.create_task(cache.newest_of("a"))
    await asyncio.sleep(0)
    log.change()
    log.answer.set()
    await asking
    await cache.newest_of("a")

    assert log.asked == 2


async def test_only_so_many_answers_are_remembered() -> None:
    log, cache = made()

    for number in range(module._MAX_ANSWERS + 2):
        await cache.newest_of(str(number))
    await cache.newest_of("0")
    await cache.newest_of(str(module._MAX_ANSWERS))

    assert log.asked == module._MAX_ANSWERS + 3
    assert len(cache._answers) <= module._MAX_ANSWERS
