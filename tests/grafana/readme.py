"""Take the README's pictures of three dashboards: `python -m tests.grafana.readme`; needs npm.

What is above the fold, in the month of `scene`, drawn with Grafana's components: render/README.md.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.grafana import happened
from tests.grafana.drawing import Drawing, drawn
from tests.grafana.past import month
from tests.grafana.reading import BOARDS, ROOT
from tests.page.browser import chromium

FOLDER = ROOT / ".github"
WIDTH = 1300
FOLDS = {"overview": "Runs out next", "service": "Reasons", "slo": "Objectives and budgets"}
"""The last panel of each picture."""
NAMES = {"slo": "objectives"}
ONE = {"service": "stripe", "environment": "production"}


async def _take(base: str) -> None:
    with chromium() as address:
        async with async_playwright() as driver:
            browser = await driver.chromium.connect_over_cdp(address)
            for name, last in FOLDS.items():
                board = BOARDS[f"registry-{name}"]
                chosen = ONE if name == "service" else {}
                what = Drawing(base, board, happened.END, "dark", WIDTH, chosen)
                async with drawn(browser, what) as (page, faults):
                    assert not faults, faults
                    box = await page.locator(f"[data-panel='{last}']").bounding_box()
                    assert box
                    fold = {"x": 0, "y": 0, "width": WIDTH, "height": box["y"] + box["height"] + 8}
                    file = FOLDER / f"{NAMES.get(name, name)}.png"
                    await page.screenshot(path=file, clip=fold)


def main() -> None:
    """Draw the month of `scene`."""
    with tempfile.TemporaryDirectory() as folder, month(Path(folder)) as base:
        asyncio.run(_take(base))


if __name__ == "__main__":
    main()
