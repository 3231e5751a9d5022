"""The fixtures with what outsiders get, and with a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.page.browser import chromium
from tests.public.stage import Outside, outside


@pytest.fixture
async def stage() -> AsyncIterator[Outside]:
    async with outside() as stage:
        yield stage


@pytest.fixture(scope="module")
def running_chromium() -> Iterator[str]:
    with chromium() as address:
        yield address


@pytest.fixture
async def browser(running_chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        yield await driver.chromium.connect_over_cdp(running_chromium)
