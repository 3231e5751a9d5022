"""How a probe is made. A prober sees an `Endpoint` and returns an `Outcome`, nothing else.

It knows no service, interval, retry or metric. `Transport` is the seam below: `curl` is the
engine in use; another engine is one more package with the same `fetch`.
"""

from exporter.probers.dispatch import Probers, command_line
from exporter.probers.endpoint import Endpoint, Expectations, Prober
from exporter.probers.transport import (
    MAX_BODY,
    MAX_HEAD,
    MAX_HEADERS,
    Answer,
    Request,
    Transport,
)

__all__ = [
    "MAX_BODY",
    "MAX_HEAD",
    "MAX_HEADERS",
    "Answer",
    "Endpoint",
    "Expectations",
    "Prober",
    "Probers",
    "Request",
    "Transport",
    "command_line",
]
