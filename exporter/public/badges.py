"""Badges: a label and a message as SVG, or as the JSON that shields.io's endpoint badge takes.

Pure. The SVG needs nothing from elsewhere, and its colours stand out on light and dark pages.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from exporter.characters import plain
from exporter.page.wording import short
from exporter.public.bars import percent
from exporter.public.markup import xml
from exporter.public.states import COLOURS, STATES, PublicState

_PADDING = 6
MAX_LABEL_CHARS = 60
CACHE_SECONDS = 300
"""What shields.io keeps a badge for; it takes no less."""
_NEUTRAL = COLOURS[PublicState.UNKNOWN]
# Advance widths of Verdana, in 2048ths of an em: U+0020 to U+007E. DejaVu Sans, which replaces it
# on Linux, is 3 % narrower on average; `textLength` in the template fits any font to the width.
_WIDTHS = (
    *(720, 806, 940, 1676, 1302, 2204, 1488, 550, 930, 930, 1302, 1676, 745, 930, 745, 930),
    *(1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 930, 930, 1676, 1676, 1676),
    *(1117, 2048, 1400, 1404, 1430, 1578, 1295, 1177, 1588, 1539, 862, 931, 1419, 1140, 1726),
    *(1532, 1612, 1235, 1612, 1424, 1400, 1262, 1499, 1400, 2025, 1403, 1260, 1403, 930, 930),
    *(930, 1676, 1302, 1302, 1230, 1276, 1067, 1276, 1220, 720, 1276, 1296, 562, 705, 1212),
    *(562, 1992, 1296, 1243, 1276, 1276, 874, 1067, 807, 1296, 1212, 1676, 1212, 1212, 1076),
    *(1300, 930, 1300, 1676),
)
_EM, _FONT_SIZE = 2048, 11
_OTHER = 1350
"""Of a letter beyond ASCII: that of most in Latin, Greek and Cyrillic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """One badge; *label* and *message* are never empty."""

    label: str
    message: str
    colour: str
    is_error: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what https://shields.io/badges/endpoint-badge describes, version 1."""
        return {
            "schemaVersion": 1,
            "label": self.label,
            "message": self.message,
            "color": self.colour,
            "isError": self.is_error,
            "cacheSeconds": CACHE_SECONDS,
        }

    def as_svg(self) -> str:
        """Return the picture, 20 pixels high."""
        left, right = text_width(self.label), text_width(self.message)
        return xml("badge.svg", badge=self, left=left, right=right, pad=_PADDING)


UNKNOWN_SERVICE = Badge(label="service", message="not found", colour=_NEUTRAL, is_error=True)


def state_badge(name: str, state: PublicState) -> Badge:
    """Return the badge with what a service says now."""
    return Badge(label=_label(name), message=STATES[state].lower(), colour=COLOURS[state])


def uptime_badge(name: str, ok: int, bad: int, days: int) -> Badge:
    """Return the badge with how much of the time a service worked in the last *days*."""
    label = f"{_label(name)} uptime {days}d"
    if not ok + bad:
        return Badge(label=label, message="no data", colour=_NEUTRAL)
    ratio = ok / (ok + bad)
    state = PublicState.OPERATIONAL if ratio >= 0.99 else PublicState.DEGRADED
    if ratio < 0.95:
        state = PublicState.OUTAGE
    return Badge(label=label, message=percent(ok, bad), colour=COLOURS[state])


def _label(name: str) -> str:
    return short(plain(name).strip(), MAX_LABEL_CHARS) or "service"


def text_width(text: str) -> int:
    """Return the pixels that *text* takes in Verdana of 11 pixels, rounded up.

    >>> text_width("operational")
    62
    """
    units = sum(map(_units, text))
    return -(-units * _FONT_SIZE // _EM)


def _units(character: str) -> int:
    code = ord(character)
    if 0x20 <= code <= 0x7E:
        return _WIDTHS[code - 0x20]
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Cf"):
        return 0
    return _EM if unicodedata.east_asian_width(character) in "WF" else _OTHER
