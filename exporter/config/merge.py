"""What wins: the service's own field over the defaults; `targets` puts the preset below both.

Mappings are merged field by field, lists and scalars replaced. Pure, on plain data.
"""

from __future__ import annotations

from typing import Any

# One source each: naming one in the service drops the other kind from what is below.
_EITHER = (("api_key", "api_key_file"), ("base_url", "region"))
_WHOLE = frozenset({"body"})


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return *above* completed by *below*."""
    below = {k: v for k, v in below.items() if not _displaced(k, above)}
    out = dict(below)
    for name, value in above.items():
        known = out.get(name)
        if isinstance(known, dict) and isinstance(value, dict) and name not in _WHOLE:
            out[name] = merged(known, value)
        else:
            out[name] = value
    return out


def _displaced(name: str, above: dict[str, Any]) -> bool:
    return any(
        name in pair and any(other in above for other in pair if other != name) for pair in _EITHER
    )
