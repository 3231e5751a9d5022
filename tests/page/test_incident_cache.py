"""The log is asked once for what does not change."""

from __future__ import annotations

import asyncio
from typing import Any

from exporter.incidents import Incident, IncidentChange, Query
from exporter.page import incident_cache as module
from exporter.page.incident_cache import IncidentCache


class Log:
    """Answers when it is told to, and counts the questions."""

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
    log, desk = made()

    for _ in range(3):
        await desk.of("a")
    await desk.of("b")

    assert log.asked == 2


async def test_after_a_change_it_is_asked_again() -> None:
    log, desk = made()

    await desk.of("a")
    log.change()
    await desk.of("a")

    assert log.asked == 2


async def test_an_answer_of_before_a_change_is_not_remembered() -> None:
    log, desk = made()
    log.answer.clear()

    asking = asyncio.create_task(desk.of("a"))
    await asyncio.sleep(0)
    log.change()
    log.answer.set()
    await asking
    await desk.of("a")

    assert log.asked == 2


async def test_only_so_many_answers_are_remembered() -> None:
    log, desk = made()

    for number in range(module._KEPT + 2):
        await desk.of(str(number))
    await desk.of("0")
    await desk.of(str(module._KEPT))

    assert log.asked == module._KEPT + 3
    assert len(desk._known) <= module._KEPT
