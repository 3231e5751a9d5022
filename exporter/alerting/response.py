"""The embedded response: every 15 seconds what fires is told to people, and to the incident log.

Who decides is said by `monitoring.incidents`, or follows from whether an Alertmanager is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from exporter.alerting.evaluator import Evaluator, Past
from exporter.alerting.states import Remembered
from exporter.alerting.table import NAMES, NOT_ALONE
from exporter.clock import Clock, in_slices
from exporter.config import Configuration
from exporter.incidents import Decider, Incident, IncidentLog, Told
from exporter.incidents.alerts import NOTIFICATIONS_FAILING, key_of
from exporter.incidents.model import Alert, Source, Spell
from exporter.incidents.reconcile import as_alert
from exporter.log import event

_log = logging.getLogger(__name__)
PERIOD_SECONDS = 15.0
"""Between two evaluations; the rules of services are evaluated as often."""
_FIRST_FULL, _ROUNDS_TO_FULL = 24, 20
"""In these rounds the log is compared with all that fires, and not only told what changed. The
first is late enough for an Alertmanager to have spoken, which repeats everything in five minutes.
"""
_MESSAGE_SECONDS = 900.0
"""For so long after a message of an Alertmanager nothing ends that is only not found here."""
_DOWN, _NETWORK = "ServiceDown", "MonitoringNetworkDown"
_AT_ONCE = 256
"""Alerts that are looked at before the loop runs again."""
_DECIDED = NAMES | {NOTIFICATIONS_FAILING}
_SHIPPED = _DECIDED | frozenset(NOT_ALONE)
"""What does not fire as far as is known here. Of alerts of other rules that is not known."""


class Notifier(Protocol):
    """Who is told, and whether they were."""

    @property
    def states(self) -> Sequence[object]:
        """How each place fares that is told; empty if nobody is."""

    async def take(self, alerts: Sequence[Alert], now: float) -> None:
        """Take in all alerts that fire at the Unix time *now*; what is missing has ended."""

    def told(self, fingerprint: str) -> tuple[Told, ...]:
        """Return who was told of an alert, or is to be."""

    def failing(self) -> Sequence[Alert]:
        """Return an alert for each place that cannot be told; `take` tells the others."""

    def rest(self) -> None:
        """Begin no message before the next `take`: another decides, and repeats its own."""


class NoNotifier:
    """Tells nobody."""

    @property
    def states(self) -> Sequence[object]:
        return ()

    async def take(self, alerts: Sequence[Alert], now: float) -> None:
        return

    def told(self, fingerprint: str) -> tuple[Told, ...]:
        return ()

    def failing(self) -> Sequence[Alert]:
        return ()

    def rest(self) -> None:
        return


class Response:
    """Keeps the incident log and the notifier in step with what fires."""

    def __init__(
        self,
        make: Callable[[Past], Evaluator],
        incidents: IncidentLog,
        clock: Clock,
        *,
        alertmanager: bool,
        notifier: Notifier | None = None,
        is_watching: Callable[[], bool] = lambda: True,
    ) -> None:
        """*make* returns an evaluator that goes on with what is past.

        *alertmanager*: whether one is known. While not *is_watching*, nothing is judged: what fires
        goes on, and nothing new does.
        """
        self._is_watching = is_watching
        self._make, self._incidents, self._clock = make, incidents, clock
        self._alertmanager = alertmanager
        self.notifier: Notifier = notifier or NoNotifier()
        self.decider = Decider.OFF
        self._followed = self._said = False
        self._evaluator: Evaluator | None = None
        self._rounds = 0
        self._known: dict[str, Alert] = {}
        """By fingerprint, what the log knows to fire."""
        self.alerts: tuple[Alert, ...] = ()
        """What fires as of the last evaluation, without the incidents that people made."""

    @property
    def is_alertmanagers(self) -> bool:
        """Whether Alertmanager is to be asked and told of incidents."""
        return self.decider is Decider.ALERTMANAGER

    def follow(self, configuration: Configuration) -> None:
        """Let those decide whom *configuration* names."""
        declared = configuration.monitoring.incidents
        usual = Decider.ALERTMANAGER if self._alertmanager else Decider.EMBEDDED
        decider = next((one for one in Decider if one == declared), usual)
        if decider is not self.decider or not self._followed:
            event(_log, f"incidents are {decider.sentence}", setting=decider)
        self._followed = True
        self.decider = self._incidents.decider = decider
        self._incidents.why_nobody = self._why_nobody()

    def _why_nobody(self) -> str:
        if self.decider is Decider.EMBEDDED:
            return "" if self.notifier.states else "no medium is configured: nobody was notified"
        if self.decider is Decider.OFF:
            return "monitoring.incidents is off: nobody was notified"
        unknown = "no Alertmanager is known (--alertmanager.url): nobody was notified"
        return "" if self._alertmanager else unknown

    async def run(self) -> None:
        """Evaluate until cancelled."""
        due = self._clock.tick()
        while True:
            try:
                await self.round()
            except OSError as error:  # the disk; the next round tries again
                event(_log, "incidents not kept", level=logging.ERROR, why=type(error).__name__)
            except Exception:
                _log.exception("bug in an evaluation")
            due = max(due + PERIOD_SECONDS, self._clock.tick())
            await self._clock.sleep(due - self._clock.tick())

    async def round(self) -> None:
        """Evaluate once, if that is decided here."""
        if self.decider is not Decider.EMBEDDED:
            if self._evaluator is not None:
                self.notifier.rest()
            self._evaluator, self.alerts = None, ()
            self._known.clear()
            return
        is_first = self._evaluator is None
        if self._evaluator is None:
            self._evaluator = self._make(await self._past())
            self._rounds = 0
        now, alerts = self._clock.now(), self.alerts
        if is_first or self._is_watching():
            alerts = tuple(await self._evaluator.evaluate())
        manual = [as_alert(one) for one in await self._incidents.manual(now)]
        await self.notifier.take([*alerts, *manual], now)
        await self._fold([*alerts, *self.notifier.failing()], manual, now)
        self.alerts = alerts

    # -- what is kept ------------------------------------------------------------------------

    async def _past(self) -> Past:
        """Return what fired before a restart, or before another decided."""
        incidents = [one for one in await self._incidents.all_open() if not one.manual]
        downs = [one for one in incidents if one.alertname == _DOWN]
        hidden = {name: await self._hidden(name) for name in {one.environment for one in downs}}
        since = {
            (one.service, one.environment): _after(_began(one), hidden[one.environment])
            for one in downs
        }
        return Past(
            alerts={
                state.fingerprint: Remembered(
                    starts_at=state.starts_at, annotations=_texts(incident), told=state.told
                )
                for incident in incidents
                for state in incident.alerts
                if state.firing
            },
            services=frozenset((one.service, one.environment) for one in incidents if one.service),
            environments=frozenset(
                one.environment for one in incidents if one.environment and not one.service
            ),
            since=since,
        )

    async def _hidden(self, environment: str) -> list[Spell]:
        """Return when our own network hid how the services of *environment* are."""
        about = {"alertname": _NETWORK}
        found = [
            *await self._incidents.of_key(key_of(about)),
            *await self._incidents.of_key(key_of(about | {"environment": environment})),
        ]
        return [
            spell for one in found for spell in (*one.past, *(state.spell for state in one.alerts))
        ]

    async def _fold(self, alerts: Iterable[Alert], manual: Iterable[Alert], now: float) -> None:
        """Have the log know what fires: what is new, what has changed, and what has ended."""
        known, firing = self._known, {}
        async for one in in_slices([*alerts, *manual], _AT_ONCE):
            firing[one.fingerprint] = self._with_told(one)
        over = [
            replace(one, firing=False, ends_at=max(now, one.starts_at))
            for print_, one in known.items()
            if print_ not in firing and one.labels["alertname"] in _DECIDED
        ]
        beside = {key_of(one.labels) for one in over}
        further = self._rounds - _FIRST_FULL
        complete = further >= 0 and not further % _ROUNDS_TO_FULL and self._is_watching()
        complete = complete and not self._is_contradicted()
        news = []
        async for one in in_slices(firing.values(), _AT_ONCE):
            # The end of one leaves open whether those beside it still are held back.
            near = bool(beside) and key_of(one.labels) in beside
            if complete or near or known.get(one.fingerprint) is not one:
                news.append(one)
        if over:
            await self._incidents.fold(over, Source.EMBEDDED, now)
        if news or complete:
            about = _SHIPPED if complete else ()
            await self._incidents.fold(news, Source.EMBEDDED, now, complete=about)
        self._known = firing
        self._rounds += 1

    def _with_told(self, alert: Alert) -> Alert:
        """Return *alert* with who was told; the one that is known if it says the same."""
        told, known = self.notifier.told(alert.fingerprint), self._known.get(alert.fingerprint)
        if known is not None and known.told == told and _state(known) == _state(alert):
            return known
        return replace(alert, told=told, receivers=tuple(sorted({one.receiver for one in told})))

    def _is_contradicted(self) -> bool:
        """Return whether an Alertmanager reports alerts as well; say so once."""
        heard, watchdog = self._incidents.message_tick, self._incidents.watchdog_at
        speaks = heard is not None and self._clock.tick() - heard < _MESSAGE_SECONDS
        speaks |= watchdog is not None and self._clock.now() - watchdog < _MESSAGE_SECONDS
        if speaks and not self._said:
            event(
                _log,
                "an Alertmanager reports incidents, which are decided here; one of both is enough",
                level=logging.WARNING,
                setting="monitoring.incidents",
            )
        self._said = speaks
        return speaks


def _state(alert: Alert) -> tuple[object, ...]:
    """Return what the log has to know; its texts are those of the beginning."""
    return alert.starts_at, alert.suppressed, alert.held_by


def _texts(incident: Incident) -> Mapping[str, str]:
    return {
        "summary": incident.summary,
        "description": incident.description,
        "runbook_url": incident.runbook_url,
    }


def _began(incident: Incident) -> float:
    """Return when what fires of *incident* began, which was later if it was opened again."""
    firing = [state.starts_at for state in incident.alerts if state.firing]
    return min(firing, default=incident.started_at)


def _after(at: float, spells: Iterable[Spell]) -> float:
    """Return the first time from *at* on that is in none of *spells*."""
    for start, end, _ in sorted(spells):
        if start <= at < end:
            at = end
    return at
