"""Webhook, Slack and PagerDuty: a POST of JSON to the given address and to no other.

Redirects are not followed (the address holds the secret), certificates are verified, answers are
read up to a bound. Any address may be named: only who writes the configuration can.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from errno import errorcode
from typing import Any

import aiohttp

from exporter.config import Notification, PagerDuty, Slack, Webhook
from exporter.config.notify import is_address
from exporter.notifying import payloads
from exporter.notifying.media import Hidden, UndeliveredError
from exporter.notifying.messages import Message
from exporter.secret import Secret

TIMEOUT_SECONDS = 15.0
_MOST_ANSWERED = 4096
_WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")
"""What Slack answers: "invalid_token", "no_service"."""
_ADVICE = {
    301: "the address has moved: give the new one",
    302: "the address leads elsewhere: give that one",
    307: "the address has moved: give the new one",
    308: "the address has moved: give the new one",
    400: "the receiver does not take this message: is it of the kind that was named?",
    401: "its token or key is refused: make a new one",
    403: "its token or key is refused: make a new one",
    404: "there is no such address any more: make a new one",
    405: "the address takes no POST: is it the right one?",
    410: "there is no such address any more: make a new one",
    408: "the receiver is slow: it is tried again",
    425: "the receiver is not ready: it is tried again",
    429: "too many messages: it is tried again when the receiver allows",
}
_PASSING = frozenset({408, 425, 429})


class Web:
    """The session that every address shares."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class Post:
    """Sends what *make* returns of a message and of the secret."""

    def __init__(
        self,
        web: Web,
        address: Hidden | str,
        make: Callable[[Message, str], Mapping[str, Any]],
        *,
        headers: Mapping[str, Secret] | None = None,
        also_secret: Hidden | None = None,
    ) -> None:
        self._web, self._address, self._make = web, address, make
        self._headers, self._also = headers or {}, also_secret

    def secrets(self) -> Iterator[Secret]:
        yield from self._headers.values()
        for one in (self._address, self._also):
            if isinstance(one, Hidden):
                yield from one.known()

    async def send(self, message: Message, page: str) -> None:
        url, body = await asyncio.to_thread(self._prepared, message, page)
        headers = {name: value.reveal() for name, value in self._headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": message.id}
        try:
            async with self._web.session().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if 200 <= answer.status < 300:
                    return
                text = await answer.content.read(_MOST_ANSWERED)
                raise _refusal(answer.status, answer.headers, text)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(error) from None

    def _prepared(self, message: Message, page: str) -> tuple[str, bytes]:
        address = self._address
        url = address if isinstance(address, str) else address.read().reveal()
        if not is_address(url):
            raise UndeliveredError(
                "its address is no http:// or https:// URL", advice="mend the file", certain=True
            )
        return url, json.dumps(self._make(message, page)).encode()


def make_post(web: Web, entry: Notification) -> Post:
    """Return the medium of *entry*, a webhook, Slack or PagerDuty."""
    match entry.webhook or entry.slack or entry.pagerduty:
        case Webhook() as webhook:
            address = Hidden(webhook.url, webhook.url_file)
            return Post(web, address, payloads.webhook, headers=webhook.headers)
        case Slack() as slack:
            address = Hidden(slack.url, slack.url_file)
            return Post(web, address, lambda message, page: payloads.slack(message, page, slack))
        case PagerDuty() as pagerduty:
            key = Hidden(pagerduty.routing_key, pagerduty.routing_key_file)

            def event(message: Message, page: str) -> Mapping[str, Any]:
                return payloads.pagerduty(message, page, key.read())

            return Post(web, pagerduty.url, event, also_secret=key)
    raise ValueError("not an entry that is posted to")


def _refusal(status: int, headers: Mapping[str, str], text: bytes) -> UndeliveredError:
    word = text.decode("utf-8", "replace").strip()
    shown = f" ({word})" if len(word) < 40 and _WORD.fullmatch(word) else ""
    passing = status in _PASSING or status >= 500
    return UndeliveredError(
        f"HTTP {status}{shown}",
        advice=_ADVICE.get(status, "the receiver has a fault" if status >= 500 else ""),
        refused=not passing,
        certain=status < 500,
        retry_after=retry_after(headers.get("Retry-After", ""), datetime.now(UTC)),
    )


def retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks to wait (RFC 9110 10.2.3), None if it does not.

    >>> retry_after("120", datetime.now(UTC))
    120.0
    """
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, (at - now).total_seconds())


def _failure(error: Exception) -> UndeliveredError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        what = "its certificate is not trusted"
        return UndeliveredError(what, advice="is the address right?", certain=True)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        what = "its name is not known to the resolver"
        return UndeliveredError(what, advice="is the address right?", certain=True)
    if isinstance(error, aiohttp.ClientSSLError):
        return UndeliveredError("no TLS connection", advice="is the address right?", certain=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        reason = errorcode.get(number, type(error.os_error).__name__)
        what = f"no connection ({reason})"
        return UndeliveredError(what, advice="is the receiver running?", certain=True)
    if isinstance(error, TimeoutError):
        return UndeliveredError(f"no answer within {TIMEOUT_SECONDS:g} s")
    return UndeliveredError(f"the connection broke ({type(error).__name__})")
