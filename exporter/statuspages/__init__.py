"""Providers' own status pages: polled with ETags, read by adapters; unreadable means unknown."""

from exporter.statuspages.declarations import StatusPage
from exporter.statuspages.pages import StatusPages, address_of
from exporter.statuspages.reading import ADAPTERS
from exporter.statuspages.states import State

__all__ = ["ADAPTERS", "State", "StatusPage", "StatusPages", "address_of"]
