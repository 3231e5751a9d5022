"""What is probed and what is expected of it; nothing here refers to a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from exporter.checks import AnswerRule, Assertion, Shape, TlsSettings
from exporter.model import Outcome
from exporter.readings import GENERIC, Readings
from exporter.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What the answer must be, and which reason other answers mean."""

    statuses: frozenset[int] = frozenset({200})
    assertions: tuple[Assertion, ...] = ()
    rules: tuple[AnswerRule, ...] = ()
    shape: Shape = field(default_factory=Shape)
    keyless: bool = False
    """For a check without a key: 401 and 403 are a success, as a working API asks for a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address, the request to send, and what to expect.

    `headers` are public (User-Agent, Accept, those that a preset requires). `credentials` (the key
    and the user's own headers), `query`, body and client certificate are sent to the endpoint's
    origin only. `timeout` is in seconds, `body_limit` in bytes; `keyed`: the request carries a key.

        Endpoint(url="https://api.example/health", shown="https://api.example/health", timeout=5.0)
    """

    url: str = field(repr=False)
    shown: str
    """The URL for people: without query and user information."""
    prober: str = "http"
    """The kind of probe: the name of a file in `kinds`."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    credentials: tuple[tuple[str, Secret], ...] = ()
    query: tuple[tuple[str, Secret], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    timeout: float = 10.0
    body_limit: int = 64 * 1024
    follow_redirects: int = 0
    allow_cross_origin: bool = False
    proxy: str | None = field(default=None, repr=False)
    tls: TlsSettings = field(default_factory=TlsSettings)
    allow_private: bool = False
    keep_alive: bool = False
    expect: Expectations = field(default_factory=Expectations)
    readings: Readings = GENERIC
    excerpt: bool = True
    """Whether a part of the body may be kept of an answer that fails."""
    keyed: bool = False


class Prober(Protocol):
    """One way to probe, with one method.

    Example:

        class Refused:
            async def probe(self, endpoint: Endpoint) -> Outcome:
                return Outcome(reason=Reason.CONNECT, detail="connection refused")
    """

    async def probe(self, endpoint: Endpoint) -> Outcome:
        """Return what one attempt at *endpoint* saw; an expected failure is never an exception."""
