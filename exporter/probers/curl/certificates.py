"""A certificate chain as libcurl reports it, reduced to names and the earliest expiry."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from exporter.characters import printable
from exporter.model import Certificate

_FORMATS = ("%b %d %H:%M:%S %Y GMT", "%Y-%m-%d %H:%M:%S GMT")


def earliest(
    chain: list[tuple[tuple[str, str], ...]] | None, *, verified: bool
) -> Certificate | None:
    """Return the leaf's names with the earliest expiry of *chain*; None without a chain."""
    leaf: dict[str, str] = {}
    expiries = []
    for i, entry in enumerate(chain or ()):
        for pair in entry:
            if pair[0] == "Expire date" and (at := _time(pair[1])) is not None:
                expiries.append(at)
            elif i == 0 and pair[0] in ("Subject", "Issuer"):
                leaf[pair[0]] = pair[1]
    if not expiries:
        return None
    return Certificate(
        expiry=min(expiries),
        subject=_plain(leaf.get("Subject", "")),
        issuer=_plain(leaf.get("Issuer", "")),
        verified=verified,
    )


@functools.lru_cache(maxsize=4096)
def _time(text: str) -> float | None:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None


@functools.lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    return printable(text, "?")[:128]
