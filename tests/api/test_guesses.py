"""Wrong tokens and passwords are answered more and more slowly; nobody else waits."""

from __future__ import annotations

import asyncio
import base64
from itertools import pairwise
from pathlib import Path

import bcrypt
import pytest

from exporter.api import guesses as guesses_module
from exporter.api.guesses import FORGET_SECONDS, MAX_ADDRESSES, MAX_WAITING, Guesses
from tests.api.test_edge import TOKEN, running
from tests.fakes import FakeClock, settle
from tests.patience import Stopwatch

WRONG = {"Authorization": "Bearer wrong-token-0123456789"}


async def _delay(guesses: Guesses, clock: FakeClock, address: str = "203.0.113.9") -> float:
    begun = clock.tick()
    waiting = asyncio.create_task(guesses.slow_down(address, "admin"))
    while not waiting.done():
        await clock.advance(0.05)
    return clock.tick() - begun


async def test_each_wrong_one_takes_longer_up_to_a_limit(clock: FakeClock) -> None:
    guesses = Guesses(clock, lambda what: None)

    delays = [await _delay(guesses, clock) for _ in range(9)]

    assert all(earlier < later for earlier, later in pairwise(delays[:6]))
    assert delays[-1] == pytest.approx(3.0, abs=0.1)


async def test_another_address_starts_at_the_beginning(clock: FakeClock) -> None:
    guesses = Guesses(clock, lambda what: None)
    for _ in range(9):
        await _delay(guesses, clock)

    assert await _delay(guesses, clock, "198.51.100.1") < 0.2


async def test_the_addresses_of_one_network_share_their_delay(clock: FakeClock) -> None:
    guesses = Guesses(clock, lambda what: None)
    delays = [await _delay(guesses, clock, f"2001:db8::{n:x}") for n in range(9)]

    assert delays[-1] > 2


async def test_an_address_is_forgotten(clock: FakeClock) -> None:
    guesses = Guesses(clock, lambda what: None)
    for _ in range(9):
        await _delay(guesses, clock)
    await clock.advance(FORGET_SECONDS + 1)

    assert await _delay(guesses, clock) < 0.2


async def test_the_table_and_the_waiting_are_bounded(clock: FakeClock) -> None:
    guesses = Guesses(clock, lambda what: None)
    several = 3 * MAX_ADDRESSES

    tasks = [
        asyncio.create_task(guesses.slow_down(f"10.{n >> 8}.{n & 255}.1", "admin"))
        for n in range(several)
    ]
    await settle()

    assert sum(not task.done() for task in tasks) == MAX_WAITING
    assert len(guesses._wrong) == MAX_ADDRESSES
    await clock.advance(10)
    await asyncio.gather(*tasks)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses_module, "FIRST_DELAY_SECONDS", 1.5)


@pytest.mark.usefixtures("slow")
async def test_a_right_token_does_not_wait_behind_wrong_ones() -> None:
    async with running("services: []") as client:
        watch = Stopwatch()
        wrong = asyncio.create_task(client.ask("POST", "/-/reload", headers=WRONG))
        right, _, _ = await client.ask(
            "POST", "/-/reload", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        right_after = watch.read().given
        scraped, _, _ = await client.ask("GET", "/metrics")
        refused, _, _ = await wrong
        refused_after = watch.read().seconds
        watch = Stopwatch()
        missing, _, _ = await client.ask("POST", "/-/reload")
        missing_after = watch.read().given
        _, _, page = await client.ask("GET", "/metrics")

    assert (right, scraped, refused, missing) == (200, 200, 401, 401)
    assert refused_after >= 1.5
    assert right_after < 1.4
    assert missing_after < 1.4, "no token at all is no guess"
    assert 'exporter_auth_failures_total{what="admin"} 1.0' in page
    assert 'exporter_auth_failures_total{what="receiver"} 0.0' in page


@pytest.mark.usefixtures("slow")
async def test_wrong_passwords_wait_too(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{me: '{hashed}'}}\n")

    async with running("services: []", web_config=file) as client:
        answers = {}
        for password in ("right", "wrong"):
            sent = base64.b64encode(f"me:{password}".encode()).decode()
            watch = Stopwatch()
            status, _, _ = await client.ask(
                "GET", "/-/healthy", headers={"Authorization": f"Basic {sent}"}
            )
            answers[password] = (status, watch.read())

    assert answers["right"][0] == 200
    assert answers["right"][1].given < 1.4
    assert answers["wrong"][0] == 401
    assert answers["wrong"][1].seconds >= 1.5
