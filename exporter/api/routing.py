"""The type of a row in the route table."""

from __future__ import annotations

from typing import Any, NamedTuple

from exporter.api.guard import Access, Handler


class Route(NamedTuple):
    """One route: its handler, who may call it, and its description in openapi.json.

    `answers` are pairs of a status and the name of a schema or a media type; the text is empty
    for a status without a body and for a problem. `query` are names and JSON Schemas.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    answers: tuple[tuple[int, str], ...]
    query: tuple[tuple[str, Any], ...] = ()
    body: str = ""
    for_outsiders: bool = False
    """Whether `--public-page.without-password` opens it."""

    # `query` contains dicts, so the hash of a tuple fails; the cache of openapi.json needs one.
    def __hash__(self) -> int:
        return hash((self.method, self.path))
