"""The session: attempts, waits and limits of one service's calls."""

from __future__ import annotations

import asyncio
import functools
import random
import re
import ssl
from collections.abc import Callable, Coroutine, Generator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.typedefs import StrOrURL
from multidict import CIMultiDict
from yarl import URL

from exporter.budget import Budget
from exporter.clock import Clock
from exporter.config import Target
from exporter.config.declarations import RateLimit
from exporter.matching import NO_JSON
from exporter.model import Limit
from exporter.probers import Endpoint
from exporter.probers.redirects import HARMLESS_HEADERS
from exporter.readings import ReadValues
from exporter.registry import RegistryChange
from exporter.sessions.redirects import (
    MAX_REDIRECTS,
    Hop,
    below,
    origin,
    parsed,
    redirected,
    replayable,
)
from exporter.sessions.wire import (
    FailedAttempt,
    RequestFailed,
    SilentRequest,
    SilentResponse,
    any_socket,
    failed_attempt,
    public_socket,
    tls_contexts,
)

Observe = Callable[[Target, str, float], None]
"""Called after every request with its target, the status or "error", and the seconds it took.

The seconds end with the headers of the answer, or with the error.
"""

Report = Callable[[Target, Mapping[str, Limit]], None]
"""Called with the rate limits that an answer reports of the service's own key."""

MAX_WAIT_SECONDS = 60.0
"""Longer pauses that a server asks for are not waited for: the caller gets the answer."""
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_TEMPORARY = frozenset({429, 502, 503, 504, 529})
_SERVICE_OPTIONS = frozenset(
    {"proxy", "proxy_auth", "proxy_headers", "middlewares", "max_redirects"}
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class RateLimiter:
    """The rate limit of one service: first come, first served, kept in every sliding window."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit = limit
        self._budget = Budget(limit.requests_per_minute, limit.requests_per_hour)
        self._clock, self._lock = clock, asyncio.Lock()

    async def take(self) -> None:
        """Return as soon as one more request may be sent, and count it."""
        # asyncio.Lock is fair, so callers are served in the order in which they came
        async with self._lock:
            while (wait := self._budget.wait(self._clock.tick())) > 0:
                await self._clock.sleep(max(wait, 0.001))
            self._budget.spend(self._clock.tick())


class Sessions:
    """Makes the sessions of all services; those of one service share its rate limit."""

    def __init__(self, clock: Clock, observe: Observe, report: Report | None = None) -> None:
        self._clock, self._observe, self._report = clock, observe, report
        self._limiters: dict[str, RateLimiter] = {}

    def of(self, target: Target, **options: Any) -> ServiceSession:
        """Return a new session with *target*; *options* are those of `ServiceSession`."""
        limiter = self._limiters.get(target.id)
        if limiter is None or limiter.limit != target.rate_limit:
            limiter = self._limiters[target.id] = RateLimiter(target.rate_limit, self._clock)
        return ServiceSession(
            target, self._clock, self._observe, limiter=limiter, report=self._report, **options
        )

    def follow(self, change: RegistryChange) -> None:
        """Forget the limits of removed services."""
        for target in change.removed:
            self._limiters.pop(target.id, None)


class Answering(Coroutine[Any, Any, aiohttp.ClientResponse]):
    """A call under way: await it, or use it as a context manager that releases the answer."""

    def __init__(self, call: Coroutine[Any, Any, aiohttp.ClientResponse]) -> None:
        self._call = call
        self._response: aiohttp.ClientResponse | None = None

    def send(self, value: Any) -> Any:
        return self._call.send(value)

    def throw(self, *error: Any) -> Any:
        return self._call.throw(*error)

    def close(self) -> None:
        self._call.close()

    def __await__(self) -> Generator[Any, Any, aiohttp.ClientResponse]:
        return self._call.__await__()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._response = await self._call
        return await self._response.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._response is not None:
            await self._response.__aexit__(kind, error, trace)


class ServiceSession:
    """Calls one service with its key, limits and retries; an async context manager.

    The settings are those of *target* when the session was made. A *transport* replaces the
    session's own connections; its owner closes it, and must check which addresses it connects to.

        async with registry.session("billing") as session:
            async with session.get("/invoices", params={"page": 2}) as response:
                invoices = await response.json()
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        observe: Observe,
        *,
        transport: aiohttp.BaseConnector | None = None,
        limiter: RateLimiter | None = None,
        report: Report | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target, self._clock, self._observe = target, clock, observe
        self._report = report
        self._access = target.calls or Endpoint(url=target.base_url, shown="")
        self._transport, self._jitter = transport, jitter
        self._limiter = limiter or RateLimiter(target.rate_limit, clock)
        self._http: aiohttp.ClientSession | None = None
        self._tls: tuple[ssl.SSLContext, ssl.SSLContext]

    def __repr__(self) -> str:
        return f"<ServiceSession {self._target.id}>"

    async def __aenter__(self) -> Self:
        access = self._access
        if (access.proxy or "http").partition(":")[0] not in ("http", "https"):
            raise self._failed("calls cannot use a SOCKS proxy")
        tls = await asyncio.to_thread(tls_contexts, access.tls)
        if tls is None:
            raise self._failed("the TLS files cannot be read")
        self._tls = tls
        self._http = aiohttp.ClientSession(
            connector=self._transport
            # Behind a proxy only the proxy's address is connected to here, so it is not checked.
            or aiohttp.TCPConnector(
                socket_factory=any_socket
                if access.allow_private or access.proxy
                else public_socket,
            ),
            connector_owner=self._transport is None,
            # a jar would send the cookies of one caller's answer with the calls of another
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=SilentRequest,
            response_class=SilentResponse,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections; calls under way fail."""
        if self._http is not None:
            await self._http.close()

    def request(
        self, method: str, path_or_url: StrOrURL, *, retry: bool | None = None, **options: Any
    ) -> Answering:
        """Call *path_or_url*; *options* are aiohttp's. A path is below the service's base URL.

        POST and PATCH may have taken effect although the answer is an error, so they are repeated
        only if *retry* is true, the call has an Idempotency-Key, or the service rejected it (429,
        or 503 with Retry-After). With *retry* false nothing is repeated, nor is a body that can be
        sent only once. The last answer is returned whatever its status.

            async with session.request("POST", "/invoices", json=invoice, retry=True) as response:
                ...

        Raises:
            RequestFailed: when awaited: no answer, or a redirect that must not be followed.
            TypeError: when awaited: an option that the service decides, such as proxy.
            RuntimeError: when awaited: the session is not open.
        """
        return Answering(self._call(method.upper(), path_or_url, retry, options))

    def get(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        return self.request("GET", path_or_url, **options)

    def head(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        # aiohttp too follows no redirect of a HEAD by default
        return self.request("HEAD", path_or_url, **({"allow_redirects": False} | options))

    def post(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        return self.request("POST", path_or_url, **options)

    def put(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        return self.request("PUT", path_or_url, **options)

    def patch(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        return self.request("PATCH", path_or_url, **options)

    def delete(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        return self.request("DELETE", path_or_url, **options)

    # -- attempts ----------------------------------------------------------------------------

    async def _call(
        self, method: str, path_or_url: StrOrURL, retry: bool | None, options: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        if reserved := _SERVICE_OPTIONS & options.keys():
            raise TypeError(
                f"the service decides {', '.join(sorted(reserved))}: not an option of a call"
            )
        follow, raise_for_status = (
            options.pop("allow_redirects", True),
            options.pop("raise_for_status", False),
        )
        headers = CIMultiDict(options.pop("headers", None) or ())
        url, to_service = self._url(path_or_url)
        hop = Hop(method=method, url=url, to_service=to_service, headers=headers, options=options)
        safe = retry or method in _IDEMPOTENT or "Idempotency-Key" in headers
        max_retries = (
            0
            if retry is False or not replayable(options)
            else (self._target.retry_policy.max_retries)
        )
        for attempt in range(1, max_retries + 2):
            answer = await self._attempt(hop, follow=follow)
            delay = self._delay(answer, attempt, safe=safe) if attempt <= max_retries else None
            if delay is None:
                break
            if isinstance(answer, SilentResponse):
                answer.release()
            await self._clock.sleep(delay)
        if isinstance(answer, FailedAttempt):
            raise self._failed(answer.reason, attempt)
        answer.attempts = attempt
        if raise_for_status:
            answer.raise_for_status()
        return answer

    def _delay(
        self, answer: SilentResponse | FailedAttempt, attempt: int, *, safe: bool
    ) -> float | None:
        """Return the seconds to wait before another attempt, or None to stop."""
        retry_after = None
        if isinstance(answer, FailedAttempt):
            retryable = safe and answer.retryable
        else:
            retry_after = self._read(answer).retry_after
            # A rejected request was not processed, so even a POST may be repeated.
            rejected = answer.status == 429 or (answer.status == 503 and retry_after is not None)
            retryable = answer.status in _TEMPORARY and (safe or rejected)
        if not retryable:
            return None
        policy = self._target.retry_policy
        return policy.delay(attempt, retry_after, longest=MAX_WAIT_SECONDS, jitter=self._jitter)

    def _read(self, answer: aiohttp.ClientResponse) -> ReadValues:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        readings, now = self._access.readings, self._clock.now()
        return readings.read(answer.status, headers, lambda: NO_JSON, now)

    def _report_limits(self, hop: Hop, answer: aiohttp.ClientResponse) -> None:
        """Pass on the limits of the service's key; a caller's own key has limits of its own."""
        foreign = any(name in hop.headers for name, _ in self._access.credentials)
        if self._report is None or not hop.to_service or foreign:
            return
        if limits := self._read(answer).limits:
            self._report(self._target, limits)

    async def _attempt(self, hop: Hop, *, follow: bool) -> SilentResponse | FailedAttempt:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send(hop)
            if not follow or isinstance(answer, FailedAttempt):
                return answer
            next_hop = redirected(hop, answer)
            if next_hop is None:
                return answer
            answer.release()
            if isinstance(next_hop, FailedAttempt):
                return next_hop
            hop = next_hop
        return FailedAttempt(f"more than {MAX_REDIRECTS} redirects")

    async def _send(self, hop: Hop) -> SilentResponse | FailedAttempt:
        """Send one request and return its answer or why there is none; raise on misuse only."""
        if self._http is None or self._http.closed:
            raise RuntimeError("the session is not open")
        if hop.to_service:
            await self._limiter.take()
        public = self._access.headers
        headers = CIMultiDict(
            (n, v) for n, v in public if hop.to_service or n.lower() in HARMLESS_HEADERS
        )
        headers.update(hop.headers)
        options = {"ssl": self._tls[0 if hop.to_service else 1]} | hop.options
        if hop.to_service and self._access.tls.server_name:
            options.setdefault("server_hostname", self._access.tls.server_name)
        try:
            answer = await self._http.request(
                hop.method,
                hop.url,
                headers=headers,
                allow_redirects=False,
                proxy=self._access.proxy,
                middlewares=(functools.partial(self._with_credentials, hop),),
                **options,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            return failed_attempt(error)
        assert isinstance(answer, SilentResponse)
        answer.service = self._target.id
        return answer

    async def _with_credentials(
        self, hop: Hop, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Middleware: add the credentials, below all that could show them, and observe."""
        if hop.to_service:
            for name, value in self._access.credentials:
                # a header of the caller wins over the service's
                if name not in hop.headers:
                    request.headers[name] = value.reveal()
            query = {n: v.reveal() for n, v in self._access.query if n not in request.url.query}
            request.url = request.url.extend_query(query)
        code, started = "error", self._clock.tick()
        try:
            answer = await handler(request)
            code = str(answer.status)
            self._report_limits(hop, answer)
            return answer
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = failed_attempt(error)
        finally:
            self._observe(self._target, code, self._clock.tick() - started)
        # Not aiohttp's own error: on some it resends the request itself, outside the rate limit.
        raise failure

    def _url(self, path_or_url: StrOrURL) -> tuple[URL, bool]:
        """Return the URL to call, and whether it has the origin of the service."""
        text, base_url = str(path_or_url), self._access.url.partition("?")[0].rstrip("/")
        relative = not _ABSOLUTE.match(text)
        if relative and not base_url:
            raise self._failed("the service has no base URL")
        joined = (
            base_url + ("" if not text or text[0] in "/?" else "/") + text if relative else text
        )
        url = parsed(joined)
        if url is None:
            raise self._failed("not an http or https URL")
        service_url = parsed(base_url) if base_url else None
        if relative and service_url is not None and not below(url, service_url):
            raise self._failed("the path leaves the base URL")
        return url, service_url is not None and origin(url) == origin(service_url)

    def _failed(self, reason: str, attempts: int = 0) -> RequestFailed:
        return RequestFailed(reason, self._target.id, attempts)
