"""How a provider's status page is declared, in a preset or by a service."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.checks import Confidence
from exporter.settings import Url, option
from exporter.statuspages.reading import ADAPTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The provider's own status page."""

    url: Url = option(doc="The page for people.")
    adapter: str | None = option(
        None, "How its data is read; without one the page is only linked.", enum=ADAPTERS
    )
    endpoint: Url | None = option(None, "Where the data is, if not at the adapter's usual path.")
    component_filter: str | None = option(None, "RE2 pattern of the components that matter.")
    allow_private_addresses: bool = option(False, "Read it at a non-public address too.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")
