"""A dashboard drawn with Grafana's published components in a real browser; see render/README.md."""

from __future__ import annotations

import contextlib
import http.server
import json
import mimetypes
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from tests.grafana.asking import SCRAPE
from tests.grafana.reading import ROOT, Json

BUILT = ROOT / "build" / "render"
_UI = BUILT / "node_modules" / "@grafana" / "ui" / "dist" / "public"
_FONTS = BUILT / "node_modules" / "@fontsource"
_FACES = "".join(
    f"@font-face {{font-family: '{name}'; font-weight: {weight}; "
    f"src: url(/font/{folder}/files/{folder}-latin-{weight}-normal.woff2)}}"
    for name, folder in (("Inter", "inter"), ("Roboto Mono", "roboto-mono"))
    for weight in (400, 500)
)
# The hidden texts make the browser load the fonts before anything is measured with them.
_PAGE = """<!doctype html><meta charset=utf8><style>{faces} body {{margin: 0}}</style>
<link rel=stylesheet href=/main.css><div id=root></div>
<span style="font: 400 1px Inter">x</span><span style="font: 500 1px Inter">x</span>
<span style="font: 500 1px 'Roboto Mono'">x</span>
<script>window.__grafana_public_path__ = "/public/"; window.__JOB = {job}</script>
<script src=/main.js></script>"""
# A clock that goes on: with one that stands still no debounced measurement ends.
_CLOCK = """{ const [Real, ahead] = [Date, %d - Date.now()]; window.Date = class extends Real {
  constructor(...all) { super(...(all.length ? all : [Real.now() + ahead])); }
  static now() { return Real.now() + ahead; }
}; }"""
_ICONS = "/public/build/img/"
CELL = 38
"""Pixels of a row of Grafana's grid with the gap below it."""


@dataclass(slots=True)
class Drawing:
    """What to draw: *board* at the Unix time *now*, with *chosen* values of its variables.

    *scrape* is the data source's interval in seconds: no curve has its points closer together.
    """

    base: str
    board: Json
    now: float
    theme: str = "dark"
    width: int = 1600
    chosen: Mapping[str, str] = field(default_factory=dict)
    scrape: int = SCRAPE

    @property
    def height(self) -> int:
        """Pixels of the whole board: Grafana does not draw rows of tables that are off screen."""
        places = [panel["gridPos"] for panel in self.board["panels"]]
        return 96 + CELL * max(place["y"] + place["h"] for place in places)

    def page(self) -> bytes:
        """Return the page that draws it."""
        job: dict[str, Any] = {
            "base": self.base,
            "board": self.board,
            "now": self.now,
            "theme": self.theme,
            "width": self.width,
            "scrape": self.scrape,
            "variables": {v["name"]: self._value(v) for v in self.board["templating"]["list"]},
        }
        text = json.dumps(job).replace("</", "<\\/")
        return _PAGE.format(faces=_FACES, job=text).encode()

    def _value(self, variable: Json) -> dict[str, str]:
        if (name := variable["name"]) in self.chosen:
            return {"text": self.chosen[name], "value": self.chosen[name]}
        if variable["type"] == "datasource":
            return {"text": "Prometheus", "value": "prometheus"}
        return {"text": "All", "value": variable["allValue"]}


def _file(path: str) -> Path | None:
    """Return the file that the page asks for."""
    if path in ("/main.js", "/main.css"):
        return BUILT / path[1:]
    if path.startswith(_ICONS):
        return _UI / "img" / path.removeprefix(_ICONS)
    return _FONTS / path.removeprefix("/font/") if path.startswith("/font/") else None


@contextlib.contextmanager
def _served(page: bytes) -> Iterator[str]:
    """Serve *page* and what it needs; yield its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            file = _file(path)
            known = path == "/" or (file is not None and file.is_file())
            body = page if path == "/" else file.read_bytes() if file and known else b""
            self.send_response(200 if known else 404)
            kind = "text/html" if path == "/" else mimetypes.guess_type(path)[0]
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@contextlib.asynccontextmanager
async def drawn(browser: Browser, drawing: Drawing) -> AsyncIterator[tuple[Page, list[str]]]:
    """Yield the page with *drawing* on it, and its faults as `panel: kind: what`."""
    page = await browser.new_page(
        viewport={"width": drawing.width, "height": drawing.height},
        timezone_id="UTC",
        locale="en-US",
    )
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"page: error: {error}"))
    try:
        await page.add_init_script(_CLOCK % (1000 * drawing.now))
        with _served(drawing.page()) as address:
            await page.goto(address, wait_until="commit")
            await page.wait_for_function("window.__done", timeout=90_000)
            await page.wait_for_load_state("networkidle")
            yield page, [*errors, *await page.evaluate("window.__faults()")]
    finally:
        await page.close()
