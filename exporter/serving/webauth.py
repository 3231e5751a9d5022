"""What a request must show before anything else looks at it: room, certificate, password.

The first middleware, so it stands before every route and before what is no route. bcrypt runs
beside the loop, one at a time, and what it found is remembered under a key that only this process
can make. A user who does not exist costs as much as one who does.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import math
import ssl
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_bytes

import bcrypt
from aiohttp import web

from exporter.api.guard import Handler, problem
from exporter.clock import Clock
from exporter.secret import Secret
from exporter.serving.web_config import RateLimit, WebFile

REMEMBERED = 100
BCRYPT_BYTES = 72
_KINDS = frozenset({"DNS", "IP Address", "URI", "email"})


class Passwords:
    """Tells whether a password is the user's."""

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._right: dict[bytes, None] = {}
        self._wrong: dict[bytes, None] = {}
        self._turn = asyncio.Lock()

    async def fit(self, users: Mapping[str, Secret], user: bytes, password: bytes) -> bool:
        """Return whether *users* has *user* with *password*."""
        hashes = {name.encode(): value.reveal().encode() for name, value in users.items()}
        known = user in hashes
        hashed = hashes[user] if known else self._somebodys(hashes, user)
        seen = self._digest(b"known" if known else b"unknown", user, hashed, password)
        if (found := self._remembered(seen)) is None:
            async with self._turn:
                if (found := self._remembered(seen)) is None:  # another asked the same meanwhile
                    # Longer ones are cut off, as every other bcrypt does.
                    short = password[:BCRYPT_BYTES]
                    found = await asyncio.to_thread(bcrypt.checkpw, short, hashed) and known
                    self._remember(seen, found)
        return found and known

    def _somebodys(self, hashes: Mapping[bytes, bytes], user: bytes) -> bytes:
        """Return what is computed for who does not exist: one and the same user's, so it costs
        what a user costs, whatever that is."""
        number = int.from_bytes(self._digest(b"somebody", user)[:8])
        return list(hashes.values())[number % len(hashes)]

    def _digest(self, *parts: bytes) -> bytes:
        """Return a key for *parts*. Each has its length before it: none can run into the next."""
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, "sha256")

    def _remembered(self, seen: bytes) -> bool | None:
        for answer, memory in ((True, self._right), (False, self._wrong)):
            if seen in memory:
                memory[seen] = memory.pop(seen)  # the last used goes last
                return answer
        return None

    def _remember(self, seen: bytes, answer: bool) -> None:
        """Keep *answer*; wrong ones go first, so that guessing does not push out who may."""
        while len(self._right) + len(self._wrong) >= REMEMBERED:
            memory = self._wrong or self._right
            del memory[next(iter(memory))]
        (self._right if answer else self._wrong)[seen] = None


class Bucket:
    """A rate limit at work."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit, self._clock = limit, clock
        self._tokens, self._at = float(limit.burst), clock.tick()

    def take(self) -> float:
        """Take one token and return 0, or return the seconds until there is one."""
        if not (interval := self.limit.seconds):
            return 0.0
        now = self._clock.tick()
        self._tokens = min(self.limit.burst, self._tokens + (now - self._at) / interval)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) * interval
        self._tokens -= 1
        return 0.0


class WebAuth:
    """Stands before every handler with what the web configuration says at that moment."""

    def __init__(self, file: WebFile, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._passwords = Passwords()
        self._bucket = Bucket(RateLimit(), clock)

    def install(self, application: web.Application) -> None:
        """Stand first in *application*."""

        @web.middleware
        async def stand_before(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = await self._refusal(request)
            return await handler(request) if refusal is None else refusal

        application.middlewares.insert(0, stand_before)
        application.on_response_prepare.append(self._prepare)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        current = self._file.current()
        if wait := self._take(current.settings.rate_limit or RateLimit()):
            refused = problem(429, "too many requests")
            refused.headers["Retry-After"] = str(math.ceil(wait))
            return refused
        tls = current.settings.tls_server_config
        if tls is not None and tls.requires_certificate:
            certificate = request.get_extra_info("peercert")
            if not _certificate_fits(certificate, tls.client_allowed_sans):
                refused = problem(403, "this client certificate is not allowed here")
                refused.force_close()
                return refused
        if current.users and not await self._logged_in(request, current.users):
            refused = problem(401, "user and password are needed")
            refused.headers["WWW-Authenticate"] = 'Basic realm="service-registry", charset="UTF-8"'
            return refused
        return None

    def _take(self, limit: RateLimit) -> float:
        if limit != self._bucket.limit:
            self._bucket = Bucket(limit, self._clock)
        return self._bucket.take()

    async def _logged_in(self, request: web.Request, users: Mapping[str, Secret]) -> bool:
        given = _basic(request.headers.get("Authorization", ""))
        return given is not None and await self._passwords.fit(users, *given)

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Set the headers of the file; end a connection made under older TLS settings."""
        current = self._file.current()
        if http := current.settings.http_server_config:
            response.headers.update({name: value for name, value in http.headers.items() if value})
        made = request.get_extra_info("ssl_object")
        if isinstance(made, ssl.SSLObject) and made.context is not current.context:
            response.force_close()
            response.headers["Connection"] = "close"  # aiohttp wrote its own before


def _basic(header: str) -> tuple[bytes, bytes] | None:
    """Return user and password of an Authorization header, or None if it holds none."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(b":")
    return (user, password) if colon else None


def _certificate_fits(certificate: object, names: Iterable[str] | None) -> bool:
    """Return whether there is a verified certificate, and one of *names* in it if any are given."""
    if not isinstance(certificate, dict) or not certificate:
        return False
    if names is None:
        return True
    return not set(map(_spelled, names)).isdisjoint(_names(certificate))


def _names(certificate: Mapping[str, object]) -> Iterator[str]:
    found = certificate.get("subjectAltName", ())
    for kind, value in found if isinstance(found, tuple) else ():
        if kind in _KINDS:
            yield _spelled(value) if kind == "IP Address" else value


def _spelled(name: str) -> str:
    """Return an IP address in its one usual form, anything else as it is."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
