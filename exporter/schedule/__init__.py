"""When something is asked: probes on their grid, canaries, slow side jobs."""

from exporter.schedule.canaries import Canaries, CanaryPlan, plan_of
from exporter.schedule.entries import share
from exporter.schedule.heart import Heart
from exporter.schedule.monitor import Monitor
from exporter.schedule.polling import Polling
from exporter.schedule.scheduler import Network, Observer, Scheduler
from exporter.schedule.side_checks import SideChecks

__all__ = [
    "Canaries",
    "CanaryPlan",
    "Heart",
    "Monitor",
    "Network",
    "Observer",
    "Polling",
    "Scheduler",
    "SideChecks",
    "plan_of",
    "share",
]
