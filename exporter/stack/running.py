"""Three programs as one: started in their order, ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from exporter.app import App
from exporter.programs import Program, ProgramError


async def run(
    app: App, programs: Sequence[Program], stop: asyncio.Event, started: Callable[[], None]
) -> None:
    """Run *app*, then *programs*, until *stop* is set; call *started* once all are ready.

    If one of them ends, the others are ended too: half a stack that looks whole is worse than none.

    Raises:
        ProgramError: a program did not start, or ended by itself.
        SettingsError: the configuration is wrong.
        OSError: an address cannot be bound.
    """
    ending, listening = asyncio.Event(), asyncio.Event()
    exporter = asyncio.create_task(app.run(ending, lambda _: listening.set()))
    others = asyncio.create_task(_live(programs, listening, started))
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait(
            (exporter, others, stopped), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        others.cancel()
        stopped.cancel()
        ending.set()
        await asyncio.gather(
            others, exporter, *(program.stop() for program in programs), return_exceptions=True
        )
    for task in done - {stopped}:
        task.result()
    if stopped not in done:
        raise ProgramError("the exporter ended")


async def _live(
    programs: Sequence[Program], listening: asyncio.Event, started: Callable[[], None]
) -> None:
    """Start *programs* one after the other and wait until one of them ends, which is an error."""
    await listening.wait()
    for program in programs:
        await program.start()
    started()
    lives = [asyncio.create_task(program.wait()) for program in programs]
    try:
        done, _ = await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
        for life in done:
            life.result()
    finally:
        for life in lives:
            life.cancel()
