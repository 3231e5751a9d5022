"""The HTTP probe: prepare, send, follow, judge.

Redirects are followed by the policy of `redirects`; every hop passes the address policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from exporter.checks import TlsSettings
from exporter.clock import Clock
from exporter.matching import NO_JSON, Beside, json_of
from exporter.model import CERTIFICATE_EXPIRED, Certificate, Outcome, Reason
from exporter.probers import Answer, Endpoint, Request, Transport
from exporter.probers.echoes import holds_secret, without_echoes
from exporter.probers.judging import judge
from exporter.probers.kinds._curl_line import curl_line as command
from exporter.probers.redirects import Trail, joined, origin, own_headers, redirect_target
from exporter.probers.transport import EXPIRED
from exporter.readings import NOTHING


class HttpProber:
    """Probes over HTTP; keeps no state between probes."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock, self._beside = transport, clock, Beside()

    async def probe(
        self, endpoint: Endpoint, watch: Callable[[bytes], None] | None = None
    ) -> Outcome:
        """Return what one attempt at *endpoint* saw, over all redirects that it followed.

        *watch* is called with each piece of the body as it comes; it must not raise.
        """
        request = replace(_first_request(endpoint), watch=watch)
        answer = await self._transport.fetch(request)
        trail, hops = Trail(endpoint, TlsSettings(ca_file=endpoint.tls.ca_file)), 0
        while (target := _next_url(request, answer, trail, hops)) is not None:
            hops += 1
            left = endpoint.timeout - answer.duration
            request = trail.hop(request, target, answer, left=left, now=self._clock.now())
            answer = joined(answer, await self._transport.fetch(request))
        now = self._clock.now()
        return await self._beside.run(
            lambda: _outcome(endpoint, answer, hops, now), length=len(answer.body)
        )


def with_query(url: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Return *url* with *parameters* added to its query.

    >>> with_query("https://api.example/v1?a=1", (("key", "x/y"),))
    'https://api.example/v1?a=1&key=x%2Fy'
    """
    if not parameters:
        return url
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    return f"{url}{'&' if '?' in url else '?'}{text}"


def _first_request(endpoint: Endpoint) -> Request:
    return Request(
        url=with_query(endpoint.url, tuple((n, v.reveal()) for n, v in endpoint.query)),
        method=endpoint.method,
        headers=own_headers(endpoint),
        body=endpoint.body,
        timeout=endpoint.timeout,
        proxy=endpoint.proxy,
        tls=endpoint.tls,
        allow_private=endpoint.allow_private,
        keep_alive=endpoint.keep_alive,
        max_body=endpoint.body_limit,
    )


def _next_url(request: Request, answer: Answer, trail: Trail, hops: int) -> str | None:
    """Return where *answer* redirects to; None if it does not or must not be followed."""
    endpoint = trail.endpoint
    if answer.status in endpoint.expect.statuses or hops >= endpoint.follow_redirects:
        return None
    target = redirect_target(request.url, answer)
    if not target:
        return None
    same_origin = origin(target) == origin(request.url)
    return target if same_origin or endpoint.allow_cross_origin else None


def _outcome(endpoint: Endpoint, answer: Answer, hops: int, now: float) -> Outcome:
    parsed: list[Any] = []

    def json() -> Any:
        if not parsed:
            parsed.append(NO_JSON if answer.truncated else json_of(answer.json_source()))
        return parsed[0]

    reason, detail = judge(answer, endpoint.expect, json)
    if detail == EXPIRED and answer.certificate is not None and answer.certificate.expiry < now:
        detail = CERTIFICATE_EXPIRED + _day(answer.certificate.expiry)
    if reason is Reason.REDIRECT_REFUSED and hops:
        detail = f"redirect {hops + 1} may not be followed"
    return Outcome(
        reason=reason,
        detail=detail,
        duration=answer.duration,
        phases=answer.phases,
        status=answer.status,
        http_version=answer.http_version,
        content_length=answer.content_length,
        certificate=_without_secrets(endpoint, answer.certificate),
        address=answer.address,
        redirects=hops,
        keyed=endpoint.keyed,
        shortage=answer.shortage,
        **_read_values(endpoint, answer, json, now),
    )


def _day(at: float) -> str:
    """Return the day of a Unix time in UTC, for example `3 Nov 2026`."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b %Y")


def _without_secrets(endpoint: Endpoint, certificate: Certificate | None) -> Certificate | None:
    """Return *certificate*, without its names if the server put one of our secrets into them."""
    if certificate is None or not (endpoint.credentials or endpoint.query):
        return certificate
    if holds_secret(endpoint, f"{certificate.subject}\n{certificate.issuer}"):
        return replace(certificate, subject="", issuer="")
    return certificate


def _read_values(
    endpoint: Endpoint, answer: Answer, json: Callable[[], Any], now: float
) -> dict[str, Any]:
    if answer.failure is not None:
        return {}
    read = endpoint.readings.read(answer.status, answer.headers, json, now)
    if read is NOTHING:
        return {}
    values = {name: getattr(read, name) for name in read.__slots__}
    if read.request_id and holds_secret(endpoint, read.request_id):
        values["request_id"] = ""
    if read.retirement is not None:
        values["retirement"] = without_echoes(read.retirement, endpoint)
    return values


def make(transport: Transport, clock: Clock) -> HttpProber:
    """Return the prober of this kind."""
    return HttpProber(transport, clock)


__all__ = ["HttpProber", "command", "make", "with_query"]
