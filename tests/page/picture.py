"""Take the README's picture of the page, as a browser shows it: `python -m tests.page.picture`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import async_playwright

from tests.page import scenes
from tests.page.browser import DESKTOP, chromium, visiting
from tests.page.stage import staged

PICTURE = Path(__file__).parents[2] / ".github" / "page.png"


async def take() -> None:
    """Write the picture of services in every state."""
    with chromium() as address:
        async with async_playwright() as driver, staged() as stage:
            await scenes.mixed(stage)
            browser = await driver.chromium.connect_over_cdp(address)
            async with visiting(browser, stage.base, size=DESKTOP) as visit:
                await visit.go()
                # High enough to need no scroll bar: a picture of the full page leaves a gap for it.
                height = await visit.page.evaluate("document.documentElement.scrollHeight")
                await visit.page.set_viewport_size({"width": DESKTOP[0], "height": height})
                await visit.page.evaluate("document.documentElement.style.overflow = 'hidden'")
                await visit.page.screenshot(path=PICTURE)


if __name__ == "__main__":
    asyncio.run(take())
