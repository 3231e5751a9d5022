"""The HTTP probe: prepare, send, follow, judge.

Redirects are followed by the policy of `redirects`; every hop passes the address policy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from exporter.checks import TlsSettings
from exporter.clock import Clock
from exporter.evidence import NONE, Evidence
from exporter.matching import NO_JSON, Beside, json_of
from exporter.model import CERTIFICATE_EXPIRED, FACTS, Certificate, Outcome, Reason, Verdict
from exporter.probers import Answer, Endpoint, Request, Transport
from exporter.probers.echoes import Holds, is_in, secrets_of, without_echoes
from exporter.probers.evidence import evidence_of
from exporter.probers.judging import judge
from exporter.probers.kinds._curl_line import curl_line as command
from exporter.probers.redirects import Trail, joined, origin, own_headers, redirect_target
from exporter.probers.transport import EXPIRED, UNKNOWN_CODING
from exporter.readings import NOTHING

_log = logging.getLogger(__name__)


_OK = Verdict.OK  # to look into an enumeration takes its metaclass
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_WATCHED = 1_000
"""Addresses that failed last; each is a text that the registry has anyway."""


class HttpProber:
    """Probes over HTTP; remembers which addresses failed last, and which say no known encoding."""

    def __init__(
        self, transport: Transport, clock: Clock, holds_key: Holds = lambda text: False
    ) -> None:
        self._transport, self._clock, self._beside = transport, clock, Beside()
        self._holds_key = holds_key
        self._failed: set[str] = set()
        """Their TLS sessions are evidence and cost a little: of what works nobody asks for it."""
        self._plain: set[str] = set()
        """Addresses without query that answer `Content-Encoding: utf-8` or the like."""

    async def probe(
        self, endpoint: Endpoint, watch: Callable[[bytes], None] | None = None
    ) -> Outcome:
        """Return what one attempt at *endpoint* saw, over all redirects that it followed.

        *watch* is called with each piece of the body as it comes; it must not raise.
        """
        failed_last = endpoint.url in self._failed
        request = _first_request(endpoint, watch, session=failed_last)
        answer = await self._fetch(request)
        trail: Trail | None = None  # most answers redirect nowhere
        hops = 0
        while (target := _next_url(endpoint, request, answer, hops)) is not None:
            hops += 1
            trail = trail or Trail(endpoint, TlsSettings(ca_file=endpoint.tls.ca_file))
            left = endpoint.timeout - answer.duration
            request = trail.hop(request, target, answer, left=left, now=self._clock.now())
            answer = joined(answer, await self._fetch(request))
        now = self._clock.now()
        outcome = await self._beside.run(
            lambda: _outcome(endpoint, answer, hops, now, self._holds_key),
            length=len(answer.body),
        )
        if (outcome.evidence is not None) is not failed_last:
            self._note(endpoint.url, failed=not failed_last)
        return outcome

    async def _fetch(self, request: Request) -> Answer:
        """Return the answer to *request*; one that no client could decode is asked for as it is.

        Browsers show such a page. What must not be sent twice is asked for so the next time.
        """
        if self._plain and _place(request) in self._plain:
            request = replace(request, plain=True)
        answer = await self._transport.fetch(request)
        if answer.detail != UNKNOWN_CODING or request.plain:
            return answer
        if len(self._plain) < _MOST_WATCHED:
            self._plain.add(_place(request))
        left = request.timeout - answer.duration
        if left <= 0 or request.method not in _REPEATABLE:
            return answer
        again = await self._transport.fetch(replace(request, plain=True, timeout=left))
        return joined(answer, again)

    def _note(self, url: str, *, failed: bool) -> None:
        if not failed:
            self._failed.discard(url)
        elif len(self._failed) < _MOST_WATCHED:
            self._failed.add(url)


def with_query(url: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Return *url* with *parameters* added to its query.

    >>> with_query("https://api.example/v1?a=1", (("key", "x/y"),))
    'https://api.example/v1?a=1&key=x%2Fy'
    """
    if not parameters:
        return url
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    return f"{url}{'&' if '?' in url else '?'}{text}"


def _first_request(
    endpoint: Endpoint, watch: Callable[[bytes], None] | None, *, session: bool
) -> Request:
    return Request(
        url=with_query(endpoint.url, tuple([(n, v.reveal()) for n, v in endpoint.query])),
        method=endpoint.method,
        headers=own_headers(endpoint),
        body=endpoint.body,
        timeout=endpoint.timeout,
        proxy=endpoint.proxy,
        tls=endpoint.tls,
        allow_private=endpoint.allow_private,
        keep_alive=endpoint.keep_alive,
        max_body=endpoint.body_limit,
        watch=watch,
        session=session,
    )


def _place(request: Request) -> str:
    return request.url.partition("?")[0]


def _next_url(endpoint: Endpoint, request: Request, answer: Answer, hops: int) -> str | None:
    """Return where *answer* redirects to; None if it does not or must not be followed."""
    if answer.status in endpoint.expect.statuses or hops >= endpoint.follow_redirects:
        return None
    target = redirect_target(request.url, answer)
    if not target:
        return None
    same_origin = origin(target) == origin(request.url)
    return target if same_origin or endpoint.allow_cross_origin else None


def _outcome(
    endpoint: Endpoint, answer: Answer, hops: int, now: float, holds_key: Holds
) -> Outcome:
    parsed: list[Any] = []

    def json() -> Any:
        if not parsed:
            parsed.append(NO_JSON if answer.truncated else json_of(answer.json_source()))
        return parsed[0]

    holds = _any_secret(endpoint, holds_key)
    reason, detail = judge(answer, endpoint.expect, json)
    if detail == EXPIRED and answer.certificate is not None and answer.certificate.expiry < now:
        detail = CERTIFICATE_EXPIRED + _day(answer.certificate.expiry)
    if hops and reason is Reason.REDIRECT_REFUSED:
        detail = f"redirect {hops + 1} may not be followed"
    failed = FACTS[reason].verdict is not _OK
    return Outcome(
        reason=reason,
        detail=detail,
        duration=answer.duration,
        phases=answer.phases,
        status=answer.status,
        http_version=answer.http_version,
        content_length=answer.content_length,
        certificate=_without_secrets(answer.certificate, holds),
        address=answer.address,
        redirects=hops,
        keyed=endpoint.keyed,
        shortage=answer.shortage,
        evidence=_evidence(endpoint, answer, json, holds) if failed else None,
        **_read_values(endpoint, answer, json, now, holds),
    )


def _any_secret(endpoint: Endpoint, holds_key: Holds) -> Holds:
    """Return what finds a secret of *endpoint*, or a key of any service, in a text."""
    own: list[Holds] = []

    def holds(text: str) -> bool:
        if not own:
            own.append(secrets_of(endpoint))
        return own[0](text) or holds_key(text)

    return holds


def _evidence(
    endpoint: Endpoint, answer: Answer, json: Callable[[], Any], holds: Holds
) -> Evidence:
    try:
        return evidence_of(endpoint, answer, json, holds)
    except Exception:  # the reason is known, and must not be lost for what only explains it
        _log.exception("bug in the evidence of a failure")
        return NONE


def _day(at: float) -> str:
    """Return the day of a Unix time in UTC, for example `3 Nov 2026`."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b %Y")


def _without_secrets(certificate: Certificate | None, holds: Holds) -> Certificate | None:
    """Return *certificate*, without its names if the server put one of our secrets into them."""
    if certificate is None:
        return None
    if is_in(f"{certificate.subject}\n{certificate.issuer}", holds):
        return replace(certificate, subject="", issuer="")
    return certificate


def _read_values(
    endpoint: Endpoint, answer: Answer, json: Callable[[], Any], now: float, holds: Holds
) -> dict[str, Any]:
    if answer.failure is not None:
        return {}
    read = endpoint.readings.read(answer.status, answer.headers, json, now)
    if read is NOTHING:
        return {}
    values = {name: getattr(read, name) for name in read.__slots__}
    if read.request_id and is_in(read.request_id, holds):
        values["request_id"] = ""
    if read.retirement is not None:
        values["retirement"] = without_echoes(read.retirement, holds)
    return values


def make(transport: Transport, clock: Clock, holds_key: Holds) -> HttpProber:
    """Return the prober of this kind; *holds_key* finds a key of any service in a text."""
    return HttpProber(transport, clock, holds_key)


__all__ = ["HttpProber", "command", "make", "with_query"]
