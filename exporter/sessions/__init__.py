"""The user's own calls to a registered service: within its limits, repeated where that is safe.

`Sessions` makes a `ServiceSession` of a target, used like an aiohttp session. The key and the
additional headers go to the service's own origin only and are added last: no answer, exception or
log has them. aiohttp's exceptions quote URLs and headers, so a call raises `RequestFailed` instead.
Vendors' own clients get a transport (`transport`, which needs httpx2 or httpx and is imported only
for that).
"""

from exporter.sessions.calls import Calls
from exporter.sessions.exchange import Observe, RateLimiter
from exporter.sessions.session import Answering, ServiceSession
from exporter.sessions.sessions import Sessions
from exporter.sessions.wire import RequestFailed

__all__ = [
    "Answering",
    "Calls",
    "Observe",
    "RateLimiter",
    "RequestFailed",
    "ServiceSession",
    "Sessions",
]
