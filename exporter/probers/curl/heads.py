"""The head of an answer: header lines as libcurl passes them on, as headers by name."""

from __future__ import annotations

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
        "server",
        "set-cookie",
    }
)


_VERSIONS = (b"HTTP/1.", b"HTTP/2 ", b"HTTP/3 ")


def head_of(lines: Iterable[bytes]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return the final answer's headers by lower-case name, and the values of repeated ones.

    A repeated header that is a list has its values joined by commas, any other one its first value.

    >>> head_of([b"HTTP/1.1 200 OK", b"Vary: Accept", b"Vary: Origin"])
    ({'vary': 'Accept, Origin'}, {'vary': ('Accept', 'Origin')})
    """
    values: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(b"HTTP/"):
            values = {}  # what came before belongs to an interim answer or to a proxy
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            values.setdefault(name.strip().lower(), []).append(value.strip())
    headers = {n: v[0] if n in _SINGLE else ", ".join(v) for n, v in values.items()}
    return headers, {n: tuple(v) for n, v in values.items() if len(v) > 1}


def versions_exist(lines: Iterable[bytes]) -> bool:
    """Return whether every status line is of HTTP/1, 2 or 3: libcurl takes HTTP/3.7 for HTTP/1.0.

    >>> versions_exist([b"HTTP/1.1 200 OK", b"Via: HTTP/9"]), versions_exist([b"HTTP/3.7 200 OK"])
    (True, False)
    """
    return all(line.startswith(_VERSIONS) for line in lines if line.startswith(b"HTTP/"))
