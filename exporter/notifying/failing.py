"""An alert about each entry that cannot be told, for the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.incidents.alerts import NOTIFICATIONS_FAILING, RUNBOOK, fingerprint
from exporter.incidents.model import Alert
from exporter.notifying.sending import Entry

AFTER_SECONDS = 300.0
"""As AlertmanagerNotificationsFailing of the shipped rules."""


def failing_alerts(entries: Iterable[Entry], now: float, cluster: str = "") -> list[Alert]:
    """Return an alert for each of *entries* that has failed for five minutes at *now*."""
    return [
        _alert(entry, entry.failing_since, cluster)
        for entry in entries
        if entry.failing_since is not None and now - entry.failing_since >= AFTER_SECONDS
    ]


def _alert(entry: Entry, since: float, cluster: str) -> Alert:
    named = {
        "alertname": NOTIFICATIONS_FAILING,
        "severity": "critical",
        "category": "monitoring",
        "medium": entry.name,
        "cluster": cluster,
    }
    labels = {name: text for name, text in named.items() if text}
    return Alert(
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations={
            "summary": f"Messages to {entry.name} do not arrive.",
            "description": f"Every try fails for minutes: {entry.why}. Who is told by it alone"
            " does not know what fires. Look at the status page; try `service-registry notify"
            f" test {entry.name}`.",
            "runbook_url": RUNBOOK + NOTIFICATIONS_FAILING.lower(),
        },
        starts_at=since + AFTER_SECONDS,
    )


def is_about(name: str, labels: Mapping[str, str]) -> bool:
    """Return whether *labels* are of the alert that the entry *name* fails: it cannot be told."""
    return labels.get("alertname") == NOTIFICATIONS_FAILING and labels.get("medium") == name
