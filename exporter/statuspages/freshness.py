"""Whether an answer of a status page can be believed: not moved, and not an old copy.

CDNs serve copies while the origin fails (`stale-if-error`, RFC 5861: an hour at Statuspage, up to
which a page says with 200 or 304 that all was well). `Age` (RFC 9111, 5.1) shows it, or a
`Last-Modified`, or the page's own time, that is earlier than one already seen.
"""

from __future__ import annotations

from exporter.probers import Answer
from exporter.statuspages.incidents import instant
from exporter.statuspages.records import Health

MOST_AGE_SECONDS = 600.0
"""The oldest copy that is believed. The slowest page known is kept for 300 s (Stripe)."""
_BACK_SECONDS = 60.0
"""The servers behind one name may differ by so much."""
BELIEVED_AFTER_SECONDS = 3600.0
"""An earlier time that lasts for longer than any copy is the page's own: it was set back."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTML = (b"<!doctype html", b"<html")


def age_of(answer: Answer) -> float:
    """Return how old the copy is in seconds, 0 if the answer does not say."""
    text = answer.headers.get("age", "").partition(",")[0].strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def health_of(answer: Answer) -> Health:
    """Return whether *answer* has data; of a 304 whether it may confirm what is known."""
    if answer.failure is not None or answer.truncated:
        return Health.UNREADABLE
    if answer.status in _REDIRECTS:
        return Health.MOVED
    if answer.status not in (200, 304):
        return Health.UNREADABLE
    if age_of(answer) > MOST_AGE_SECONDS:
        return Health.STALE
    if answer.status == 200 and answer.body[:512].lstrip().lower().startswith(_HTML):
        return Health.MOVED
    return Health.READABLE


class Newest:
    """The latest time that a page told of itself, so that an earlier one is known to be a copy."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._back_since: float | None = None

    def is_older(self, told: float | None, now: float) -> bool:
        """Return whether *told* is earlier than what was told before; None is not."""
        if told is None or told > now + _BACK_SECONDS:
            return False
        if self._at is None or told >= self._at - _BACK_SECONDS:
            self._at, self._back_since = max(told, self._at or told), None
            return False
        self._back_since = now if self._back_since is None else self._back_since
        if now - self._back_since < BELIEVED_AFTER_SECONDS:
            return True
        self._at, self._back_since = told, None
        return False


def modified_at(answer: Answer) -> float | None:
    """Return the time in `Last-Modified`, None without one."""
    return instant(answer.headers.get("last-modified"))
