"""The head of an answer: header lines as libcurl passes them on, as headers by name."""

from __future__ import annotations

import functools
from collections.abc import Iterable

# Not lists (RFC 9110, 5.3): joined by a comma they would be no value at all. As in Go the first
# one counts.
_SINGLE = frozenset(
    {
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "retry-after",
        "retry-after-ms",
        "x-ms-retry-after-ms",
        "server",
        "set-cookie",
    }
)


_VERSIONS = (b"HTTP/1.", b"HTTP/2 ", b"HTTP/3 ")
_SHORT = 256
"""Bytes of a line that is worth remembering: all but a few of an answer came with the last one."""


def head_of(lines: Iterable[bytes]) -> tuple[dict[str, str], dict[str, tuple[str, ...]], bool]:
    """Return the final answer's headers by lower-case name, the values of repeated ones, a verdict.

    A repeated header that is a list has its values joined by commas, any other one its first value.
    The verdict is whether every status line is of HTTP/1, 2 or 3: libcurl takes HTTP/3.7 for
    HTTP/1.0.

    >>> head_of([b"HTTP/1.1 200 OK", b"Vary: Accept", b"Vary: Origin"])
    ({'vary': 'Accept, Origin'}, {'vary': ('Accept', 'Origin')}, True)
    >>> head_of([b"HTTP/3.7 200 OK", b"Via: HTTP/9"])
    ({'via': 'HTTP/9'}, {}, False)
    """
    headers: dict[str, str] = {}
    repeated: dict[str, tuple[str, ...]] = {}
    versions_exist = True
    for line in lines:
        exists, name, value = _remembered(line) if len(line) <= _SHORT else _field(line)
        if exists is not None:
            headers, repeated = {}, {}  # what came before is an interim answer's, or a proxy's
            versions_exist = versions_exist and exists
        if name is None:
            continue
        if name in headers:
            repeated[name] = (*repeated.get(name, (headers[name],)), value)
        else:
            headers[name] = value
    for name, values in repeated.items():
        if name not in _SINGLE:
            headers[name] = ", ".join(values)
    return headers, repeated, versions_exist


def _field(line: bytes) -> tuple[bool | None, str | None, str]:
    """Return of a status line whether its version exists; lower-case name and value of a header."""
    exists = line.startswith(_VERSIONS) if line.startswith(b"HTTP/") else None
    name, colon, value = line.decode("latin-1").partition(":")
    return (exists, name.strip().lower(), value.strip()) if colon else (exists, None, "")


_remembered = functools.lru_cache(maxsize=1024)(_field)
