"""The HTTP probe: prepare, send, follow, judge.

Redirects are followed here and nowhere else: credentials, body, query parameters and client
certificate go to the endpoint's own origin only, every hop passes the address policy, and
https never falls back to http.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from exporter.checks import TlsSettings
from exporter.clock import Clock
from exporter.matching import NO_JSON, json_of
from exporter.model import Certificate, Outcome, Reason
from exporter.probers import Answer, Endpoint, Request, Transport
from exporter.probers.judging import judge
from exporter.probers.shown import holds_secret
from exporter.readings import NOTHING

_FOLLOWED = frozenset({301, 302, 303, 307, 308})
_PLAIN = frozenset({"user-agent", "accept"})


class HttpProber:
    """Probes over HTTP; holds no state between probes."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock = transport, clock

    async def probe(self, endpoint: Endpoint) -> Outcome:
        """Return what one attempt at *endpoint* saw, redirects included."""
        request = _first_request(endpoint)
        answer = await self._transport.fetch(request)
        hops = 0
        while (target := _next_url(request, answer, endpoint, hops)) is not None:
            hops += 1
            left = endpoint.timeout - answer.duration
            request = _hop(request, target, answer.status, endpoint, left)
            answer = _joined(answer, await self._transport.fetch(request))
        return _outcome(endpoint, answer, hops, self._clock.now())


def with_query(url: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Return *url* with *parameters* added to its query."""
    if not parameters:
        return url
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    return f"{url}{'&' if '?' in url else '?'}{text}"


@functools.lru_cache(maxsize=16384)
def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of *url*: what RFC 6454 calls its origin."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def _own_headers(endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
    return (*endpoint.headers, *((name, key.reveal()) for name, key in endpoint.credentials))


def _first_request(endpoint: Endpoint) -> Request:
    return Request(
        url=with_query(endpoint.url, tuple((n, v.reveal()) for n, v in endpoint.query)),
        method=endpoint.method,
        headers=_own_headers(endpoint),
        body=endpoint.body,
        timeout=endpoint.timeout,
        proxy=endpoint.proxy,
        tls=endpoint.tls,
        allow_private=endpoint.allow_private,
        keep_alive=endpoint.keep_alive,
    )


def _next_url(request: Request, answer: Answer, endpoint: Endpoint, hops: int) -> str | None:
    """Return where a redirect leads if it may be followed."""
    if answer.failure is not None or answer.status not in _FOLLOWED:
        return None
    if answer.status in endpoint.expect.statuses or hops >= endpoint.follow_redirects:
        return None
    try:
        target = urljoin(request.url, answer.headers.get("location", "")).partition("#")[0]
        there, here = origin(target), origin(request.url)
    except ValueError:
        return None
    # A backslash is a slash to some parsers and a letter to others: nobody means it.
    if "location" not in answer.headers or "\\" in target or "@" in urlsplit(target).netloc:
        return None
    if there[0] not in ("http", "https") or (here[0] == "https" and there[0] == "http"):
        return None
    return target if there == here or endpoint.allow_cross_origin else None


def _hop(request: Request, target: str, status: int, endpoint: Endpoint, left: float) -> Request:
    at_home = origin(target) == origin(endpoint.url)
    plain = tuple((n, v) for n, v in endpoint.headers if n.lower() in _PLAIN)
    keeps = status in (307, 308) or request.method in ("GET", "HEAD")
    ca_only = TlsSettings(ca_file=endpoint.tls.ca_file)
    return replace(
        request,
        url=target,
        method=request.method if keeps else "GET",
        body=request.body if keeps and at_home else None,
        headers=_own_headers(endpoint) if at_home else plain,
        timeout=max(0.001, left),
        tls=endpoint.tls if at_home else ca_only,
    )


def _joined(before: Answer, after: Answer) -> Answer:
    """Return *after* with the time of both: phases are summed over all redirects."""
    a, b = before.phases, after.phases
    after.phases = (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])
    after.duration = before.duration + after.duration
    return after


def _outcome(endpoint: Endpoint, answer: Answer, hops: int, now: float) -> Outcome:
    parsed: list[Any] = []

    def json() -> Any:
        if not parsed:
            parsed.append(NO_JSON if answer.truncated else json_of(answer.body))
        return parsed[0]

    reason, detail = judge(answer, endpoint.expect, json)
    if reason is Reason.REDIRECT_REFUSED and hops:
        detail = f"a redirect after {hops} that may not be followed"
    read = _read(endpoint, answer, json, now)
    return Outcome(
        reason=reason,
        detail=detail,
        duration=answer.duration,
        phases=answer.phases,
        status=answer.status,
        http_version=answer.http_version,
        content_length=answer.content_length,
        certificate=_unechoed(endpoint, answer.certificate),
        address=answer.address,
        redirects=hops,
        keyed=endpoint.keyed,
        **read,
    )


def _unechoed(endpoint: Endpoint, certificate: Certificate | None) -> Certificate | None:
    """Return *certificate* without its names if the peer wrote one of our secrets into them."""
    if certificate is None or not (endpoint.credentials or endpoint.query):
        return certificate
    if holds_secret(endpoint, f"{certificate.subject}\n{certificate.issuer}"):
        return replace(certificate, subject="", issuer="")
    return certificate


def _read(
    endpoint: Endpoint, answer: Answer, json: Callable[[], Any], now: float
) -> dict[str, Any]:
    if answer.failure is not None:
        return {}
    read = endpoint.readings.read(answer.status, answer.headers, json, now)
    if read is NOTHING:
        return {}
    found = {name: getattr(read, name) for name in read.__slots__}
    if read.request_id and holds_secret(endpoint, read.request_id):
        found["request_id"] = ""
    return found
