"""Open incidents by their causes: what a list shows, and the sentence above it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from exporter.incidents import Folded, Incident


def folded_away(folded: Folded, is_shown: Callable[[Incident], bool]) -> frozenset[str]:
    """Return the ids of what is held back by a cause that *is_shown*: it is drawn under that."""
    return frozenset(
        effect.id
        for cause in folded.causes
        if is_shown(cause)
        for effect in folded.under.get(cause.id, ())
    )


def open_incidents_sentence(folded: Folded, unlisted: int = 0) -> str:
    """Return how many open incidents wait for somebody, and how many their causes hold back.

    *unlisted*: how many more are open.
    """
    if not folded.causes:
        return "No open incident."
    waiting, acknowledged = folded.waiting, len(folded.causes) - folded.waiting
    if waiting:
        parts = [f"{waiting} {'incident waits' if waiting == 1 else 'incidents wait'} for somebody"]
        if acknowledged:
            parts.append(f"{acknowledged} {'is' if acknowledged == 1 else 'are'} acknowledged")
    else:
        parts = ["Every open incident is acknowledged"]
    if folded.held:
        more, are = (" more" if waiting else ""), ("is" if folded.held == 1 else "are")
        by = "it" if len(folded.causes) == 1 and waiting else f"{len(folded.under)} of them"
        parts.append(f"{folded.held}{more} {are} held back by {by}")
    if unlisted:
        parts.append(f"{unlisted:,} more {'is' if unlisted == 1 else 'are'} open")
    return ", ".join(parts) + "."
