"""How much `/probe` may do at one time: every client of the port can ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from exporter.multitarget.prober import Check
from exporter.probers.transport import MAX_HEAD_BYTES

MAX_PROBES = 50
MAX_BYTES = 64 * 1024 * 1024
"""For what the answers of all running probes may hold together: bodies and heads."""
RETRY_AFTER_SECONDS = 5


class BusyError(RuntimeError):
    """As many probes run as may run at one time, or they may already hold all the memory."""


class Capacity:
    """Counts the running probes, and the bytes that their answers may have.

    A probe is charged with its limits before it starts, so that none fails half-way.
    """

    def __init__(self) -> None:
        self._probes, self._bytes = MAX_PROBES, MAX_BYTES

    @contextmanager
    def taken(self, check: Check) -> Iterator[None]:
        """Take the room for *check* until the block ends.

        Raises:
            BusyError: there is no room now.
        """
        size = check.rules.max_body + MAX_HEAD_BYTES
        if self._probes < 1 or self._bytes < size:
            raise BusyError
        self._probes -= 1
        self._bytes -= size
        try:
            yield
        finally:
            self._probes += 1
            self._bytes += size
