"""What a client accepts, by the qualities in Accept and Accept-Encoding (RFC 9110, 12.5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_OPENMETRICS, _VERSIONS = "application/openmetrics-text", ("", "0.0.1", "1.0.0")
_MOST_CHARACTERS, _MOST_ITEMS = 4096, 64


def prefers_openmetrics(accept: Iterable[str]) -> bool:
    """Return whether OpenMetrics, in a version that we write, is wanted as much as plain text.

    *accept* are the values of Accept.

    >>> prefers_openmetrics(["application/openmetrics-text;q=0.5, text/plain;q=0.9"])
    False
    """
    wanted, plain = 0.0, dict[str, float]()
    for name, parameters in _items(accept):
        quality = _quality(parameters)
        if name == _OPENMETRICS and parameters.get("version", "") in _VERSIONS:
            wanted = max(wanted, quality)
        elif name in ("text/plain", "text/*", "*/*"):
            plain[name] = max(quality, plain.get(name, 0.0))
    # The most particular range counts: text/plain;q=0.1 also beside */*.
    other = plain.get("text/plain", plain.get("text/*", plain.get("*/*", 0.0)))
    return wanted > 0 and wanted >= other


def takes_gzip(accept_encoding: Iterable[str]) -> bool:
    """Return whether gzip is named and not refused by `q=0`.

    *accept_encoding* are the values of Accept-Encoding.
    """
    return any(
        name in ("gzip", "x-gzip") and _quality(parameters) > 0
        for name, parameters in _items(accept_encoding)
    )


def _items(values: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the names in lower case and the parameters of each."""
    for item in ",".join(values)[:_MOST_CHARACTERS].split(",")[:_MOST_ITEMS]:
        name, *rest = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in rest)
        yield name.lower(), {key.strip().lower(): value.strip(' "') for key, _, value in pairs}


def _quality(parameters: dict[str, str]) -> float:
    """Return the `q` of *parameters*: 1 without one, 0 for one that is no number from 0 to 1."""
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
