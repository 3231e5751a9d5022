"""Write pictures of every dashboard to build/pictures: `python -m tests.grafana.pictures`.

Ends with 1 and says what is wrong if anything on them cannot be read.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.grafana import scene
from tests.grafana.drawing import Drawing, drawn
from tests.grafana.past import month
from tests.grafana.reading import BOARDS, ROOT
from tests.page.browser import chromium

FOLDER = ROOT / "build" / "pictures"
THEMES = ("dark", "light")
WIDTHS = (1600, 1300)
"""Pixels of a usual window, and of one beside Grafana's own menu."""
CHOSEN = {"registry-service": {"service": "stripe", "environment": "production"}}


async def take(browser: Browser, name: str, drawing: Drawing) -> list[str]:
    """Write the picture of *drawing*; return its faults."""
    file = FOLDER / f"{name.removeprefix('registry-')}-{drawing.theme}-{drawing.width}.png"
    async with drawn(browser, drawing) as (page, faults):
        await page.screenshot(path=file)
    print(file.relative_to(ROOT), *faults, sep="\n  ", flush=True)
    return faults


async def _take_all(base: str) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = 0
    with chromium() as address:
        async with async_playwright() as driver:
            browser = await driver.chromium.connect_over_cdp(address)
            for name, board in BOARDS.items():
                chosen = CHOSEN.get(name, {})
                for theme in THEMES:
                    for width in WIDTHS:
                        what = Drawing(base, board, scene.END, theme, width, chosen)
                        found += len(await take(browser, name, what))
    return found


def main() -> int:
    """Draw the month of `scene`; return the status to exit with."""
    with tempfile.TemporaryDirectory() as folder, month(Path(folder)) as base:
        return 1 if asyncio.run(_take_all(base)) else 0


if __name__ == "__main__":
    sys.exit(main())
