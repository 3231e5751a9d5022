"""The user's own calls to a registered service: within its limits, repeated where that is safe.

`Sessions` makes a `ServiceSession` of a target, used like an aiohttp session. The key and the
additional headers go to the service's own origin only and are added last: no answer, exception or
log has them. aiohttp's exceptions quote URLs and headers, so a call raises `RequestFailed` instead.
"""

from exporter.sessions.session import Answering, Observe, RateLimiter, ServiceSession, Sessions
from exporter.sessions.wire import RequestFailed

__all__ = ["Answering", "Observe", "RateLimiter", "RequestFailed", "ServiceSession", "Sessions"]
