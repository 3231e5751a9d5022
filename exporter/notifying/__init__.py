"""Who is told: routes, groups, an outbox, and the media; where no Alertmanager does it.

Names, groups, times and words are those of the shipped alertmanager.yml and its templates.
"""

from exporter.notifying.kept import OutboxRow, Storage, ToldRow, Written
from exporter.notifying.making import Media
from exporter.notifying.notifier import RESULTS, EntryState, Notifier
from exporter.notifying.trying import Trial, try_entries

__all__ = [
    "RESULTS",
    "EntryState",
    "Media",
    "Notifier",
    "OutboxRow",
    "Storage",
    "ToldRow",
    "Trial",
    "Written",
    "try_entries",
]
