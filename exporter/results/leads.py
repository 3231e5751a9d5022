"""Our failures beside what the providers' own pages say of them: who saw it first.

A failure begins with the first probe whose verdict is `provider` and ends with the first that the
provider answers; what fails again within ten minutes goes on. What is known of a failure is written
into the timeline of its incidents, so that it survives a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from exporter.clock import Clock
from exporter.config import Target
from exporter.incidents import EntryKind, Incident, IncidentError, IncidentLog
from exporter.log import event
from exporter.model import FACTS, Result, Verdict
from exporter.registry import Registry, RegistryChange
from exporter.results.tally import Results
from exporter.statuspages import Claim, Lead, PageRecord, StatusPage, lead_of, sentence

_log = logging.getLogger(__name__)
PERIOD_SECONDS = 15.0
MERGED_SECONDS = 600.0
"""A failure that comes back within this is the same one."""
KEPT_SECONDS = 3600.0
"""So long after a failure its lead is still known: pages are often later than that."""
AUTHOR = "status page"
"""Who wrote the entries of a timeline that are written here."""
_PROVIDER = Verdict.PROVIDER  # to look into an enumeration takes its metaclass
_INCIDENTS_OF_A_ROUND, _ENTRIES_OF_AN_INCIDENT = 50, 10
_OF_PROVIDERS = frozenset({"ProviderOutage", "ProviderSilentOutage"})


class Pages(Protocol):
    """The providers' pages; implemented by `statuspages`."""

    def record(self, page: StatusPage | None) -> PageRecord | None:
        """Return what is known of *page*."""

    def note(self, page: StatusPage | None, service: str, *, failing: bool) -> None:
        """Have *page* asked more often while a *service* fails."""

    def forget(self, service: str) -> None:
        """Note that *service* was removed or changed."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A failure: Unix times; `until` is None while it lasts."""

    since: float
    until: float | None = None


class Leads:
    """What every failing service's provider says of it.

    Example:

        leads = Leads(registry, results, pages, log, clock)
        lead = leads.of(registry.get("openai"))
        print(sentence(lead), lead.seconds, lead.uncertainty)
    """

    def __init__(
        self, registry: Registry, results: Results, pages: Pages, log: IncidentLog, clock: Clock
    ) -> None:
        self._registry, self._results, self._pages = registry, results, pages
        self._log, self._clock = log, clock
        self._spells: dict[str, Spell] = {}
        self._written: dict[str, str] = {}
        """By the id of an incident the last sentence in its timeline."""

    def probe(self, target: Target, result: Result) -> None:
        """Take in a *result*; to be called after it was counted."""
        spell = self._spells.get(target.id)
        if result.verdict is _PROVIDER and not result.success:
            if spell is None or _is_over(spell, result.at, MERGED_SECONDS):
                # since when its verdict is so; after a restart that is earlier than this result
                since = self._results.of(target.id).since or result.at
                self._spells[target.id] = Spell(min(since, result.at))
            elif spell.until is not None:
                self._spells[target.id] = Spell(spell.since)
            self._pages.note(target.status_page, target.id, failing=True)
        elif spell is not None and FACTS[result.reason].up and spell.until is None:
            self._spells[target.id] = replace(spell, until=result.at)
            self._pages.note(target.status_page, target.id, failing=False)

    def follow(self, change: RegistryChange) -> None:
        """Forget what is removed; a changed service is noted again by its next failure."""
        for target in change.removed:
            self._spells.pop(target.id, None)
            self._pages.forget(target.id)
        for target in change.current:
            if target.id in self._spells:
                self._pages.forget(target.id)

    def of(self, target: Target) -> Lead | None:
        """Return the lead of the present failure of *target*, or of one that ended an hour ago.

        None without a failure, and without a page that can be read.
        """
        spell = self._spells.get(target.id)
        if spell is None or _is_over(spell, self._clock.now(), KEPT_SECONDS):
            return None
        return self.between(target, spell.since, spell.until)

    def between(self, target: Target, since: float, until: float | None = None) -> Lead | None:
        """Return what the provider's page said of a failure of *target* at these Unix times.

        Pages are remembered since the start of the process; what came before is in the timelines
        of the incidents. None without a page that can be read.
        """
        record = self.record(target)
        return None if record is None else lead_of(record, since, until)

    def record(self, target: Target) -> PageRecord | None:
        """Return what is known of the provider's page; None if it has none that can be read."""
        page = target.status_page
        return None if page is None or page.adapter is None else self._pages.record(page)

    # -- timelines ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what is found into the timelines of open incidents, until cancelled."""
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            try:
                await self.write()
            except OSError as error:  # StoreError is one
                event(_log, "timeline not written", level=logging.WARNING, why=str(error))

    async def write(self) -> None:
        """Write what is new of the failures of now, at most fifty entries at once."""
        now = self._clock.now()
        over = [name for name, one in self._spells.items() if _is_over(one, now, KEPT_SECONDS)]
        for service in over:
            del self._spells[service]
        if not self._spells:
            self._written.clear()
            return
        incidents = await self._log.unresolved()
        pairs = ((incident, lead) for incident in incidents if (lead := self._lead(incident)))
        new = (
            (incident, text)
            for incident, lead in pairs
            if (text := _text(lead)) and text != self._written.get(incident.id)
        )
        for incident, text in islice(new, _INCIDENTS_OF_A_ROUND):
            await self._write_one(incident, text)

    async def _write_one(self, incident: Incident, text: str) -> None:
        try:
            timeline = (await self._log.get(incident.id)).timeline
            written = [entry.note for entry in timeline if entry.by == AUTHOR]
            if text not in written and len(written) < _ENTRIES_OF_AN_INCIDENT:
                await self._log.record(incident.id, EntryKind.NOTE, AUTHOR, text)
        except IncidentError:  # it was deleted meanwhile
            return
        self._written[incident.id] = text

    def _lead(self, incident: Incident) -> Lead | None:
        """Return the lead that *incident* is about; of a provider that of its first failure."""
        leads = [lead for target in self._targets_of(incident) if (lead := self.of(target))]
        return min(leads, key=lambda lead: lead.since, default=None)

    def _targets_of(self, incident: Incident) -> Iterator[Target]:
        if incident.service in self._spells and incident.service in self._registry:
            if incident.category == "availability":
                yield self._registry.get(incident.service)
        elif incident.alertname in _OF_PROVIDERS:
            for service in self._failing():
                target = self._registry.get(service)
                if (target.provider, target.environment) == (
                    incident.provider,
                    incident.environment,
                ):
                    yield target

    def _failing(self) -> Sequence[str]:
        return [service for service in self._spells if service in self._registry]


def _is_over(spell: Spell, now: float, seconds: float) -> bool:
    """Return whether *spell* ended more than *seconds* before the Unix time *now*."""
    return spell.until is not None and now - spell.until > seconds


def _text(lead: Lead) -> str:
    """Return what to write of *lead*, with their title; nothing before the page was read."""
    if lead.claim is Claim.UNREAD:
        return ""
    title = f'; their title: "{lead.incident.title}"' if lead.incident else ""
    return sentence(lead) + title
