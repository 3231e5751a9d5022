"""What became of a webhook message, and the alerts of it that are set aside."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.log import event

_log = logging.getLogger(__name__)
MOST_ODD = 1000
"""Kinds of odd alerts that are logged, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a webhook message."""

    changed: int
    """Incidents."""
    set_aside: int = 0
    """Alerts that could not be read or folded."""
    left_out: int = 0
    """Alerts beyond `MOST_OF_MESSAGE`."""


class OddAlerts:
    """Logs what is set aside: the same again and again would fill the log."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def note(self, what: str, odd: Sequence[tuple[str, str]]) -> None:
        """Log *what* once for each of *odd*: its key and why."""
        for one in dict.fromkeys(odd):
            if one not in self._known and len(self._known) < MOST_ODD:
                self._known.add(one)
                event(_log, what, level=logging.WARNING, why=one[1])
