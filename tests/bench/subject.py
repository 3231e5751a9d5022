"""The exporter as it is, writing down every probe: `python -m tests.bench.subject CONFIG PORT OUT`.

Reading durations from /metrics would put a parser beside the server whose delay is judged; here the
rows are written when the process is told to stop.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import uvloop

from exporter.app import App, Options
from exporter.cli.serving import serve
from exporter.config import Target, read_files
from exporter.model import Result


class Recording(App):
    """An exporter that remembers (service, Unix time, seconds) of every probe."""

    rows: list[tuple[str, float, float]]

    def _record(self, target: Target, result: Result) -> None:
        self.rows.append((target.id, result.at, result.outcome.duration))
        super()._record(target, result)


def main(config: str, port: str, out: str) -> None:
    path = Path(config)
    app = Recording(Options(source=lambda: read_files([path], {}), environment={}, port=int(port)))
    app.rows = []
    uvloop.run(serve(app, lambda _: None))
    Path(out).write_text(json.dumps(app.rows))


if __name__ == "__main__":
    main(*sys.argv[1:4])
