"""What is said of a failure of ours and its provider's status page, in one sentence. Pure.

Every lead is printed with its uncertainty, and one that is within it is called undecided.
"""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.statuspages.leads import Claim, Lead
from exporter.statuspages.states import State

_NO_CLAIM = {
    Claim.UNREAD: "their page was not read yet",
    Claim.UNREADABLE: "their page cannot be read{since}: no claim",
    Claim.STALE: "their page answers with an old copy{since}: no claim",
    Claim.MOVED: "their page has moved{since}: no claim",
}


def sentence(lead: Lead) -> str:
    """Return what happened here and on the page.

    For example `we fail since 02:11 UTC; their page is green`.
    """
    failing = "we fail since" if lead.until is None else "we failed from"
    until = "" if lead.until is None else f" to {_clock(lead.until, lead.since)}"
    return f"{failing} {_clock(lead.since)}{until} UTC; {page_sentence(lead)}"


def page_sentence(lead: Lead) -> str:
    """Return what the page says, and who was first."""
    if lead.claim in _NO_CLAIM:
        since = "" if lead.page_since is None else f" since {_clock(lead.page_since, lead.since)}"
        return _NO_CLAIM[lead.claim].format(since=since)
    if lead.claim is Claim.SILENT:
        return "their page is green"
    if lead.claim is Claim.NO_INCIDENT:
        return f"their page says {_word(lead.state)}, without an incident"
    return _of_incident(lead)


def _of_incident(lead: Lead) -> str:
    begin = "their page"
    if lead.state is State.OPERATIONAL and lead.ended_at is None:
        begin = "their page is green with an open incident"
    parts = []
    claimed = lead.incident.claimed if lead.incident is not None else None
    # What began after it was posted is a mistake, or no beginning.
    if claimed is not None and (lead.posted is None or claimed <= lead.posted):
        parts.append(f"since {_clock(claimed, lead.since)}")
    if lead.posted is not None:
        how = "published" if lead.is_told else "first seen"
        parts.append(f"{how} {_clock(lead.posted, lead.since)}")
    end = "" if lead.ended_at is None else f", resolved {_clock(lead.ended_at, lead.since)}"
    told = f"{begin}: {', '.join(parts)}" if parts else f"{begin}: an incident"
    return f"{told}: {_verdict(lead)}{end}"


def _verdict(lead: Lead) -> str:
    if lead.claim is Claim.EARLIER:
        return "long before us: no claim"
    if lead.claim is Claim.BLIND:
        return "we could not read it before: no claim"
    if lead.claim is Claim.UNDATED:
        return "it was there when we first looked: no claim"
    return who_was_first(lead.seconds or 0.0, lead.uncertainty)


def who_was_first(seconds: float, uncertainty: float) -> str:
    """Return who was first by how much, with the uncertainty; *seconds* as of `Lead.seconds`.

    >>> who_was_first(1200.0, 60.0)
    '20 minutes after us (± 1 minute)'
    """
    size, margin = _length(abs(seconds)), _length(uncertainty, up=True)
    if round(seconds) == 0:
        text = "at the same time as us"
    else:
        text = f"{size} {'after' if seconds > 0 else 'before'} us"
    undecided = ", too close to tell who was first" if abs(seconds) <= uncertainty else ""
    return f"{text} (± {margin}{undecided})"


def _length(seconds: float, *, up: bool = False) -> str:
    """Return whole minutes, or seconds under one; an uncertainty is rounded up, a lead down."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} second{'' if whole == 1 else 's'}"
    minutes = -(-whole // 60) if up else whole // 60
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def _clock(at: float, near: float | None = None) -> str:
    """Return the time of day in UTC, with its day and year unless they are those of *near*."""
    moment = datetime.fromtimestamp(at, UTC)
    if near is None:
        return f"{moment:%H:%M}"
    other = datetime.fromtimestamp(near, UTC)
    if moment.date() == other.date():
        return f"{moment:%H:%M}"
    return f"{moment:%d %b %H:%M}" if moment.year == other.year else f"{moment:%d %b %Y %H:%M}"


def _word(state: State) -> str:
    return state.replace("_", " ")
