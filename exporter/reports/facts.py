"""What a report is made of, gathered by the caller; `document` turns it into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from exporter.config import Target
from exporter.incidents import Incident
from exporter.model import Result
from exporter.providers import Promise
from exporter.results import Kept, Minute, Seen
from exporter.results.leads import AUTHOR as PAGE_AUTHOR
from exporter.results.minutes import KEPT_DAYS, MINUTE_SECONDS, overlaid

LONGEST_DAYS = KEPT_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest:
    """A failed probe that is kept with what the vendor's support asks for."""

    at: float
    reason: str
    status: int = 0
    request_id: str = ""
    detail: str = ""
    address: str = ""
    """Of the server that was asked."""
    answer: str = ""
    """The excerpt of what was answered; empty where that may not be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of one service; `start` and `end` are minutes, `now` is a Unix time."""

    target: Target
    promise: Promise | None
    start: int
    end: int
    now: float
    kept: Kept
    incidents: Sequence[Incident] = ()
    failures: Sequence[FailedRequest] = ()
    page_story: Sequence[str] = ()
    canaries: int = 0
    version: str = ""
    known: int = 0
    """The minute until which anything is known: see `tail`."""


def tail(facts: Facts, last: float | None) -> Facts:
    """Return *facts* that end where anything is known; *last* is the time of the last result.

    Until the next result is due the report ends with the last one. One that is overdue, or that
    never came, leaves minutes that nobody saw.
    """
    known = int(facts.now // MINUTE_SECONDS)
    kept, interval = facts.kept, facts.target.interval
    minute = known if last is None else int(last // MINUTE_SECONDS)
    if minute + 1 < known and last is not None:
        if facts.now - last <= 3 * interval:
            known = minute + 1
        else:
            silence = Minute(minute + 1, known - minute - 1, Seen.GAP)
            kept = replace(kept, minutes=overlaid(kept.minutes, [silence]))
    return replace(facts, end=max(facts.start, min(facts.end, known)), known=known, kept=kept)


def failed_request(result: Result) -> FailedRequest:
    """Return what the vendor's support asks for of a failed *result*."""
    outcome = result.outcome
    return FailedRequest(
        at=result.at,
        reason=result.reason.value,
        status=outcome.status,
        request_id=outcome.request_id,
        detail=outcome.detail,
        address=outcome.address,
        answer=outcome.evidence.excerpt if outcome.evidence else "",
    )


def page_story(incidents: Iterable[Incident]) -> list[str]:
    """Return what the provider's status page said, as the timelines of *incidents* keep it.

    Each sentence begins with the time at which it was noted.
    """
    entries = {
        (entry.at, entry.note)
        for incident in incidents
        for entry in incident.timeline
        if entry.by == PAGE_AUTHOR
    }
    return [f"{_minute(at)}: {note}" for at, note in sorted(entries)]


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
