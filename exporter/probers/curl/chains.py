"""Which certificates were seen lately, so that libcurl is asked for few of them.

Describing a chain costs libcurl a tenth of a handshake, and a chain changes a few times a year. So
it is asked for where it is new, after a failure, and when it was seen ten minutes ago. OpenSSL
verifies it on every connection, whether it is asked for or not.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from exporter.model import Certificate
from exporter.probers import Answer, Request
from exporter.probers.curl.certificates import authorities, verified_expiry
from exporter.probers.curl.options import address_of
from exporter.probers.curl.shortages import shortage_of
from exporter.probers.curl.trust import TrustFile

MAX_AGE_SECONDS = 600.0
"""After so long a chain is asked for again: another certificate is noticed by then."""
MOST = 32_768
"""Certificates that are remembered; redirects may lead to any number of hosts."""
_Key = tuple[Any, ...]


class Chains:
    """The certificates seen in the last ten minutes, by host, TLS settings and address.

    Pure but for the files of authorities; the caller brings the time, a tick in seconds.
    """

    def __init__(self, max_age: float = MAX_AGE_SECONDS) -> None:
        self._max_age = max_age
        self._seen: dict[_Key, tuple[Certificate, float]] = {}
        self._unknown: set[_Key] = set()
        """Of whom the next answer has to bring its chain."""
        self._read: set[TrustFile] = set()

    def lacks(self, request: Request, addresses: list[str], now: float) -> bool:
        """Return whether the chain must be asked for with *request* to one of *addresses*."""
        who = _who(request)
        if request.inspect or who in self._unknown:
            return True
        return not any(self._known(who, one, now) for one in _places(request, addresses))

    async def complete(
        self, request: Request, answer: Answer, trust: TrustFile, now: float
    ) -> None:
        """Fill in the certificate of *answer*: that of its chain, or the one seen lately.

        *trust* is the file with whose authorities its chain was verified.
        """
        who, found = _who(request), answer.certificate
        place = _places(request, [answer.address])[0]
        if found is not None:
            if found.verified and (expiry := await self._expiry(answer, trust)) is not None:
                found = answer.certificate = replace(found, expiry=expiry)
            self._note((*who, place), found, now)
        elif answer.failure is None or answer.phases[3] > 0:  # the handshake had ended
            answer.certificate = self._known(who, place, now)
        if answer.failure is None and answer.certificate is not None:
            self._unknown.discard(who)
        else:
            self._unknown.add(who)

    def _known(self, who: _Key, place: str, now: float) -> Certificate | None:
        certificate, at = self._seen.get((*who, place), (None, 0.0))
        return certificate if now - at < self._max_age else None

    def _note(self, key: _Key, certificate: Certificate, now: float) -> None:
        self._seen.pop(key, None)  # so that the first one is the one not seen for longest
        self._seen[key] = (certificate, now)
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        if len(self._unknown) > MOST:
            self._unknown.clear()

    async def _expiry(self, answer: Answer, trust: TrustFile) -> float | None:
        try:
            if trust not in self._read:
                await asyncio.to_thread(authorities, trust)
                self._read.add(trust)
            return verified_expiry(answer.chain, trust)
        except (OSError, RuntimeError) as error:
            if shortage_of(error) is None:
                raise
            return None  # the answer is there, and what was sent has an expiry too


def _who(request: Request) -> _Key:
    """Return whose certificate is shown: the name and port asked for, how, and through whom."""
    return (*address_of(request.url)[:2], request.tls, request.proxy)


def _places(request: Request, addresses: list[str]) -> list[str]:
    """Return *addresses*; none is known of what a proxy connects to."""
    return [""] if request.proxy else addresses
