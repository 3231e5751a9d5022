"""The status page: server-rendered, kept true by server-sent events; nothing from elsewhere."""

from __future__ import annotations

from exporter.page.board import Sources
from exporter.page.handlers import LIVE, asset, events, show
from exporter.page.live import Live

__all__ = ["LIVE", "Live", "Sources", "asset", "events", "show"]
