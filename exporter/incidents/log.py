"""The log itself: reports about alerts and actions of people, one transaction each, on the disk.

Storage is used in a thread and under one lock, so reports are folded in the order in which they
came. What has returned is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from exporter.clock import Clock
from exporter.incidents import fold, people, states
from exporter.incidents.alerts import (
    MANUAL,
    WATCHDOG,
    MessageError,
    beyond,
    from_webhook,
    made,
    receiver_of,
)
from exporter.incidents.batch import MOST_OF_KEY, Batch
from exporter.incidents.causes import causes_of
from exporter.incidents.model import (
    Alert,
    Counts,
    Decider,
    Entry,
    EntryKind,
    Incident,
    IncidentError,
    IncidentStatus,
    Query,
    Source,
    Stats,
)
from exporter.incidents.received import OddAlerts, Received
from exporter.incidents.spells import IncidentChange
from exporter.incidents.states import Report
from exporter.incidents.storage import IncidentStorage
from exporter.log import event

_log = logging.getLogger(__name__)
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"  # nothing that is mistaken on the telephone
_MOST_RECEIVERS = 100
MOST_UNRESOLVED = 1000
"""Open incidents that are looked at together; more of them no person reads."""
SLICE_ALERTS = 250
"""Alerts that are folded in one write; then others have their turn."""
IncidentFollower = Callable[[Sequence[IncidentChange]], None]


class IncidentLog:
    """Open, acknowledged and resolved incidents; see `fold` for what changes them."""

    def __init__(
        self,
        storage: IncidentStorage,
        clock: Clock,
        *,
        show: Callable[[Counts], None] = lambda counts: None,
    ) -> None:
        """*show* is called with new counts, in a thread."""
        self._storage, self._clock, self._show = storage, clock, show
        self.decider = Decider.ALERTMANAGER
        """Who decides what is an incident."""
        self.why_nobody = ""
        """Why nobody is notified of what people report; "" if somebody is."""
        self.message_tick: float | None = None
        """When a message of Alertmanager last came."""
        self._lock = asyncio.Lock()
        self._followers: list[IncidentFollower] = []
        self.own_receivers: set[str] = set()
        """Receivers of Alertmanager whose messages come here, as far as they have come."""
        self._odd_alerts = OddAlerts()
        self._polled_at: float | None = None
        """When the last complete poll was sent."""
        self._causes: Mapping[str, str] | None = None
        self.counts = Counts()
        """The figures of the metrics, as of the last change or `refresh`."""
        self.watchdog_at: float | None = storage.last_contact(WATCHDOG)
        """When the Watchdog alert last came: Prometheus and Alertmanager were alive then."""

    def subscribe(self, follower: IncidentFollower) -> None:
        """Have *follower* called after every change, on the loop."""
        self._followers.append(follower)

    # -- reports about alerts ----------------------------------------------------------------

    async def receive(self, message: Any) -> Received:
        """Fold a webhook message, some alerts at a time; return what became of it.

        An alert that cannot be read or folded is logged and set aside, the others are folded. Of
        more than `MOST_OF_MESSAGE` alerts the first are; a poll shows the rest.

        Raises:
            MessageError: it is none of Alertmanager's.
            StoreError: it, or the rest of it, could not be kept; sent again it changes no more.
        """
        odd: list[MessageError] = []
        alerts = await asyncio.to_thread(from_webhook, message, odd.append)
        left_out, self.message_tick = beyond(message), self._clock.tick()
        self._odd_alerts.note("alert not read", [("", str(error)) for error in odd])
        if (receiver := receiver_of(message)) and len(self.own_receivers) < _MOST_RECEIVERS:
            self.own_receivers.add(receiver)
        if any(alert.labels.get("alertname") == WATCHDOG and alert.firing for alert in alerts):
            self.watchdog_at = self._clock.now()
            await asyncio.to_thread(self._storage.note_contact, WATCHDOG, self.watchdog_at)
        changes, aside = await self._fold(alerts, Source.WEBHOOK, self._clock.now())
        if left_out:
            event(_log, "message cut", level=logging.WARNING, left_out=left_out)
        return Received(
            changed=len({change.incident.id for change in changes}),
            set_aside=len(odd) + aside,
            left_out=left_out,
        )

    async def fold(
        self,
        alerts: Sequence[Alert],
        source: Source,
        now: float,
        *,
        complete: bool | Collection[str] = False,
    ) -> list[IncidentChange]:
        """Fold *alerts*, a slice at a time; with *complete* what they do not list is missing.

        *now* is when the report was made; of a poll, when it was sent. *complete* may name the
        alerts of which the report says it.
        """
        changes, _ = await self._fold(alerts, source, now)
        if complete:
            about = None if complete is True else frozenset(complete)
            listed = {alert.fingerprint for alert in alerts}
            changes += await self._miss(listed, source, now, about)
            self._polled_at = now
        return changes

    async def _fold(
        self, alerts: Sequence[Alert], source: Source, now: float
    ) -> tuple[list[IncidentChange], int]:
        """Return the changes, and how many alerts were set aside."""
        changes: list[IncidentChange] = []
        aside = 0
        for begin in range(0, len(alerts), SLICE_ALERTS):
            batch = Batch(self._storage, self._report(source, now))

            def write(batch: Batch = batch, begin: int = begin) -> list[IncidentChange]:
                batch.fold(alerts[begin : begin + SLICE_ALERTS])
                return batch.write()

            changes += await self._write(write)
            self._odd_alerts.note("alert set aside", batch.aside)
            aside += len(batch.aside)
        return changes, aside

    async def _miss(
        self, listed: Collection[str], source: Source, now: float, about: Collection[str] | None
    ) -> list[IncidentChange]:
        """Note what a complete poll does not list, some open incidents at a time."""
        changes: list[IncidentChange] = []
        last: str | None = ""
        while last is not None:
            batch = Batch(self._storage, self._report(source, now))

            def write(batch: Batch = batch, after: str = last) -> list[IncidentChange]:
                nonlocal last
                found = self._storage.open_after(after, SLICE_ALERTS)
                last = found[-1].key if len(found) == SLICE_ALERTS else None
                named = found if about is None else [i for i in found if i.alertname in about]
                batch.miss(named, listed)
                return batch.write()

            changes += await self._write(write)
            self._odd_alerts.note("alert set aside", batch.aside)
        return changes

    def _report(self, source: Source, now: float) -> Report:
        return Report(
            source=source,
            now=now,
            new_id=_new_id,
            grace=states.GRACE,
            polled_at=self._polled_at,
        )

    # -- what people do ----------------------------------------------------------------------

    async def create(
        self,
        *,
        severity: str,
        summary: str,
        by: str,
        service: str = "",
        environment: str = "",
        provider: str = "",
        team: str = "",
        description: str = "",
    ) -> Incident:
        """Open a manual incident and return it; `reconcile` posts it to Alertmanager."""
        now, id_ = self._clock.now(), _new_id()
        given = {
            "alertname": MANUAL,
            "category": "manual",
            "environment": environment,
            "incident": id_,
            "provider": provider,
            "service": service,
            "severity": severity,
            "source": "manual",
            "team": team,
        }
        labels = {name: value for name, value in given.items() if value}
        alert = made(labels, {"summary": summary, "description": description}, now)

        def write() -> list[IncidentChange]:
            report = Report(source=Source.WEBHOOK, now=now, new_id=lambda: id_)
            (change,) = fold.fold([], alert, report)
            entries = [Entry(at=now, kind=EntryKind.OPENED, by=by, note=severity)]
            if self.why_nobody:
                entries.append(Entry(at=now, kind=EntryKind.NOTE, note=self.why_nobody))
            return [self._put(IncidentChange(incident=change.incident, entries=tuple(entries)))]

        return (await self._write(write))[0].incident

    async def acknowledge(self, id_: str, by: str, note: str = "") -> Incident:
        """Note that *by* takes the incident; the first to take it stays.

        Raises:
            UnknownIncidentError: there is none of that id.
            IncidentError: it is resolved.
        """

        def check(incident: Incident) -> IncidentChange | None:
            if incident.status is IncidentStatus.RESOLVED:
                raise IncidentError("a resolved incident cannot be acknowledged")
            return people.acknowledged(incident, by, note, self._clock.now())

        return await self._change(id_, check)

    async def resolve(self, id_: str, by: str, note: str = "") -> Incident:
        """Note that *by* ends the incident: only an alert that begins later opens it again.

        Raises:
            UnknownIncidentError: there is none of that id.
        """
        return await self._change(
            id_, lambda incident: people.resolved(incident, by, note, self._clock.now())
        )

    async def note(self, id_: str, by: str, note: str, *, public: bool = False) -> Incident:
        """Add a note; a *public* one is shown on the public page.

        Raises:
            UnknownIncidentError: there is no incident of that id.
        """
        return await self._change(
            id_, lambda one: people.noted(one, by, note, self._clock.now(), public=public)
        )

    async def record(self, id_: str, kind: EntryKind, by: str, note: str) -> None:
        """Add an entry that no person wrote to the timeline."""
        entry = Entry(at=self._clock.now(), kind=kind, by=by, note=note)
        await self._change(
            id_, lambda incident: IncidentChange(incident=incident, entries=(entry,))
        )

    # -- reading -----------------------------------------------------------------------------

    async def get(self, id_: str) -> Incident:
        """Return an incident with its timeline.

        Raises:
            UnknownIncidentError: there is none of that id.
        """
        return (await asyncio.to_thread(self._storage.get, id_)).dated()

    async def find(self, query: Query) -> list[Incident]:
        """Return the incidents that *query* asks for, the newest first."""
        return [one.dated() for one in await asyncio.to_thread(self._storage.find, query)]

    async def unresolved(self) -> list[Incident]:
        """Return those that are not resolved; of more than a thousand, the worst and newest."""
        return await asyncio.to_thread(self._storage.unresolved, MOST_UNRESOLVED)

    async def all_open(self) -> list[Incident]:
        """Return every incident that is not resolved, without timelines."""
        found: list[Incident] = []
        more = True
        while more:
            last = found[-1].key if found else ""
            page = await asyncio.to_thread(self._storage.open_after, last, SLICE_ALERTS)
            found += page
            more = len(page) == SLICE_ALERTS
        return found

    async def of_key(self, key: str) -> list[Incident]:
        """Return the newest incidents of *key*, without timelines."""
        return await asyncio.to_thread(self._storage.by_key, key, MOST_OF_KEY)

    async def manual(self, since: float) -> list[Incident]:
        """Return the manual ones that are not resolved, or were after *since*."""
        return await asyncio.to_thread(self._storage.manual, since)

    @property
    def now(self) -> float:
        """The Unix time of its clock."""
        return self._clock.now()

    async def causes(self) -> Mapping[str, str]:
        """Return by the id of an incident that is held back the id of the one that holds it."""
        async with self._lock:
            if self._causes is None:
                found = await self.unresolved()
                self._causes = await asyncio.to_thread(causes_of, found)
            return self._causes

    async def stats(self) -> Stats:
        """Return sums and mean times."""
        return await asyncio.to_thread(self._storage.stats)

    # -- writing -----------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Count anew: an incident's time to resolve is final once it cannot be reopened."""
        async with self._lock:
            await asyncio.to_thread(self._count)

    def _count(self) -> None:
        self.counts = self._storage.counts(self._clock.now() - states.GRACE)
        self._show(self.counts)

    async def _change(self, id_: str, act: Callable[[Incident], IncidentChange | None]) -> Incident:
        def write() -> list[IncidentChange]:
            change = act(self._storage.get(id_))
            return [] if change is None else [self._put(change)]

        await self._write(write)
        return await self.get(id_)

    def _put(self, change: IncidentChange) -> IncidentChange:
        self._storage.put(change.incident, change.entries)
        return change

    async def _write(self, write: Callable[[], list[IncidentChange]]) -> list[IncidentChange]:
        def atomically() -> list[IncidentChange]:
            with self._storage.atomic():
                return write()

        async with self._lock:
            changes = await asyncio.shield(asyncio.to_thread(atomically))
            if changes:
                self._causes = None
                with contextlib.suppress(OSError):  # it is kept; the next round counts again
                    await asyncio.to_thread(self._count)
        for change in changes:
            _announce(change)
        for follower in self._followers if changes else ():
            follower(changes)
        return changes


def _announce(change: IncidentChange) -> None:
    incident = change.incident
    for entry in change.entries:
        event(
            _log,
            f"incident {entry.kind}",
            incident=incident.id,
            alert=incident.alertname,
            service=incident.service,
            severity=incident.severity,
        )


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))
