"""Pauses a service and plans its maintenance, at run time: possible for those of a file too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from exporter.clock import Clock
from exporter.config import Pause, PlannedMaintenance, Target
from exporter.log import event
from exporter.registry.holding import MOST_WINDOWS, Hold
from exporter.registry.loading import Loader
from exporter.registry.management import ManagementError, NoStorageError
from exporter.registry.overlay import HOLD, Storage
from exporter.registry.targets import Registry

Which = Literal["open", "planned", "all"]
_log = logging.getLogger(__name__)


class HoldError(ManagementError):
    """There is nothing to end, or too much is planned."""

    code = "no_hold"


class Holds:
    """What people set for services at run time, in the storage and in the overlay of the files."""

    def __init__(
        self, registry: Registry, loader: Loader, clock: Clock, storage: Storage | None
    ) -> None:
        self._registry, self._loader = registry, loader
        self._clock, self._storage = clock, storage

    @property
    def now(self) -> float:
        """Return the Unix time by which windows are open."""
        return self._clock.now()

    async def pause(self, service: str, *, by: str, reason: str, who: str) -> Target:
        """Stop probing *service* until `resume`; a pause that there is stays as it is.

        Raises:
            UnknownServiceError: it is not registered.
            NoStorageError: there is nowhere to keep that.
        """
        async with self._loader.lock:
            hold = self._hold(service)
            if hold.pause is None:
                pause = Pause(at=self._clock.now(), by=by, reason=reason)
                await self._set(service, replace(hold, pause=pause), f"paused by {by}", who)
            return self._registry.get(service)

    async def resume(self, service: str, *, by: str, who: str) -> Target:
        """Probe *service* again.

        Raises:
            UnknownServiceError: it is not registered.
            HoldError: it is not paused.
            NoStorageError: there is nowhere to keep that.
        """
        async with self._loader.lock:
            hold = self._hold(service)
            if hold.pause is None:
                what = f"{service} is not paused"
                if not self._registry.get(service).enabled:
                    what += ": it is switched off where it is declared (enabled, or monitoring)"
                raise HoldError(what)
            await self._set(service, replace(hold, pause=None), f"resumed by {by}", who)
            return self._registry.get(service)

    async def maintain(self, service: str, window: PlannedMaintenance, who: str) -> Target:
        """Expect failures of *service* in *window*.

        Raises:
            UnknownServiceError: it is not registered.
            HoldError: too many windows are planned.
            NoStorageError: there is nowhere to keep that.
        """
        async with self._loader.lock:
            now, hold = self._clock.now(), self._hold(service)
            windows = (*hold.without(hold.over(now)).windows, window)
            if len(windows) > MOST_WINDOWS:
                what = f"{service} has {MOST_WINDOWS} windows of maintenance; take some out first"
                raise HoldError(what)
            await self._set(
                service, replace(hold, windows=windows), f"maintenance set by {window.by}", who
            )
            return self._registry.get(service)

    async def end_maintenance(self, service: str, which: Which, who: str) -> Target:
        """Take out the windows of *service* that are open, planned, or both.

        Raises:
            UnknownServiceError: it is not registered.
            HoldError: there is none, or only one that is declared.
            NoStorageError: there is nowhere to keep that.
        """
        async with self._loader.lock:
            now, hold = self._clock.now(), self._hold(service)
            gone: Sequence[PlannedMaintenance] = [
                *(hold.open(now) if which != "planned" else ()),
                *(hold.planned(now) if which != "open" else ()),
            ]
            if not gone:
                raise HoldError(self._nothing_to_end(service, which, now))
            left = hold.without([*gone, *hold.over(now)])
            await self._set(service, left, "maintenance ended", who)
            return self._registry.get(service)

    def _nothing_to_end(self, service: str, which: Which, now: float) -> str:
        declared = which != "planned" and self._registry.get(service).in_maintenance(now)
        if declared:
            return f"the maintenance of {service} is in its declaration; change it there"
        return f"{service} has no maintenance that is {which if which != 'all' else 'set'}"

    def _hold(self, service: str) -> Hold:
        self._registry.get(service)
        return self._loader.overlay.hold(service)

    async def _set(self, service: str, hold: Hold, action: str, who: str) -> None:
        if self._storage is None:
            raise NoStorageError("changes are kept in --data-dir DIR; start with one")
        name, storage = service + HOLD, self._storage
        await asyncio.to_thread(storage.put_service, name, hold.kept())
        await asyncio.to_thread(storage.audit, self._clock.now(), who, action, service)
        event(_log, action, service=service, who=who)
        self._loader.overlay.set_hold(service, hold)
        declared = self._loader.declared(service)
        if declared is not None:
            self._loader.put(declared)
