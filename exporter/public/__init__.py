"""What outsiders may see: badges, a status page and its feed; no key, host, person or request."""

from __future__ import annotations

from exporter.public.handlers import DAYS, OUTSIDERS, asset, badge, badge_data, feed, page
from exporter.public.outsiders import Outsiders, Sources

__all__ = [
    "DAYS",
    "OUTSIDERS",
    "Outsiders",
    "Sources",
    "asset",
    "badge",
    "badge_data",
    "feed",
    "page",
]
