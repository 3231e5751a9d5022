"""How a probe is made: a prober gets an `Endpoint` and returns an `Outcome`.

It does not know services, intervals, retries or metrics. Below it is the `Transport` protocol:
`curl` is the engine in use; another engine would be one more package with the same `fetch`.
"""

from exporter.probers.dispatch import Probers, command_line
from exporter.probers.endpoint import Endpoint, Expectations, Prober
from exporter.probers.evidence import shown_evidence
from exporter.probers.transport import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    Answer,
    Request,
    Transport,
)

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_HEADERS",
    "MAX_HEAD_BYTES",
    "Answer",
    "Endpoint",
    "Expectations",
    "Prober",
    "Probers",
    "Request",
    "Transport",
    "command_line",
    "shown_evidence",
]
