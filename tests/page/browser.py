"""A real Chromium to open pages with: the system's own, so that no test downloads one."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

from tests.programs import program

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
DESKTOP, PHONE = (1280, 900), (360, 780)
# Counted from the start; a shift right after an input is counted as well.
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.shifts.push([entry.value, ...entry.sources.map((s) => s.node && s.node.nodeName)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Visit:
    """One open page, with the errors and warnings that the browser logged."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str = "/", *, live: bool = True) -> None:
        """Open *path*; return once it is live."""
        await self.page.goto(self.base + path)
        if live:
            await self.page.wait_for_selector("#line[data-line=live]")

    async def text(self, selector: str) -> str:
        """Return the text of the one element there."""
        return " ".join((await self.page.locator(selector).inner_text()).split())

    async def until(self, selector: str, text: str) -> None:
        """Return once the element there shows *text*."""
        element = self.page.locator(selector).filter(has_text=text)
        await element.first.wait_for(state="attached", timeout=10_000)

    async def wide(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        return int(
            await self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    async def shifts(self) -> list[Any]:
        """Return every jump of the layout since the page was opened."""
        await self.page.evaluate("new Promise((f) => requestAnimationFrame(() => setTimeout(f)))")
        return list(await self.page.evaluate("window.shifts"))

    async def unfold(self) -> None:
        """Show everything that is folded."""
        await self.page.locator("details").evaluate_all("a => a.forEach((d) => { d.open = true })")

    async def findings(self) -> list[str]:
        """Return what axe-core finds, however small."""
        await self.page.evaluate(AXE)
        report = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{item['id']} ({item['impact']}): {item['nodes'][0]['html'][:200]}"
            for item in report["violations"]
        ]


@contextlib.contextmanager
def chromium() -> Iterator[str]:
    """Run Chromium until the block ends; yield the address of its DevTools."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program("chromium"),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                lines = (line.partition("DevTools listening on ") for line in process.stderr)
                yield next(address.strip() for _, marker, address in lines if marker)
            finally:
                process.terminate()
                process.communicate()


@contextlib.asynccontextmanager
async def visiting(
    browser: Browser,
    base: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Any = "light",
    script: bool = True,
    zone: str = "UTC",
    touch: bool = False,
) -> AsyncIterator[Visit]:
    """Yield a page in a context of its own; at the end it must have no complaints.

    With *touch* it is a phone's: fingers, scroll bars over the page, the viewport that it asks for.
    """
    context: BrowserContext = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=script,
        timezone_id=zone,
        has_touch=touch,
        is_mobile=touch,
    )
    if script:
        await context.add_init_script(SHIFTS)
    page = await context.new_page()
    visit = Visit(page, base)
    page.on("console", lambda message: _complaint(visit, message.type, message.text))
    page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: visit.complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: _elsewhere(visit, request.url))
    try:
        yield visit
        assert visit.complaints == []
    finally:
        await context.close()


def _complaint(visit: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        visit.complaints.append(f"{kind}: {text}")


def _elsewhere(visit: Visit, url: str) -> None:
    if not url.startswith(visit.base):
        visit.complaints.append(f"request to another origin: {url}")
