"""What fires: the alert table, judged from the exporter's own results.

It is for an installation without Prometheus. Names, labels, texts and inhibitions are those of the
rules in prometheus/rules and of alertmanager.yml, and tests compare the two.
"""

from __future__ import annotations

from exporter.alerting.evaluator import Evaluator, Past, Views
from exporter.alerting.inhibition import INHIBITIONS
from exporter.alerting.own import OwnWatch, both, instance_of
from exporter.alerting.response import NoNotifier, Notifier, Response
from exporter.alerting.states import Remembered
from exporter.alerting.table import NAMES, NOT_ALONE

__all__ = [
    "INHIBITIONS",
    "NAMES",
    "NOT_ALONE",
    "Evaluator",
    "NoNotifier",
    "Notifier",
    "OwnWatch",
    "Past",
    "Remembered",
    "Response",
    "Views",
    "both",
    "instance_of",
]
