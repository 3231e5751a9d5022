"""What checks of models need of others: a prober, the state of our network, a place for figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from exporter.models.known import Key
from exporter.probers import Endpoint
from exporter.probers.streaming import Streamed
from exporter.streams import StreamProtocol


class Asker(Protocol):
    """Sends one streamed request; implemented by `probers`."""

    async def ask(self, endpoint: Endpoint, protocol: StreamProtocol) -> Streamed:
        """Return what one request to *endpoint* saw."""


class Network(Protocol):
    """Whether our own network works; implemented by `schedule`."""

    async def confirm(self, since: float) -> bool:
        """Return whether it has worked since the tick *since*."""


class Figures(Protocol):
    """Where the figures of models outlive the process; implemented by `store`."""

    def save(self, key: Key, figures: Mapping[str, Any]) -> None:
        """Keep *figures*."""

    def all(self) -> Mapping[Key, Mapping[str, Any]]:
        """Return what is kept."""

    def keep_only(self, keys: Collection[Key]) -> None:
        """Drop all but *keys*."""
