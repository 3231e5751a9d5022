"""Transports for the vendors' own clients: httpx in front, the service's own exchange behind.

The clients of OpenAI, Anthropic and Mistral take a client of httpx2 (older ones of httpx, its
predecessor, with the same interface), and that takes a transport. A request gets an answer of the
library that made it, so one transport serves both.

Nothing is repeated here: the clients do so themselves, and each of their attempts is one request,
counted and within the rate limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeVar

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from exporter.sessions.calls import Calls, Line
from exporter.sessions.exchange import Exchange
from exporter.sessions.redirects import Hop, parsed
from exporter.sessions.wire import (
    NO_ANSWER_IN_TIME,
    NO_CONNECTION_IN_TIME,
    FailedAttempt,
    SilentResponse,
    failed_attempt,
)

try:
    from httpx2 import AsyncBaseTransport, BaseTransport, Request, Response
except ImportError:
    try:  # what the vendors' clients of before autumn 2026 require
        from httpx import (  # type: ignore[assignment]
            AsyncBaseTransport,
            BaseTransport,
            Request,
            Response,
        )
    except ImportError:
        raise ImportError("needs httpx2: pip install 'tekup-service-registry[httpx]'") from None

__all__ = ["AsyncBaseTransport", "BaseTransport", "ServiceSyncTransport", "ServiceTransport"]

_T = TypeVar("_T")
_Body = TypeVar("_Body", "_AsyncBody", "_SyncBody")
_LIBRARIES = ("httpx2", "httpx")
_PIECE_BYTES = 64 * 1024
_LOOP_SECONDS = 1.0
"""After so long a waiting thread looks whether the loop that it waits for still runs."""
_CREDENTIALS = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"}
)
"""Headers in which a client may send its placeholder; never passed on."""
_OF_THE_CONNECTION = frozenset({"host", "connection", "transfer-encoding"})
_NOT_ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
"""By aiohttp: httpx can undo only the encodings that it asked for."""
_ERRORS = {
    NO_CONNECTION_IN_TIME: "ConnectTimeout",
    NO_ANSWER_IN_TIME: "ReadTimeout",
    "the connection broke": "ReadError",
    "the answer is not HTTP": "RemoteProtocolError",
    "the request cannot be written": "LocalProtocolError",
    "the proxy refuses": "ProxyError",
}
"""httpx's exceptions by our phrases; the others are a `ConnectError`."""


class ServiceTransport(AsyncBaseTransport):
    """Sends the requests of an `AsyncClient` to one service, and to no other origin."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def handle_async_request(self, request: Request) -> Response:
        """Send one request, once.

        Raises:
            RequestFailed: it is for another origin, or the settings of the service allow no calls.
            RuntimeError: the transport or the registry is closed.
            httpx.RequestError: one of its subclasses, as httpx's own transport does.
        """
        asked = _Asked(request, _pieces_of(request))
        line, answer = await asked.send(self._calls)
        body = _of(asked.library, _AsyncBody)(asked, line, answer)
        return asked.response(body, answer)

    async def aclose(self) -> None:
        """End the connections; calls under way fail."""
        await self._calls.close()


class ServiceSyncTransport(BaseTransport):
    """The same for a `Client`, in any thread but that of the registry's event loop, which works."""

    def __init__(self, calls: Calls, loop: asyncio.AbstractEventLoop) -> None:
        self._calls, self._loop = calls, loop

    def handle_request(self, request: Request) -> Response:
        """Send one request, once; its body is read whole before.

        Raises:
            RequestFailed: it is for another origin, or the settings of the service allow no calls.
            RuntimeError: this is the thread of the event loop, or something is closed.
            httpx.RequestError: one of its subclasses, as httpx's own transport does.
        """
        asked = _Asked(request, _in_pieces(request.read()))
        line, answer = self.on_loop(lambda: asked.send(self._calls))
        body = _of(asked.library, _SyncBody)(_AsyncBody(asked, line, answer), self)
        return asked.response(body, answer)

    def close(self) -> None:
        """End the connections; calls under way fail. In the thread of the loop: soon."""
        if _running_loop() is self._loop:
            self._closing = self._loop.create_task(self._calls.close())
        elif self._loop.is_running():
            self.on_loop(self._calls.close)

    def end(self, body: _AsyncBody) -> None:
        """Close *body*; a loop that has ended has closed it."""
        if self._loop.is_running():
            self.on_loop(body.aclose)

    def on_loop(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Return what *work* returns on the event loop.

        Raises:
            RuntimeError: this is the thread of the loop, or it does not run.
        """
        if _running_loop() is self._loop:
            raise RuntimeError(
                "a sync client in the event loop would wait for itself: "
                "use the async one, or asyncio.to_thread"
            )
        if not self._loop.is_running():
            raise RuntimeError("the event loop of the registry does not run")
        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            while True:
                try:
                    return future.result(_LOOP_SECONDS)
                except TimeoutError:
                    if future.done():
                        raise
                    if not self._loop.is_running():
                        raise RuntimeError("the event loop of the registry has ended") from None
        except BaseException:
            future.cancel()
            raise


class _Asked:
    """One request of the client: sent, and its answer or error in the client's own terms."""

    def __init__(self, request: Request, pieces: AsyncIterator[bytes] | None) -> None:
        self._request, self._pieces = request, pieces
        self.library = _library_of(request)
        given = request.extensions.get("timeout", {})
        self._seconds: Mapping[str, float | None] = given

    async def send(self, calls: Calls) -> tuple[Line, SilentResponse]:
        """Return the answer and the line on which it comes; whoever has read it gives that back."""
        line = await calls.line()
        answer = None
        try:
            hop = self._hop(line.exchange)
            await self._take_turn(calls, line)
            answer = await self._answer(line.exchange, hop)
            return line, answer
        finally:
            if answer is None:
                await line.give()

    def response(self, body: _AsyncBody | _SyncBody, answer: SilentResponse) -> Response:
        """Return *answer* in the terms of the client; *body* is what is still to come."""
        made: Response = self.library.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=body,
            extensions={
                "http_version": b"HTTP/1.0" if answer.version == (1, 0) else b"HTTP/1.1",
                "reason_phrase": (answer.reason or "").encode("latin-1", "replace"),
            },
        )
        return made

    def error(self, reason: str) -> Exception:
        """Return httpx's exception for *reason*, one of our phrases."""
        kind = getattr(self.library, _ERRORS.get(reason, "ConnectError"))
        made: Exception = kind(reason, request=self._request)
        return made

    def _hop(self, exchange: Exchange) -> Hop:
        request, access = self._request, exchange.access
        text = str(request.url)
        # as the client has written it: a signature may be over its very characters
        url = URL(text, encoded=True)
        # httpx follows redirects itself, so this is also where one to another origin ends
        if parsed(text) is None or not exchange.is_service(url):
            raise exchange.failed("the address is not of this service")
        ours = {name.lower() for name, _ in access.credentials}
        left_out = _CREDENTIALS | _OF_THE_CONNECTION | ours
        headers = CIMultiDict(
            (n, v) for n, v in request.headers.multi_items() if n.lower() not in left_out
        )
        if access.query:
            url = url.without_query_params(*(name for name, _ in access.query))
        return Hop(
            method=request.method.upper(), url=url, to_service=True, headers=headers, options={}
        )

    async def _take_turn(self, calls: Calls, line: Line) -> None:
        with contextlib.suppress(TimeoutError):
            await calls.take_turn(line, self._seconds.get("pool"))
            return
        raise self.library.PoolTimeout("the rate limit leaves no room", request=self._request)

    async def _answer(self, exchange: Exchange, hop: Hop) -> SilentResponse:
        seconds = self._seconds
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=seconds.get("connect"),
            sock_connect=seconds.get("connect"),
            sock_read=seconds.get("read"),
        )
        answer: SilentResponse | FailedAttempt | None = None
        with contextlib.suppress(TimeoutError):
            # what is written in time moves the limit
            async with asyncio.timeout(None) as limit:
                hop.options.update(
                    data=None if self._pieces is None else self._timed(limit, self._pieces),
                    timeout=timeout,
                    auto_decompress=False,
                    skip_auto_headers=_NOT_ADDED,
                )
                answer = await exchange.send(hop)
        if isinstance(answer, SilentResponse):
            return answer
        if answer is None:
            raise self.library.WriteTimeout("not sent in time", request=self._request)
        raise self.error(answer.reason)

    async def _timed(
        self, limit: asyncio.Timeout, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        loop, seconds = asyncio.get_running_loop(), self._seconds.get("write")
        async for piece in pieces:
            _move(limit, None if seconds is None else loop.time() + seconds)
            yield piece
            _move(limit, None)


class _AsyncBody:
    """The body of an answer, piece by piece as it comes; closing it ends the call."""

    def __init__(self, asked: _Asked, line: Line, answer: SilentResponse) -> None:
        self._asked, self._line, self._answer = asked, line, answer
        self._is_closed = False

    async def piece(self) -> bytes:
        """Return what has come, at least one byte; nothing at the end."""
        try:
            return await self._answer.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = failed_attempt(error).reason
        # outside the block: raised inside, its __context__ would quote the URL
        raise self._asked.error(reason)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.piece():
            yield piece

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._answer.close()
            await self._line.give()


class _SyncBody:
    """The same for a thread."""

    def __init__(self, body: _AsyncBody, transport: ServiceSyncTransport) -> None:
        self._body, self._transport = body, transport

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._transport.on_loop(self._body.piece):
            yield piece

    def close(self) -> None:
        self._transport.end(self._body)


def _library_of(request: Request) -> ModuleType:
    """Return the library whose class *request* has."""
    roots = (kind.__module__.partition(".")[0] for kind in type(request).__mro__)
    return sys.modules[next(root for root in roots if root in _LIBRARIES)]


@functools.cache
def _of(library: ModuleType, body: type[_Body]) -> type[_Body]:
    """Return *body* as a stream of *library*, which accepts none of another class."""
    own = library.AsyncByteStream if body is _AsyncBody else library.SyncByteStream
    return type(body.__name__, (body, own), {})


def _pieces_of(request: Request) -> AsyncIterator[bytes] | None:
    try:
        return _in_pieces(request.content)
    except RuntimeError:  # httpx's RequestNotRead: a body that is read while it is sent
        stream: AsyncIterator[bytes] = aiter(request.stream)  # type: ignore[arg-type]
        return stream


def _in_pieces(body: bytes) -> AsyncIterator[bytes] | None:
    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), _PIECE_BYTES):
            yield body[begin : begin + _PIECE_BYTES]

    return pieces() if body else None


def _move(limit: asyncio.Timeout, when: float | None) -> None:
    with contextlib.suppress(RuntimeError):  # over: the answer came before all was sent
        limit.reschedule(when)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
