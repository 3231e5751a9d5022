"""What we lack ourselves when a request fails, told apart from what the other side does.

libcurl reports a socket that cannot be opened as "could not connect" (7) without an error number,
a file that cannot be opened as a broken one (77, 58), and c-ares as a name server that refuses. So
after such an error the shortage is looked for. Measured with libcurl 8.23 and c-ares 1.34.
"""

from __future__ import annotations

import errno
import socket

import pycurl

from exporter.model import Reason, Shortage
from exporter.probers.transport import Answer

DETAILS = {
    Shortage.DESCRIPTORS: "the exporter has no file descriptor left: raise its limit",
    Shortage.MEMORY: "the exporter has not enough memory",
    Shortage.PORTS: "this machine has no local port left",
    Shortage.THREADS: "the exporter can start no thread",
    Shortage.RESOLVER: "our name servers do not answer (not the provider's)",
    Shortage.FIREWALL: "a rule on this machine forbids the connection",
}
_REASONS = {Shortage.RESOLVER: Reason.DNS, Shortage.FIREWALL: Reason.CONNECT}
_BY_NUMBER = {
    errno.EMFILE: Shortage.DESCRIPTORS,
    errno.ENFILE: Shortage.DESCRIPTORS,
    errno.ENOMEM: Shortage.MEMORY,
    errno.ENOBUFS: Shortage.MEMORY,
}
_MOST = 4
"""Descriptors: a request opens a socket, its copy and a file; a channel of c-ares three as well."""
# Of a firewall, of a route "prohibit" and of a route "blackhole" (ip-route(8)).
_FORBIDDEN = (errno.EPERM, errno.EACCES, errno.EINVAL)
# Errors behind which there may be a descriptor, a port or memory that was missing.
_DOUBTFUL = frozenset(
    {
        pycurl.E_FAILED_INIT,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_OUT_OF_MEMORY,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CACERT_BADFILE,
    }
)


def answer_for(shortage: Shortage, spent: float = 0.0) -> Answer:
    """Return the answer to a request that was not sent for *shortage*; it took *spent* seconds."""
    return Answer(
        failure=_REASONS.get(shortage, Reason.INTERNAL),
        detail=DETAILS[shortage],
        shortage=shortage,
        duration=spent,
        phases=(spent, 0.0, 0.0, 0.0, 0.0),
    )


def blame(answer: Answer, shortage: Shortage) -> None:
    """Make *shortage* the failure of *answer*."""
    answer.failure = _REASONS.get(shortage, Reason.INTERNAL)
    answer.detail, answer.shortage = DETAILS[shortage], shortage


def shortage_behind(code: int, number: int) -> Shortage | None:
    """Return what we lacked when a transfer ended with libcurl's *code* and the errno *number*.

    Ask at once: a moment later another probe may have given back what was missing.
    """
    if code not in _DOUBTFUL:
        return None
    if lacks_descriptors():
        return Shortage.DESCRIPTORS
    if code == pycurl.E_OUT_OF_MEMORY:
        return Shortage.MEMORY
    if code != pycurl.E_COULDNT_CONNECT:
        return None
    if number == errno.EADDRNOTAVAIL:
        # An IPv6 address that we have no source for gives the same number.
        return Shortage.PORTS if _lacks_ports() else None
    return Shortage.FIREWALL if number in _FORBIDDEN else _BY_NUMBER.get(number)


def shortage_of(error: Exception) -> Shortage | None:
    """Return what we lacked when *error* was raised; None if it is a bug."""
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    if isinstance(error, MemoryError):
        return Shortage.MEMORY
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return Shortage.THREADS
    if isinstance(error, pycurl.error) and lacks_descriptors():
        return Shortage.DESCRIPTORS
    if isinstance(error, pycurl.error) and error.args[:1] == (pycurl.E_OUT_OF_MEMORY,):
        return Shortage.MEMORY
    return None


def lacks_descriptors() -> bool:
    """Return whether the descriptors that a request needs at most cannot be had."""
    opened: list[socket.socket] = []
    try:
        for _ in range(_MOST // 2):
            opened += socket.socketpair()
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    finally:
        for one in opened:
            one.close()
    return False


def _lacks_ports() -> bool:
    """Return whether every local port of TCP is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("", 0))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
