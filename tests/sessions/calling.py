"""A service on loopback with a key, and what opens sessions with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from exporter.config import Target, make_target, read_text
from exporter.model import Limit
from exporter.readings import ReadValues
from exporter.retirement import Retirement
from exporter.sessions import ServiceSession, Sessions
from tests.fakes import KEY, FakeClock
from tests.vendor import Behaviour, Peer, Seen, Vendor

SOURCE = "own-header-sentinel-0123456789"


def target_at(url: str, **service: Any) -> Target:
    """Return the target of a service below *url* with `KEY` and a header of its own."""
    usual: dict[str, Any] = {
        "id": "it",
        "base_url": url,
        "api_key": KEY,
        "additional_headers": {"X-Source": SOURCE},
        "health_check": {"allow_private_addresses": True, "headers": {"X-Check": "check-only"}},
    }
    text = json.dumps({"services": [usual | service]})
    (declared,) = read_text(text, "services.yaml", {}).services
    return make_target(declared, {})


class SkippingClock(FakeClock):
    """Returns from each sleep at once, and notes its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._to(self._tick + seconds)

    def skip(self, seconds: float) -> None:
        self._to(self._tick + seconds)


class Desk:
    """Opens sessions with one target, and notes the requests that they report."""

    def __init__(self, target: Target, clock: FakeClock | None = None) -> None:
        self.target = target
        self.clock = clock or SkippingClock()
        self.observed: list[str] = []
        self.reported: list[Mapping[str, Limit]] = []
        self.announced: list[Retirement] = []
        self.sessions = Sessions(self.clock, self.observe, self.report)

    def observe(self, target: Target, code: str, seconds: float) -> None:
        assert target is self.target
        assert seconds >= 0
        self.observed.append(code)

    def report(self, target: Target, read: ReadValues) -> None:
        assert target is self.target
        if read.limits:
            self.reported.append(read.limits)
        if read.retirement is not None:
            self.announced.append(read.retirement)

    def open(self, **options: Any) -> ServiceSession:
        return self.sessions.of(self.target, **({"jitter": lambda: 1.0} | options))


def desk_at(vendor: Vendor, path: str = "/v1", **service: Any) -> Desk:
    """Return a desk for a service below *path* of *vendor*."""
    return Desk(target_at(vendor.url(path), **service))


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave as each of *behaviours* once, then as the last of them."""
    left = list(behaviours)

    async def behave(peer: Peer, seen: Seen) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(peer, seen)

    return behave


def asked_without_credentials(vendor: Vendor) -> bool:
    """Return whether *vendor* got requests, none with a credential or a header of the check."""
    secrets = (KEY, SOURCE, "check-only", "Authorization", "X-Source")
    return bool(vendor.seen) and not any(s.holds(text) for s in vendor.seen for text in secrets)
