"""One service as the pages show it: its state, since when, whose fault, what to do, warnings.

Pure; the caller brings the time. While our own network is down, what was seen before is shown as
such: nobody can say how the service is now.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config import Target
from exporter.model import Reason, Result, Verdict, advice_of, is_offline
from exporter.page.cautions import cautions
from exporter.page.wording import STATES, ShownState, fault
from exporter.results import Tally, current_advice, current_result, current_verdict, status_of
from exporter.statuspages import State

_OFFLINE_ADVICE = advice_of(Reason.CONNECT, Verdict.NETWORK)


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """One service as of one refresh. An unchanged service keeps the same object.

    Rows are cached by the identity of their summary, so a summary is replaced, never changed.
    """

    target: Target
    last: Result | None
    stale: bool
    verdict: Verdict | None
    """Whose fault it is now; None while nothing is known."""
    advice: str
    in_maintenance: bool
    status_page_state: State | None
    state: ShownState
    fault: str
    since: float
    """The Unix time at which the state began; 0 if that is not known."""
    cautions: tuple[str, ...]
    unobserved_since: float | None = None
    """Since when our own network is down, a Unix time, if it has hidden the service since."""
    seen: Result | None = None
    """What was seen before that: the last result that our network did not hide."""
    troubles: tuple[str, ...] = ()
    """Which models do badly; with `unchecked` the first of the cautions."""
    unchecked: tuple[str, ...] = ()

    @property
    def is_unobserved(self) -> bool:
        """Whether our network hides it; that of one in planned maintenance does not matter."""
        return self.unobserved_since is not None and self.state is ShownState.UNKNOWN

    @property
    def failed_before(self) -> bool:
        """Whether it failed when it was last seen."""
        return self.seen is not None and not self.seen.success

    @property
    def word(self) -> str:
        """Its state as people read it."""
        return "Unobserved" if self.is_unobserved else STATES[self.state]

    @property
    def last_seen(self) -> str:
        """What was seen of it last, for example `works`; empty if nothing ever was."""
        seen = self.seen
        return "" if seen is None else fault(seen.reason, seen.verdict, seen.outcome.detail)

    def matches(self, words: tuple[str, ...]) -> bool:
        """Return whether each of *words*, in lower case, occurs in a text of the service."""
        t = self.target
        texts = (
            t.name,
            t.id,
            t.provider,
            t.environment,
            t.type,
            t.team,
            t.host,
            self.fault,
            self.word,
            self.last_seen,
        )
        return all(word in "\n".join(texts).lower() for word in words)


def summary_of(
    target: Target,
    tally: Tally,
    status_page_state: State | None,
    now: float,
    unobserved_since: float | None = None,
) -> ServiceSummary:
    """Return the summary of *target* at the Unix time *now*."""
    in_maintenance = target.in_maintenance(now)
    state, fault_text, since = _state_fault_since(target, tally)
    if unobserved_since is not None:
        state, fault_text, since = ShownState.UNKNOWN, "our network is down", unobserved_since
    if in_maintenance and state is not ShownState.OFF:
        window = next(w for w in target.maintenance if w.start <= now < w.end)
        state, since = ShownState.MAINTENANCE, window.start
        measured = f"; now: {fault_text}" if fault_text != "works" else ""
        fault_text = f"planned maintenance{measured}"
    return ServiceSummary(
        target=target,
        last=tally.last,
        stale=tally.stale,
        verdict=Verdict.NETWORK if unobserved_since is not None else current_verdict(target, tally),
        advice=current_advice(target, tally) if unobserved_since is None else _OFFLINE_ADVICE,
        in_maintenance=in_maintenance,
        status_page_state=status_page_state,
        state=state,
        fault=fault_text,
        since=since,
        cautions=cautions(target, tally, status_page_state, now),
        unobserved_since=unobserved_since,
        seen=None if unobserved_since is None else tally.observed,
    )


def unobserved_since(target: Target, tally: Tally, offline_since: float | None) -> float | None:
    """Return *offline_since*, the Unix time since which our network is down, if it hides *target*.

    What was answered since then is seen all the same: a canary may be wrong.
    """
    last = current_result(target, tally)
    if offline_since is None or last is None:
        return None
    hidden = is_offline(last.reason, last.verdict) or last.at < offline_since
    return offline_since if hidden else None


def _state_fault_since(target: Target, tally: Tally) -> tuple[ShownState, str, float]:
    """Return state, fault and begin of what was measured, whether or not in maintenance."""
    last, pause = tally.last, target.pause
    if pause is not None:
        reason = f": {pause.reason}" if pause.reason else ""
        return ShownState.OFF, f"paused by {pause.by}{reason}", pause.at
    if not target.enabled:
        return ShownState.OFF, "switched off", 0.0
    if target.endpoint is None:
        return ShownState.OFF, target.unprobed or "nothing to probe", 0.0
    if last is None:
        return ShownState.UNKNOWN, "no result yet", 0.0
    if tally.stale:
        return ShownState.UNKNOWN, "no result", last.at
    fault_text = fault(last.reason, last.verdict, last.outcome.detail)
    return ShownState(str(status_of(target, tally))), fault_text, tally.since
