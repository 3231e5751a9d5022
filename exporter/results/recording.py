"""What happens when a result comes in: counted, remembered, saved if it matters, shown, logged."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from exporter.clock import Clock
from exporter.config import Target
from exporter.evidence import NONE
from exporter.log import event
from exporter.model import FACTS, Outcome, Reason, Result
from exporter.readings import ReadValues
from exporter.registry import Registry
from exporter.results.failures import Failures
from exporter.results.history import History
from exporter.results.minutes import Minutes
from exporter.results.persistence import Persistence
from exporter.results.radar import Radar, Source
from exporter.results.tally import Results
from exporter.retirement import API, Retirement
from exporter.statuspages import StatusPage

_log = logging.getLogger(__name__)


class Display(Protocol):
    """Where services are shown; implemented by `metrics`."""

    def refresh(self, target: Target) -> None:
        """Show *target* as it is now."""


class Recording:
    """Takes in what probes and side requests saw, for every view of the results."""

    def __init__(
        self,
        registry: Registry,
        results: Results,
        history: History,
        persistence: Persistence,
        display: Display,
        *,
        failures: Failures,
        clock: Clock,
        minutes: Minutes | None = None,
    ) -> None:
        self._registry, self._results, self._history = registry, results, history
        self._persistence, self._failures = persistence, failures
        self._display, self._clock = display, clock
        self._minutes = minutes or Minutes()

    def probe(self, target: Target, result: Result) -> None:
        """Take in the *result* of a probe of *target*."""
        tally, success = self._results.of(target.id), result.success
        before = tally.last
        counted = not target.in_maintenance(result.at)
        tally.add(result, target, counted=counted)
        self._display.refresh(target)
        self._history.add(result)
        self._minutes.add(
            target, result, counted=counted, before=None if before is None else before.at
        )
        if not success:
            counts_until = result.at + tally.silence(target)
            proven = _with_proof(result, self._minutes.proof_of(result))
            self._failures.add(proven, spell=tally.failing_since, until=counts_until)
        changed = before is None or before.outcome.reason is not result.outcome.reason
        if changed or not success:
            # A restart that forgot a failure would end its alert and begin it anew.
            self._persistence.schedule_save(target.id)
        if changed or _log.isEnabledFor(logging.DEBUG):
            event(
                _log,
                "state changed" if changed else "probed",
                level=logging.INFO if changed else logging.DEBUG,
                service=target.id,
                provider=target.provider,
                reason=result.reason,
                verdict=result.verdict,
                detail=result.outcome.detail,
            )

    def quota(self, target: Target, outcome: Outcome) -> None:
        """Take in what the quota request of *target* read; its health is not judged by it."""
        # A service may be removed while its request is under way.
        if outcome.quotas and target.id in self._registry:
            self._results.of(target.id).take_quotas(outcome.quotas, self._clock.now())
            self._display.refresh(target)

    def call(self, target: Target, read: ReadValues) -> None:
        """Take in the limits and announcements in the answer to a call of the user's own."""
        if target.id not in self._registry:
            return
        self._results.of(target.id).take_limits(read.limits, self._clock.now())
        if read.retirement is not None:
            self._retirement(target, read.retirement, Source.CALL)
        self._display.refresh(target)

    def model_list(self, target: Target, outcome: Outcome) -> None:
        """Take in what the list of the provider's models says, where it is asked for by itself."""
        if target.id not in self._registry:
            return
        if outcome.retirement is None or not outcome.retirement.listed:
            if (radar := self._results.of(target.id).radar) is not None:
                radar.lose_list()
        else:
            self._retirement(target, outcome.retirement, Source.LIST)
        self._display.refresh(target)

    def model_check(
        self, target: Target, model: str, reason: Reason, found: Retirement | None
    ) -> None:
        """Take in what the answer of *model* itself says of its end."""
        is_gone, tally = reason is Reason.RETIRED, self._results.of(target.id)
        answered = FACTS[reason].up
        if target.id not in self._registry or not (is_gone or found is not None or tally.radar):
            return
        tally.radar = tally.radar or Radar()
        if answered:
            tally.radar.note_answer(model, self._clock.now(), is_gone=is_gone)
            self._retirement(target, found, Source.MODEL_CHECK, about=model)
        self._display.refresh(target)

    def _retirement(
        self, target: Target, found: Retirement | None, source: Source, about: str = API
    ) -> None:
        tally = self._results.of(target.id)
        tally.radar = tally.radar or Radar()
        tally.radar.take(found, source, self._clock.now(), about=about)
        tally.radar.forget_others(target.uses)

    def next_key(self, target: Target, outcome: Outcome) -> None:
        """Take in what the provider thinks of the key that will replace the one of *target*."""
        if target.id not in self._registry:
            return
        tally, valid = self._results.of(target.id), FACTS[outcome.reason].key_valid
        if valid != tally.next_key_valid:
            level = logging.WARNING if valid is False else logging.INFO
            event(_log, "next key checked", level=level, service=target.id, valid=valid)
        tally.next_key_valid = valid
        self._display.refresh(target)

    def status_page(self, page: StatusPage) -> None:
        """Show every service of the provider anew: the state of its status *page* has changed."""
        for target in self._registry:
            if target.status_page == page:
                self._display.refresh(target)


def _with_proof(result: Result, network: str) -> Result:
    evidence = replace(result.outcome.evidence or NONE, network=network)
    return replace(result, outcome=replace(result.outcome, evidence=evidence))
