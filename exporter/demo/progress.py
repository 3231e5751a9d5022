"""Says what is waited for: a spinner on a terminal, else a line after each five silent seconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_SHORT_SECONDS = 0.5
"""A wait as short as that needs no explanation; a spinner for it would flicker."""
SILENT_SECONDS = 5.0


class Waits:
    """Shows waits on *console*; *say* prints a line where no spinner can turn."""

    def __init__(self, console: Console, say: Callable[[str], None]) -> None:
        self._console, self._say = console, say
        self.said_at = 0.0
        """When the last line was printed, on the loop's clock."""

    @contextlib.asynccontextmanager
    async def until(self, goal: str) -> AsyncIterator[None]:
        """Show that *goal*, such as "stripe is healthy", is waited for while the block runs."""
        show = self._spin if self._console.is_terminal else self._report
        showing = asyncio.create_task(show(f"waiting until {goal}"))
        try:
            yield
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing

    async def _spin(self, text: str) -> None:
        await asyncio.sleep(_SHORT_SECONDS)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        # Transient: what was waited for is no part of the story.
        with Progress(*columns, console=self._console, transient=True) as progress:
            progress.add_task(text, total=None)
            await asyncio.Event().wait()

    async def _report(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            silent_since = max(begun, self.said_at)
            await asyncio.sleep(max(0.05, silent_since + SILENT_SECONDS - loop.time()))
            now = loop.time()
            if now - max(begun, self.said_at) >= SILENT_SECONDS:
                self._say(f"{text} ({now - begun:.0f} s so far)")
