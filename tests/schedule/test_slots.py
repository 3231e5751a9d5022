"""Slots of probes: never more than there are, in turn, and none is lost with who is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from exporter.schedule.slots import Slots


async def turns(rounds: int = 5) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_so_many_are_free_and_no_more() -> None:
    slots = Slots(2)

    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.give_back()
    assert [slots.take(), slots.take()] == [True, False]


async def test_who_waits_gets_a_slot_in_turn_and_before_who_comes_later() -> None:
    slots, order = Slots(1), list[str]()
    assert slots.take()

    async def probe(name: str) -> None:
        await slots.wait()
        order.append(name)

    waiting = [asyncio.create_task(probe(name)) for name in "ab"]
    await turns()
    slots.give_back()

    assert not slots.take()  # it is a's already, who has not run yet
    await turns()
    assert order == ["a"]
    slots.give_back()
    await asyncio.gather(*waiting)
    assert order == ["a", "b"]


@pytest.mark.parametrize("given", [False, True], ids=["waiting", "given one a moment before"])
async def test_who_is_cancelled_takes_no_slot_along(given: bool) -> None:
    slots = Slots(1)
    assert slots.take()
    gone, other = (asyncio.create_task(slots.wait()) for _ in range(2))
    await turns()

    if given:
        slots.give_back()
    gone.cancel()
    if not given:
        slots.give_back()
    await asyncio.gather(gone, return_exceptions=True)

    assert gone.cancelled()
    await asyncio.wait_for(other, 5)
    slots.give_back()
    assert [slots.take(), slots.take()] == [True, False]
