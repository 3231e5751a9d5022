"""The end of the senders comes, whatever a library makes of it."""

from __future__ import annotations

import asyncio

from exporter.notifying.messages import Message
from tests.notifying.stage import Recorder, Stage, alert, settled
from tests.patience import within


class Swallowing(Recorder):
    """A medium that is done at the moment in which it is cancelled, as wait_for of Python 3.11."""

    async def send(self, message: Message, page: str) -> None:
        self.tried.append(message)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.sent.append(message)


async def test_a_cancellation_that_is_swallowed_ends_the_senders_all_the_same() -> None:
    stage = Stage()
    stage.make = lambda setting: stage.media.setdefault(setting.key, Swallowing(setting))  # type: ignore[method-assign]
    async with stage:
        await stage.fires(alert())
        await stage.passes(60)
        assert len(stage.hook.tried) == 1

        await within(5, stage.killed())

    await settled()
    assert len(stage.hook.sent) == 1
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
