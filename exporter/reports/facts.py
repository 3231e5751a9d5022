"""What a report is made of, gathered by the caller; `document` turns it into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from exporter.config import Target
from exporter.incidents import Incident
from exporter.providers import Promise
from exporter.results import Kept, Minute, Seen, Tally
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


class Evidence(Protocol):
    """Where failed requests and the story of the status page come from."""

    async def failures(self, service: str, start: float, end: float) -> Sequence[FailedRequest]:
        """Return those of *service* that are still kept, from the Unix time *start* until *end*."""

    async def page_story(self, service: str, start: float, end: float) -> Sequence[str]:
        """Return in sentences what the provider's status page said, and who saw it first."""


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


class LastFailures:
    """The failures of each service that are in memory: five, and none after a restart."""

    def __init__(self, of: Tallies) -> None:
        self._of = of

    async def failures(self, service: str, start: float, end: float) -> Sequence[FailedRequest]:
        return [
            FailedRequest(
                at=result.at,
                reason=result.reason.value,
                status=result.outcome.status,
                request_id=result.outcome.request_id,
                detail=result.outcome.detail,
            )
            for result in self._of.of(service).failures
            if start <= result.at < end
        ]

    async def page_story(self, service: str, start: float, end: float) -> Sequence[str]:
        return ()


class Tallies(Protocol):
    """Where tallies are; implemented by `results`."""

    def of(self, service: str) -> Tally:
        """Return the tally of *service*."""
