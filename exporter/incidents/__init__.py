"""The incident log: alerts as episodes with people, times and durations.

What becomes an alert is decided by Prometheus' rules, or by `alerting` where there is none; the log
remembers, counts, and runs the escalation rules of a program that embeds the library.
"""

from __future__ import annotations

from exporter.incidents.alerts import MessageError, from_api, from_webhook
from exporter.incidents.causes import Folded, causes_of, differences, folded
from exporter.incidents.escalation import Escalations
from exporter.incidents.log import IncidentLog
from exporter.incidents.model import (
    SEVERITIES,
    Counts,
    Decider,
    Entry,
    EntryKind,
    Incident,
    IncidentError,
    IncidentStatus,
    Query,
    Stats,
    Told,
    ToldState,
    UnknownIncidentError,
)
from exporter.incidents.peers import Peers
from exporter.incidents.received import Received
from exporter.incidents.reconcile import Reconciliation
from exporter.incidents.spells import IncidentChange
from exporter.incidents.storage import IncidentStorage
from exporter.incidents.telling import medium, told_sentence

__all__ = [
    "SEVERITIES",
    "Counts",
    "Decider",
    "Entry",
    "EntryKind",
    "Escalations",
    "Folded",
    "Incident",
    "IncidentChange",
    "IncidentError",
    "IncidentLog",
    "IncidentStatus",
    "IncidentStorage",
    "MessageError",
    "Peers",
    "Query",
    "Received",
    "Reconciliation",
    "Stats",
    "Told",
    "ToldState",
    "UnknownIncidentError",
    "causes_of",
    "differences",
    "folded",
    "from_api",
    "from_webhook",
    "medium",
    "told_sentence",
]
