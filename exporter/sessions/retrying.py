"""Whether and when a call is repeated: what the answer says, and what its provider's preset knows.

Beside the vendors' own clients (`code`: openai-python 3.57.0, anthropic-sdk-python 2.14.0,
`_should_retry` and `_calculate_retry_timeout`; stripe-python 16.1.0):

- Repeated are 408, 409, 429, 500, 502, 503, 504, Anthropic's 529 and lost connections. The clients
  of OpenAI and Anthropic repeat every POST; here one needs a key that the provider honours, or the
  caller's word, as it may have taken effect.
- `x-should-retry` (both clients) and `stripe-should-retry` (Stripe's) decide where they are sent.
- An answer that reports an exhausted quota or a disabled account is not repeated: no pause within a
  minute helps. The clients repeat it, as a 429.
- A pause that is asked for is kept to the full: `retry-after-ms`, `retry-after` in seconds or as a
  date (RFC 9110, 10.2.3), and what the preset names, such as Gemini's `retryDelay`. A date is read
  by the `Date` of the same answer, as the two clocks may differ. Longer ones than a minute are left
  to the caller; OpenAI's client waits for up to two minutes, Anthropic's for any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.base_protocol import BaseProtocol

from exporter.clock import Clock
from exporter.config import Target
from exporter.matching import NO_JSON, json_of
from exporter.model import Reason
from exporter.probers import Answer, Endpoint
from exporter.probers.judging import judge
from exporter.sessions.exchange import lowered
from exporter.sessions.wire import FailedAttempt, SilentResponse

MAX_WAIT_SECONDS = 60.0
"""Longer pauses that a server asks for are not waited for: the caller gets the answer."""
MAX_WAITS_SECONDS = 180.0
"""Of all pauses of one call together."""
PEEK_SECONDS = 2.0
"""For the body of a rejection; what aiohttp does not hold whole by then (128 KiB) is not read."""
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_TEMPORARY = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
_TELLING = frozenset({429, 503})
"""Statuses whose body may tell a quota from a pause."""
_SHOULD_RETRY = ("x-should-retry", "stripe-should-retry")
_POINTLESS = frozenset({Reason.QUOTA_EXHAUSTED, Reason.ACCOUNT_DISABLED})
_MAX_SPREAD_SECONDS = 1.0


def is_safe(target: Target, method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether a call has the same effect if it is sent twice.

    A POST has if it carries a key that the provider honours on this *path* (`idempotency` of its
    preset). Without a preset nobody but the caller knows, who then sent an `Idempotency-Key`.
    """
    if method in IDEMPOTENT:
        return True
    key = target.idempotency
    if key is None or key.header not in headers:
        return False
    return not key.paths or any(path.rstrip("/").endswith(end) for end in key.paths)


@dataclass(slots=True, kw_only=True)
class Repeats:
    """Decides about the further attempts of one call."""

    target: Target
    access: Endpoint
    clock: Clock
    safe: bool
    most: int
    """Attempts after the first."""
    jitter: Callable[[], float]
    """Returns a number from 0 to 1."""
    waited: float = 0.0

    async def delay(self, answer: SilentResponse | FailedAttempt, attempt: int) -> float | None:
        """Return the seconds to wait after *attempt*, from 1, for the next one; None to stop.

        May read the body of *answer*, and leaves it to be read again if the result is None.
        """
        if attempt > self.most:
            return None
        asked: float | None = None
        if isinstance(answer, FailedAttempt):
            if not (self.safe and answer.retryable):
                return None
        else:
            headers = lowered(answer)
            told = _told(headers)
            if told is False or answer.status < 400:
                return None
            if told is None and answer.status not in _TEMPORARY:
                return None
            seen = Answer(status=answer.status, headers=headers)
            if answer.status in _TELLING:
                seen.body = await _peek(answer)
            data = json_of(seen.json_source()) if seen.body else NO_JSON
            asked = self._asked(seen, data)
            # A rejected request was not processed, so even a POST may be repeated.
            rejected = answer.status == 429 or (answer.status == 503 and asked is not None)
            if not (told or self.safe or rejected):
                return None
            if judge(seen, self.access.expect, lambda: data)[0] in _POINTLESS:
                return None
        return self._pause(asked, attempt)

    def _asked(self, seen: Answer, data: Any) -> float | None:
        readings, now = self.access.readings, self.clock.now()
        asked = readings.read(seen.status, seen.headers, lambda: data, now).retry_after
        return math.inf if asked is None and _is_absurd(seen.headers) else asked

    def _pause(self, asked: float | None, attempt: int) -> float | None:
        # after "0" the back-off applies: three attempts in one moment help nobody
        pause = self.target.retry_policy.delay(
            attempt, asked or None, longest=MAX_WAIT_SECONDS, jitter=self.jitter
        )
        if pause is None:
            return None
        if asked:  # those who were told the same must not come back in the same moment
            pause += self.jitter() * min(_MAX_SPREAD_SECONDS, pause / 10)
        self.waited += pause
        return pause if self.waited <= MAX_WAITS_SECONDS else None


def _told(headers: Mapping[str, str]) -> bool | None:
    """Return what the server says about another attempt; None if nothing."""
    for name in _SHOULD_RETRY:
        if (said := headers.get(name)) in ("true", "false"):
            return said == "true"
    return None


def _is_absurd(headers: Mapping[str, str]) -> bool:
    """Return whether a pause of thousands of years is asked for: none that ends is long enough."""
    for name in ("retry-after-ms", "retry-after"):
        with contextlib.suppress(ValueError):
            return float(headers.get(name, "")) > 0
    return False


async def _peek(answer: SilentResponse) -> bytes:
    """Return the body of *answer*, which can be read again; nothing if it is long or late."""
    content = answer.content
    try:
        async with asyncio.timeout(PEEK_SECONDS):
            await content.wait_eof()  # takes nothing out: what is not whole is left to the caller
        data = content.read_nowait()
    except (aiohttp.ClientError, TimeoutError, OSError):
        return b""
    loop = asyncio.get_running_loop()
    again = aiohttp.StreamReader(BaseProtocol(loop), limit=len(data), loop=loop)
    again.feed_data(data)
    again.feed_eof()
    answer.content = again
    return data
