"""One row of the table of hostile behaviours: what a server does, and what it may cost us."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.model import FACTS, Reason, Verdict
from exporter.statuspages import State
from tests.vendor import Behaviour, Greeting, Peer, Seen

LIMIT_SECONDS = 0.8
"""The time limit of each probe of a hostile server."""
USUAL_MEMORY = 6.0
"""MiB that a row may cost for a moment; sixteen of these are run at once, and cost no more."""
MARK = "h0st1le"
"""Stands in what servers send where a text might be copied; it must be seen nowhere."""
PLACES: dict[str, str] = {}
"""By name: addresses of the servers, known in the process in which they run."""

LATER: list[Callable[[], Behaviour]] = []
"""Behaviours that take long to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misdeed:
    """What one server does, and what is expected of whoever probes it.

    `lateness` is in time limits. `memory` is in MiB.
    `lag`: for how many seconds the loop may be held longer than by a well-behaved server.
    """

    name: str
    reason: Reason
    verdict: Verdict
    behaviour: Behaviour | None = field(default=None, repr=False)
    """What it does once it has read a request."""
    greeting: Greeting | None = field(default=None, repr=False)
    """What it does with a connection, instead."""
    tls: str = ""
    """The certificate that it has, of `tests.hostile.certificates`; without it talks plainly."""
    secure: bool | None = None
    """Whether it is probed by https, if that is not what it speaks."""
    check: dict[str, Any] = field(default_factory=dict)
    """Settings of the health check."""
    adapter: str = ""
    """Of the status page that the server is, instead of an API."""
    state: State = State.UNKNOWN
    lateness: float = 1.1
    memory: float = USUAL_MEMORY
    lag: float = 0.06

    @property
    def id(self) -> str:
        """The name as the id of a service."""
        kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.name.lower())
        return "-".join(part for part in kept.split("-") if part)[:63]


def fails(name: str, reason: Reason, behaviour: Behaviour | None = None, **more: Any) -> Misdeed:
    """Return a row of a probe that fails with *reason*, by default through the provider's fault."""
    verdict = more.pop("verdict", Verdict.PROVIDER)
    return Misdeed(name=name, reason=reason, verdict=verdict, behaviour=behaviour, **more)


def harmless(name: str, behaviour: Behaviour | None = None, **more: Any) -> Misdeed:
    """Return a row of a server that is odd, but up."""
    return Misdeed(name=name, reason=Reason.OK, verdict=Verdict.OK, behaviour=behaviour, **more)


def page(name: str, adapter: str, behaviour: Behaviour, **more: Any) -> Misdeed:
    """Return a row of a status page, beside a service that is up."""
    more = {"memory": 32.0, "lag": 0.2} | more
    return harmless(f"{adapter} page: {name}", behaviour, adapter=adapter, **more)


def later(make: Callable[[], Behaviour]) -> Behaviour:
    """Return the behaviour that *make* makes: what is large is built where the servers run only."""
    made = functools.lru_cache(maxsize=1)(make)
    LATER.append(made)

    async def behave(peer: Peer, seen: Seen) -> None:
        await made()(peer, seen)

    return behave


def placed(make: Callable[[str], Behaviour], template: str) -> Behaviour:
    """Return the behaviour that *make* makes of *template*, with the places that it names."""

    async def behave(peer: Peer, seen: Seen) -> None:
        text = template
        for name, url in PLACES.items():
            text = text.replace(f"<{name}>", url)
        await make(text)(peer, seen)

    return behave


def wrong_verdicts(rows: tuple[Misdeed, ...]) -> list[str]:
    """Return the names of the rows whose verdict is not the one that their reason has online."""
    return [row.name for row in rows if FACTS[row.reason].verdict is not row.verdict]


Step = Callable[[Peer], Awaitable[None]]
