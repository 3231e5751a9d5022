"""Resolves names with c-ares: without threads, so a dead name does not delay another.

libcurl's own resolver is a pool of 20 threads, which 20 dead names occupy
(CURLMOPT_RESOLVE_THREADS_MAX, curl.se); pycurl has no way to widen it.

Two channels, because c-ares (1.34) cannot do both. The quick one notices a dead name server: it
asks anew after what the server usually takes, from 0.25 s on, and the next one then. But with each
question it closes the socket of the one before, so that a server which takes 2.5 s is never heard.
The patient channel asks once and waits; it is new after two answers, before c-ares learns from them
to wait less (MIN_COUNT_FOR_AVERAGE in ares_metrics.c is 3).
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
from typing import Any

import aiodns
import pycares

from exporter.model import Shortage
from exporter.probers.curl.shortages import lacks_descriptors

_Family = socket.AddressFamily
MAX_NAME = 254  # RFC 1035's 253, and a dot at the end
_PATIENCE = 10
"""How many times longer than the quick channel's first try the patient one waits for a server."""
_TICK_SECONDS = 0.002
"""How exact the event loop's time is."""
_CONTROL = "."
"""What every working name server can say something about: the root."""


class ResolveError(OSError):
    """The name has no address; the message does not contain it.

    `shortage` is what we lacked, if that is why.
    """

    def __init__(self, message: str, shortage: Shortage | None = None) -> None:
        super().__init__(message)
        self.shortage = shortage


class Resolver:
    """Resolves names on one event loop.

    *servers* (host or host:port) replaces those of resolv.conf. *attempt* is how many seconds a
    server has for the first of three tries.

        addresses = await Resolver().addresses("api.example")
    """

    def __init__(self, servers: list[str] | None = None, attempt: float = 0.5) -> None:
        self._servers, self._attempt = servers, attempt
        self._quick: aiodns.DNSResolver | None = None
        self._patient: _Patient | None = None
        self._control: asyncio.Future[Any] | None = None
        self._heard_at = self._refused_at = float("-inf")
        """When a name server last knew something, and when it last refused the control."""
        self._silent_at = float("-inf")
        """When it was last found that no name server answers."""
        self._control_counts: bool | None = None
        """Whether the control was ever answered; None before it was asked."""

    async def addresses(self, host: str, ip_version: int = 0, seconds: float = 5.0) -> list[str]:
        """Return the addresses of *host* in the order to try, within *seconds*.

        *ip_version* 4 or 6 restricts them.

        Raises:
            ResolveError: the name does not exist or no server answers.
        """
        if literal := literal_address(host):
            return [literal]
        if len(host) > MAX_NAME:
            raise ResolveError("not a host name")
        family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(ip_version, socket.AF_UNSPEC)
        loop = asyncio.get_running_loop()
        begun, patience = loop.time(), min(self._attempt, seconds / 4)
        try:
            result = await self._look_up(loop, host, family, patience, begun + seconds)
        except TimeoutError:
            text = "no name server answers in time"
            raise self._unanswered(text, begun, begun + patience) from None
        except aiodns.error.DNSError as error:
            raise await self._explained(error.args[0], begun, begun + seconds) from None
        except (UnicodeError, ValueError):
            raise ResolveError("not a host name") from None
        return [
            text.decode() if isinstance(text := node.addr[0], bytes) else text
            for node in result.nodes
        ]

    async def close(self) -> None:
        """Cancel the pending look-ups and free the channels."""
        if self._control is not None:
            self._control.cancel()
        channels = [self._quick, self._patient.channel if self._patient else None]
        self._quick = self._patient = None
        for channel in channels:
            if channel is not None:
                await channel.close()

    # -- one look-up -------------------------------------------------------------------------

    async def _look_up(
        self,
        loop: asyncio.AbstractEventLoop,
        host: str,
        family: _Family,
        patience: float,
        end: float,
    ) -> Any:
        """Return c-ares' answer; after *patience* seconds also that of the patient channel.

        Raises:
            TimeoutError: there is none at the loop's time *end*.
        """
        quick = self._channel().getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
        hurried: list[asyncio.Future[Any]] = []
        # Only who is asked for longer needs a time limit: one for each took a fortieth of a probe.
        timer = loop.call_later(patience, self._hurry, host, family, quick, hurried, end)
        try:
            result = await quick
        except aiodns.error.DNSError as error:
            if error.args[0] not in _UNANSWERED or not hurried:
                raise
            async with asyncio.timeout_at(end):
                # Shielded, because a cancelled question would be answered without our knowledge.
                result = await asyncio.shield(hurried[0])
        finally:
            timer.cancel()
        self._hear()
        return result

    def _hurry(
        self,
        host: str,
        family: _Family,
        quick: asyncio.Future[Any],
        hurried: list[asyncio.Future[Any]],
        end: float,
    ) -> None:
        """Ask the patient channel too, until *end*, and whether our servers answer anything."""
        if quick.done():
            return
        self._ask_control()
        asyncio.get_running_loop().call_at(end, _give_up, quick)
        if self._patient is None or self._patient.is_spent:
            try:
                channel = self._make(_PATIENCE * self._attempt)
            except ResolveError:
                return  # the quick channel goes on alone
            self._patient = _Patient(channel)
        asked = self._patient.ask(host, family)
        hurried.append(asked)
        asked.add_done_callback(functools.partial(_take_over, quick))

    async def _explained(self, code: int, begun: float, end: float) -> ResolveError:
        """Return the error of c-ares' *code*: whether it is this name's or ours."""
        text = _DETAILS.get(code, "the name server failed")
        if code not in _UNANSWERED:
            if code in _KNOWN:
                self._hear()
            return ResolveError(text, _SHORTAGES.get(code))
        now = asyncio.get_running_loop().time()
        left = min(2 * self._attempt, end - now)
        if (control := self._ask_control()) is not None and left > 0:
            await asyncio.wait({control}, timeout=left)
        refused = code == aiodns.error.ARES_EREFUSED
        return self._unanswered(text, begun, now, refused=refused)

    # -- our name servers --------------------------------------------------------------------

    def _hear(self) -> None:
        """Note that a name server has just known something."""
        self._heard_at = asyncio.get_running_loop().time()
        if self._control_counts is None:
            self._control_counts = False
            self._ask_control()

    def _unanswered(
        self, text: str, begun: float, since: float, *, refused: bool = False
    ) -> ResolveError:
        """Return the error of a name without an answer, given what was heard after *since*.

        Servers that answer nothing else either are our fault. Whether they would answer the control
        is only known if they did before, or never answered anything. Those that were silent after
        *begun* and are back have lost the question.
        """
        if lacks_descriptors():
            return ResolveError(text, Shortage.DESCRIPTORS)
        known = self._control_counts or self._heard_at == float("-inf")
        known = known and self._control is not None
        since -= _TICK_SECONDS
        answers = self._heard_at >= since or (self._refused_at >= since and not refused)
        if known and not answers:
            self._silent_at = asyncio.get_running_loop().time()
        elif self._silent_at < begun - _TICK_SECONDS:
            return ResolveError(text)
        return ResolveError(text, Shortage.RESOLVER)

    def _ask_control(self) -> asyncio.Future[Any] | None:
        """Ask our name servers something that they know, if that is not asked already."""
        if self._control is None or self._control.done():
            self._control = self._channel().query_dns(_CONTROL, "NS")
            self._control.add_done_callback(self._on_control)
        return self._control

    def _on_control(self, asked: asyncio.Future[Any]) -> None:
        if asked.cancelled():
            return
        error, now = asked.exception(), asyncio.get_running_loop().time()
        code = error.args[0] if isinstance(error, aiodns.error.DNSError) else None
        if code == aiodns.error.ARES_EREFUSED:
            self._refused_at = now
        elif error is None or code not in _UNANSWERED:
            self._heard_at, self._control_counts = now, True

    def _channel(self) -> aiodns.DNSResolver:
        if self._quick is None:
            self._quick = self._make(self._attempt, tries=3)
        return self._quick

    def _make(self, attempt: float, tries: int = 1) -> aiodns.DNSResolver:
        """Return a channel.

        Raises:
            ResolveError: we lack what it needs.
        """
        if lacks_descriptors():  # c-ares would go on with half of what it needs
            raise ResolveError("no resolver", Shortage.DESCRIPTORS)
        try:
            return aiodns.DNSResolver(nameservers=self._servers, timeout=attempt, tries=tries)
        except (pycares.AresError, RuntimeError):
            raise ResolveError("no resolver", Shortage.THREADS) from None


class _Patient:
    """A channel that asks once and waits; spent when two answers have come.

    Nothing closes one that is spent: what it still asks ends by itself, and it with that.
    """

    def __init__(self, channel: aiodns.DNSResolver) -> None:
        self.channel = channel
        self._answers = 0

    @property
    def is_spent(self) -> bool:
        return self._answers >= 2

    def ask(self, host: str, family: _Family) -> asyncio.Future[Any]:
        asked = self.channel.getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
        asked.add_done_callback(self._count)
        return asked

    def _count(self, asked: asyncio.Future[Any]) -> None:
        if asked.cancelled() or _code(asked) in _UNANSWERED:
            return
        self._answers += 1


def _take_over(quick: asyncio.Future[Any], patient: asyncio.Future[Any]) -> None:
    """End *quick* with what *patient* learned; c-ares' own answer to it is dropped then."""
    if quick.done() or patient.cancelled() or (code := _code(patient)) in _UNANSWERED:
        return
    if code is None and patient.exception() is None:
        quick.set_result(patient.result())
    elif code in _KNOWN:
        quick.set_exception(aiodns.error.DNSError(code))


def _give_up(quick: asyncio.Future[Any]) -> None:
    if not quick.done():
        quick.set_exception(TimeoutError())


def _code(asked: asyncio.Future[Any]) -> int | None:
    """Return the number of c-ares' error; None without one."""
    error = asked.exception()
    return error.args[0] if isinstance(error, aiodns.error.DNSError) else None


_KNOWN = frozenset({aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA})
_UNANSWERED = frozenset(
    {
        aiodns.error.ARES_ETIMEOUT,
        aiodns.error.ARES_ECONNREFUSED,
        aiodns.error.ARES_ESERVFAIL,
        aiodns.error.ARES_EREFUSED,
        aiodns.error.ARES_EFILE,
    }
)
_SHORTAGES = {aiodns.error.ARES_ENOMEM: Shortage.MEMORY}
_DETAILS = {
    aiodns.error.ARES_ENOTFOUND: "no such name",
    aiodns.error.ARES_ENODATA: "the name has no address",
    aiodns.error.ARES_ETIMEOUT: "no name server answers",
    aiodns.error.ARES_ECONNREFUSED: "no name server answers",
    aiodns.error.ARES_ESERVFAIL: "the name server failed",
    aiodns.error.ARES_EREFUSED: "the name server refused the query",
    aiodns.error.ARES_EBADNAME: "not a host name",
}


@functools.lru_cache(maxsize=4096)
def literal_address(host: str) -> str | None:
    """Return *host* in its usual form if it is an IP address; None if it is a name.

    >>> literal_address("[0:0::1]")
    '::1'
    """
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None
