"""All of `/probe` but its route: probes any target with a module, as blackbox_exporter does."""

from exporter.multitarget.capacity import RETRY_AFTER_SECONDS, BusyError, Capacity
from exporter.multitarget.declarations import HttpSettings, Module
from exporter.multitarget.modules import (
    MAX_TIMEOUT,
    CheckError,
    Modules,
    TargetError,
    hostname_mistake,
    make_check,
    read_modules,
)
from exporter.multitarget.prober import Check, MultiTargetProber, Observation, Rules

__all__ = [
    "MAX_TIMEOUT",
    "RETRY_AFTER_SECONDS",
    "BusyError",
    "Capacity",
    "Check",
    "CheckError",
    "HttpSettings",
    "Module",
    "Modules",
    "MultiTargetProber",
    "Observation",
    "Rules",
    "TargetError",
    "hostname_mistake",
    "make_check",
    "read_modules",
]
