"""Providers' own status pages: asked politely, read by adapters; unreadable is unknown."""

from exporter.statuspages.declarations import StatusPage
from exporter.statuspages.pages import StatusPages, address_of
from exporter.statuspages.reading import ADAPTERS
from exporter.statuspages.states import State

__all__ = ["ADAPTERS", "State", "StatusPage", "StatusPages", "address_of"]
