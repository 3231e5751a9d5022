"""Results as Prometheus metrics: the only room that spells a metric's name. Keeps no state."""

from exporter.metrics.exposition import OPENMETRICS, TEXT, Exposition
from exporter.metrics.families import FAMILIES
from exporter.metrics.incidents import INCIDENT_FAMILIES, incident_page
from exporter.metrics.own import OwnMetrics

__all__ = [
    "FAMILIES",
    "INCIDENT_FAMILIES",
    "OPENMETRICS",
    "TEXT",
    "Exposition",
    "OwnMetrics",
    "incident_page",
]
