"""`registry.health_monitor`: starts and stops the probing, and probes on demand."""

from __future__ import annotations

from typing import Any

from exporter.api.services import outcome_of
from exporter.library.running import Running
from exporter.model import Outcome, Reason
from exporter.registry import ManagementError, Rotation

Json = dict[str, Any]


class HealthMonitor:
    """Starts and stops the scheduled probes, and makes others; `registry.health_monitor`."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def start(self) -> None:
        """Probe every service at its interval, also after `stop`: spread, as at the first start.

            await registry.health_monitor.start()

        Nothing that became due meanwhile is made up for or counted as missed. Raises as
        `start_all_monitoring` does.
        """
        self._running.start()
        self._running.app.monitor.start()

    async def stop(self) -> None:
        """Probe no more until `start`; return when what is under way has ended, 5 s at most.

            await registry.health_monitor.stop()

        Dashboard, API and messages go on. After three intervals without a probe a service's result
        is out of date: its verdict is `monitoring`. No incident begins or ends by that.
        """
        await self._running.app.monitor.stop()

    async def check_service_health(self, service: str) -> Json:
        """Probe *service* once and return `{success, reason, verdict, duration_ms, phases, ...}`.

            check = await registry.health_monitor.check_service_health("openai")
            print(check["verdict"], check["advice"])

        The result is not counted in the metrics.

        Raises:
            UnknownServiceError: *service* is not registered.
            ManagementError: it cannot be probed; the message says why.
        """
        self._running.enter()
        app = self._running.app
        outcome = await app.management.test(service)
        if outcome is None:
            raise ManagementError(app.registry.get(service).unprobed)
        has_page = app.registry.get(service).has_page
        return {"success": outcome.success, **outcome_of(outcome, has_page=has_page)}


def rotated(outcome: Outcome | None, rotation: Rotation | None = None, message: str = "") -> Json:
    """Return how a rotation went: *rotation* if the new key is used now, else *message*."""
    return {
        "success": rotation is not None,
        "message": message or None,
        "rotated_at": rotation.rotated_at if rotation else None,
        "next_step": (rotation.next_step or None) if rotation else None,
        **(dict.fromkeys(_PROBED) if outcome is None else outcome_of(outcome)),
    }


_PROBED = tuple(outcome_of(Outcome(reason=Reason.OK)))
