"""How a provider's status page is declared, in a preset or by a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.checks import Confidence
from exporter.settings import Url, option

Adapter = Literal[
    "statuspage",
    "incident_io",
    "instatus",
    "better_stack",
    "google_cloud",
    "slack",
    "stripe_legacy",
    "feed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The provider's own word on how it is."""

    url: Url = option(doc="The page for people.")
    adapter: Adapter | None = option(None, "How its data is read; none: it is only linked.")
    endpoint: Url | None = option(None, "Where the data is, if not at the adapter's usual path.")
    component_filter: str | None = option(None, "RE2 pattern of the components that matter.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")
