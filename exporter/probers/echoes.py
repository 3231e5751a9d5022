"""Finds a secret of ours in a text that the server sent, however it is encoded, and strikes it out.

The one place that decides this: for request ids, names in certificates and the evidence of a
failure. A text is read in each of the ways of `readings`, and none of them may hold a secret.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qsl, unquote, urlsplit

from exporter.probers.endpoint import Endpoint
from exporter.retirement import Retirement
from exporter.secret import HIDDEN, looks_like_key

Holds = Callable[[str], bool]
"""Whether a secret is in a text, as it is written there."""
_SHORTEST = 8
_SHORT = 512
_LAYERS = 3
"""So often is an encoding undone: percent within percent within JSON."""
_ESCAPE = re.compile(r"\\(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_QUOTED = re.compile(r"=([0-9A-Fa-f]{2})")
_BLANK = re.compile(r"[\s\x00\u00ad\u200b-\u200d\u2060\ufeff]+")
# As long as eight characters are when they are encoded.
_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}")
_BASE32 = re.compile(r"[A-Za-z2-7]{13,}")
_ASCII = re.compile(rb"[ -~]{8,}")
_URL_SAFE = str.maketrans("-_", "+/")
_WORDS = re.compile(r"""[^\s"'<>,(){}\[\]]+|[\s"'<>,(){}\[\]]+""")


def holds_secret(endpoint: Endpoint, text: str) -> bool:
    """Return whether *text* contains eight characters in a row of a secret of *endpoint*.

    Secrets are its credentials, all values of its query, and what its path hides; in either case,
    and in every encoding of `readings`. A word shorter than that is not looked for: it would be
    found by chance.
    """
    return is_in(text, secrets_of(endpoint))


def secrets_of(endpoint: Endpoint) -> Holds:
    """Return what finds eight characters in a row of a secret of *endpoint* in a text."""
    words = {word.lower() for secret in _secrets(endpoint) for word in secret.split()}
    pieces = frozenset(
        word[i : i + _SHORTEST] for word in words for i in range(len(word) - _SHORTEST + 1)
    )

    def holds(text: str) -> bool:
        read = text.lower()
        if len(read) > len(pieces):
            return any(piece in read for piece in pieces)
        at = range(len(read) - _SHORTEST + 1)
        return not pieces.isdisjoint([read[i : i + _SHORTEST] for i in at])

    return holds


def is_in(text: str, holds: Holds) -> bool:
    """Return whether *holds* finds a secret in *text*, in one of its `readings`."""
    known = _short_readings(text) if len(text) <= _SHORT else readings(text)
    return any(holds(reading) for reading in known)


@functools.lru_cache(maxsize=1024)
def _short_readings(text: str) -> tuple[str, ...]:
    """Return the readings of a short text: the names in a certificate are the same every time."""
    return tuple(readings(text))


def readings(text: str) -> Iterator[str]:
    """Yield *text* as it may be read: as it is, decoded in ten ways, and backwards.

    Percent, JSON, HTML and quoted-printable, also within each other; UTF-16 and what is broken into
    pieces by blanks; hexadecimal, base64 and its form for URLs at each alignment, base32.

    >>> any("sk-live-1" in one for one in readings("x=736b2d6c6976652d31"))
    True
    """
    layers = dict.fromkeys((text, *_layers(text)))
    yield from layers
    for layer in tuple(layers):
        joined = _BLANK.sub("", layer)
        if joined != layer:
            layers[joined] = None
            yield joined
    for layer in layers:
        yield layer[::-1]
        for decoded in _unpacked(layer):
            yield decoded
            yield from _unpacked(decoded)


def _unpacked(text: str) -> list[str]:
    return [one for one in (_hexadecimal(text), _base64(text), _base32(text)) if one]


def _layers(text: str) -> Iterator[str]:
    for _ in range(_LAYERS):
        before = text
        if "%" in text:
            text = unquote(text, "latin-1")
        if "\\" in text:
            text = _ESCAPE.sub(_escaped, text)
        if "&" in text:
            text = unescape(text)
        if text != before:
            yield text
        if "=" in text and (quoted := _QUOTED.sub(_character, text.replace("=\n", ""))) != text:
            yield quoted
        if text == before:
            return


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else match[3]


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _decoded(runs: Iterable[str], shifts: range, decode: Callable[[str], bytes]) -> str:
    """Return the pieces of ASCII in what *runs* decode to at each of *shifts*, as one text."""
    found = []
    for run in runs:
        for shift in shifts:
            try:
                found += _ASCII.findall(decode(run[shift:]).replace(b"\0", b""))
            except ValueError:  # binascii.Error is one
                continue
    return b"\n".join(found).decode()


def _hexadecimal(text: str) -> str:
    return _decoded(_HEX.findall(text), range(2), lambda t: bytes.fromhex(t[: len(t) // 2 * 2]))


def _base64(text: str) -> str:
    runs = [run.translate(_URL_SAFE) for run in _BASE64.findall(text)]
    return _decoded(runs, range(4), lambda t: binascii.a2b_base64(t[: len(t) // 4 * 4]))


def _base32(text: str) -> str:
    runs = [run.upper() for run in _BASE32.findall(text)]
    return _decoded(runs, range(8), lambda t: base64.b32decode(t[: len(t) // 8 * 8]))


def struck(text: str, holds: Holds, most: int) -> str:
    """Return the first *most* bytes of *text* as UTF-8, with "…" for each word that hides a secret.

    It is struck out before it is cut: no piece of one is left at the end. If one is spread over
    several words, nothing is left of *text*.
    """
    window = text[: 2 * most].encode(errors="replace").decode()
    if not is_in(window, holds):
        return cut(window, most)
    parts = [(HIDDEN if is_in(part, holds) else part, part) for part in _WORDS.findall(window)]
    if is_in("".join(shown for shown, _ in parts), holds):
        return HIDDEN
    out, left = [], most
    for shown, part in parts:
        if left <= 0:
            break
        # By the length of what was there: what comes after it must not move into sight.
        out.append(shown if shown is HIDDEN else cut(shown, left))
        left -= len(part.encode())
    return cut("".join(out), most)


def cut(text: str, most: int) -> str:
    """Return the first *most* bytes of *text* as UTF-8, of whole characters.

    >>> cut("aé", 2)
    'a'
    """
    return text.encode()[:most].decode(errors="ignore")


def without_echoes(found: Retirement, holds: Holds) -> Retirement:
    """Return *found* without the links in which the server repeats what *holds* finds."""
    notices = {
        resource: replace(
            notice, links=tuple(link for link in notice.links if not is_in(link[1], holds))
        )
        if notice.links
        else notice
        for resource, notice in found.notices.items()
    }
    return replace(found, notices=notices)


def _secrets(endpoint: Endpoint) -> Iterator[str]:
    for _, secret in endpoint.credentials:
        yield _with_decoded_pair(secret.reveal())
    for _, secret in endpoint.query:
        yield secret.reveal()
    parts = urlsplit(endpoint.url)
    yield from (value for _, value in parse_qsl(parts.query))
    hides_path = endpoint.shown.endswith(f"/{HIDDEN}")
    for segment in unquote(parts.path).split("/"):
        if hides_path or looks_like_key(segment):
            yield segment
    if endpoint.proxy:
        user, _, _ = urlsplit(endpoint.proxy).netloc.rpartition("@")
        yield unquote(user.replace(":", " "))


def _with_decoded_pair(secret: str) -> str:
    """Return *secret*; for Basic credentials also the user and the password, decoded."""
    scheme, _, token = secret.partition(" ")
    if scheme.lower() != "basic":
        return secret
    try:
        return f"{token} {base64.b64decode(token).decode(errors='replace').replace(':', ' ')}"
    except ValueError:
        return secret
