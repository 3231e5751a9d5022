"""Start times in OpenMetrics, for a Prometheus that looks for them.

For each line of a counter or histogram it looks for the `_created` line of the same metric: up to
the next `_created` line, whosever that is, or up to the end of the family (`StartTimestamp` in
model/textparse/openmetricsparse.go of Prometheus 3.16). Without any a page of 200 services takes it
half a minute. So there is one every few lines, behind the metric that it belongs to. Others are
sent none: to them each would be one series more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

EVERY_LINES = 16
"""From one `_created` line to the next, about: a search passes half as many on average."""
PIECE_BYTES = 16 * 1024
"""So long are the pieces that are made at a scrape: half a millisecond of those of models."""
LONG_AGO = 1_704_067_200.0
"""2024-01-01: before the first release, so what was kept of counters was 0 then."""
# A value of a label may hold a brace, and escaped quotes.
_METRIC = re.compile(rb'(\w+?)(?:_total|_count)(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})')


def with_starts(metrics: Iterable[bytes], began: float) -> Iterator[bytes]:
    """Yield *metrics* of one family, each with all of its lines, and start times between them.

    The counters of all were 0 at the Unix time *began*.
    """
    lines = 0
    for text in metrics:
        yield text
        lines += text.count(b"\n")
        if lines >= EVERY_LINES:
            yield _start(text, began)
            lines = 0


def sliced(first: str, metrics: Iterable[bytes], *, began: float | None) -> Iterator[bytes]:
    """Yield a family in pieces that are quickly made: its head *first*, and the lines of *metrics*.

    Nothing if there are no lines. With start times unless *began* is None.
    """
    before, pending, size = first.encode(), list[bytes](), 0
    lines = filter(None, metrics)
    for text in lines if began is None else with_starts(lines, began):
        pending.append(text)
        size += len(text)
        if size >= PIECE_BYTES:
            yield before + b"".join(pending)
            before, size = b"", 0
            pending.clear()
    if pending:
        yield before + b"".join(pending)


def _start(text: bytes, began: float) -> bytes:
    """Return the `_created` line of the metric that *text* ends with; b"" within one."""
    found = _METRIC.match(text, text.rfind(b"\n", 0, -1) + 1)
    return b"%b_created%b %.3f\n" % (found[1], found[2], began) if found else b""
