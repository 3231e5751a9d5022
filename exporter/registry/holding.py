"""What people set for a service at run time: that it is paused, and windows of maintenance.

Kept beside its declaration, which stays as it is: that of a file too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from exporter.config import Pause, PlannedMaintenance, Target

MOST_WINDOWS = 50
"""Planned at run time for one service."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What was set for one service."""

    pause: Pause | None = None
    windows: tuple[PlannedMaintenance, ...] = ()

    def applied(self, target: Target) -> Target:
        """Return *target* as it is while this holds."""
        if self == NO_HOLD:
            return target
        return replace(
            target,
            enabled=target.enabled and self.pause is None,
            pause=self.pause,
            maintenance=(*target.maintenance, *self.windows),
        )

    def without(self, windows: Iterable[PlannedMaintenance]) -> Hold:
        """Return this without *windows*."""
        gone = set(windows)
        return replace(self, windows=tuple(one for one in self.windows if one not in gone))

    def over(self, now: float) -> list[PlannedMaintenance]:
        """Return the windows that have ended at the Unix time *now*."""
        return [one for one in self.windows if one.end <= now]

    def open(self, now: float) -> list[PlannedMaintenance]:
        """Return the windows that are open at the Unix time *now*."""
        return [one for one in self.windows if one.start <= now < one.end]

    def planned(self, now: float) -> list[PlannedMaintenance]:
        """Return the windows that begin after the Unix time *now*."""
        return [one for one in self.windows if one.start > now]

    def kept(self) -> dict[str, Any]:
        """Return this as plain JSON."""
        pause = None if self.pause is None else asdict(self.pause)
        return {"pause": pause, "windows": [asdict(window) for window in self.windows]}


NO_HOLD = Hold()
_PAUSE = {"at": float, "by": str, "reason": str}
_WINDOW = {"start": float, "end": float, "reason": str, "by": str}


def restored(raw: Mapping[str, Any]) -> Hold:
    """Return the hold that was kept as *raw*.

    Raises:
        ValueError: it is none.
    """
    pause, windows = raw.get("pause"), raw.get("windows")
    if not isinstance(windows, list):
        raise ValueError("what was set for a service has no list of windows")
    return Hold(
        None if pause is None else Pause(**_fields(pause, _PAUSE)),
        tuple(PlannedMaintenance(**_fields(window, _WINDOW)) for window in windows),
    )


def _fields(found: Any, wanted: Mapping[str, type]) -> dict[str, Any]:
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise ValueError("what was set for a service has other fields")
    if not all(type(found[name]) is kind for name, kind in wanted.items()):
        raise ValueError("what was set for a service has a field of another type")
    return found
