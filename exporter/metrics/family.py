"""One metric family of services: name, type, help, what renders its lines and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from exporter.config import Target
from exporter.metrics.kept import PLACE, packed
from exporter.metrics.lines import PageWriter, ServiceState, Snapshot, Writer
from exporter.results import Exemplar, Tally

MetricType = Literal["gauge", "counter", "histogram"]


class When(Enum):
    """What makes the lines of a family change."""

    TARGET = "a changed target"
    STATE = "a result unlike the one before"
    RESULT = "every result"
    PAGE = "every page: long lines that nearly every result changes are not worth keeping"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family of every service."""

    name: str
    kind: MetricType
    help: str
    when: When
    render: Callable[[Snapshot], bytes]
    """Returns the lines as they are `kept`."""
    exemplars: Callable[[Tally], dict[str, Exemplar]] | None = None
    """Finds the request ids that its lines have as exemplars, by the last label of a line."""


def of_target(name: str, kind: MetricType, text: str, writer: Writer[Target]) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.TARGET, lambda s: packed(render(PLACE, s.target)))


def of_state(name: str, kind: MetricType, text: str, writer: Writer[ServiceState]) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.STATE, lambda s: packed(render(PLACE, s.state)))


def of_result(name: str, kind: MetricType, text: str, writer: Writer[Snapshot]) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.RESULT, lambda s: packed(render(PLACE, s)))


def of_page(
    name: str,
    kind: MetricType,
    text: str,
    writer: PageWriter,
    exemplars: Callable[[Tally], dict[str, Exemplar]],
) -> Family:
    render = writer(name)
    return Family(name, kind, text, When.PAGE, lambda s: render(s.tally), exemplars)
