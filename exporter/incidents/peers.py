"""Alertmanager over HTTP, every peer of a cluster: what it lists, and what a person reports.

Alerts are not shared between peers, so every peer is queried and gets every manual incident. API
version 2, since 0.16.
"""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp

from exporter.incidents import evidence
from exporter.incidents.alerts import MessageError, from_api, time_of
from exporter.incidents.delivery import Evidence
from exporter.incidents.evidence import Counters, Grouped, Routing, Silence
from exporter.incidents.model import Alert
from exporter.log import event
from exporter.matching import json_in_turns
from exporter.secret import Secret

_log = logging.getLogger(__name__)
_LISTED = "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true"
_LARGEST, _MOST_VALUES = 64 * 1024 * 1024, 10_000_000
_LARGEST_METRICS = 8 * 1024 * 1024
STATUS_SECONDS = 600.0
"""How long a status is good while metrics show the same process and configuration."""
# OSError: a timeout, or a connection that was cut; RecursionError: lists in lists in lists.
_FAILURES = (aiohttp.ClientError, OSError, ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the peers that answer list together."""

    alerts: tuple[Alert, ...]
    uptime: float
    """Seconds since the youngest of them started: alerts are kept in memory only."""
    evidence: Evidence = field(default_factory=Evidence)
    """What shows who was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    """What a peer says of itself; asked again when its metrics have changed, or it is old."""

    at: float
    started: float
    process: tuple[float, str]
    """The start of its process and the hash of its configuration in its metrics."""
    config: Any
    routing: Routing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one peer answers to one poll."""

    alerts: tuple[Alert, ...]
    started: float
    counters: Counters | None
    routing: Routing | None
    grouped: Mapping[tuple[str, str], Grouped]
    silences: Mapping[str, Silence]


class Peers:
    """The Alertmanagers at *urls*, and a Prometheus for alerts that no message brought."""

    def __init__(self, urls: Sequence[str], prometheus: str = "", *, timeout: float = 15.0) -> None:
        self._logins: dict[str, Secret] = {}
        self._urls = tuple(map(self._without_login, urls))
        self._prometheus = self._without_login(prometheus)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._silent: set[str] = set()
        self._statuses: dict[str, _Status] = {}
        self._counters: dict[str, Counters] = {}

    def _without_login(self, url: str) -> str:
        """Return *url* without user and password, which are kept apart: URLs are logged and shown.

        They are sent to the paths of this URL only.
        """
        parts = urlsplit(url.rstrip("/"))
        login, at, host = parts.netloc.rpartition("@")
        plain = parts._replace(netloc=host).geturl()
        if at:
            self._logins[plain + "/"] = Secret(":".join(map(unquote, login.split(":", 1))))
        return plain

    def secrets(self) -> list[Secret]:
        """Return the passwords, for the redaction of the log."""
        return [Secret(own.reveal().partition(":")[2]) for own in self._logins.values()]

    def _login(self, url: str) -> dict[str, str]:
        """Return the header for *url*; aiohttp takes it off when it follows to another origin."""
        own = next((own for base, own in self._logins.items() if url.startswith(base)), None)
        if own is None:
            return {}
        return {"Authorization": f"Basic {b64encode(own.reveal().encode()).decode()}"}

    def __bool__(self) -> bool:
        return bool(self._urls)

    @property
    def knows_prometheus(self) -> bool:
        return bool(self._prometheus)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def snapshot(self, now: float) -> Snapshot | None:
        """Return what is listed now, None if no peer answers."""
        found = await asyncio.gather(*(self._answer(url, now) for url in self._urls))
        answers = [answer for answer in found if answer is not None]
        if not answers:
            return None
        alerts: dict[str, Alert] = {}
        grouped: dict[tuple[str, str], Grouped] = {}
        for answer in answers:
            for alert in answer.alerts:
                known = alerts.get(alert.fingerprint)
                # What one peer does not suppress reaches people.
                if known is None or not alert.suppressed:
                    alerts[alert.fingerprint] = alert
            for at, group in answer.grouped.items():
                if at not in grouped or not group.muted_by:
                    grouped[at] = group
        started = max(answer.started for answer in answers)
        seen = Evidence(
            counters={
                url: None if answer is None else answer.counters
                for url, answer in zip(self._urls, found, strict=True)
            },
            routing=next((a.routing for a in answers if a.routing is not None), None),
            grouped=grouped,
            silences={id_: one for answer in answers for id_, one in answer.silences.items()},
            started=started,
        )
        return Snapshot(alerts=tuple(alerts.values()), uptime=now - started, evidence=seen)

    async def _answer(self, url: str, now: float) -> _Answer | None:
        # Counters first: what is listed after them cannot have been counted without being seen.
        counters = await self._counted(url)
        try:
            status = await self._status(url, counters, now)
            # In a thread: with thousands of alerts it would hold the loop.
            alerts = await asyncio.to_thread(from_api, await self._get(url + _LISTED))
        except _FAILURES as error:
            self._unheard(url, error)
            return None
        self._silent.discard(url)
        silenced = [id_ for alert in alerts for id_ in alert.silenced_by]
        found = await self._extra(url + "/api/v2/silences") if silenced else None
        # Last: a group that the next poll finds is taken to be younger than all of this one.
        groups = await self._extra(url + "/api/v2/alerts/groups")
        return _Answer(
            alerts=tuple(alerts),
            started=status.started,
            counters=counters,
            routing=status.routing,
            grouped=await asyncio.to_thread(evidence.groups, groups),
            silences=await asyncio.to_thread(evidence.silences, found, silenced),
        )

    async def _counted(self, url: str) -> Counters | None:
        """Return what *url* counted, None if it does not say."""
        found = await self._metrics(url)
        former = self._counters.get(url)
        if found is not None and former is not None and found.has_sent_since(former):
            again = await self._metrics(url)
            found = None if again is None else found.cautious(again)
        if found is not None:
            self._counters[url] = found
        return found

    async def _metrics(self, url: str) -> Counters | None:
        try:
            text = await self._read(url + "/metrics", largest=_LARGEST_METRICS)
            return await asyncio.to_thread(evidence.counters, text.decode("utf-8", "replace"))
        except _FAILURES:
            return None

    async def _extra(self, url: str) -> Any:
        """Return an answer that nothing depends on, None without one."""
        try:
            return await self._get(url)
        except _FAILURES:
            return None

    async def _status(self, url: str, counters: Counters | None, now: float) -> _Status:
        process = (counters.started, counters.config) if counters is not None else (0.0, "")
        known = self._statuses.get(url)
        same = known is not None and bool(process[0]) and known.process == process
        if known is not None and same and 0 <= now - known.at < STATUS_SECONDS:
            return known
        answer = await self._get(url + "/api/v2/status")
        started, config = time_of(answer["uptime"], "uptime"), answer.get("config")
        text = config.get("original") if isinstance(config, dict) else None
        if known is not None and known.config == text:
            routing = known.routing
        else:
            routing = await asyncio.to_thread(evidence.routing, text)
        found = _Status(at=now, started=started, process=process, config=text, routing=routing)
        self._statuses[url] = found
        return found

    async def report(
        self, alerts: Sequence[tuple[Mapping[str, str], Mapping[str, str], float]], until: float
    ) -> bool:
        """Tell every peer that alerts (labels, annotations, start) fire until *until*.

        Return whether one of them took it.
        """
        body = [
            {
                "labels": dict(labels),
                "annotations": {name: text for name, text in notes.items() if text},
                "startsAt": _written(start),
                "endsAt": _written(until),
            }
            for labels, notes, start in alerts
        ]
        if not body:
            return True
        return any(await asyncio.gather(*(self._post(url, body) for url in self._urls)))

    async def _post(self, url: str, body: list[Any]) -> bool:
        try:
            async with self._opened().post(
                url + "/api/v2/alerts", json=body, headers=self._login(url + "/")
            ) as answer:
                if answer.status == 200:
                    return True
                event(
                    _log,
                    "Alertmanager refuses an alert",
                    level=logging.ERROR,
                    alertmanager=_shown(url),
                    status=answer.status,
                )
        except _FAILURES as error:
            self._unheard(url, error)
        return False

    async def fired(self, start: float, end: float, step: float) -> list[Any] | None:
        """Return Prometheus' series of firing alerts: `{"metric": labels, "values": [...]}`.

        None if it does not answer.
        """
        asked = {
            # The lookback of an instant selector would hide gaps of up to five minutes.
            "query": f'count_over_time(ALERTS{{alertstate="firing"}}[{int(step)}s])',
            "start": f"{start:.3f}",
            "end": f"{end:.3f}",
            "step": f"{int(step)}",
        }
        try:
            answer = await self._get(self._prometheus + "/api/v1/query_range", asked)
            found = answer["data"]["result"]
        except _FAILURES as error:
            self._unheard(self._prometheus, error)
            return None
        self._silent.discard(self._prometheus)
        return found if isinstance(found, list) else None

    async def prometheus_retention(self) -> float | None:
        """Return for how many seconds Prometheus keeps its samples; None if it does not answer."""
        if not self._prometheus:
            return None
        try:
            answer = await self._get(self._prometheus + "/api/v1/status/runtimeinfo")
            text = str(answer["data"]["storageRetention"])
        except _FAILURES as error:
            self._unheard(self._prometheus, error)
            return None
        return retention_seconds(text)

    async def _get(self, url: str, query: Mapping[str, str] | None = None) -> Any:
        return await asyncio.to_thread(json_in_turns, await self._read(url, query), _MOST_VALUES)

    async def _read(
        self, url: str, query: Mapping[str, str] | None = None, *, largest: int = _LARGEST
    ) -> bytes:
        async with self._opened().get(url, params=query, headers=self._login(url)) as answer:
            answer.raise_for_status()
            text = bytearray()
            async for piece in answer.content.iter_chunked(1 << 16):
                text += piece
                if len(text) > largest:
                    raise MessageError("the answer is too large")
            return bytes(text)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self._session

    def _unheard(self, url: str, error: Exception) -> None:
        level = logging.DEBUG if url in self._silent else logging.WARNING
        self._silent.add(url)
        event(_log, "not reached", level=level, url=_shown(url), why=type(error).__name__)


_UNITS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_LENGTH = re.compile(r"(?:[0-9]+(?:ms|[ywdhms]))+")


def retention_seconds(text: str) -> float | None:
    """Return the time in what Prometheus calls its storage retention, None if there is none.

    It may be a time, a size, or both: "15d", "1y", "4w2d", "512MiB", "15d or 512MiB"
    (web/api/v1/api.go and model.Duration.String of prometheus/common).
    """
    length = text.partition(" or ")[0]
    if not _LENGTH.fullmatch(length):
        return None
    parts = re.findall(r"([0-9]+)(ms|[ywdhms])", length)
    return sum(int(number) * _UNITS.get(unit, 0.001) for number, unit in parts)


def _shown(url: str) -> str:
    """Return *url* without a password or a query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
