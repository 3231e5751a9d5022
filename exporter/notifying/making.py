"""From an entry of `notify:` to the medium that sends by it."""

from __future__ import annotations

from exporter.config import Notification
from exporter.notifying.mailbox import Mailbox
from exporter.notifying.media import Medium
from exporter.notifying.web import Web, make_post


class Media:
    """Makes media; those of the web share one session."""

    def __init__(self) -> None:
        self._web = Web()

    def make(self, entry: Notification) -> Medium:
        if entry.email is not None:
            return Mailbox(entry.email)
        return make_post(self._web, entry)

    async def close(self) -> None:
        await self._web.close()
