"""Server-sent events cut from the bytes of a stream, in whatever pieces they come.

The format is that of the HTML standard (section 9.2, "Server-sent events"): lines end with LF, CR
or CRLF, an empty line ends an event, a line that begins with ":" is a comment, a byte order mark
may come first. One thing is not of the standard: some servers put an error as bare JSON between
the events; such lines come as a `Frame` of their own.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_EVENT_BYTES = 256 * 1024
"""Of one event or line: a token of text needs some hundred."""


class EventTooLargeError(ValueError):
    """An event or a line is larger than `MOST_EVENT_BYTES`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its name ("" without one) and its data; or the text of a comment.

    `is_bare`: the data came without a field `data`, so that it is no event.
    """

    name: str
    data: bytes
    is_comment: bool = False
    is_bare: bool = False


class Frames:
    """Cuts one stream into frames; the work is linear in the bytes, however they are split.

    >>> [frame.data for frame in Frames().feed(b"data: 1\\r\\n\\r\\n: wait\\n\\ndata: 2")]
    [b'1', b'wait']
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._is_first = True
        self._name = ""
        self._data: list[bytes] = []
        self._bare: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the frames that *chunk* completes.

        Raises:
            EventTooLargeError: nothing more can be read.
        """
        if self._after_cr and chunk:
            # The CR ended its line already; an LF right behind it belongs to it.
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return
        self._after_cr = chunk.endswith(b"\r")
        lines = b"".join((*self._pieces, chunk)).splitlines()
        rest = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        self._pieces, self._size = [], 0
        for line in lines:
            yield from self._line(line)
        self._keep(rest)

    def end(self) -> Iterator[Frame]:
        """Yield what the stream ended with: by the standard an open event is dropped, not here.

        Servers end a stream right behind its last line; a cut event is no JSON and is seen as such.
        """
        if self._pieces:
            line, self._pieces = b"".join(self._pieces), []
            yield from self._line(line)
        yield from self._dispatch()

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)
        if self._size + self._held > MOST_EVENT_BYTES:
            raise EventTooLargeError

    def _line(self, line: bytes) -> Sequence[Frame]:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            return (Frame("", line[1:].strip(), is_comment=True),)
        field, _, value = line.partition(b":")
        if field == b"data":
            self._hold(self._data, value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
        elif field not in (b"id", b"retry"):
            self._hold(self._bare, line)
        return ()

    def _hold(self, lines: list[bytes], line: bytes) -> None:
        lines.append(line)
        self._held += len(line) + 1
        if self._held > MOST_EVENT_BYTES:
            raise EventTooLargeError

    def _dispatch(self) -> Sequence[Frame]:
        data, bare, name = self._data, self._bare, self._name
        self._name, self._data, self._bare, self._held = "", [], [], 0
        events = (Frame(name, b"\n".join(data)),) if data else ()
        return (*events, Frame("", b"\n".join(bare), is_bare=True)) if bare else events
