"""Results as Prometheus metrics: a name is in its `Family`, and the lines are kept rendered."""

from exporter.metrics.exposition import Exposition
from exporter.metrics.families import FAMILIES
from exporter.metrics.incidents import INCIDENT_FAMILIES, IncidentMetrics, incident_page
from exporter.metrics.lines import PageNews, news_of
from exporter.metrics.own import OwnMetrics
from exporter.metrics.starts import LONG_AGO

__all__ = [
    "FAMILIES",
    "INCIDENT_FAMILIES",
    "LONG_AGO",
    "Exposition",
    "IncidentMetrics",
    "OwnMetrics",
    "PageNews",
    "incident_page",
    "news_of",
]
