"""What the tests of notifying share: alerts, entries, media that record, a stage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from exporter.config import Configuration, Notification, read_text
from exporter.incidents.alerts import fingerprint
from exporter.incidents.model import Alert
from exporter.notifying import Notifier
from exporter.notifying.kept import OutboxRow, Storage, ToldRow, Written
from exporter.notifying.media import UndeliveredError
from exporter.notifying.messages import Message
from exporter.notifying.routes import group_of, route_of
from exporter.secret import Secret
from tests.fakes import FakeClock, settle

START = 1_800_000_000.0
DOWN = {
    "alertname": "ServiceDown",
    "severity": "critical",
    "environment": "production",
    "provider": "openai",
    "service": "openai",
}


def alert(
    labels: dict[str, str] | None = None, /, *, at: float = START, suppressed: str = "", **more: str
) -> Alert:
    """Return an alert that fires since *at*: `DOWN` with *more* labels, or *labels*."""
    chosen = {name: text for name, text in ((labels or DOWN) | more).items() if text}
    subject = chosen.get("service", chosen.get("provider", "it"))
    return Alert(
        fingerprint=fingerprint(chosen),
        labels=chosen,
        annotations={"summary": f"{subject} is down."},
        starts_at=at,
        suppressed=suppressed,
    )


def entries(text: str, **environment: str) -> Configuration:
    """Return the configuration whose `notify:` is *text*, the inner of a list in YAML."""
    return read_text(f"notify: [{text}]", "test.yaml", environment)


WEBHOOK = "{webhook: {url: 'http://127.0.0.1:9/hook'}}"
SLACK = "{slack: {url: 'http://127.0.0.1:9/slack'}}"
PAGERDUTY = "{pagerduty: {routing_key: sentinel-routing-key}}"
EMAIL = "{email: {to: [a@example.com], smtp: '127.0.0.1:9', tls: none}}"
ALL = ", ".join((WEBHOOK, SLACK, PAGERDUTY, EMAIL))


def message_of(data: dict[str, Any]) -> Message:
    """Return the message that Alertmanager's template data *data* shows."""
    alerts = []
    for one in data["alerts"]:
        firing = one["status"] == "firing"
        alerts.append(
            Alert(
                fingerprint=one["fingerprint"],
                labels=one["labels"],
                annotations=one["annotations"],
                firing=firing,
                starts_at=datetime.fromisoformat(one["startsAt"]).timestamp(),
                ends_at=None if firing else datetime.fromisoformat(one["endsAt"]).timestamp(),
            )
        )
    return message_about(*alerts)


def message_about(*alerts: Alert) -> Message:
    """Return a message about *alerts*, of the group of the first."""
    route = route_of(alerts[0].labels)
    assert route is not None
    group = group_of(route, alerts[0].labels)
    return Message(id="1", entry="page", group=group, at=START, alerts=alerts)


@dataclass(slots=True)
class Recorder:
    """A medium that keeps what it is sent, or fails with what `fault` is."""

    setting: Notification
    sent: list[Message] = field(default_factory=list)
    tried: list[Message] = field(default_factory=list)
    fault: Exception | None = None
    gate: asyncio.Event | None = None
    """While it is given and not set, a message is under way."""

    async def send(self, message: Message, page: str) -> None:
        self.tried.append(message)
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.sent.append(message)

    def secrets(self) -> Iterator[Secret]:
        return iter(())

    @property
    def said(self) -> list[tuple[str, ...]]:
        """Return for each message its alerts as NAME of the service, + fires, - is over."""
        return [said(message.alerts) for message in self.sent]


def said(alerts: Sequence[Alert]) -> tuple[str, ...]:
    """Return *alerts* as + or - and the name of the service, sorted."""
    signs = ((a.firing, a.labels.get("service") or a.labels["alertname"]) for a in alerts)
    return tuple(sorted(f"{'+' if firing else '-'}{name}" for firing, name in signs))


class Memory:
    """A storage that keeps rows, and survives what uses it."""

    def __init__(self) -> None:
        self.outbox: dict[tuple[str, str], OutboxRow] = {}
        self.told: dict[tuple[str, str], ToldRow] = {}
        self.fault: Exception | None = None
        self.saves = 0

    def load(self) -> tuple[list[OutboxRow], list[ToldRow]]:
        return list(self.outbox.values()), list(self.told.values())

    def save(self, rows: Written) -> None:
        if self.fault is not None:
            raise self.fault
        self.saves += 1
        for (entry,) in rows.entries:
            for table in (self.outbox, self.told):
                for key in [key for key in table if key[0] == entry]:
                    del table[key]  # type: ignore[attr-defined]
        for key in rows.no_outbox:
            self.outbox.pop(key, None)
        self.outbox |= {(row.entry, row.group_key): row for row in rows.outbox}
        for key in rows.no_told:
            self.told.pop(key, None)
        self.told |= {(row.entry, row.fingerprint): row for row in rows.told}


class Stage:
    """A notifier that runs on a fake clock, with recorders for media.

    async with Stage(WEBHOOK) as stage:
        await stage.fires(alert())
        await stage.passes(30)
    """

    def __init__(
        self, text: str = WEBHOOK, storage: Storage | None = None, clock: FakeClock | None = None
    ) -> None:
        self.clock = clock or FakeClock()
        self.memory = storage or Memory()
        self.media: dict[str, Recorder] = {}
        self.counted: list[tuple[str, str]] = []
        self.announced: list[str] = []
        self.notifier = Notifier(
            self.memory,
            self.clock,
            self,
            self,
            jitter=lambda: 1.0,
        )
        self.firing: tuple[Alert, ...] = ()
        self.configuration = entries(text)
        self._task: asyncio.Task[None] | None = None

    def make(self, setting: Notification) -> Recorder:
        known = self.media.get(setting.key)
        self.media[setting.key] = Recorder(setting, *([known.sent] if known else ()))
        return self.media[setting.key]

    async def close(self) -> None:
        """Have nothing to free."""

    def announce_media(self, media: Sequence[str]) -> None:
        self.announced = list(media)

    def count_notification(self, medium: str, result: str) -> None:
        self.counted.append((medium, result))

    @property
    def hook(self) -> Recorder:
        return self.media["webhook"]

    async def __aenter__(self) -> Stage:
        self.notifier.follow(self.configuration)
        self._task = asyncio.create_task(self.notifier.run())
        await settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.killed()

    async def killed(self) -> None:
        """End it where it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def fires(self, *alerts: Alert) -> None:
        """Let an evaluation find that *alerts* fire."""
        self.firing = alerts
        await self.notifier.take(alerts, self.clock.now())
        await settled()

    async def passes(self, seconds: float, step: float = 15.0) -> None:
        """Let *seconds* pass with an evaluation every *step* of them."""
        end = self.clock.tick() + seconds
        while end - self.clock.tick() > 1e-6:
            await self.clock.advance(min(step, end - self.clock.tick()))
            await settled()
            await self.fires(*self.firing)


async def settled() -> None:
    """Let everything run that is ready, threads included."""
    for _ in range(4):
        await settle()
        await asyncio.to_thread(lambda: None)
    await settle()


REFUSED = UndeliveredError("HTTP 403", refused=True, certain=True)
GONE = UndeliveredError("no connection", certain=True)
UNSURE = UndeliveredError("no answer")
