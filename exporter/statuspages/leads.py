"""Who saw an outage first: our first failed probe, or the first text on the provider's page.

Only times of posting are compared: a vendor can claim any start afterwards. A page that could not
be read or believed makes no claim, and every lead has its uncertainty. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exporter.statuspages.incidents import PageIncident
from exporter.statuspages.records import Health, PageRecord, Sighting
from exporter.statuspages.states import State

BEFORE_SECONDS = 6 * 3600.0
"""An incident that was posted so long before our first failure is about something else."""
AFTER_SECONDS = 3600.0
"""One that was posted so long after our last failure is, too."""
NOTICE_SECONDS = 60.0
"""One that was over so soon after it was posted was published as over: a notice."""


class Claim(StrEnum):
    """What can be said of a page beside a failure of ours."""

    LEAD = "lead"
    """It has an incident, and who was first is known within an uncertainty."""
    SILENT = "silent"
    """It says that all is well."""
    NO_INCIDENT = "no_incident"
    """It reports trouble, but no incident with a time."""
    EARLIER = "earlier"
    """It has an incident from long before our first failure."""
    BLIND = "blind"
    """It could not be read just before its incident was seen."""
    UNDATED = "undated"
    """Its incident was there at the first look, and tells no time of posting."""
    UNREAD = "unread"
    UNREADABLE = "unreadable"
    STALE = "stale"
    MOVED = "moved"


_CLAIM_OF_HEALTH = {
    Health.UNREAD: Claim.UNREAD,
    Health.UNREADABLE: Claim.UNREADABLE,
    Health.STALE: Claim.STALE,
    Health.MOVED: Claim.MOVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A failure of ours beside what its provider's page said of it; times are Unix times."""

    since: float
    """Our first failed probe."""
    until: float | None
    """Our first good probe after it; None while it fails."""
    claim: Claim
    health: Health
    state: State
    """Of the page, now."""
    page_since: float | None
    """Since when the page has been so."""
    incident: PageIncident | None = None
    posted: float | None = None
    """When the incident was posted, or was first seen here if that is not told or not credible."""
    is_told: bool = False
    ended_at: float | None = None
    uncertainty: float = 0.0
    """Seconds: the time between two looks at the page, plus the age of the copy."""

    @property
    def seconds(self) -> float | None:
        """From our first failure to the page's first text: negative if it was first.

        None without a claim.
        """
        if self.claim is not Claim.LEAD or self.posted is None:
            return None
        return self.posted - self.since


def lead_of(record: PageRecord, since: float, until: float | None = None) -> Lead:
    """Return what the page of *record* said of our failure from *since* to *until*, if it is over.

    Of several incidents the first one that was posted counts, which never flatters us.
    """
    candidates = [one for one in record.sightings.values() if _is_about(one, since, until)]
    dated = [one for one in candidates if one.posted is not None and not one.blind]
    recent = [one for one in dated if (one.posted or 0.0) >= since - BEFORE_SECONDS]
    blind = [one for one in candidates if one.blind]
    claim, found = _claim_of(record), None
    first = min(recent, key=lambda one: one.posted or 0.0, default=None)
    # what was posted while nobody could look may have been the first
    if first is not None and not any(_maybe_before(one, first) for one in blind):
        claim, found = Claim.LEAD, first
    elif record.health is Health.READABLE and candidates:
        claim, found = _without_time(candidates, blind, dated)
    return Lead(
        since=since,
        until=until,
        claim=claim,
        health=record.health,
        state=record.state,
        page_since=record.since,
        incident=found.incident if found else None,
        posted=found.posted if found else None,
        is_told=found.is_told if found else False,
        ended_at=found.ended_at if found else None,
        uncertainty=found.uncertainty if found else 0.0,
    )


def _maybe_before(blind: Sighting, other: Sighting) -> bool:
    return (blind.posted or blind.seen_at) <= (other.posted or other.seen_at)


def _claim_of(record: PageRecord) -> Claim:
    """Return the claim of a page without an incident that matters."""
    if record.health is not Health.READABLE:
        return _CLAIM_OF_HEALTH[record.health]
    return Claim.SILENT if record.state is State.OPERATIONAL else Claim.NO_INCIDENT


def _without_time(
    candidates: list[Sighting], blind: list[Sighting], dated: list[Sighting]
) -> tuple[Claim, Sighting]:
    if blind:
        return Claim.BLIND, blind[0]
    return (Claim.EARLIER, dated[0]) if dated else (Claim.UNDATED, candidates[0])


def _is_about(sighting: Sighting, since: float, until: float | None) -> bool:
    """Return whether an incident was open during our failure, or posted soon after it."""
    ended, posted = sighting.ended_at, sighting.posted or sighting.seen_at
    if ended is not None and (ended < since or ended - posted < NOTICE_SECONDS):
        return False
    return until is None or posted <= until + AFTER_SECONDS
