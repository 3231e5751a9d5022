"""Exemplars: the request ids of the newest failures and slow answers, for OpenMetrics.

Prometheus stores at most 128 characters of an exemplar's label, its name included, and drops a
longer one without a word; its storage is one ring for all series, so only what somebody would look
at is offered (storage/exemplar.go of Prometheus 2.42 to 3.16).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from exporter.config import Target
from exporter.model import Reason, Result

KEPT_SECONDS = 900.0
"""So long one is offered: longer than any scrape interval that is in use."""
SLOW_SECONDS = 1.0
"""An answer that took longer is slow, where no latency objective says otherwise."""
# 118 characters at most: 128 without those of `request_id` itself.
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,117}")


class Exemplar(NamedTuple):
    """One result as an example of its series; `at` is the Unix time of its start."""

    request_id: str
    value: float
    at: float


Exemplars = dict[Reason | int, Exemplar]
"""The newest of each reason, and of each bucket of the latency by its index."""


def is_slow(result: Result, target: Target) -> bool:
    """Return whether an answer took longer than the objective of *target* allows, or a second."""
    objective = target.objectives.latency
    most = objective.threshold if objective is not None else SLOW_SECONDS
    return result.outcome.duration > most and result.outcome.measured


def noted(
    known: Exemplars | None, result: Result, target: Target, bounds: Sequence[float]
) -> Exemplars | None:
    """Return *known* with *result*, if it failed or was slow, and without those that are too old.

    *bounds* are those of the buckets of the latency. An exemplar from a time that is yet to come is
    dropped too: the clock was set back, and Prometheus would take no other of its series until
    then.
    """
    kept = {
        key: one for key, one in (known or {}).items() if 0 <= result.at - one.at <= KEPT_SECONDS
    }
    seconds, request_id = result.outcome.duration, result.outcome.request_id
    if _TOKEN.fullmatch(request_id):
        if not result.success:
            kept[result.reason] = Exemplar(request_id, 1.0, result.at)
        elif is_slow(result, target):
            kept[bisect_left(bounds, seconds)] = Exemplar(request_id, seconds, result.at)
    return kept or None
