"""Every setting of the user's file, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from exporter.characters import CONTROL
from exporter.checks import HEADER_NAME, AnswerRule, HealthCheck, Shape
from exporter.config.models import DEFAULT_BUDGET, MOST_MODELS, Budget, ModelCheck
from exporter.config.severities import Severity
from exporter.config.uses import Uses
from exporter.providers import Auth, ServiceType
from exporter.readings import OwnReadings
from exporter.secret import Secret
from exporter.settings import (
    Duration,
    OpenText,
    PublicText,
    Ratio,
    Timestamp,
    Url,
    option,
)
from exporter.statuspages import ADAPTERS

ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
LABEL = rf"^[^{CONTROL}]{{1,128}}$"
AlertKind = Literal[
    "down",
    "critical",
    "unresolved",
    "flapping",
    "latency",
    "key_invalid",
    "key_expiring",
    "rate_limited",
    "headroom",
    "certificate",
    "stale",
    "sunset",
]
_LABEL_HINT = "must be 1 to 128 printable characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyObjective:
    """So many of the successful probes are at least this fast."""

    threshold: Duration = option(doc="A probe faster than this is good.", min=0.001)
    target: Ratio = option(doc="Share of good probes, such as 99%.", min=0.5, max=0.99999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """Service level objectives; the burn-rate alerts follow from them."""

    availability: Ratio | None = option(
        None, "Share of successful probes, such as 99.9%.", min=0.5, max=0.99999
    )
    latency: LatencyObjective | None = option(None, "Latency objective.")
    window: Duration = option(
        2592000.0, "Time over which the budget is counted.", min=86400, max=7776000, shown="30d"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How many requests the registry may send; retries count."""

    requests_per_minute: int | None = option(None, "Requests in a minute.", minimum=1)
    requests_per_hour: int | None = option(None, "Requests in an hour.", minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with full jitter."""

    max_retries: int = option(2, "Further attempts.", minimum=0, maximum=10)
    base_delay: Duration = option(1.0, "Upper bound of the first delay.", max=60, shown="1s")
    backoff_multiplier: float = option(2, "Growth of the bound.", minimum=1, maximum=10)

    def delay(
        self, attempt: int, asked: float | None, *, longest: float, jitter: Callable[[], float]
    ) -> float | None:
        """Return the seconds between attempt number *attempt*, from 1, and the next one.

        None means that there is to be none: the server *asked* (Retry-After, RFC 9110 10.2.3) for a
        longer pause than *longest*, and an earlier request would be one that it refused in advance.
        Without its word it is exponential back-off of at most *longest*. *jitter* returns a number
        from 0 to 1: full jitter, so that what failed together does not come back together.

        >>> RetryPolicy().delay(2, None, longest=60.0, jitter=lambda: 0.5)
        1.0
        """
        if asked is not None:
            return asked if asked <= longest else None
        bound = self.base_delay * self.backoff_multiplier ** (attempt - 1)
        return jitter() * min(bound, longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Thresholds, exported as data: one static rule file serves every service."""

    down_after: int = option(3, "Failures in a row: down.", minimum=1)
    critical_after: int = option(5, "Failures in a row: critical.", minimum=1)
    escalate_after: tuple[Duration, ...] = option(
        (900.0, 3600.0), "Unresolved so long: one escalation level each.", shown="[15m, 1h]"
    )
    flapping: int = option(6, "State changes in 30 minutes.", minimum=2)
    latency_p95: Duration | None = option(None, "95th percentile of the latency.", min=0.001)
    key_invalid_after: Duration = option(120.0, "Key rejected for so long.", shown="2m")
    key_days: int = option(14, "Days before the key expires.", minimum=1)
    rate_limited: int | None = option(
        None,
        "Probes answered 429 in 15 minutes; default 5, half of all if those are fewer.",
        minimum=1,
    )
    rate_limit_remaining: Ratio = option(0.1, "Share of a rate limit that is left.", shown="10%")
    certificate_days: int = option(14, "Days before the certificate expires.", minimum=1)
    stale_after: Duration | None = option(
        None, "No result for so long; default three intervals.", min=3
    )
    sunset_days: tuple[int, ...] = option(
        (90, 30, 7),
        "Days before something that is used is switched off: low, medium, then its severity.",
        shown="[90, 30, 7]",
        minItems=1,
        maxItems=3,
    )
    severity: dict[AlertKind, Severity] = option(
        doc=f"Severity by kind of alert, of {', '.join(get_args(AlertKind))}.", factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSetting:
    """What is kept of an answer that fails."""

    excerpt: bool = option(
        True,
        "Whether at most 512 bytes of the body, and the values that failed assertions found in it,"
        " are kept and shown; never of a body that the preset calls sensitive, and no excerpt of a"
        " 2xx. Secrets of ours are struck out.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window in which failures are expected."""

    start: Timestamp = option(doc="RFC 3339 time with its zone.")
    end: Timestamp = option(doc="RFC 3339 time with its zone.")
    reason: OpenText = option("", "Why, for people.", maxLength=256)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPageSetting:
    """The provider's own status page; a preset sets it."""

    enabled: bool = option(True, "Whether to poll it.")
    url: Url | None = option(None, "The page for people.")
    adapter: PublicText | None = option(None, "How its data is read.", enum=ADAPTERS)
    endpoint: Url | None = option(None, "Where its data is, if not at the adapter's usual path.")
    component_filter: OpenText | None = option(None, "RE2 pattern of the components that matter.")
    allow_private_addresses: bool = option(
        False, "Read it at a loopback, private or other non-public address too."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One external API that the company depends on."""

    id: PublicText = option(
        doc="Unique name: the label `service`.",
        pattern=ID,
        hint="must be 1 to 63 of a-z, 0-9 and -, starting with a letter or digit",
    )
    provider: PublicText = option(
        "custom", "A preset (see `service-registry providers`) or custom."
    )
    name: PublicText | None = option(
        None, "For people; default id.", pattern=LABEL, hint=_LABEL_HINT
    )
    type: ServiceType | None = option(None, "Kind of service; default of the preset, or api.")
    base_url: Url | None = option(None, "Where the API is; default of the preset.")
    region: PublicText | None = option(None, "A region of the preset, instead of base_url.")
    api_key: Secret | None = option(
        None, "Write ${NAME}; the key itself should not be in the file."
    )
    api_key_file: str | None = option(
        None, "File with the key, relative to the working directory; read again when it changes."
    )
    api_key_next: Secret | None = option(
        None, "The key that will replace api_key: verified every 15 minutes, not yet used."
    )
    api_key_next_file: str | None = option(None, "File with that key.")
    api_key_header: PublicText | None = option(
        None,
        "Header for the key; default Authorization.",
        pattern=HEADER_NAME,
        hint="must be a header name",
    )
    api_key_prefix: str | None = option(None, 'Before the key; default "Bearer ".', maxLength=64)
    auth: Auth = option(doc="Where the key goes, if not in a header.", factory=Auth)
    enabled: bool = option(True, "A disabled service keeps its place and is not probed.")
    environment: PublicText = option(
        "production", "Label `environment`.", pattern=LABEL, hint=_LABEL_HINT
    )
    team: PublicText = option("", "Routing label `team`.", maxLength=128)
    additional_headers: dict[str, Secret] = option(
        doc="Headers of every request to this service.", factory=dict
    )
    rate_limit: RateLimit = option(doc="Limit of our own requests.", factory=RateLimit)
    retry_policy: RetryPolicy = option(doc="Retries within one probe.", factory=RetryPolicy)
    health_check: HealthCheck = option(doc="The probe.", factory=HealthCheck)
    answers: tuple[AnswerRule, ...] = option(
        (), "Which reason an answer means; asked before the preset's."
    )
    shape: Shape | None = option(
        None, "What the API's own answers look like, instead of the preset's."
    )
    readings: OwnReadings = option(doc="Values in the answers.", factory=OwnReadings)
    evidence: EvidenceSetting = option(doc="Evidence of failures.", factory=EvidenceSetting)
    objectives: Objectives = option(doc="Service level objectives.", factory=Objectives)
    alerts: Alerts = option(doc="Thresholds of the shipped alerts.", factory=Alerts)
    maintenance: tuple[Maintenance, ...] = option((), "Planned windows.")
    status_page: StatusPageSetting = option(doc="Status page.", factory=StatusPageSetting)
    models: tuple[ModelCheck, ...] = option(
        (), "Models that are asked for a short answer; each costs money.", maxItems=MOST_MODELS
    )
    uses: Uses = option(doc="What depends on it, to hear of its end in time.", factory=Uses)
    public: bool = option(
        False, "Shown on the public page (`serve --public-page`); if none is, all services are."
    )
    metadata: dict[str, OpenText] = option(
        doc="Free texts; `owner` and `runbook` become labels of service_info, the others tags.",
        factory=dict,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPage:
    """The page for outsiders: `serve --public-page`."""

    title: PublicText = option("Service status", "Its heading.", pattern=LABEL, hint=_LABEL_HINT)
    logo: PublicText = option("", "A short text at the top, such as the company's.", maxLength=40)
    environments: bool = option(False, "Whether it names the environments of services.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """Switches of the whole registry."""

    enabled: bool = option(True, "Whether anything is probed at all.")
    dashboard_enabled: bool = option(True, "Whether the status page is served.")
    incidents: PublicText | None = option(
        None,
        "Who decides what is an incident: this process itself, Prometheus and Alertmanager, or"
        " nobody but people; default alertmanager if --alertmanager.url is given, else embedded.",
        enum=("embedded", "alertmanager", "off"),
    )
    metrics_retention_days: int = option(
        100,
        "Days that history is kept, at most 2,000,000 quarters of an hour of all services, and that"
        " Prometheus should keep its samples: windows of objectives need more than 30.",
        minimum=1,
        maximum=3650,
    )
    incident_retention_days: int = option(
        400,
        "Days that an incident is kept after its end, at most 100,000 incidents; counters and"
        " histograms keep counting it.",
        minimum=1,
        maximum=3650,
    )
    page_url: Url | None = option(
        None,
        "Address of the status page for people, for links in messages of `notify` and in the public"
        " page's feed; without it they have none.",
    )
    public_page: PublicPage = option(doc="What the public page says.", factory=PublicPage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The most that all services together may cost."""

    model_checks: Budget = option(
        DEFAULT_BUDGET,
        "Checks of models (`models` of a service).",
        shown="{day: 1, month: 10, currency: USD}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary(HealthCheck):
    """A place that answers while our own network works. Fields of health_check as well."""

    url: Url = option(doc="What is asked.")
    interval: Duration = option(15.0, "Time between checks.", min=1, max=3600, shown="15s")
    timeout: Duration = option(3.0, "Time for one check.", min=0.01, max=60, shown="3s")
