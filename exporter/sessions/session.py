"""The session: attempts and waits of one service's calls."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.typedefs import StrOrURL
from multidict import CIMultiDict
from yarl import URL

from exporter.clock import Clock
from exporter.config import Target
from exporter.sessions.exchange import Exchange, Observe, RateLimiter, Report
from exporter.sessions.redirects import (
    MAX_REDIRECTS,
    Hop,
    below,
    parsed,
    redirected,
    replayable,
)
from exporter.sessions.retrying import Repeats, is_safe
from exporter.sessions.wire import FailedAttempt, RequestFailed, SilentResponse

_SERVICE_OPTIONS = frozenset(
    {"proxy", "proxy_auth", "proxy_headers", "middlewares", "max_redirects"}
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


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
        self._target, self._clock = target, clock
        self._exchange = Exchange(
            target,
            clock,
            observe,
            limiter=limiter or RateLimiter(target.rate_limit, clock),
            report=report,
        )
        self._transport, self._jitter = transport, jitter

    def __repr__(self) -> str:
        return f"<ServiceSession {self._target.id}>"

    async def __aenter__(self) -> Self:
        await self._exchange.open(self._transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connections; calls under way fail."""
        await self._exchange.close()

    def request(
        self, method: str, path_or_url: StrOrURL, *, retry: bool | None = None, **options: Any
    ) -> Answering:
        """Call *path_or_url*; *options* are aiohttp's. A path is below the service's base URL.

        POST and PATCH may have taken effect although the answer is an error, so they are repeated
        only if *retry* is true, the call has an Idempotency-Key that the provider honours, or the
        service rejected it (429, or 503 with Retry-After) or asks for it (`x-should-retry: true`).
        With *retry* false nothing is repeated, nor is a body that can be sent only once, nor what
        an exhausted quota refuses. The pauses of a call are at most 180 s together; a longer one
        than 60 s that the service asks for is left to the caller (see `retrying`). The last answer
        is returned whatever its status.

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
        repeats = Repeats(
            target=self._target,
            access=self._exchange.access,
            clock=self._clock,
            safe=retry is True or is_safe(self._target, method, url.path, headers),
            most=self._target.retry_policy.max_retries
            if retry is not False and replayable(options)
            else 0,
            jitter=self._jitter,
        )
        attempt = 1
        answer = await self._attempt(hop, follow=follow)
        while (delay := await repeats.delay(answer, attempt)) is not None:
            if isinstance(answer, SilentResponse):
                answer.release()
            await self._wait(delay)
            attempt += 1
            answer = await self._attempt(hop, follow=follow)
        if isinstance(answer, FailedAttempt):
            raise self._failed(answer.reason, attempt)
        answer.attempts = attempt
        if raise_for_status:
            answer.raise_for_status()
        return answer

    async def _wait(self, seconds: float) -> None:
        """Return after *seconds*, not a moment before: timers of an event loop may be early."""
        end = self._clock.tick() + seconds
        while (left := end - self._clock.tick()) > 1e-6:
            await self._clock.sleep(left)

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
        if not self._exchange.is_open:
            raise RuntimeError("the session is not open")
        if hop.to_service:
            await self._exchange.take_turn()
        return await self._exchange.send(hop)

    def _url(self, path_or_url: StrOrURL) -> tuple[URL, bool]:
        """Return the URL to call, and whether it has the origin of the service."""
        text, base_url = str(path_or_url), self._exchange.base_url
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
        return url, self._exchange.is_service(url)

    def _failed(self, reason: str, attempts: int = 0) -> RequestFailed:
        return self._exchange.failed(reason, attempts)
