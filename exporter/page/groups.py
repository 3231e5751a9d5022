"""Services in groups, by team, provider, environment or a tag, each with a heading that counts.

Pure, but for the pauses. A group of which all failures are alike needs one line; one with several
causes is drawn open.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from exporter.config import Target
from exporter.page.board import DISPLAY_ORDER, LoopShare
from exporter.page.summary import ServiceSummary
from exporter.page.wording import FAILING, FAULTS, ShownState, short
from exporter.results import causes_in_words, kind_of, provider_of

FIELDS = ("team", "provider", "environment")
"""What services are grouped by, besides their tags."""
TAG = "tag:"
"""Before the name of a tag: what is in `metadata`, except for owner and runbook."""
WITHOUT = "(none)"
"""The group of those that have no team, or not that tag."""


def is_known(by: str) -> bool:
    """Return whether services can be grouped by *by*."""
    return by in FIELDS or (by.startswith(TAG) and len(by) > len(TAG))


def noun_of(by: str) -> str:
    """Return what *by* is called: `team`, or the name of the tag."""
    return by.removeprefix(TAG)


def group_of(target: Target, by: str) -> str:
    """Return the name of the group of *target*."""
    if by.startswith(TAG):
        return dict(target.tags).get(by.removeprefix(TAG)) or WITHOUT
    return str(getattr(target, by)) or WITHOUT


@dataclass(slots=True, kw_only=True)
class Group:
    """Services with one team, provider, environment or value of a tag, in the order of the list."""

    by: str
    name: str
    members: list[ServiceSummary] = field(default_factory=list)
    _counts: Counter[ShownState] = field(default_factory=Counter)
    _kinds: dict[tuple[str, str], list[ServiceSummary]] = field(default_factory=dict)

    def add(self, summary: ServiceSummary) -> None:
        self.members.append(summary)
        self._counts[summary.state] += 1
        last = summary.last
        if summary.state in FAILING and last is not None:
            # An outage of one provider is one cause, one of two providers is two.
            kind = kind_of(last.reason, last.verdict, provider_of(summary.target))
            self._kinds.setdefault(kind, []).append(summary)

    @property
    def key(self) -> str:
        """A short text for ids of elements: a name may hold any character."""
        digest = hashlib.blake2b(self.name.encode("utf-8", "surrogatepass"), digest_size=6)
        return digest.hexdigest()

    @property
    def title(self) -> str:
        """Its name for people, for example `payments` or `no team`."""
        return self.name if self.name != WITHOUT else f"no {noun_of(self.by)}"

    @property
    def state(self) -> ShownState:
        """The worst state that one of its services is in."""
        return next(state for state in DISPLAY_ORDER if self._counts[state])

    @property
    def counts(self) -> str:
        """How many services it has and how they fare, for example `12 services, 3 fail`."""
        number, failing = len(self.members), sum(self._counts[state] for state in FAILING)
        parts = [f"{number} service{'' if number == 1 else 's'}"]
        if failing:
            parts.append(f"{failing} fail{'s' if failing == 1 else ''}")
        if unknown := self._counts[ShownState.UNKNOWN]:
            parts.append(f"{unknown} unknown")
        if self._counts[ShownState.HEALTHY] == number:
            parts.append("healthy" if number == 1 else "all healthy")
        return ", ".join(parts)

    @property
    def has_several_causes(self) -> bool:
        return len(self._kinds) > 1

    def first(self, number: int) -> list[ServiceSummary]:
        """Return at most *number* services to list under it: all, or else those that fail if any.

        They are in the order of the list.
        """
        failing = [one for one in self.members if one.state in FAILING]
        short_enough = len(self.members) <= number
        return (self.members if short_enough or not failing else failing)[:number]

    @property
    def failing(self) -> list[ServiceSummary]:
        return [summary for kind in self._kinds.values() for summary in kind]

    @property
    def since(self) -> float:
        """The Unix time since which the first of its failing services fails; 0 if it is unknown."""
        return min((one.since for one in self.failing if one.since), default=0.0)

    @property
    def why(self) -> str:
        """Why services of it fail, in a few words; empty if none does."""
        if self.has_several_causes:
            return causes_in_words(
                {
                    (cause, short(provider) if provider != self.name else ""): len(summaries)
                    for (cause, provider), summaries in self._kinds.items()
                }
            )
        for (_, provider), summaries in self._kinds.items():
            first, faults = summaries[0], {summary.fault for summary in summaries}
            who = f"{provider}, " if provider and provider != self.name else ""
            fault = first.fault.removeprefix("provider: ") if who else first.fault
            if len(faults) > 1:
                fault = f"at fault: {FAULTS[first.verdict]}" if first.verdict else fault
            if len(summaries) == 1:
                return f"{short(first.target.name)}, {first.fault}"
            return f"all alike: {who}{fault}"
        return ""

    @property
    def rank(self) -> tuple[int, int, bool, str]:
        """What groups are sorted by, the worst first."""
        worst = DISPLAY_ORDER.index(self.state)
        return worst, -len(self.failing), self.name == WITHOUT, self.name.casefold()


async def grouped(found: Iterable[ServiceSummary], by: str, share: LoopShare) -> list[Group]:
    """Return *found* in groups by *by*, in the order of their first members."""
    groups: dict[str, Group] = {}
    for summary in found:
        name = group_of(summary.target, by)
        group = groups.get(name)
        if group is None:
            group = groups[name] = Group(by=by, name=name)
        group.add(summary)
        await share.yield_if_due()
    return list(groups.values())
