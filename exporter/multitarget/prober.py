"""The prober of `/probe`: blackbox_exporter's http prober, over the same transport as every probe.

It judges as blackbox does (status, TLS, version, patterns) and keeps what blackbox's metrics need,
such as the phases summed over redirects. Two things differ on purpose, see `probers.redirects`:
a module's body, certificate and headers other than the harmless ones are sent to the target's own
origin only, and a redirect from https to http is never followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from exporter.checks import TlsSettings
from exporter.clock import Clock
from exporter.matching import Beside, pattern_matches
from exporter.model import Reason
from exporter.probers import Answer, Endpoint, Request, Transport
from exporter.probers.curl.certificates import authorities
from exporter.probers.curl.trust import TrustFiles
from exporter.probers.echoes import holds_secret
from exporter.probers.redirects import Trail, joined, own_headers, redirect_target
from exporter.probers.x509 import Cert, chain_expiry, parse
from exporter.settings import PublicText, option

MAX_BODY_BYTES = 64 * 1024
"""Read of a body if the module does not say more."""
MAX_LABEL_CHARACTERS = 16 * 1024
MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """A pattern for the values of one response header."""

    header: PublicText = option(doc="Response header, case-insensitive.", minLength=1)
    regexp: str = option(doc="RE2 pattern, not anchored.", maxLength=1000)
    allow_missing: bool = option(False, "Whether the rule passes without the header.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the answer must be. No statuses means 2xx, no versions means any."""

    statuses: frozenset[int] = frozenset()
    versions: frozenset[str] = frozenset()
    fail_if_ssl: bool = False
    fail_if_not_ssl: bool = False
    body_matches: tuple[str, ...] = ()
    body_not_matches: tuple[str, ...] = ()
    header_matches: tuple[HeaderRule, ...] = ()
    header_not_matches: tuple[HeaderRule, ...] = ()
    compression: str = ""
    body_limit: int = 0

    @property
    def max_body(self) -> int:
        """How many bytes of a body are read."""
        return self.body_limit or MAX_BODY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One target, the request, and what to expect. `ip_version` (4 or 6) is the preferred one."""

    endpoint: Endpoint
    ip_version: int = 6
    ip_fallback: bool = True
    http2: bool = True
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of the last answer; expiries are Unix times.

    `verified_expiry` is that of the verified chain: None if that chain could not be found,
    NOT_VERIFIED if nothing was verified.
    """

    leaf: Cert
    earliest_expiry: float
    verified_expiry: float | None


NOT_VERIFIED = -62135596800.0  # Go's zero time, which blackbox exports if nothing was verified


@dataclass(slots=True, kw_only=True)
class Observation:
    """What one probe saw.

    Durations are seconds. `log` has the lines of the debug page, (message, fields): our own texts
    and numbers, nothing from the answer.
    """

    success: bool = False
    reason: Reason = Reason.OK
    duration: float = 0.0
    lookup: float = 0.0
    address: str = ""
    proxied: bool = False
    redirects: int = 0
    secure: bool = False
    failed_by_pattern: bool = False
    body_length: int = 0
    answer: Answer = field(default_factory=Answer)
    chain: Chain | None = None
    log: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def note(self, message: str, **fields: object) -> None:
        """Add a line to the log."""
        self.log.append((message, fields))

    def fail(self, reason: Reason, message: str, **fields: object) -> None:
        """Log why the probe failed; `reason` keeps the first of several reasons."""
        self.reason = reason if self.reason is Reason.OK else self.reason
        self.success = False
        self.note(message, **fields)


class MultiTargetProber:
    """Probes any target; keeps nothing between probes."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock, self._beside = transport, clock, Beside()
        self._trust = TrustFiles()

    async def probe(self, check: Check) -> Observation:
        """Return what one probe saw, over all redirects, within the endpoint's timeout."""
        begun = self._clock.tick()
        observation = Observation(proxied=bool(check.endpoint.proxy))
        request = _first_request(check)
        answer = await self._fetch(check, request, observation)
        observation.lookup = answer.phases[0]
        observation.address = answer.address or next(iter(answer.resolved), "")
        if answer.failure is Reason.ADDRESS_REFUSED:
            observation.address = ""  # its hash would reveal where an internal name leads
        trail = Trail(check.endpoint, _others_tls(check.endpoint.tls))
        while (target := _next_url(trail, request, answer, observation)) is not None:
            left = check.endpoint.timeout - (self._clock.tick() - begun)
            request = trail.hop(request, target, answer, left=left, now=self._clock.now())
            answer.body = b""  # its room is for the body of the next answer
            answer = joined(answer, await self._fetch(check, request, observation))
        observation.answer = answer
        observation.secure = answer.status > 0 and request.url.startswith("https:")
        await self._beside.run(lambda: _judge(check, observation), length=len(answer.body))
        if observation.secure:
            observation.chain = await self._chain(check, request, answer)
        observation.duration = self._clock.tick() - begun
        observation.note(
            "probe succeeded" if observation.success else "probe failed",
            seconds=observation.duration,
        )
        return observation

    async def _fetch(self, check: Check, request: Request, observation: Observation) -> Answer:
        """Send *request* over the preferred IP protocol, else over the other one if allowed."""
        versions = _versions(check, request)
        answer = Answer(failure=Reason.DNS, detail="no address of the wanted IP protocol")
        spent = 0.0
        for version in versions:
            observation.note(
                "sending the request", method=request.method, ip_protocol=version or "any"
            )
            left = max(0.001, request.timeout - spent)
            answer = await self._transport.fetch(replace(request, ip_version=version, timeout=left))
            if answer.failure is not Reason.DNS:
                break
            spent += answer.duration
        if answer.failure is not Reason.DNS:
            answer.phases = (answer.phases[0] + spent, *answer.phases[1:])
        else:
            answer.phases = (spent, 0.0, 0.0, 0.0, 0.0)
        if answer.status:
            observation.note("received the head of an answer", status=answer.status)
        return answer

    async def _chain(self, check: Check, request: Request, answer: Answer) -> Chain | None:
        sent = tuple(cert for der in answer.chain if (cert := parse(der)) is not None)
        if not sent:
            return None
        verified: float | None = NOT_VERIFIED
        if not request.tls.insecure_skip_verify:
            trust = await self._trust.of(request.tls.ca_file, self._clock.tick())
            anchors = await asyncio.to_thread(authorities, trust)
            verified = chain_expiry(sent, anchors, self._clock.now())
        return Chain(_harmless(check, sent[0]), min(cert.expiry for cert in sent), verified)


def _harmless(check: Check, leaf: Cert) -> Cert:
    """Return *leaf* with as many names as fit a label, and none if one echoes a credential."""
    if holds_secret(check.endpoint, "\n".join((leaf.subject, leaf.issuer, *leaf.names))):
        return replace(leaf, subject="", issuer="", names=())
    lengths = itertools.accumulate(len(name) + 1 for name in leaf.names)
    fitting = sum(length <= MAX_LABEL_CHARACTERS for length in lengths)
    return replace(leaf, names=leaf.names[:fitting])


# -- requests --------------------------------------------------------------------------------


def _first_request(check: Check) -> Request:
    endpoint, rules = check.endpoint, check.rules
    return Request(
        url=endpoint.url,
        method=endpoint.method,
        headers=own_headers(endpoint),
        body=endpoint.body,
        timeout=endpoint.timeout,
        proxy=endpoint.proxy,
        tls=endpoint.tls,
        allow_private=endpoint.allow_private,
        http2=check.http2,
        max_body=rules.max_body,
        inspect=True,
        encoding="" if rules.compression == "identity" else rules.compression,
    )


def _others_tls(tls: TlsSettings) -> TlsSettings:
    """Return the TLS settings for other origins: no server name and no client certificate."""
    return TlsSettings(ca_file=tls.ca_file, insecure_skip_verify=tls.insecure_skip_verify)


def _versions(check: Check, request: Request) -> tuple[int, ...]:
    if request.proxy:
        return (0,)
    try:
        literal = ipaddress.ip_address((urlsplit(request.url).hostname or "").partition("%")[0])
    except ValueError:
        other = 4 if check.ip_version == 6 else 6
        return (check.ip_version, other) if check.ip_fallback else (check.ip_version,)
    return (literal.version,) if check.ip_fallback or literal.version == check.ip_version else ()


def _next_url(
    trail: Trail, request: Request, answer: Answer, observation: Observation
) -> str | None:
    """Return where *answer* redirects to; count a redirect even if it is not followed.

    blackbox_exporter counts in the same way.
    """
    target = redirect_target(request.url, answer)
    if target is None:
        return None
    observation.redirects += 1
    if observation.redirects > trail.endpoint.follow_redirects:
        observation.note("not following the redirect", redirects=observation.redirects)
        answer.body = b""
        return None
    if not target:
        observation.fail(
            Reason.REDIRECT_REFUSED, "the redirect leads to an address that may not be followed"
        )
        return None
    where = "the same origin" if trail.same_origin(target) else "another origin"
    observation.note("following a redirect", to=where)
    return target


# -- judgement -------------------------------------------------------------------------------


def _judge(check: Check, observation: Observation) -> None:
    """Judge as blackbox does: patterns are tried only if nothing has failed so far."""
    answer, rules = observation.answer, check.rules
    observation.success = observation.reason is Reason.OK
    if answer.status:
        observation.body_length = len(answer.body)
        good = answer.status in rules.statuses if rules.statuses else 200 <= answer.status < 300
        if not good:
            observation.fail(Reason.CLIENT_ERROR, "the status is not one of the valid ones")
    if answer.failure is not None:
        observation.fail(
            answer.failure, "the request failed", cause=answer.failure, why=answer.detail
        )
        return
    if observation.success and not all(_header_rules_met(rules, answer)):
        observation.failed_by_pattern = True
        observation.fail(Reason.BAD_BODY, "a rule for the headers is not met")
    if rules.compression not in ("", "identity", answer.headers.get("content-encoding", "")):
        observation.fail(Reason.PROTOCOL, "the body is not compressed as the module requires")
        observation.body_length = 0
    _judge_body(rules, observation)
    if rules.versions and _version(answer) not in rules.versions:
        observation.fail(Reason.PROTOCOL, "the HTTP version is not one of the valid ones")
    if observation.secure and rules.fail_if_ssl:
        observation.fail(Reason.TLS, "the final answer came over TLS")
    elif not observation.secure and rules.fail_if_not_ssl:
        observation.fail(Reason.TLS, "the final answer did not come over TLS")


def _judge_body(rules: Rules, observation: Observation) -> None:
    answer = observation.answer
    if answer.truncated and (rules.body_limit or rules.body_matches or rules.body_not_matches):
        observation.fail(Reason.BAD_BODY, "the body is larger than body_size_limit")
    if not observation.success or not (rules.body_matches or rules.body_not_matches):
        return
    text = answer.text()
    if any(pattern_matches(pattern, text) for pattern in rules.body_matches):
        observation.failed_by_pattern = True
        observation.fail(Reason.BAD_BODY, "the body matches a pattern that it must not match")
    elif not all(pattern_matches(pattern, text) for pattern in rules.body_not_matches):
        observation.failed_by_pattern = True
        observation.fail(Reason.BAD_BODY, "the body does not match a pattern that it must match")


def _header_rules_met(rules: Rules, answer: Answer) -> Iterator[bool]:
    """Yield for each rule whether it is met; one matching value of a repeated header is a match."""
    for must_match, group in ((False, rules.header_matches), (True, rules.header_not_matches)):
        for rule in group:
            values = answer.values_of(rule.header)
            if not values:
                yield rule.allow_missing
            else:
                yield any(pattern_matches(rule.regexp, value) for value in values) is must_match


def _version(answer: Answer) -> str:
    return f"HTTP/{answer.http_version:.1f}"
