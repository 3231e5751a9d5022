"""The nouns every other module shares. No I/O, no clock, no frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.evidence import Evidence
from exporter.frozen import frozen
from exporter.retirement import Retirement


class Reason(StrEnum):
    """How a probe ended: the closed set of values of the label `reason`."""

    OK = "ok"
    KEY_OK_LIMITED = "key_ok_limited"
    AUTH_INVALID = "auth_invalid"
    AUTH_EXPIRED = "auth_expired"
    PERMISSION = "permission"
    IP_BLOCKED = "ip_blocked"
    REGION_BLOCKED = "region_blocked"
    QUOTA_EXHAUSTED = "quota_exhausted"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    MAINTENANCE = "maintenance"
    BAD_BODY = "bad_body"
    CLIENT_ERROR = "client_error"
    REDIRECT_REFUSED = "redirect_refused"
    ADDRESS_REFUSED = "address_refused"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    INTERNAL = "internal"
    ACCOUNT_DISABLED = "account_disabled"
    INTERCEPTED = "intercepted"
    RETIRED = "retired"


class Verdict(StrEnum):
    """Whose fault it is."""

    OK = "ok"
    CREDENTIAL = "credential"
    QUOTA = "quota"
    PROVIDER = "provider"
    NETWORK = "network"
    REQUEST = "request"
    MONITORING = "monitoring"


WHOSE: Mapping[Verdict, str] = {
    Verdict.OK: "nobody",
    Verdict.CREDENTIAL: "our key or our access",
    Verdict.QUOTA: "our quota",
    Verdict.PROVIDER: "the provider",
    Verdict.NETWORK: "our own network",
    Verdict.REQUEST: "our request",
    Verdict.MONITORING: "the monitoring",
}
"""Whose fault it is, in words: "at fault: our quota"."""


class Shortage(StrEnum):
    """What we lacked ourselves, so that a failed probe shows nothing about the provider.

    `loop`: it was held, or the process suspended, for a good part of the probe. `resolver`: our
    name servers answer nothing at all. `firewall`: a rule on this machine forbids the connection.
    """

    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    PORTS = "ports"
    THREADS = "threads"
    LOOP = "loop"
    RESOLVER = "resolver"
    FIREWALL = "firewall"


class Phase(StrEnum):
    """Where the time of a request goes, in this order; the phases sum to the duration."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    PROCESSING = "processing"
    TRANSFER = "transfer"


PHASES = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Facts:
    """What follows from a reason.

    `up`: whether the provider answered as a working API. `key_valid`: whether it accepted the
    key. None: the answer does not show it. `retry`: whether another attempt may help.
    """

    verdict: Verdict
    up: bool | None
    key_valid: bool | None
    fault: str
    """What is wrong, in a few words: the same on the page, in the CLI, in metrics and messages."""
    advice: str
    retry: bool = False


# Looked up once: to look into an enumeration takes its metaclass.
_OK, _P, _NETWORK = Verdict.OK, Verdict.PROVIDER, Verdict.NETWORK
_IF_ANY = ", if it has one"
_SEE_PAGE = f"see its status page{_IF_ANY}"
FACTS: Mapping[Reason, Facts] = {
    Reason.OK: Facts(Verdict.OK, True, True, "works", "nothing to do"),
    Reason.KEY_OK_LIMITED: Facts(
        Verdict.OK,
        True,
        True,
        "works, with a key of limited scope",
        "the key works but lacks the scope of the health endpoint",
    ),
    Reason.AUTH_INVALID: Facts(
        Verdict.CREDENTIAL, True, False, "key rejected", "the provider rejects the key: replace it"
    ),
    Reason.AUTH_EXPIRED: Facts(
        Verdict.CREDENTIAL, True, False, "key expired", "the key has expired: create a new one"
    ),
    Reason.PERMISSION: Facts(
        Verdict.CREDENTIAL,
        True,
        True,
        "key not allowed to do this",
        "the key is valid but lacks a permission: extend its scope",
    ),
    Reason.IP_BLOCKED: Facts(
        Verdict.CREDENTIAL,
        True,
        None,
        "our address blocked",
        "the provider blocks our address: check its allow list",
    ),
    Reason.REGION_BLOCKED: Facts(
        Verdict.CREDENTIAL,
        True,
        None,
        "our region blocked",
        "the provider does not serve this region or country",
    ),
    Reason.QUOTA_EXHAUSTED: Facts(
        Verdict.QUOTA,
        True,
        True,
        "quota used up",
        "credits or quota are used up: see the billing page",
    ),
    Reason.RATE_LIMITED: Facts(
        Verdict.QUOTA, True, True, "rate limited", "too many requests: slow down or raise the limit"
    ),
    Reason.OVERLOADED: Facts(
        _P, False, None, "overloaded", f"wait, or use the fallback; {_SEE_PAGE}", retry=True
    ),
    Reason.SERVER_ERROR: Facts(
        _P, False, None, "server error", f"{_SEE_PAGE}; use the fallback", retry=True
    ),
    Reason.MAINTENANCE: Facts(_P, False, None, "in maintenance", f"wait; {_SEE_PAGE}", retry=True),
    Reason.BAD_BODY: Facts(
        _P,
        False,
        None,
        "wrong answer",
        "look at the failed assertion: has the API changed, or does it fail?",
        retry=True,
    ),
    Reason.CLIENT_ERROR: Facts(
        Verdict.REQUEST,
        True,
        None,
        "our request wrong",
        "our request is wrong: check endpoint, method and body",
    ),
    Reason.REDIRECT_REFUSED: Facts(
        Verdict.REQUEST,
        False,
        None,
        "unexpected redirect",
        "an unexpected redirect: set follow_redirects or the new URL",
    ),
    Reason.ADDRESS_REFUSED: Facts(
        Verdict.REQUEST,
        False,
        None,
        "address not allowed",
        "not a public address: set allow_private_addresses if intended",
    ),
    Reason.DNS: Facts(_P, False, None, "name does not resolve", "try another resolver", retry=True),
    Reason.CONNECT: Facts(
        _P,
        False,
        None,
        "no connection",
        "try from another network: host down or firewall",
        retry=True,
    ),
    Reason.TLS: Facts(
        _P, False, None, "TLS fails", "look at the certificate and who issued it", retry=True
    ),
    Reason.TIMEOUT: Facts(
        _P, False, None, "no answer in time", f"try from another network; {_SEE_PAGE}", retry=True
    ),
    Reason.PROTOCOL: Facts(
        _P, False, None, "no valid HTTP", "see who answers: wrong port or a proxy?", retry=True
    ),
    Reason.INTERNAL: Facts(
        Verdict.MONITORING,
        None,
        None,
        "fault in the exporter",
        "a fault or a shortage of the exporter: see its log",
    ),
    Reason.ACCOUNT_DISABLED: Facts(
        Verdict.CREDENTIAL,
        True,
        False,
        "account disabled",
        "the account or project behind the key is suspended, closed or not approved: ask its owner",
    ),
    Reason.INTERCEPTED: Facts(
        Verdict.NETWORK,
        None,
        None,
        "a proxy of ours answers",
        "a proxy, filter or portal on our side answered, not the provider: ask our network team",
    ),
    Reason.RETIRED: Facts(
        Verdict.REQUEST,
        True,
        None,
        "endpoint or model gone",
        "this endpoint, version or model is gone: move to its successor",
    ),
}
OURS = frozenset({_NETWORK, Verdict.MONITORING})  # their failures are in no figure
# Our own network can cause these: while no canary answers, their verdict is `network`.
OFFLINE = frozenset({Reason.DNS, Reason.CONNECT, Reason.TLS, Reason.TIMEOUT, Reason.PROTOCOL})
CERTIFICATE_EXPIRED = "certificate expired on "  # begins such a detail; the day follows
REJECTED = frozenset({Reason.AUTH_INVALID, Reason.AUTH_EXPIRED, Reason.ACCOUNT_DISABLED})
ASKING = frozenset({Reason.RATE_LIMITED, Reason.QUOTA_EXHAUSTED})
"""After these a Retry-After holds for the next probe as well."""
MAX_WAIT_SECONDS = 86_400.0
"""The longest wait that a provider is granted: a mistaken one must not blind us for good."""
REJECTED_INTERVAL_SECONDS = 300.0
"""Seconds between probes with a rejected key: providers block addresses that keep trying."""

_FAULT_BY_VERDICT = {Verdict.NETWORK: "our network down", Verdict.MONITORING: "no result"}
_ADVICE_BY_VERDICT = {
    Verdict.NETWORK: "our own network is down: check it, name servers and firewall first",
    Verdict.MONITORING: "no result for three intervals: look at the exporter",
}


def fault_of(reason: Reason, verdict: Verdict) -> str:
    """Return in a few words what is wrong with *reason* under *verdict*.

    >>> fault_of(Reason.DNS, Verdict.PROVIDER), fault_of(Reason.DNS, Verdict.NETWORK)
    ('name does not resolve', 'our network down')
    """
    facts = FACTS[reason]
    return facts.fault if verdict is facts.verdict else _FAULT_BY_VERDICT[verdict]


def advice_of(reason: Reason, verdict: Verdict, *, has_page: bool | None = None) -> str:
    """Return what a person should do about *reason* under *verdict*.

    *has_page*: whether a status page of the provider is known; None where that is not asked.

    >>> advice_of(Reason.SERVER_ERROR, Verdict.PROVIDER, has_page=False)
    'use the fallback'
    """
    if verdict is FACTS[reason].verdict:
        whole = FACTS[reason].advice
        if has_page is None:
            return whole
        return whole.replace(_IF_ANY if has_page else _SEE_PAGE, "").strip("; ")
    return _ADVICE_BY_VERDICT[verdict]


def verdict_of(reason: Reason, *, online: bool = True, shortage: Shortage | None = None) -> Verdict:
    """Return whose fault *reason* is, given whether our network is *online* and what we lacked."""
    ours = not online or shortage is not None
    return Verdict.NETWORK if reason in OFFLINE and ours else FACTS[reason].verdict


def is_offline(reason: Reason, verdict: Verdict) -> bool:
    """Return whether our own network hid the provider; a proxy of ours that answers did not."""
    return verdict is _NETWORK and reason in OFFLINE


@frozen
class Limit:
    """The last known state of one rate limit; `reset` is a Unix timestamp."""

    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The names of the leaf, and the earliest expiry in the chain as a Unix timestamp.

    The chain is the one that verified, or all that the server sent if none did.
    The server chooses the names: show them escaped, never use them as a label.
    """

    expiry: float
    subject: str = ""
    issuer: str = ""
    verified: bool = True


@frozen
class Outcome:
    """What a prober saw in one attempt.

    Durations are seconds, `key_expiry` is a Unix timestamp. `phases` has the order of `PHASES`.
    `detail` never quotes the answer, `evidence` of a failure does. `keyed`: the request carried a
    key. `shortage`: what we lacked, if it failed for that. `measured`: false if our loop was held.
    """

    reason: Reason
    detail: str = ""
    duration: float = 0.0
    phases: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    status: int = 0
    http_version: float = 0.0
    content_length: int = -1
    certificate: Certificate | None = None
    limits: Mapping[str, Limit] = field(default_factory=dict)
    quotas: Mapping[tuple[str, str], float] = field(default_factory=dict)
    readings: Mapping[tuple[str, str], float] = field(default_factory=dict)
    key_expiry: float | None = None
    provider_seconds: float | None = None
    retry_after: float | None = None
    request_id: str = ""
    retirement: Retirement | None = None
    address: str = ""
    redirects: int = 0
    keyed: bool = False
    shortage: Shortage | None = None
    measured: bool = True
    evidence: Evidence | None = None

    @property
    def may_retry(self) -> bool:
        """Whether another attempt may help: a shortage of ours is often over a moment later."""
        return FACTS[self.reason].retry or self.shortage is not None

    @property
    def asked_wait(self) -> float | None:
        """For how many seconds the provider wants no further probe; None if it does not say."""
        if self.reason not in ASKING or not self.retry_after:
            return None
        return min(self.retry_after, MAX_WAIT_SECONDS)

    @property
    def success(self) -> bool:
        return FACTS[self.reason].verdict is _OK


@frozen
class Result:
    """An outcome with its service, time and verdict; `at` is the Unix time of the start."""

    service: str
    at: float
    outcome: Outcome
    verdict: Verdict
    attempts: int = 1

    @property
    def retry_at(self) -> float | None:
        """The Unix time before which the provider wants no further probe; None without one.

        It counts from the end of the first attempt: a probe that needed more is a little longer.
        """
        wait = self.outcome.asked_wait
        return None if wait is None else self.at + self.outcome.duration + wait

    @property
    def reason(self) -> Reason:
        return self.outcome.reason

    @property
    def success(self) -> bool:
        return FACTS[self.outcome.reason].verdict is _OK
