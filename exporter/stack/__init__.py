"""`service-registry stack`: exporter, Prometheus and Alertmanager as one, on this machine."""

from exporter.stack.layout import Addresses, Layout, taken
from exporter.stack.media import Minimal, Routes, full_routes, minimal_routes
from exporter.stack.running import run
from exporter.stack.secrets import GENERATED, PLACEHOLDERS, make

__all__ = [
    "GENERATED",
    "PLACEHOLDERS",
    "Addresses",
    "Layout",
    "Minimal",
    "Routes",
    "full_routes",
    "make",
    "minimal_routes",
    "run",
    "taken",
]
