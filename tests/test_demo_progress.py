"""What the demonstration waits for is said: no silence of more than five seconds, no flicker."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from exporter.demo import progress
from exporter.demo.progress import Waits
from tests.cli.screen import plain
from tests.patience import patient


class Lines:
    """What was said; a line counts as said on the loop's clock."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.waits = Waits(Console(file=io.StringIO()), self)

    def __call__(self, text: str) -> None:
        self.said.append(text)
        self.waits.said_at = asyncio.get_running_loop().time()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_SHORT_SECONDS", 0.0)


async def test_without_a_terminal_a_long_wait_is_told_again_and_again(quick: None) -> None:
    lines = Lines()

    async with lines.waits.until("stripe is healthy"), patient(30):
        while len(lines.said) < 2:
            await asyncio.sleep(0.01)

    assert all(text.startswith("waiting until stripe is healthy (") for text in lines.said)
    assert lines.said[0].endswith(" s so far)")


async def test_a_short_wait_is_not_told() -> None:
    lines = Lines()

    async with lines.waits.until("stripe is healthy"):
        await asyncio.sleep(0)

    assert lines.said == []


async def test_what_is_said_meanwhile_breaks_the_silence(quick: None) -> None:
    """A wait in which messages arrive needs no line of its own."""
    lines = Lines()
    lines.waits.said_at = asyncio.get_running_loop().time() + 100

    async with lines.waits.until("mail is sent"):
        await asyncio.sleep(0.3)

    assert lines.said == []


async def test_on_a_terminal_a_spinner_names_it_and_is_gone_afterwards(quick: None) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80)
    waits = Waits(console, lambda text: None)

    async with waits.until("stripe is healthy"), patient(30):
        while "waiting until stripe is healthy 0:00:0" not in plain(written.getvalue()):
            await asyncio.sleep(0.01)

    assert "\x1b[2K" in written.getvalue()[-20:], "the line of the spinner is erased"


async def test_a_wait_that_fails_ends_its_spinner(quick: None) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    waits = Waits(console, lambda text: None)

    async def fail() -> None:
        async with waits.until("stripe is healthy"):
            await asyncio.sleep(0.05)
            raise LookupError

    for _ in range(2):  # a second one would raise if the first still ran
        with pytest.raises(LookupError):
            await fail()
