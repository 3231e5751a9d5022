"""The status page: drawn by the server, updated by server-sent events, with its own assets."""

from __future__ import annotations

from exporter.page.board import Sources
from exporter.page.handlers import LIVE, asset, events, show, whole
from exporter.page.live import Live

__all__ = ["LIVE", "Live", "Sources", "asset", "events", "show", "whole"]
