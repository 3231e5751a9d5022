"""Characters that must not be in a text: in a header, an address, a key, a name.

One definition of "control character": C0 and DEL, those that RFC 9110 section 5.5 and RFC 3986
keep out of header values and URLs, and on which a terminal or a log viewer would act.
"""

from __future__ import annotations

import re

CONTROL = r"\x00-\x1f\x7f"
"""The range to put into the character class of a pattern, in Python or in JSON Schema."""
CONTROL_BUT_LINES = r"\x00-\x08\x0b-\x1f\x7f"
"""The same for prose, which may have tabs and line breaks."""
_CONTROL = re.compile(f"[{CONTROL}]")
_CONTROL_BUT_LINES = re.compile(f"[{CONTROL_BUT_LINES}]")
# Controls, line separators, and what changes the direction of the text after it.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")
LONGEST_URL, LONGEST_PLACE = 8192, 512
"""Characters of a URL, and of its part with the host, whose name has at most 253 (RFC 1035)."""
_PLACE = re.compile(r"[^/?#]*//([^/?#]*)")
_NOT_IN_URL = re.compile(rf"[{CONTROL} \\]")


def has_control(text: str, *, lines: bool = False) -> bool:
    """Return whether *text* has a control character; *lines* allows tabs and line breaks."""
    return (_CONTROL_BUT_LINES if lines else _CONTROL).search(text) is not None


def breaks_url(text: str) -> bool:
    r"""Return whether *text* has a character that no URL may have.

    These are the space, the control characters and the backslash. A backslash is a slash to
    WHATWG parsers and no separator by RFC 3986: two parsers that disagree see different hosts.
    """
    return _NOT_IN_URL.search(text) is not None


def oversized_url(text: str) -> bool:
    """Return whether *text*, a URL or a reference to one, is longer than any that is taken.

    To be asked before it is parsed: `urllib` and `yarl` bring the host into a normal form (NFKC),
    which takes four seconds for 64 KiB of combining characters.
    """
    place = _PLACE.match(text)
    return len(text) > LONGEST_URL or (place is not None and len(place[1]) > LONGEST_PLACE)


def without_control(text: str, replacement: str = "") -> str:
    """Return *text* with each run of control characters replaced."""
    return re.sub(f"[{CONTROL}]+", replacement, text)


def plain(text: str) -> str:
    """Return *text* with U+FFFD for control characters, changes of direction and surrogates."""
    return _LONE_SURROGATES.sub("\ufffd", _UNPRINTABLE.sub("\ufffd", text))


def printable(text: str, replacement: str = "") -> str:
    """Return *text* with every character replaced that is not printable (`str.isprintable`).

    >>> printable("a\\x1b[31mb", "?")
    'a?[31mb'
    """
    return "".join(c if c.isprintable() else replacement for c in text)
