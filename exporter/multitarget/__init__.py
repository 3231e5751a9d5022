"""All of `/probe` but its route: any target with a module, as blackbox_exporter does it."""

from exporter.multitarget.modules import (
    MAX_TIMEOUT,
    CheckError,
    Module,
    Modules,
    hostname_mistake,
    make_check,
    read_modules,
)
from exporter.multitarget.prober import Check, MultiTargetProber, Rules, Sighting

__all__ = [
    "MAX_TIMEOUT",
    "Check",
    "CheckError",
    "Module",
    "Modules",
    "MultiTargetProber",
    "Rules",
    "Sighting",
    "hostname_mistake",
    "make_check",
    "read_modules",
]
