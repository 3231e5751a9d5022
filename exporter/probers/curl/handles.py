"""Handles of libcurl between two transfers: the next request of the same shape finds its options.

Setting them all again took a tenth of a probe. What a request has of its own (`set_own_options`) is
set each time, so that no key goes anywhere but where it was meant to.
"""

from __future__ import annotations

import pycurl

from exporter.probers import Request
from exporter.probers.curl.options import Shape, set_options, shape_of
from exporter.probers.curl.transfer import Transfer

MOST_IDLE = 256
"""Handles that wait, at some 10 KB each: more than that are probed at once in bursts only."""


class Handles:
    """Lends transfers, each with a handle of its own."""

    def __init__(self) -> None:
        self._idle: dict[Shape | None, list[Transfer]] = {}
        self._number = 0

    def take(self, request: Request) -> Transfer:
        """Return a transfer whose handle has the options that *request* shares with its shape.

        Raises:
            pycurl.error: there is not enough memory.
        """
        shape = shape_of(request)
        transfer = self._pop(shape) or self._pop(None) or Transfer(pycurl.Curl())
        if transfer.shape is None:
            try:
                set_options(transfer.curl, request)
                transfer.set_callbacks(request)
            except BaseException:
                transfer.curl.close()
                raise
            transfer.shape = shape
        return transfer

    def give_back(self, transfer: Transfer, *, clean: bool) -> None:
        """Take *transfer*, which has ended; *clean*: as most do, with the first answer."""
        if transfer.shape is None or not clean:
            # What a failure leaves in a handle, a count of repetitions for example, ends with it.
            transfer.curl.reset()
            transfer.shape = None
        self._idle.setdefault(transfer.shape, []).append(transfer)
        self._number += 1
        if self._number > MOST_IDLE:
            self._drop()

    def close(self) -> None:
        """Free every handle that waits."""
        for idle in self._idle.values():
            for transfer in idle:
                transfer.curl.close()
        self._idle.clear()
        self._number = 0

    def _drop(self) -> None:
        """Free one of the shape that was asked for longest ago."""
        oldest = self._pop(next(iter(self._idle)))
        assert oldest is not None
        oldest.curl.close()

    def _pop(self, shape: Shape | None) -> Transfer | None:
        idle = self._idle.get(shape)
        if idle is None:
            return None
        self._number -= 1
        transfer = idle.pop()
        if not idle:
            del self._idle[shape]
        return transfer
