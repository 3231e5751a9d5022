"""A page of many models and incidents is made in pieces, each of which holds the loop briefly."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from exporter.incidents.model import Row
from exporter.metrics import Exposition, IncidentMetrics, OwnMetrics
from exporter.metrics.exposition import PLAIN_CHUNK_BYTES
from exporter.metrics.models import model_pieces
from exporter.metrics.starts import PIECE_BYTES
from exporter.models import ModelStates
from exporter.registry import Registry
from exporter.results import Results
from tests.fakes import service_target
from tests.metrics.test_incidents import A, counts
from tests.scripted_models import answered, model

ONE = 4096
"""More than the lines of one model or service in one family."""


def many_models(number: int = 150) -> ModelStates:
    states = ModelStates()
    models = tuple(model(f"m{n}") for n in range(number))
    states.put(replace(service_target("a"), models=models))
    for at, state in enumerate(states):
        state.add(answered(0.5)(1000.0 + at))
    return states


def many_incidents(number: int = 300) -> IncidentMetrics:
    rows = [(f"s{n}", A[1], A[2]) for n in range(number)]
    registry = Registry()
    registry.replace(service_target(row[0]) for row in rows)
    incidents = IncidentMetrics(registry)
    incidents.show(counts(*rows))
    return incidents


@pytest.mark.parametrize("began", [None, 5.0], ids=["", "starts"])
@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_no_piece_is_long_however_much_there_is(openmetrics: bool, began: float | None) -> None:
    incidents = many_incidents()
    models = many_models()
    for pieces in (
        [*incidents.pieces(openmetrics=openmetrics, began=began)],
        [*model_pieces(models, openmetrics=openmetrics, began=began)],
    ):
        assert max(map(len, pieces)) < PIECE_BYTES + ONE
        assert sum(map(len, pieces)) > 10 * PIECE_BYTES


async def test_a_client_that_reads_nothing_gets_a_short_piece_of_them() -> None:
    exposition = Exposition(Results(), OwnMetrics("1"), many_incidents(), models=many_models())

    sent = [len(chunk) async for chunk in exposition.chunks()]

    assert max(sent) < PLAIN_CHUNK_BYTES + PIECE_BYTES + ONE
    assert sum(sent) > 10 * PLAIN_CHUNK_BYTES


class Slow(frozenset[Row]):
    """Rows of which the last is written only when *go* is set."""

    def __new__(cls, rows: Sequence[Row], begun: threading.Event, go: threading.Event) -> Slow:
        self = super().__new__(cls, rows)
        self.begun, self.go = begun, go
        return self

    def __iter__(self) -> Iterator[Row]:
        rows = [*super().__iter__()]
        yield from rows[:-1]
        self.begun.set()
        assert self.go.wait(30)
        yield rows[-1]


async def test_a_page_waits_for_no_rows_of_the_log_that_are_being_written() -> None:
    incidents = many_incidents(3)
    begun, go = threading.Event(), threading.Event()
    rows = [(f"s{n}", A[1], A[2]) for n in range(3)]
    changed = replace(counts(*rows), changed=Slow(rows, begun, go))
    writer = threading.Thread(target=incidents.show, args=(changed,), daemon=True)
    page: list[bytes] = []
    reader = threading.Thread(
        target=lambda: page.extend(incidents.pieces(openmetrics=False)), daemon=True
    )
    writer.start()
    assert begun.wait(30)

    reader.start()
    reader.join(15)

    came = bool(page)
    go.set()
    writer.join(30)
    reader.join(15)
    assert came
