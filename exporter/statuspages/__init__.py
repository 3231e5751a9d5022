"""Providers' own status pages: asked politely, read by adapters; unreadable is unknown."""

from exporter.statuspages.adapters import State
from exporter.statuspages.declarations import Adapter, StatusPage
from exporter.statuspages.pages import StatusPages, address_of

__all__ = ["Adapter", "State", "StatusPage", "StatusPages", "address_of"]
