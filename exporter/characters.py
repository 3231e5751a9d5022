"""Characters that must not be in a text: in a header, an address, a key, a name.

One definition of "control character": C0 and DEL, those that RFC 9110 section 5.5 and RFC 3986
keep out of header values and URLs and that a terminal or a log would act on.
"""

from __future__ import annotations

import re

CONTROL = r"\x00-\x1f\x7f"
"""For a character class of a pattern or of a JSON Schema."""
CONTROL_BUT_LINES = r"\x00-\x08\x0b-\x1f\x7f"
"""The same for prose, which may have tabs and line breaks."""
_CONTROL = re.compile(f"[{CONTROL}]")
_CONTROL_BUT_LINES = re.compile(f"[{CONTROL_BUT_LINES}]")
_NO_URL = re.compile(rf"[{CONTROL} \\]")


def has_control(text: str, *, lines: bool = False) -> bool:
    """Return whether *text* holds a control character; with *lines* it may have tabs and lines."""
    return (_CONTROL_BUT_LINES if lines else _CONTROL).search(text) is not None


def breaks_url(text: str) -> bool:
    r"""Return whether *text* cannot be part of a URL as it is: a space, a control, a backslash.

    A backslash is a slash to some parsers (WHATWG) and a letter to others (RFC 3986): nobody
    means it, and a parser that disagrees would connect elsewhere.
    """
    return _NO_URL.search(text) is not None


def without_control(text: str, replacement: str = "") -> str:
    """Return *text* with each run of control characters replaced."""
    return re.sub(f"[{CONTROL}]+", replacement, text)


def printable(text: str, replacement: str = "") -> str:
    """Return *text* with everything replaced that has no shape of its own on a screen."""
    return "".join(c if c.isprintable() else replacement for c in text)
