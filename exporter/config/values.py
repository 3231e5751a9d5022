"""What is known of a service in advance: values, made by `targets`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.config.declarations import Maintenance, Objectives, RateLimit, RetryPolicy
from exporter.config.models import ModelTarget
from exporter.config.thresholds import Threshold
from exporter.config.uses import NOTHING_USED, Used
from exporter.probers import Endpoint
from exporter.providers import Idempotency
from exporter.secret import Secret
from exporter.statuspages import StatusPage


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRequest:
    """A further, slow request: what is left of a quota, or whether the next key works."""

    endpoint: Endpoint
    interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Somebody switched a service off at run time, at the Unix time `at`."""

    at: float
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMaintenance(Maintenance):
    """A window that somebody set at run time."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A service and the one way it is probed. Equal targets need no restart of anything."""

    id: str
    name: str
    type: str
    provider: str
    environment: str
    team: str = ""
    owner: str = ""
    runbook: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    """What may be shown of the other `metadata`: names and values, sorted."""
    host: str = ""
    enabled: bool = True
    pause: Pause | None = None
    """Why it is not enabled, if it was paused at run time."""
    endpoint: Endpoint | None = None
    unprobed: str = ""
    """Why there is no endpoint, or why only a keyless one."""
    interval: float = 60.0
    retries: int = 0
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    objectives: Objectives = field(default_factory=Objectives)
    thresholds: tuple[Threshold, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    public: bool = False
    status_page: StatusPage | None = None
    quota: SideRequest | None = None
    next_key: SideRequest | None = None
    """The health request with the key that will replace the present one."""
    models: tuple[ModelTarget, ...] = ()
    uses: Used = NOTHING_USED
    model_list: SideRequest | None = None
    """The list of models, where the health check does not fetch it."""
    base_url: str = field(default="", repr=False)
    calls: Endpoint | None = None
    """How the user's own calls are made: at `base_url`, without what only the check sends."""
    idempotency: Idempotency | None = None
    """With which header a POST may be sent twice; None if the provider honours none."""
    key: Secret | None = None
    key_configured: bool | None = None
    """None for a service that needs no key."""
    key_file: str | None = None
    further_secrets: tuple[Secret, ...] = ()
    """Those of the declaration that are in no endpoint."""

    @property
    def has_page(self) -> bool:
        """Whether a status page of the provider is known."""
        return self.status_page is not None

    def secrets(self) -> Iterator[Secret]:
        """Yield everything that must not be shown, derived forms included."""
        if self.key is not None:
            yield self.key
        yield from self.further_secrets
        following = self.next_key.endpoint if self.next_key is not None else None
        for endpoint in (self.endpoint, self.calls, following):
            if endpoint is not None:
                yield from (value for _, value in (*endpoint.credentials, *endpoint.query))

    def in_maintenance(self, now: float) -> bool:
        """Return whether a declared window is open at the Unix time *now*."""
        return any(window.start <= now < window.end for window in self.maintenance)
