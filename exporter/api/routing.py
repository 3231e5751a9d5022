"""One route: what the server does with it and what openapi.json says of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from exporter.api.guard import Access, Handler


class Route(NamedTuple):
    """A line of the table in `exporter.api`. `answers` are (status, schema or media type)."""

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    answers: tuple[tuple[int, str], ...]
    query: tuple[tuple[str, Any], ...] = ()
    body: str = ""

    def __hash__(self) -> int:
        return hash((self.method, self.path))
