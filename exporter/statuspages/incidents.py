"""What a status page says of its incidents: values, made by adapters, bounded and cleaned.

Three times are never mixed: when the vendor claims that it began, when it was posted, and when it
was first seen here. The first can be chosen freely by its author, hours back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from exporter.characters import without_control
from exporter.statuspages.states import State, is_over, state_of_word

MOST_INCIDENTS = 100
"""Of one page; vendors list 25 to 50, the newest first."""
MOST_LISTED = 2_000
"""Entries of a list that are looked at: Google lists those of months, of all products."""
LONGEST_TITLE, LONGEST_ID, MOST_COMPONENTS, LONGEST_COMPONENT = 200, 200, 20, 80
_LONGEST_TIME = 100
_FIRST, _LAST = 946_684_800.0, 4_102_444_800.0
"""The years 2000 to 2100: a time outside is a mistake, or no time."""
_MILLISECONDS = re.compile(r"[0-9]{12,14}")
_SECONDS = re.compile(r"[0-9]{9,11}(?:\.[0-9]{1,9})?")
_JS_DATE = re.compile(r"\w{3} (\w{3} [0-9]{2} [0-9]{4} [0-9:]{8}) GMT([+-][0-9]{4})(?: \(.*\))?")


class Stage(StrEnum):
    """How far an open incident is; the values of the label `state` of the metric of incidents."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    OPEN = "open"
    """Open, in a word that is not one of these."""


_STAGES = {stage.value: stage for stage in Stage}


class Impact(StrEnum):
    """How bad the vendor says an incident is; the values of the label `impact`."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


IMPACT_OF = {
    State.OPERATIONAL: Impact.NONE,
    State.MAINTENANCE: Impact.NONE,
    State.DEGRADED: Impact.MINOR,
    State.UNKNOWN: Impact.MINOR,
    State.PARTIAL_OUTAGE: Impact.MAJOR,
    State.MAJOR_OUTAGE: Impact.CRITICAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageIncident:
    """One incident as its page lists it; times are Unix times, None where it gives none."""

    id: str
    title: str
    stage: Stage = Stage.OPEN
    impact: Impact = Impact.MINOR
    is_open: bool = True
    claimed: float | None = None
    """When the vendor says that it began."""
    posted: float | None = None
    """When its first text was published."""
    updated: float | None = None
    resolved: float | None = None
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read from one body."""

    state: State
    incidents: tuple[PageIncident, ...] = ()
    made_at: float | None = None
    """When the page says that it was last changed."""
    matched: bool = True
    """Whether the component filter, if there is one, matches anything of the page."""


UNREADABLE = Reading(state=State.UNKNOWN)


def instant(value: Any) -> float | None:
    """Return the Unix time in *value*, None if it is none.

    Read are ISO 8601 with any offset, seconds or milliseconds as a number or its text, the dates of
    mails and feeds, and those of JavaScript. Without an offset it is UTC.

    >>> instant("2026-11-27T02:05:00.000-05:00") == instant("1795763100")
    True
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = f"{value:.3f}" if abs(value) < 1e11 else f"{value:.0f}"
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    text = value.strip()
    if _MILLISECONDS.fullmatch(text):
        return _bounded(float(text) / 1000)
    if _SECONDS.fullmatch(text):
        return _bounded(float(text))
    for parse in (datetime.fromisoformat, parsedate_to_datetime, _js_date):
        try:
            found = parse(text)
            whole = found if found.tzinfo else found.replace(tzinfo=UTC)
            return _bounded(whole.timestamp())
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _js_date(text: str) -> datetime:
    match = _JS_DATE.fullmatch(text)
    if match is None:
        raise ValueError
    return datetime.strptime(f"{match[1]} {match[2]}", "%b %d %Y %H:%M:%S %z")


def _bounded(seconds: float) -> float | None:
    return seconds if _FIRST <= seconds <= _LAST else None


def earliest(*values: Any) -> float | None:
    """Return the earliest time in *values*, None if there is none."""
    return min((at for value in values if (at := instant(value)) is not None), default=None)


def stage_of(word: Any) -> Stage:
    """Return the stage that a vendor's word means."""
    text = re.sub(r"[^a-z]", "", word[:64].lower()) if isinstance(word, str) else ""
    return _STAGES.get(text, Stage.OPEN)


def impact_of(word: Any) -> Impact:
    """Return how bad a vendor's word is; MINOR for an unknown one.

    >>> impact_of("full_outage")
    <Impact.CRITICAL: 'critical'>
    """
    return IMPACT_OF[state_of_word(word)] if isinstance(word, str) else Impact.MINOR


def text_of(value: Any, longest: int) -> str:
    """Return *value* as one bounded line without control characters; empty if it is no text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 4 * longest].split())
    # A half of a surrogate pair, from JSON, can be neither stored nor sent.
    clean = line.encode("utf-8", "replace").decode("utf-8")
    return without_control(clean, "\ufffd")[:longest].strip()


def names_of(values: Any) -> tuple[str, ...]:
    """Return the names in a list of texts, or of objects with `name` or `title`."""
    found = values if isinstance(values, list) else ()
    names = (
        text_of(
            one if isinstance(one, str) else (one.get("name") or one.get("title")),
            LONGEST_COMPONENT,
        )
        for one in islice(found, MOST_COMPONENTS)
        if isinstance(one, (str, dict))
    )
    return tuple(dict.fromkeys(name for name in names if name))


def made(
    id_: Any,
    title: Any,
    *,
    word: Any = None,
    impact: Impact = Impact.MINOR,
    is_open: bool | None = None,
    claimed: Any = None,
    posted: float | None = None,
    updated: Any = None,
    resolved: Any = None,
    components: Any = (),
) -> PageIncident:
    """Return an incident from what a vendor wrote; open unless *word*, its status, is an end."""
    name = text_of(title, LONGEST_TITLE)
    opened = not is_over(word) if is_open is None else is_open
    return PageIncident(
        id=text_of(id_, LONGEST_ID) or name,
        title=name or "without a title",
        stage=stage_of(word),
        impact=impact,
        is_open=opened,
        claimed=instant(claimed),
        posted=posted,
        updated=instant(updated),
        resolved=None if opened else instant(resolved),
        components=components if isinstance(components, tuple) else names_of(components),
    )


def incidents_of(
    items: Iterable[Any], incident_of: Callable[[Any], PageIncident | None]
) -> tuple[PageIncident, ...]:
    """Return the incidents in *items*; one that cannot be read, or is None, is left out."""
    found: dict[str, PageIncident] = {}
    for item in islice(items, MOST_LISTED):
        try:
            incident = incident_of(item)
        except (LookupError, TypeError, AttributeError, ValueError):
            continue
        if incident is not None and incident.id:
            found.setdefault(incident.id, incident)
        if len(found) == MOST_INCIDENTS:
            break
    return tuple(found.values())
