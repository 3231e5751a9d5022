"""The fields of a preset, each declared once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from exporter.checks import AnswerRule, Assertion, Confidence, Method, Shape
from exporter.providers.models import PresetModels
from exporter.providers.promises import Promise
from exporter.readings import Gauge, LimitHeader, Readings, RetirementReadings, TimedField
from exporter.settings import Duration, PublicText, Url, option
from exporter.statuspages import StatusPage

ServiceType = Literal["ai", "payment", "communication", "business", "analytics", "api"]
AuthKind = Literal["header", "query", "basic", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Where the key goes."""

    kind: AuthKind | None = option(None, "header, query, basic or none; default header.")
    name: PublicText | None = option(None, "kind query: the parameter's name.")
    username: str | None = option(
        None, "kind basic: the user name; without it the key is `user:password`."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetAuth:
    """How the key is sent to this API."""

    kind: AuthKind = option(doc="Where the key goes.")
    header: str = option("Authorization", "kind header: the header's name.")
    prefix: str = option("", "kind header: the text before the key.")
    name: str | None = option(None, "kind query: the parameter's name.")
    username: str | None = option(None, "kind basic: the user name, may hold ${NAME}.")
    optional: bool = option(
        False, "The program may be run without keys: then none is missing, and all is asked."
    )
    checked: bool = option(
        True, "The program looks at the key; if not, no answer shows whether one is valid."
    )
    note: str = option("", "What to know about other ways.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCheck:
    """A request without side effects or cost, and the answer it must get."""

    method: Method = option("GET", "Request method.")
    endpoint: str = option(doc="Path below base_url, or an absolute URL; may hold ${NAME}.")
    headers: dict[str, str] = option(doc="Further headers.", factory=dict)
    body: Any = option(None, "As in health_check.body.")
    expected_status_codes: tuple[int, ...] = option((200,), "Statuses that mean success.")
    assertions: tuple[Assertion, ...] = option((), "What must hold for the answer.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")
    sensitive_body: bool = option(False, "The body holds a secret, personal data or amounts.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The rate limits that the provider reports in its answers."""

    headers: tuple[LimitHeader, ...] = option((), "Limit headers.")
    retry_after: tuple[TimedField, ...] = option(
        (), "Besides retry-after(-ms), and the usual members of a 429 or 503."
    )
    fixed_retry: Duration | None = option(None, "Wait after a 429 that gives no time.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "Where the headers appear.")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCheck:
    """A second request, sent rarely, whose answer holds what is left of a quota."""

    check: PresetCheck = option(doc="The request.")
    interval: Duration = option(900.0, "Time between requests.", shown="15m")
    gauges: tuple[Gauge, ...] = option(doc="The numbers in its body.", minItems=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """The header with which a call that was sent twice takes effect once."""

    header: PublicText = option(doc="Its name.", minLength=1)
    paths: tuple[str, ...] = option((), "Ends of the paths that honour it; default all.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often this API may be probed."""

    health: Duration = option(doc="Default with a key.")
    reachability: Duration | None = option(None, "Default without a key.")
    minimum: Duration = option(doc="A shorter interval gives a warning.")
    note: str = option("", "The documented limit.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLint:
    """A kind of key that must not be used here."""

    pattern: str = option(doc="Regular expression on the key.")
    level: Literal["error", "warning"] = option(doc="How bad it is; neither stops probing.")
    environment: Literal["production", "other"] | None = option(
        None, "Only in production, or only outside."
    )
    message: str = option(doc="What to do instead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The form of this provider's keys, and how they are replaced."""

    pattern: str = option(doc="Regular expression that every accepted key matches.")
    lint: tuple[KeyLint, ...] = option((), "Keys of the wrong kind.")
    parallel: bool | None = option(
        None, "Whether two keys can be valid at once; unset where nobody knows."
    )
    rotation: str = option("", "How a key is replaced.")
    confidence: Confidence = option(doc="How well this is known.")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Everything we know about one API."""

    name: str = option(doc="Name for people.")
    type: ServiceType = option(doc="Kind of service.")
    docs: tuple[Url, ...] = option(doc="The vendor's pages this comes from.", minItems=1)
    base_url: str = option(doc="May hold ${NAME}.")
    regions: dict[str, str] = option(doc="Other base URLs by region.", factory=dict)
    self_hosted: bool = option(False, "People run it themselves, under another base_url.")
    deprecated: bool = option(False, "The vendor has a successor.")
    key_variables: tuple[str, ...] = option((), "Environment variables that hold the key.")
    variables: dict[str, str] = option(doc="Further ${NAME}s and their meaning.", factory=dict)
    auth: PresetAuth = option(doc="How the key is sent.")
    headers: dict[str, str] = option(doc="Required headers.", factory=dict)
    optional_headers: dict[str, str] = option(doc="Sent when their ${NAME} is set.", factory=dict)
    health: PresetCheck = option(doc="With the key.")
    reachability: PresetCheck | None = option(None, "Without a key.")
    shape: Shape = option(doc="What its own answers look like.", factory=Shape)
    answers: tuple[AnswerRule, ...] = option(
        (), "Which reason an answer means; the first rule that applies wins."
    )
    rate_limits: RateLimits | None = option(None, "The limits that answers report.")
    gauges: tuple[Gauge, ...] = option((), "The quotas in the answer of the health check.")
    quota: QuotaCheck | None = option(None, "A further request about quotas.")
    key_expiry: TimedField | None = option(
        None, "Where an answer gives the time at which the key expires."
    )
    request_id: tuple[str, ...] = option((), "Headers with the provider's request id.")
    server_time: dict[str, str] = option(
        doc="Headers with the time that the provider took, and their unit.", factory=dict
    )
    idempotency: Idempotency | None = option(
        None, "With which header the user's own POST may be repeated; without it never."
    )
    intervals: Intervals = option(doc="How often to ask.")
    key: KeyFacts = option(doc="The key.")
    models: PresetModels | None = option(None, "How its models are asked.")
    status_page: StatusPage | None = option(None, "The provider's status page.")
    sla: Promise | None = option(None, "What the provider promises about its availability.")
    caveats: tuple[str, ...] = option((), "Known pitfalls.")

    @functools.cached_property
    def local(self) -> bool:
        """Whether its default address is this machine, so that nobody has it without saying so."""
        return urlsplit(self.base_url).hostname == "localhost"

    @functools.cached_property
    def readings(self) -> Readings:
        """Where the values of an answer are; one object for all services of this provider."""
        limits = self.rate_limits
        return Readings(
            headers=limits.headers if limits else (),
            retry_after=limits.retry_after if limits else (),
            fixed_retry=limits.fixed_retry if limits else None,
            gauges=self.gauges,
            key_expiry=self.key_expiry,
            request_id=self.request_id,
            server_time=tuple(self.server_time.items()),
            radar=RetirementReadings(
                warnings=tuple(map(str.lower, self.models.warnings)) if self.models else ()
            ),
        )
