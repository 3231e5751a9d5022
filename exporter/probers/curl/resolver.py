"""Resolves names with c-ares: without threads, so a dead name does not delay another.

libcurl's own resolver is a pool of 20 threads, which 20 dead names occupy
(CURLMOPT_RESOLVE_THREADS_MAX, curl.se); pycurl has no way to widen it.
"""

from __future__ import annotations

import functools
import ipaddress
import socket

import aiodns

MAX_NAME = 254  # RFC 1035's 253, and a dot at the end


class ResolveError(OSError):
    """The name has no address; the message does not contain it."""


class Resolver:
    """Resolves names on one event loop.

    *servers* (host or host:port) replaces those of resolv.conf. *attempt* is how many seconds a
    server has for the first of three tries.

        addresses = await Resolver().addresses("api.example")
    """

    def __init__(self, servers: list[str] | None = None, attempt: float = 1.0) -> None:
        self._servers, self._attempt = servers, attempt
        self._ares: aiodns.DNSResolver | None = None

    async def addresses(self, host: str, ip_version: int = 0) -> list[str]:
        """Return the addresses of *host* in the order to try; *ip_version* 4 or 6 restricts them.

        Raises:
            ResolveError: the name does not exist or no server answers.
        """
        if literal := literal_address(host):
            return [literal]
        if len(host) > MAX_NAME:
            raise ResolveError("not a host name")
        if self._ares is None:
            self._ares = aiodns.DNSResolver(
                nameservers=self._servers, timeout=self._attempt, tries=3
            )
        family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(ip_version, socket.AF_UNSPEC)
        try:
            result = await self._ares.getaddrinfo(host, family=family, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            raise ResolveError(_DETAILS.get(error.args[0], "the name server failed")) from None
        except (UnicodeError, ValueError):
            raise ResolveError("not a host name") from None
        texts = (node.addr[0] for node in result.nodes)
        return [t.decode() if isinstance(t, bytes) else str(t) for t in texts]

    async def close(self) -> None:
        """Cancel the pending look-ups and free the channel."""
        if self._ares is not None:
            await self._ares.close()
            self._ares = None


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
