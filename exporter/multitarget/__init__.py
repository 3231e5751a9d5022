"""All of `/probe` but its route: probes any target with a module, as blackbox_exporter does."""

from exporter.multitarget.modules import (
    MAX_TIMEOUT,
    CheckError,
    Module,
    Modules,
    hostname_mistake,
    make_check,
    read_modules,
)
from exporter.multitarget.prober import Check, MultiTargetProber, Observation, Rules

__all__ = [
    "MAX_TIMEOUT",
    "Check",
    "CheckError",
    "Module",
    "Modules",
    "MultiTargetProber",
    "Observation",
    "Rules",
    "hostname_mistake",
    "make_check",
    "read_modules",
]
