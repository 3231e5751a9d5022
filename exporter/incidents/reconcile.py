"""What no message brings: ends of silenced alerts, and what was lost while we were not running.

Alertmanager sends no end of an alert that is silenced or inhibited when it resolves
(prometheus/alertmanager#226), and nothing of one that fired and ended while the receiver was away.
So the list of its alerts is polled every half minute and Prometheus is queried once for the time
before. Manual incidents are posted again in every round, because Alertmanager keeps alerts in
memory and ends those that are not repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from exporter.clock import Clock
from exporter.incidents.alerts import MANUAL, made
from exporter.incidents.delivery import DeliveryWatch
from exporter.incidents.log import IncidentLog
from exporter.incidents.model import Alert, EntryKind, Incident, Source
from exporter.incidents.peers import Peers
from exporter.incidents.storage import IncidentStorage
from exporter.log import event

_log = logging.getLogger(__name__)
INTERVAL_SECONDS = 30.0
SETTLE_SECONDS = 300.0
"""Seconds after its start in which what Alertmanager does not list means nothing."""
VALID_SECONDS = 300.0
"""Seconds for which Alertmanager keeps a manual incident without being sent it again."""
_STEP = 15.0
_LONGEST = 86_400.0
_SHORTEST_GAP = 5.0
_POLLED = "polled"
_POSTED = (EntryKind.POSTED, EntryKind.NOTIFIED)  # the second in what older versions wrote


class Reconciliation:
    """Keeps the log true; run it beside the receiver."""

    def __init__(
        self,
        log: IncidentLog,
        storage: IncidentStorage,
        peers: Peers,
        clock: Clock,
        *,
        interval: float = INTERVAL_SECONDS,
        settle: float = SETTLE_SECONDS,
        on_success: Callable[[float], None] = lambda at: None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """*on_success* is called with the Unix time of every poll that Alertmanager answered.

        *wanted*: whether Alertmanager decides; while it does not, it is not asked.
        """
        self._is_wanted = wanted
        self._incidents, self._storage, self._peers, self._clock = log, storage, peers, clock
        self._interval, self._settle, self._on_success = interval, settle, on_success
        self._watch = DeliveryWatch(longest_gap=3 * max(interval, INTERVAL_SECONDS))
        self._wanted = asyncio.Event()
        self._started: float | None = None
        self._settled_at = clock.tick()
        self._due: float | None = None
        """The tick at which a gap is to be filled; None without one."""

    def schedule_round(self) -> None:
        """Begin the next round now: something is to be reported, or a message was cut short."""
        self._wanted.set()

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            try:
                await self.round()
            except OSError as error:  # the disk; the next round tries again
                event(_log, "not reconciled", level=logging.ERROR, why=type(error).__name__)
            except Exception:
                _log.exception("bug in a reconciliation")
            waiting = asyncio.ensure_future(self._wanted.wait())
            pausing = asyncio.ensure_future(self._clock.sleep(self._interval))
            try:
                await asyncio.wait((waiting, pausing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                pausing.cancel()
            self._wanted.clear()

    async def round(self) -> None:
        """Poll and post once."""
        await self._incidents.refresh()
        if not self._peers or not self._is_wanted():
            self._settled_at = self._clock.tick() + self._settle
            return
        await self._report()
        now, asked = self._clock.now(), self._clock.tick()
        found = await self._peers.snapshot(now)
        if found is None:
            return
        settled = self._has_settled(found.evidence.started)
        complete = settled and found.uptime > self._settle
        ours = frozenset(self._incidents.own_receivers)
        alerts = await asyncio.to_thread(
            partial(self._watch.judged, now=now, asked=asked, tick=self._clock.tick()),
            found.alerts,
            found.evidence,
            ours,
        )
        await self._incidents.fold(alerts, Source.POLL, now, complete=complete)
        if not await self._gap_is_open(now):
            await asyncio.to_thread(self._storage.note_contact, _POLLED, now)
        self._on_success(now)

    def _has_settled(self, started: float) -> bool:
        """Return whether no Alertmanager restarted lately, by our own ticks.

        Its uptime is the difference of two machines' wall clocks: where ours is ahead, one that
        has just started and lists nothing yet would end every incident.
        """
        tick = self._clock.tick()
        if self._started is not None and abs(started - self._started) > 1.0:
            self._settled_at = tick + self._settle
        self._started = started
        return tick >= self._settled_at

    async def _gap_is_open(self, now: float) -> bool:
        """Return whether a time without polls is still to be filled from Prometheus."""
        if not self._peers.knows_prometheus:
            return False
        tick = self._clock.tick()
        if self._due is None:
            last = await asyncio.to_thread(self._storage.last_contact, _POLLED)
            if last is None or now - last < max(2 * self._interval, _SHORTEST_GAP):
                return False
            self._due = tick + 3 * _STEP  # by then Prometheus shows what ended until now as ended
        if tick < self._due or not await self.backfill():
            return True
        self._due = None
        return False

    async def _report(self) -> None:
        """Tell Alertmanager of every manual incident, and for a while of those just resolved."""
        now = self._clock.now()
        manual = await self._incidents.manual(now - VALID_SECONDS)
        for one in manual:
            if one.resolved_at is not None:
                await self._peers.report([_as_alert(one)], max(one.resolved_at, one.started_at))
        lasting = [one for one in manual if one.resolved_at is None]
        taken = await self._peers.report([_as_alert(one) for one in lasting], now + VALID_SECONDS)
        for one in lasting if taken else ():
            if not any(entry.kind in _POSTED for entry in one.timeline):
                await self._incidents.record(one.id, EntryKind.POSTED, "", "Alertmanager has it")

    async def backfill(self) -> bool:
        """Write down what came and went while we were not running, from Prometheus' own series.

        Return whether that is done; it is not while Prometheus does not answer.
        """
        now = self._clock.now()
        last = await asyncio.to_thread(self._storage.last_contact, _POLLED)
        if last is None:
            return True
        series = await self._peers.fired(max(last, now - _LONGEST), now, _STEP)
        if series is None:
            return False
        alerts = list(ended(series, now, _STEP))
        changes = await self._incidents.fold(alerts, Source.PROMETHEUS, now)
        event(_log, "filled a gap in the incidents", seconds=int(now - last), found=len(changes))
        return True


def as_alert(incident: Incident) -> Alert:
    """Return an incident that a person made as an alert that fires, and that nothing holds back."""
    return replace(made(*_as_alert(incident)), suppressed="")


def _as_alert(incident: Incident) -> tuple[Mapping[str, str], Mapping[str, str], float]:
    given = {
        "alertname": MANUAL,
        "category": "manual",
        "environment": incident.environment,
        "incident": incident.id,
        "provider": incident.provider,
        "service": incident.service,
        "severity": incident.reached[-1],
        "source": "manual",
        "team": incident.team,
    }
    notes = {
        "summary": incident.summary,
        "description": incident.description,
        "runbook_url": incident.runbook_url,
    }
    return {name: text for name, text in given.items() if text}, notes, incident.started_at


def ended(series: list[Any], now: float, step: float) -> Iterator[Alert]:
    """Return the alerts of `ALERTS` series that ended before *now*, one for each run of samples."""
    for one in series:
        try:
            given = {k: v for k, v in one["metric"].items() if k not in ("__name__", "alertstate")}
            times = [float(at) for at, _ in one["values"]]
            for start, end in _runs(times, step):
                if 0.0 < end < now - 2 * step:  # otherwise it still fires, and the poll lists it
                    yield made(given, {}, max(0.0, start - step), end)
        except (TypeError, ValueError, KeyError, AttributeError):
            continue


def _runs(times: list[float], step: float) -> Iterator[tuple[float, float]]:
    start = previous = None
    for at in times:
        if previous is not None and start is not None and at - previous > 1.5 * step:
            yield start, previous
            start = at
        start = at if start is None else start
        previous = at
    if start is not None and previous is not None:
        yield start, previous
