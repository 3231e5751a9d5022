"""What is too old goes, and a Prometheus that keeps less than was asked for is logged."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import pytest

from exporter.config import Configuration, Monitoring
from exporter.incidents.peers import retention_seconds
from exporter.results import Retention
from tests.fakes import FakeClock

DAY = 86_400.0


@dataclass
class Shelf:
    """Notes what is asked of the storage; *left* are the numbers that `prune` returns."""

    history: list[float] = field(default_factory=list)
    incidents: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    kept: float | None = None
    last: float | None = None

    def newest(self) -> float | None:
        return self.last

    def prune_history(self, before: float) -> None:
        self.history.append(before)

    def prune(self, before: float) -> int:
        self.incidents.append(before)
        return self.left.pop(0) if self.left else 0

    async def retention(self) -> float | None:
        return self.kept


def _monitoring(days: int) -> Monitoring:
    """Return settings by which incidents are kept twice as long as the rest."""
    return replace(Monitoring(), metrics_retention_days=days, incident_retention_days=2 * days)


def retention(
    shelf: Shelf, clock: FakeClock, *, days: int = 0, volatile: bool = False
) -> Retention:
    made = Retention(shelf, shelf, shelf.retention, clock, volatile=volatile)
    if days:
        made.follow(Configuration(monitoring=_monitoring(days)))
    return made


async def test_history_and_incidents_are_kept_as_long_as_the_setting_says() -> None:
    shelf, clock = Shelf(left=[1000, 7]), FakeClock()

    await retention(shelf, clock, days=40).prune()

    assert shelf.history == [clock.now() - 40 * DAY]
    assert shelf.incidents == [clock.now() - 80 * DAY] * 3


async def test_in_memory_a_day_of_history_is_enough() -> None:
    shelf, clock = Shelf(), FakeClock()

    await retention(shelf, clock, volatile=True).prune()

    assert shelf.history == [clock.now() - DAY]
    assert shelf.incidents == [clock.now() - 400 * DAY]


@pytest.mark.parametrize(("volatile", "days"), [(False, 400), (True, 1)])
async def test_minutes_are_kept_400_days_and_in_memory_one(volatile: bool, days: int) -> None:
    shelf, minutes, clock = Shelf(), Shelf(), FakeClock()
    made = Retention(shelf, shelf, shelf.retention, clock, volatile=volatile, minutes=minutes)

    await made.prune()

    assert minutes.incidents == [clock.now() - days * DAY]


@pytest.mark.parametrize(
    ("kept", "warned"), [(15 * DAY, True), (100 * DAY, False), (400 * DAY, False), (None, False)]
)
async def test_a_prometheus_that_keeps_less_is_logged_once(
    kept: float | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    made = retention(Shelf(kept=kept), FakeClock())

    for _ in range(3):
        await made.compare()

    messages = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(messages) == warned
    if warned:
        assert messages[0].fields["wanted"] == "--storage.tsdb.retention.time=100d"  # type: ignore[attr-defined]
        assert messages[0].fields["days"] == 15.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15d", 15 * DAY),
        ("1y", 365 * DAY),
        ("100d", 100 * DAY),
        ("14w2d", 100 * DAY),
        ("1h30m", 5400.0),
        ("15d or 512MiB", 15 * DAY),
        ("512MiB", None),
        ("", None),
        ("for ever", None),
    ],
)
def test_prometheus_own_words_for_its_retention(text: str, seconds: float | None) -> None:
    assert retention_seconds(text) == seconds
