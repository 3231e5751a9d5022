"""How many series one service is, counted on the page: of our own API, and of one with everything.

Everything is the largest preset's: all its limits came, it has a status page, here one of ours, and
there are two objectives. Prometheus adds five of its own to a target (`up` and `scrape_…`): to
blackbox_exporter's for every service, to ours once.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

from tests.bench.peer import blackbox
from tests.bench.subjects import Bench, Serving, page_of
from tests.bench.table import BLACKBOX

PATIENCE_SECONDS = 60.0
KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
PRIORITY = ("input-tokens", "output-tokens")
ANSWER = b'{"status": "ok", "data": [{"type": "model", "id": "m"}], "has_more": false}'
SERVICES = """
services:
- {{id: custom, base_url: '{url}', health_check: {{allow_private_addresses: true}}}}
- id: everything
  provider: anthropic
  api_key: not-a-key-of-anybody
  base_url: '{url}'
  status_page: {{url: '{url}'}}
  objectives: {{availability: 99.9%, latency: {{threshold: 500ms, target: 95%}}}}
  health_check: {{allow_private_addresses: true}}
"""


class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers everything, with all the limits that the preset knows."""

    def do_GET(self) -> None:
        self.send_response(200)
        for name in [f"ratelimit-{kind}" for kind in KINDS] + [f"priority-{k}" for k in PRIORITY]:
            for key, value in (("limit", 50), ("remaining", 49), ("reset", "2036-11-24T12:00:01Z")):
                self.send_header(f"anthropic-{name}-{key}", str(value))
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(bench: Bench) -> None:
    """Count once: nothing in it is measured."""
    with _server() as url:
        for exporter in bench.exporters:
            with exporter.serving(bench.folder, SERVICES.format(url=url)) as serving:
                page = _probed(serving)
            for service in ("custom", "everything"):
                found = series(page, f'service="{service}"')
                bench.results.add(f"series of a service, {service}", exporter.name, found)
        with blackbox(bench.folder) as (_, base):
            probe = f"{base}/probe?module=plain&target={quote(url, safe='')}"
            page = urllib.request.urlopen(probe).read().decode()
        bench.results.add("series of a service, custom", BLACKBOX, series(page))


def series(page: str, label: str = "") -> int:
    """Return how many lines of *page* are series, of those with *label* if given."""
    return sum(label in line for line in page.splitlines() if line and not line.startswith("#"))


def _probed(serving: Serving) -> str:
    """Return the page as soon as both services have been probed with success."""
    end = time.monotonic() + PATIENCE_SECONDS
    good = re.compile(r'^probe_results_total\{.*reason="ok".*\} [1-9]', re.MULTILINE)
    while time.monotonic() < end:
        page = page_of(serving)
        if len(good.findall(page)) == 2:
            return page
        time.sleep(0.1)
    raise TimeoutError("the two services did not answer")
