"""How long the event loop was held: what was measured or missed meanwhile is not the provider's.

A held loop is one that cannot run: a call that takes long, a machine that is too busy, a process
that was stopped. The scheduler beats on each of its turns, so that this costs no probe anything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from exporter.clock import Clock
from exporter.model import OFFLINE, Outcome, Reason, Shortage

HELD_SECONDS = 1.0
"""Held for so long in all, or for a quarter of its time limit, an attempt does not count."""
_NOTICED_SECONDS = 0.1
_KEPT = 64


class Heart:
    """Knows when the event loop ran; without a beat it believes that it always does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected = float("inf")
        self._holds: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        """The end and the seconds of each hold."""

    def beat(self, pause: float = 0.0) -> None:
        """Say that the loop runs now and will do so again in *pause* seconds."""
        now = self._clock.tick()
        if now - self._expected > _NOTICED_SECONDS:
            self._holds.append((now, now - self._expected))
        self._expected = now + pause

    def stop(self) -> None:
        """Say that no further beat is to be expected."""
        self._expected = float("inf")

    def held(self, since: float) -> float:
        """Return for how many seconds since the tick *since* the loop could not run.

        Holds shorter than 0.1 s are left out.
        """
        now = self._clock.tick()
        # What waited for the loop may run before the scheduler does.
        overdue = now - self._expected
        lost = min(overdue, now - since) if overdue > _NOTICED_SECONDS else 0.0
        for end, seconds in reversed(self._holds):
            if end <= since:
                break
            lost += min(seconds, end - since)
        return lost

    def counted(self, outcome: Outcome, since: float, timeout: float) -> Outcome:
        """Return *outcome* of an attempt begun at *since* as far as it is the provider's.

        An answer is believed, its duration is not. No answer in time, or a connection that broke
        for want of ours, shows nothing.
        """
        held = self.held(since)
        if held < min(HELD_SECONDS, timeout / 4) or not held:
            return outcome
        if outcome.reason in OFFLINE:
            return replace(
                outcome,
                reason=Reason.INTERNAL,
                detail=f"the exporter itself was held for {held:.1f} s of it",
                shortage=Shortage.LOOP,
                measured=False,
            )
        return replace(outcome, measured=False)
