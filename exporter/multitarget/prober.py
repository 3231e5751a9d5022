"""The probe of `/probe`: blackbox_exporter's http prober, over the same transport as every probe.

It judges as blackbox does (status, TLS, version, patterns) and keeps what its metrics need, hop
sums included. Two things differ on purpose, see `probers.redirects`: what a module says beyond
harmless headers goes to the target's own origin only, and https never leads to http.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from exporter.checks import TlsSettings
from exporter.clock import Clock
from exporter.matching import found
from exporter.model import Reason
from exporter.multitarget.x509 import Cert, chain_expiry, parse
from exporter.probers import Answer, Endpoint, Request, Transport
from exporter.probers.curl.options import default_authorities
from exporter.probers.redirects import Trail, joined, own_headers, redirect_target
from exporter.settings import PublicText, option

MAX_BODY = 10 * 1024 * 1024
REDIRECTS = 10


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One target, how to ask it, and what to expect. `ip_version` is the preferred one."""

    endpoint: Endpoint
    ip_version: int = 6
    ip_fallback: bool = True
    http2: bool = True
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of the last answer; expiries are Unix times.

    `verified_expiry` is that of the verified chain: None if none could be told, NOT_VERIFIED if
    nothing was verified.
    """

    leaf: Cert
    earliest_expiry: float
    verified_expiry: float | None


NOT_VERIFIED = -62135596800.0  # Go's zero time, which blackbox shows where nothing was verified


@dataclass(slots=True, kw_only=True)
class Sighting:
    """What one probe saw. Seconds throughout; `log` has our own words and numbers only."""

    success: bool = False
    reason: Reason = Reason.OK
    duration: float = 0.0
    lookup: float = 0.0
    address: str = ""
    proxied: bool = False
    redirects: int = 0
    secure: bool = False
    by_pattern: bool = False
    body_length: int = 0
    answer: Answer = field(default_factory=Answer)
    chain: Chain | None = None
    log: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def note(self, message: str, **fields: object) -> None:
        """Add a line to the log."""
        self.log.append((message, fields))

    def fail(self, reason: Reason, message: str, **fields: object) -> None:
        """Note why the probe failed; the first reason counts."""
        self.reason = reason if self.reason is Reason.OK else self.reason
        self.success = False
        self.note(message, **fields)


class MultiTargetProber:
    """Probes any target; holds no state between probes."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock = transport, clock

    async def probe(self, check: Check) -> Sighting:
        """Return what one probe saw, within the endpoint's timeout, redirects included."""
        begun = self._clock.tick()
        seen = Sighting(proxied=bool(check.endpoint.proxy))
        request = _first_request(check)
        answer = await self._fetch(check, request, seen)
        seen.lookup = answer.phases[0]
        seen.address = answer.address or next(iter(answer.resolved), "")
        if answer.failure is Reason.ADDRESS_REFUSED:
            seen.address = ""  # what a name of the inner network leads to is not told
        trail = Trail(check.endpoint, _others_tls(check.endpoint.tls))
        while (target := _next_url(trail, request, answer, seen)) is not None:
            left = check.endpoint.timeout - (self._clock.tick() - begun)
            request = trail.hop(request, target, answer.status, left)
            answer = joined(answer, await self._fetch(check, request, seen))
        seen.answer, seen.secure = answer, answer.status > 0 and request.url.startswith("https:")
        _judge(check, seen)
        if seen.secure:
            seen.chain = await self._chain(check, request, answer)
        seen.duration = self._clock.tick() - begun
        seen.note("probe succeeded" if seen.success else "probe failed", seconds=seen.duration)
        return seen

    async def _fetch(self, check: Check, request: Request, seen: Sighting) -> Answer:
        """Send *request* over the preferred IP protocol, else over the other if that is allowed."""
        versions = _versions(check, request)
        answer = Answer(failure=Reason.DNS, detail="no address of the wanted IP protocol")
        spent = 0.0
        for version in versions:
            seen.note("sending the request", method=request.method, ip_protocol=version or "any")
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
            seen.note("received the head of an answer", status=answer.status)
        return answer

    async def _chain(self, check: Check, request: Request, answer: Answer) -> Chain | None:
        sent = tuple(cert for der in answer.chain if (cert := parse(der)) is not None)
        if not sent:
            return None
        verified: float | None = NOT_VERIFIED
        if not request.tls.insecure_skip_verify:
            anchors = await asyncio.to_thread(_anchors, request.tls.ca_file)
            verified = chain_expiry(sent, anchors, self._clock.now())
        return Chain(sent[0], min(cert.expiry for cert in sent), verified)


@functools.lru_cache(maxsize=16)
def _anchors(path: str | None) -> tuple[Cert, ...]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path or default_authorities())
    except (OSError, ssl.SSLError):
        return ()
    found_ = (parse(der) for der in context.get_ca_certs(binary_form=True))
    return tuple(cert for cert in found_ if cert is not None)


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
        max_body=rules.body_limit or MAX_BODY,
        inspect=True,
        encoding="" if rules.compression == "identity" else rules.compression,
    )


def _others_tls(tls: TlsSettings) -> TlsSettings:
    """Return how other origins are verified: the module's way, without its name and certificate."""
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


def _next_url(trail: Trail, request: Request, answer: Answer, seen: Sighting) -> str | None:
    """Return where a redirect leads; count it even if it is not followed, as blackbox does."""
    target = redirect_target(request.url, answer)
    if target is None:
        return None
    seen.redirects += 1
    if seen.redirects > trail.endpoint.follow_redirects:
        seen.note("not following the redirect", redirects=seen.redirects)
        answer.body = b""
        return None
    if not target:
        seen.fail(Reason.REDIRECT_REFUSED, "the redirect leads where nobody may follow")
        return None
    where = "the same origin" if trail.same_origin(target) else "another origin"
    seen.note("following a redirect", to=where)
    return target


# -- judgement -------------------------------------------------------------------------------


def _judge(check: Check, seen: Sighting) -> None:
    """Decide as blackbox does: patterns only for an answer that is good so far."""
    answer, rules = seen.answer, check.rules
    seen.success = seen.reason is Reason.OK
    if answer.status:
        seen.body_length = len(answer.body)
        good = answer.status in rules.statuses if rules.statuses else 200 <= answer.status < 300
        if not good:
            seen.fail(Reason.CLIENT_ERROR, "the status is none of the valid ones")
    if answer.failure is not None:
        seen.fail(answer.failure, "the request failed", cause=answer.failure, why=answer.detail)
        return
    if seen.success and not all(_header_faults(rules, answer)):
        seen.by_pattern = True
        seen.fail(Reason.BAD_BODY, "a rule for the headers is not met")
    if rules.compression not in ("", "identity", answer.headers.get("content-encoding", "")):
        seen.fail(Reason.PROTOCOL, "the body is not encoded as the module says")
        seen.body_length = 0
    _judge_body(rules, seen)
    if rules.versions and _version(answer) not in rules.versions:
        seen.fail(Reason.PROTOCOL, "the HTTP version is none of the valid ones")
    if seen.secure and rules.fail_if_ssl:
        seen.fail(Reason.TLS, "the final answer came over TLS")
    elif not seen.secure and rules.fail_if_not_ssl:
        seen.fail(Reason.TLS, "the final answer did not come over TLS")


def _judge_body(rules: Rules, seen: Sighting) -> None:
    answer = seen.answer
    if answer.truncated and (rules.body_limit or rules.body_matches or rules.body_not_matches):
        seen.fail(Reason.BAD_BODY, "the body is larger than what may be read")
    if not seen.success or not (rules.body_matches or rules.body_not_matches):
        return
    text = answer.body.decode("utf-8", "replace")
    if any(found(pattern, text) for pattern in rules.body_matches):
        seen.by_pattern = True
        seen.fail(Reason.BAD_BODY, "a pattern that must not match the body does")
    elif not all(found(pattern, text) for pattern in rules.body_not_matches):
        seen.by_pattern = True
        seen.fail(Reason.BAD_BODY, "a pattern that must match the body does not")


def _header_faults(rules: Rules, answer: Answer) -> Iterator[bool]:
    """Yield for each rule whether it is met. Repeated headers are one value, joined by commas."""
    for wanted, listed in ((False, rules.header_matches), (True, rules.header_not_matches)):
        for rule in listed:
            value = answer.headers.get(rule.header.lower())
            if value is None:
                yield rule.allow_missing
            else:
                yield found(rule.regexp, value) is wanted


def _version(answer: Answer) -> str:
    return f"HTTP/{answer.http_version:.1f}"
