"""What a vendor promises about its availability, as data: each part with its source and its mark.

Only a part whose confidence is `doc` is the vendor's own word. The report never prints another
one as if it were: numbers that others repeat are often templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.checks import Confidence
from exporter.settings import Duration, Ratio, Url, option

Period = Literal["month", "quarter"]
CountingKind = Literal["minutes", "error_rate"]
Window = Literal["1m", "5m"]
"""The minutes that are kept are grouped by five at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How the vendor counts downtime."""

    kind: CountingKind = option(
        doc="minutes: a window is down or it is not. error_rate: the mean of the windows' shares of"
        " failed requests."
    )
    window: Window = option("1m", "Length of a window.")
    above: Ratio = option(0.0, "Share of failed requests above which a window is down.")
    minimum_requests: int = option(
        1, "Requests below which a window does not count.", minimum=1, maximum=1_000_000
    )
    decided_by: str = option("", "Whose measurements decide.")
    excluded: str = option("", "What does not count.")
    confidence: Confidence = option(doc="How well this is known.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """One step of the credits."""

    below: Ratio = option(doc="Availability of the period below which it is given.")
    or_equal: bool = option(False, "It is given at that availability too.")
    percent: int = option(doc="Of the fees.", minimum=1, maximum=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """What is paid back."""

    steps: tuple[Credit, ...] = option((), "The steps, the smallest credit first.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """How and until when a credit has to be asked for: none is paid by itself."""

    within: Duration | None = option(None, "Time after the end of the period.")
    how: str = option("", "Where to, and what has to be in it.")
    confidence: Confidence = option(doc="How well this is known.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The vendor's service level agreement, or that there is none."""

    availability: Ratio | None = option(None, "What is promised; unset if no number is known.")
    period: Period | None = option(None, "Over which calendar period, in UTC.")
    plan: str = option("", "Who is promised it.")
    covers: str = option("", "Which calls it is about.")
    probe_is_covered: bool | None = option(
        None, "Whether the health call is such a call; unset where nobody knows."
    )
    counting: Counting | None = option(None, "How downtime is counted, where that is known.")
    credits: Credits | None = option(None, "What is paid back.")
    claim: Claim | None = option(None, "How it is claimed.")
    source: tuple[Url, ...] = option((), "Where it is written.")
    as_of: str = option("", "Of which date the text is.", pattern=r"^([0-9]{4}(-[0-9]{2}){0,2})?$")
    confidence: Confidence = option(doc="How well the promise is known.")
    note: str = option("", "What to know.")
