"""A marked message by every entry: does it arrive, and what is to be mended if not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from exporter.config import Notification
from exporter.incidents.alerts import fingerprint
from exporter.incidents.model import Alert
from exporter.notifying.media import Medium, UndeliveredError
from exporter.notifying.messages import Message
from exporter.notifying.routes import ROUTES, group_of

TEST_ALERT = "NotificationTest"
_SUMMARY = "This is a test: nothing is wrong"
_DESCRIPTION = "Somebody asked the service registry to try whether its notifications arrive."


@dataclass(frozen=True, slots=True)
class Trial:
    """How the test of one entry went."""

    entry: str
    medium: str
    why: str = ""
    """Why it was not delivered; "" if it was."""
    advice: str = ""

    @property
    def is_delivered(self) -> bool:
        return not self.why


async def try_entries(
    media: Iterable[tuple[Notification, Medium]], page: str, now: float
) -> list[Trial]:
    """Send a test by each of *media* at the Unix time *now*; return how each went, in order."""
    trials = (_try(setting, medium, page, now) for setting, medium in media)
    return list(await asyncio.gather(*trials))


async def _try(setting: Notification, medium: Medium, page: str, now: float) -> Trial:
    message = _message(setting.key, now)
    try:
        await medium.send(message, page)
        if setting.medium == "pagerduty":
            # A test leaves no incident open.
            await medium.send(_over(message, now), page)
    except UndeliveredError as error:
        return Trial(setting.key, setting.medium, str(error), error.advice)
    return Trial(setting.key, setting.medium)


def _message(entry: str, now: float) -> Message:
    id_ = secrets.token_hex(16)
    labels = {"alertname": TEST_ALERT, "severity": "low", "incident": f"test-{id_[:8]}"}
    alert = Alert(
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations={"summary": _SUMMARY, "description": _DESCRIPTION},
        starts_at=now,
    )
    group = group_of(ROUTES["low"], labels)
    return Message(id=id_, entry=entry, group=group, at=now, alerts=(alert,))


def _over(message: Message, now: float) -> Message:
    ended = tuple(replace(alert, firing=False, ends_at=now) for alert in message.alerts)
    return replace(message, id=f"{message.id}-over", alerts=ended)
