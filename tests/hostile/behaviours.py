"""The table of hostile behaviours, whole."""

from __future__ import annotations

from tests.hostile import bodies, handshakes, http1, http2, pages
from tests.hostile.table import Misdeed

ROWS: tuple[Misdeed, ...] = (
    *http1.ROWS,
    *bodies.ROWS,
    *handshakes.ROWS,
    *http2.ROWS,
    *pages.ROWS,
)
BEHAVIOURS: dict[str, Misdeed] = {row.id: row for row in ROWS}
"""By the id of the service that stands for it."""
