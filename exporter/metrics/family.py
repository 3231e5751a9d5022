"""One metric family of services: name, type, help, what renders its lines and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from exporter.metrics.kept import PLACE
from exporter.metrics.lines import Registered, ServiceState, Snapshot, Writer
from exporter.results import Exemplar, Tally

MetricType = Literal["gauge", "counter", "histogram"]


class When(Enum):
    """What makes the lines of a family change."""

    TARGET = "a changed target"
    STATE = "a result unlike the one before"
    RESULT = "every result"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family of every service."""

    name: str
    kind: MetricType
    help: str
    when: When
    render: Callable[[Snapshot], str]
    exemplars: Callable[[Tally], dict[str, Exemplar]] | None = None
    """Finds the request ids that its lines have as exemplars, by the last label of a line."""


def of_target(name: str, kind: MetricType, text: str, writer: Writer[Registered]) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.TARGET, lambda s: render(PLACE, s.registered))


def of_state(name: str, kind: MetricType, text: str, writer: Writer[ServiceState]) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.STATE, lambda s: render(PLACE, s.state))


def of_result(
    name: str,
    kind: MetricType,
    text: str,
    writer: Writer[Snapshot],
    *,
    exemplars: Callable[[Tally], dict[str, Exemplar]] | None = None,
) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.RESULT, lambda s: render(PLACE, s), exemplars)
