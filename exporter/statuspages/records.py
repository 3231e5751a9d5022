"""What is known of one status page: its state, whether it can be read, and when incidents appeared.

Pure: the caller brings answers and times, as Unix times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from exporter.statuspages.incidents import PageIncident, Reading
from exporter.statuspages.states import State

MOST_SIGHTINGS = 100
"""Incidents of one page that are remembered; those that are over are forgotten first."""
MOST_CHANGES = 200
"""Changes of one page's state that are remembered."""
BACKDATED_SECONDS = 120.0
"""So much earlier than the last look without it may an incident say that it was posted: a CDN may
have kept that look for as long. What says more was written into the past."""


BORN_OVER_SECONDS = 60.0
"""So much earlier than its posting may the end of one be that is published as over."""


class Health(StrEnum):
    """Whether a page can be believed."""

    UNREAD = "unread"
    """It was not asked yet."""
    READABLE = "readable"
    UNREADABLE = "unreadable"
    STALE = "stale"
    """It answers with an old copy."""
    MOVED = "moved"
    """It redirects, or answers with HTML where data was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An incident, and when it was first seen here: the only time that nobody can edit later."""

    incident: PageIncident
    seen_at: float
    uncertainty: float
    """Seconds by which it may have been visible earlier: the time between two looks, and the age of
    the copy in which it was seen."""
    absent_at: float | None
    """When the page was last seen without it; None if it was there at the first look."""
    blind: bool = False
    """Whether the page could not be read, or not be believed, just before."""
    gone_at: float | None = None
    """When the page stopped listing it as open."""

    @property
    def posted(self) -> float | None:
        """When it was posted, as far as that can be trusted; None if nothing is known."""
        told = self.incident.posted
        if self.absent_at is None:
            return None if told is None or told > self.seen_at else told
        backdated = told is not None and told < self.absent_at - BACKDATED_SECONDS
        if told is None or backdated or told > self.seen_at:
            return self.seen_at
        return told

    @property
    def is_told(self) -> bool:
        """Whether `posted` is what the page says, and not when it was first seen."""
        return self.posted == self.incident.posted

    @property
    def ended_at(self) -> float | None:
        """When it ended; None while it is open.

        By the page's own time where that can be: not before it was posted, nor after it was gone.
        """
        told, gone = self.incident.resolved, self.gone_at
        if self.incident.is_open or told is None or gone is None:
            return gone
        posted = self.posted
        begun = posted is None or told >= posted - BORN_OVER_SECONDS
        return told if begun and told <= gone else gone


@dataclass(frozen=True, slots=True)
class Change:
    """What a page was from *at* on."""

    at: float
    health: Health
    state: State


class PageRecord:
    """The past of one page, as it was seen."""

    def __init__(self) -> None:
        self.state = State.UNKNOWN
        self.health = Health.UNREAD
        self.matched = True
        """Whether the component filter matches anything of the page."""
        self.read_at: float | None = None
        """When it was last read, and could be believed; the age of a copy is taken off."""
        self.sightings: dict[str, Sighting] = {}
        self.changes: deque[Change] = deque(maxlen=MOST_CHANGES)
        self._blind = False

    @property
    def since(self) -> float | None:
        """Since when health and state are the present ones; None if it was not asked yet."""
        return self.changes[-1].at if self.changes else None

    @property
    def is_readable(self) -> bool:
        """Whether what it says now can be believed."""
        return self.health is Health.READABLE

    @property
    def open(self) -> tuple[Sighting, ...]:
        """The incidents that the page lists as open."""
        return tuple(one for one in self.sightings.values() if one.ended_at is None)

    def take(self, reading: Reading, at: float, *, uncertainty: float, age: float = 0.0) -> None:
        """Take in what was read at *at* from a copy that is *age* seconds old."""
        before = self.read_at
        listed = {one.id: one for one in reading.incidents}
        for incident in reading.incidents:
            known = self._known(incident, listed)
            if known is not None:
                gone = None if incident.is_open else known.gone_at or at
                self.sightings[incident.id] = replace(known, incident=incident, gone_at=gone)
                continue
            self.sightings[incident.id] = Sighting(
                incident=incident,
                seen_at=at,
                uncertainty=uncertainty,
                absent_at=before,
                blind=self._blind,
                gone_at=None if incident.is_open else at,
            )
        for id_, sighting in self.sightings.items():
            if id_ not in listed and sighting.ended_at is None:
                self.sightings[id_] = replace(sighting, gone_at=at)
        self._forget()
        self.matched, self.read_at, self._blind = reading.matched, at - age, False
        self._note(at, Health.READABLE, reading.state)

    def miss(self, health: Health, at: float, state: State = State.UNKNOWN) -> None:
        """Note that at *at* its incidents could not be read, or not be believed.

        *state* is what it says of itself, where at least that could be.
        """
        self._blind = True
        self._note(at, health, state)

    def _known(self, incident: PageIncident, listed: Mapping[str, PageIncident]) -> Sighting | None:
        """Return the sighting of *incident*; its id may be a new one, as after a page moved.

        Where a page tells no time, one of the same title that is *listed* no more was it.
        """
        if (found := self.sightings.get(incident.id)) is not None:
            return found
        for id_, sighting in self.sightings.items():
            former = sighting.incident
            if (former.title, former.posted) != (incident.title, incident.posted):
                continue
            if former.posted is not None or (sighting.ended_at is None and id_ not in listed):
                return self.sightings.pop(id_)
        return None

    def _forget(self) -> None:
        """Keep the newest, those that are open before others."""
        if len(self.sightings) <= MOST_SIGHTINGS:
            return
        ranked = sorted(
            self.sightings.items(),
            key=lambda pair: (pair[1].ended_at is None, pair[1].incident.posted or pair[1].seen_at),
        )
        for id_, _ in ranked[: len(ranked) - MOST_SIGHTINGS]:
            del self.sightings[id_]

    def _note(self, at: float, health: Health, state: State) -> None:
        if (self.health, self.state) != (health, state):
            self.health, self.state = health, state
            self.changes.append(Change(at, health, state))
