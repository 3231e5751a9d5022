"""The session: attempts, waits and limits of one service's calls."""

from __future__ import annotations

import asyncio
import functools
import random
import re
import ssl
from collections.abc import Callable, Coroutine, Generator
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
from exporter.probers import Endpoint
from exporter.probers.redirects import HARMLESS_HEADERS
from exporter.registry import RegistryChange
from exporter.sessions.redirects import (
    MAX_REDIRECTS,
    Hop,
    below,
    following,
    origin,
    parsed,
    replayable,
)
from exporter.sessions.wire import (
    Broken,
    RequestFailed,
    SilentRequest,
    SilentResponse,
    any_socket,
    broken,
    contexts,
    public_socket,
)

Observe = Callable[[Target, str, float], None]
"""Is told of every request sent: its status or "error", and the seconds until its headers."""

MAX_WAIT_SECONDS = 60.0
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_AGAIN = frozenset({429, 502, 503, 504, 529})
_OURS = frozenset({"proxy", "proxy_auth", "proxy_headers", "middlewares", "max_redirects"})
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class RateLimiter:
    """When requests to one service may go out: first come, first served, exact in every window."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit = limit
        self._budget = Budget(limit.requests_per_minute, limit.requests_per_hour)
        self._clock, self._lock = clock, asyncio.Lock()

    async def take(self) -> None:
        """Return as soon as one more request may be sent, and count it."""
        async with self._lock:
            while (wait := self._budget.wait(self._clock.tick())) > 0:
                await self._clock.sleep(max(wait, 0.001))
            self._budget.spend(self._clock.tick())


class Sessions:
    """Makes the sessions of all services; those of one service share its rate limit."""

    def __init__(self, clock: Clock, observe: Observe) -> None:
        self._clock, self._observe = clock, observe
        self._limiters: dict[str, RateLimiter] = {}

    def of(self, target: Target, **more: Any) -> ServiceSession:
        """Return a new session with *target*."""
        limiter = self._limiters.get(target.id)
        if limiter is None or limiter.limit != target.rate_limit:
            limiter = self._limiters[target.id] = RateLimiter(target.rate_limit, self._clock)
        return ServiceSession(target, self._clock, self._observe, limiter=limiter, **more)

    def follow(self, change: RegistryChange) -> None:
        """Forget the limits of what is removed."""
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
    """Calls one service; an async context manager. Its target does not change while it is open.

    *transport* replaces the session's own connections; its owner closes it, and answers for the
    addresses that it connects to.
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        observe: Observe,
        *,
        transport: aiohttp.BaseConnector | None = None,
        limiter: RateLimiter | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target, self._clock, self._observe = target, clock, observe
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
        tls = await asyncio.to_thread(contexts, access.tls)
        if tls is None:
            raise self._failed("the TLS files cannot be read")
        self._tls = tls
        self._http = aiohttp.ClientSession(
            connector=self._transport
            or aiohttp.TCPConnector(
                socket_factory=any_socket
                if access.allow_private or access.proxy
                else public_socket,
            ),
            connector_owner=self._transport is None,
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

        What may have been done already is repeated only if *retry* is true or the call has an
        Idempotency-Key; a false *retry* repeats nothing. A last answer is returned as it is.

        Raises:
            RequestFailed: when awaited: there is no answer, or it led where nobody may follow.
        """
        return Answering(self._call(method.upper(), path_or_url, retry, options))

    def get(self, path_or_url: StrOrURL, **options: Any) -> Answering:
        return self.request("GET", path_or_url, **options)

    def head(self, path_or_url: StrOrURL, **options: Any) -> Answering:
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
        if unusable := _OURS & options.keys():
            raise TypeError(f"the service decides about {', '.join(sorted(unusable))}")
        follow, strict = (
            options.pop("allow_redirects", True),
            options.pop("raise_for_status", False),
        )
        headers = CIMultiDict(options.pop("headers", None) or ())
        url, home = self._url(path_or_url)
        hop = Hop(method=method, url=url, home=home, headers=headers, options=options)
        safe = retry or method in _IDEMPOTENT or "Idempotency-Key" in headers
        most = (
            0
            if retry is False or not replayable(options)
            else (self._target.retry_policy.max_retries)
        )
        for attempt in range(1, most + 2):
            answer = await self._attempt(hop, follow=follow)
            delay = self._delay(answer, attempt, safe=safe) if attempt <= most else None
            if delay is None:
                break
            if isinstance(answer, SilentResponse):
                answer.release()
            await self._clock.sleep(delay)
        if isinstance(answer, Broken):
            raise self._failed(answer.reason, attempt)
        answer.attempts = attempt
        if strict:
            answer.raise_for_status()
        return answer

    def _delay(self, answer: SilentResponse | Broken, attempt: int, *, safe: bool) -> float | None:
        """Return how long to wait before attempt number *attempt* + 1, or None for none."""
        asked = None
        if isinstance(answer, Broken):
            again = safe and answer.again
        else:
            asked = self._asked(answer)
            # A refused request was not processed, so it may be repeated whatever it does.
            refused = answer.status == 429 or (answer.status == 503 and asked is not None)
            again = answer.status in _AGAIN and (safe or refused)
        if not again:
            return None
        policy = self._target.retry_policy
        return policy.delay(attempt, asked, longest=MAX_WAIT_SECONDS, jitter=self._jitter)

    def _asked(self, answer: SilentResponse) -> float | None:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        readings, now = self._access.readings, self._clock.now()
        return readings.read(answer.status, headers, lambda: NO_JSON, now).retry_after

    async def _attempt(self, hop: Hop, *, follow: bool) -> SilentResponse | Broken:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send(hop)
            if not follow or isinstance(answer, Broken):
                return answer
            onward = following(hop, answer)
            if onward is None:
                return answer
            answer.release()
            if isinstance(onward, Broken):
                return onward
            hop = onward
        return Broken(f"more than {MAX_REDIRECTS} redirects")

    async def _send(self, hop: Hop) -> SilentResponse | Broken:
        """Send one request and return what came of it; only its caller's mistakes are raised."""
        if self._http is None or self._http.closed:
            raise RuntimeError("the session is not open")
        if hop.home:
            await self._limiter.take()
        public = self._access.headers
        headers = CIMultiDict(
            (n, v) for n, v in public if hop.home or n.lower() in HARMLESS_HEADERS
        )
        headers.update(hop.headers)
        options = {"ssl": self._tls[0 if hop.home else 1]} | hop.options
        if hop.home and self._access.tls.server_name:
            options.setdefault("server_hostname", self._access.tls.server_name)
        try:
            answer = await self._http.request(
                hop.method,
                hop.url,
                headers=headers,
                allow_redirects=False,
                proxy=self._access.proxy,
                middlewares=(functools.partial(self._wire, hop),),
                **options,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            return broken(error)
        assert isinstance(answer, SilentResponse)
        answer.service = self._target.id
        return answer

    async def _wire(
        self, hop: Hop, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add the credentials, below everything that could show them, and observe."""
        if hop.home:
            for name, value in self._access.credentials:
                if name not in hop.headers:
                    request.headers[name] = value.reveal()
            query = {n: v.reveal() for n, v in self._access.query if n not in request.url.query}
            request.url = request.url.extend_query(query)
        code, started = "error", self._clock.tick()
        try:
            answer = await handler(request)
            code = str(answer.status)
            return answer
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = broken(error)
        finally:
            self._observe(self._target, code, self._clock.tick() - started)
        # Not as it was: aiohttp would quietly send some requests twice, outside the budget.
        raise failure

    def _url(self, path_or_url: StrOrURL) -> tuple[URL, bool]:
        """Return where to go and whether that is the service itself."""
        text, base = str(path_or_url), self._access.url.partition("?")[0].rstrip("/")
        relative = not _ABSOLUTE.match(text)
        if relative and not base:
            raise self._failed("the service has no base URL")
        joined = base + ("" if not text or text[0] in "/?" else "/") + text if relative else text
        url = parsed(joined)
        if url is None:
            raise self._failed("not an http or https URL")
        home = parsed(base) if base else None
        if relative and home is not None and not below(url, home):
            raise self._failed("the path leaves the base URL")
        return url, home is not None and origin(url) == origin(home)

    def _failed(self, reason: str, attempts: int = 0) -> RequestFailed:
        return RequestFailed(reason, self._target.id, attempts)
