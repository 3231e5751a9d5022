"""What is probed and what is expected of it: the bare address, never a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from exporter.checks import AnswerRule, Assertion, TlsSettings
from exporter.model import Outcome
from exporter.readings import GENERIC, Readings
from exporter.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What the answer must be, and what other answers mean."""

    statuses: frozenset[int] = frozenset({200})
    assertions: tuple[Assertion, ...] = ()
    rules: tuple[AnswerRule, ...] = ()
    lenient: bool = False
    """A check without a key: being asked for one is what a working API does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The bare address, how to ask, and what to expect.

    `headers` are public facts (agent, accept, what a preset demands). `credentials` (the key and
    the user's own headers), `query`, body and client certificate go to the endpoint's origin only.
    """

    url: str = field(repr=False)
    shown: str
    prober: str = "http"
    """The kind of probe, a file in `kinds`."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    credentials: tuple[tuple[str, Secret], ...] = ()
    query: tuple[tuple[str, Secret], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    timeout: float = 10.0
    follow_redirects: int = 0
    allow_cross_origin: bool = False
    proxy: str | None = field(default=None, repr=False)
    tls: TlsSettings = field(default_factory=TlsSettings)
    allow_private: bool = False
    keep_alive: bool = False
    expect: Expectations = field(default_factory=Expectations)
    readings: Readings = GENERIC
    keyed: bool = False


class Prober(Protocol):
    """One way to probe."""

    async def probe(self, endpoint: Endpoint) -> Outcome:
        """Return what one attempt saw."""
