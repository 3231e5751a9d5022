"""Numbers, times and causes of a report in words."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model import FACTS, Reason

UNOBSERVED: Mapping[str, str] = {
    "exporter": "the exporter did not run",
    "unkept": "nothing is kept of that time",
    "unwatched": "the service was not registered",
    "network": "our own network was down",
    "quota": "our quota was used up, or we were rate limited",
    "credential": "our key or our access was refused",
    "request": "our request was wrong",
    "monitoring": "the exporter failed",
    "maintenance": "maintenance was declared",
    "clock": "our clock was set back",
    "gap": "no probe was made, or none came back",
    "damaged": "what was stored cannot be read",
}


def percent(share: float | None) -> str:
    """Return a share as percent, never rounded up to more than it is.

    >>> percent(0.99999999)
    '99.9999 %'
    """
    if share is None:
        return "not known"
    # Not floor: the nearest float of 0.9995 is below it.
    shown = int(share * 1e6 + 1e-6) / 1e4
    return f"{shown:.4f}".rstrip("0").rstrip(".") + " %"


def count(number: float, unit: str) -> str:
    """Return a number with its unit: `1 minute`, `2.5 minutes`."""
    shown = f"{number:,.2f}".rstrip("0").rstrip(".") if number % 1 else f"{number:,.0f}"
    return f"{shown} {unit}" + ("" if shown == "1" else "s")


def span(seconds: float | None) -> str:
    """Return seconds for people: `1 h 5 min`; a dash for None."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


def moment(text: str | None, *, seconds: bool = False) -> str:
    """Return RFC 3339 in UTC as people read it, with *seconds* or only where there are any.

    >>> moment("2026-11-01T02:11:00Z")
    '2026-11-01 02:11'
    """
    if text is None:
        return "–"
    shown = text.replace("T", " ").removesuffix("Z")
    return shown if seconds else shown.removesuffix(":00")


def fault_words(name: str) -> str:
    """Return a reason in words: `server error`."""
    return FACTS[Reason(name)].fault if name in _REASONS else name


_REASONS = frozenset(map(str, Reason))


def ending(name: str) -> str:
    match name:
        case "good":
            return "a good probe"
        case "open":
            return "not before the end"
    return f"not seen: {UNOBSERVED.get(name, name)}"
