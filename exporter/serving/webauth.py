"""Checks every request against the web configuration: rate limit, certificate, password.

It is the first middleware, so it also runs for paths without a route. bcrypt runs in a thread, one
at a time; its answers are cached under a keyed digest that only this process can make. An unknown
user takes as long as a known one, so that timing does not reveal which users exist.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import math
import ssl
from collections.abc import Collection, Iterable, Iterator, Mapping
from secrets import token_bytes

import bcrypt
from aiohttp import web

from exporter.api.guard import Handler, problem
from exporter.api.guesses import Guesses
from exporter.clock import Clock
from exporter.secret import Secret
from exporter.serving.web_config import RateLimit, WebFile

CACHED_ANSWERS = 100
BCRYPT_BYTES = 72
_SAN_KINDS = frozenset({"DNS", "IP Address", "URI", "email"})


class Passwords:
    """Verifies passwords, and caches the answers of bcrypt."""

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._right: dict[bytes, None] = {}
        self._wrong: dict[bytes, None] = {}
        self._bcrypt_lock = asyncio.Lock()

    async def verify(self, users: Mapping[str, Secret], user: bytes, password: bytes) -> bool:
        """Return whether *users* has *user* with *password*."""
        hashes = {name.encode(): value.reveal().encode() for name, value in users.items()}
        known = user in hashes
        hashed = hashes[user] if known else self._stand_in_hash(hashes, user)
        digest = self._digest(b"known" if known else b"unknown", user, hashed, password)
        if (answer := self._cached(digest)) is None:
            async with self._bcrypt_lock:
                # Another request may have computed the same while this one waited for the lock.
                if (answer := self._cached(digest)) is None:
                    # bcrypt uses 72 bytes at most; Python's refuses a longer password since 5.0.
                    short = password[:BCRYPT_BYTES]
                    answer = await asyncio.to_thread(bcrypt.checkpw, short, hashed) and known
                    self._cache(digest, answer)
        return answer and known

    def _stand_in_hash(self, hashes: Mapping[bytes, bytes], user: bytes) -> bytes:
        """Return the hash to compute for an unknown *user*, so that timing reveals nothing.

        It is a known user's, and always the same one's for the same name: so it costs what a
        known user costs, even where costs differ.
        """
        number = int.from_bytes(self._digest(b"somebody", user)[:8])
        return list(hashes.values())[number % len(hashes)]

    def _digest(self, *parts: bytes) -> bytes:
        """Return the cache key of *parts*; with their lengths, so that no two lists collide."""
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, "sha256")

    def _cached(self, digest: bytes) -> bool | None:
        for answer, cache in ((True, self._right), (False, self._wrong)):
            if digest in cache:
                cache[digest] = cache.pop(digest)  # the last used is dropped last
                return answer
        return None

    def _cache(self, digest: bytes, answer: bool) -> None:
        """Keep *answer*; wrong ones are dropped first, so that guesses displace no valid user."""
        while len(self._right) + len(self._wrong) >= CACHED_ANSWERS:
            cache = self._wrong or self._right
            del cache[next(iter(cache))]
        (self._right if answer else self._wrong)[digest] = None


class Bucket:
    """A token bucket that enforces a `RateLimit` over all requests together."""

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
    """Enforces the web configuration that is active at the moment of each request."""

    def __init__(
        self,
        file: WebFile,
        clock: Clock,
        guesses: Guesses,
        *,
        without_password: Collection[str] = (),
    ) -> None:
        """*without_password* are paths of routes; all else of the configuration holds there too."""
        self._file, self._clock, self._guesses = file, clock, guesses
        self._without_password = without_password
        self._passwords = Passwords()
        self._bucket = Bucket(RateLimit(), clock)

    def install(self, application: web.Application) -> None:
        """Make this the first middleware of *application*."""

        @web.middleware
        async def check_first(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = await self._refusal(request)
            return await handler(request) if refusal is None else refusal

        application.middlewares.insert(0, check_first)
        application.on_response_prepare.append(self._prepare)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        current = self._file.current()
        if wait := self._take(current.settings.rate_limit or RateLimit()):
            refusal = problem(429, "too many requests")
            refusal.headers["Retry-After"] = str(math.ceil(wait))
            return refusal
        tls = current.settings.tls_server_config
        if tls is not None and tls.requires_certificate:
            certificate = request.get_extra_info("peercert")
            if not _certificate_fits(certificate, tls.client_allowed_sans):
                refusal = problem(403, "this client certificate is not allowed here")
                refusal.force_close()
                return refusal
        if not current.users or self._is_open(request):
            return None
        if not await self._logged_in(request, current.users):
            if request.headers.get("Authorization"):
                await self._guesses.slow_down(request.remote, "password")
            refusal = problem(401, "user and password are needed")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="service-registry", charset="UTF-8"'
            return refusal
        return None

    def _is_open(self, request: web.Request) -> bool:
        # The route that answers, not the text of the path: nothing is spelt around it.
        resource = request.match_info.route.resource
        return resource is not None and resource.canonical in self._without_password

    def _take(self, limit: RateLimit) -> float:
        if limit != self._bucket.limit:
            self._bucket = Bucket(limit, self._clock)
        return self._bucket.take()

    async def _logged_in(self, request: web.Request, users: Mapping[str, Secret]) -> bool:
        credentials = _basic_credentials(request.headers.get("Authorization", ""))
        return credentials is not None and await self._passwords.verify(users, *credentials)

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Set the configured headers; close a connection made with an older TLS context."""
        current = self._file.current()
        if http := current.settings.http_server_config:
            response.headers.update({name: value for name, value in http.headers.items() if value})
        connection = request.get_extra_info("ssl_object")
        if isinstance(connection, ssl.SSLObject) and connection.context is not current.context:
            response.force_close()
            # force_close comes too late for the header: aiohttp has set its own already.
            response.headers["Connection"] = "close"


def _basic_credentials(header: str) -> tuple[bytes, bytes] | None:
    """Return user and password of an Authorization header, or None if it is not Basic."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(b":")
    return (user, password) if colon else None


def _certificate_fits(certificate: object, names: Iterable[str] | None) -> bool:
    """Return whether *certificate* is a verified one that has one of *names*; None allows any."""
    if not isinstance(certificate, dict) or not certificate:
        return False
    if names is None:
        return True
    return not set(map(_canonical, names)).isdisjoint(_alternative_names(certificate))


def _alternative_names(certificate: Mapping[str, object]) -> Iterator[str]:
    names = certificate.get("subjectAltName", ())
    for kind, value in names if isinstance(names, tuple) else ():
        if kind in _SAN_KINDS:
            yield _canonical(value) if kind == "IP Address" else value


def _canonical(name: str) -> str:
    """Return an IP address in its canonical form, anything else unchanged."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
