"""What was seen, per service: counted, remembered, saved, aged."""

from exporter.results.aging import Aging
from exporter.results.causes import CUSTOM, causes_in_words, kind_of, provider_of
from exporter.results.condition import (
    Status,
    current_advice,
    current_result,
    current_verdict,
    status_of,
)
from exporter.results.exemplars import Exemplar
from exporter.results.failures import KEPT_FAILURES, Ends, Failures, FailureStorage
from exporter.results.history import Bucket, History
from exporter.results.leads import Leads
from exporter.results.minutes import Batch, Kept, Minute, Minutes, Seen
from exporter.results.persistence import Persistence, States
from exporter.results.radar import Radar, Source, deprecations, ends, gone
from exporter.results.recent import REASONS, Recent
from exporter.results.recording import Display, Recording
from exporter.results.retention import Retention
from exporter.results.runway import Runways
from exporter.results.tally import BUCKETS, SLOS, Results, Tally

__all__ = [
    "BUCKETS",
    "CUSTOM",
    "KEPT_FAILURES",
    "REASONS",
    "SLOS",
    "Aging",
    "Batch",
    "Bucket",
    "Display",
    "Ends",
    "Exemplar",
    "FailureStorage",
    "Failures",
    "History",
    "Kept",
    "Leads",
    "Minute",
    "Minutes",
    "Persistence",
    "Radar",
    "Recent",
    "Recording",
    "Results",
    "Retention",
    "Runways",
    "Seen",
    "Source",
    "States",
    "Status",
    "Tally",
    "causes_in_words",
    "current_advice",
    "current_result",
    "current_verdict",
    "deprecations",
    "ends",
    "gone",
    "kind_of",
    "provider_of",
    "status_of",
]
