"""Any order of messages ends where the true order does: found by hypothesis, beside an oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.incidents import IncidentStatus
from exporter.incidents.alerts import made
from exporter.incidents.model import SEVERITIES, Source
from exporter.incidents.states import GRACE
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, Json, Listener, alert, labels, listed, message

pytestmark = pytest.mark.usefixtures("storage_here")
ALERTS: tuple[dict[str, str], ...] = (
    {"severity": "high"},
    {"severity": "critical"},
    {"severity": "low", "cluster": "b"},
)
END = 12_000


@dataclass(frozen=True, slots=True)
class Spell:
    """One time in which an alert fired; *end* is None if it fires on."""

    about: int
    start: int
    end: int | None

    @property
    def labels(self) -> dict[str, str]:
        return ALERTS[self.about]

    def fires(self, at: float) -> bool:
        return self.start <= at and (self.end is None or at < self.end)

    def said(self, skew: float = 0.0) -> list[tuple[float, Json]]:
        """Return its messages and when they are sent."""
        start = NOW + self.start + skew
        found = [(float(self.start), alert(start, **self.labels))]
        if self.end is not None:
            end = NOW + self.end + skew
            found.append((float(self.end), alert(start, end, **self.labels)))
        return found


@st.composite
def truths(draw: st.DrawFn) -> list[Spell]:
    """Draw when each alert fires: times apart by more or less than the grace."""
    found = []
    for about in range(draw(st.integers(1, len(ALERTS)))):
        at = draw(st.integers(0, 20)) * 50
        for _ in range(draw(st.integers(0, 3))):
            end = at + draw(st.sampled_from((50, 100, 400, 900, 2000)))
            if end > END - 2000:
                break
            if draw(st.integers(0, 5)) == 5:
                found.append(Spell(about, at, None))
                break
            found.append(Spell(about, at, end))
            at = end + draw(st.sampled_from((100, 300, 600, 650, 1500, 3000)))
    return found


Outcome = list[tuple[float, float | None, tuple[str, ...]]]


def oracle(truth: Sequence[Spell]) -> Outcome:
    """Return start, end and severities reached of each incident."""
    found: list[tuple[float, float, set[str]]] = []
    for spell in sorted(truth, key=lambda one: one.start):
        end = float("inf") if spell.end is None else float(spell.end)
        if found and spell.start - found[-1][1] <= GRACE:
            start, until, reached = found[-1]
            found[-1] = (start, max(until, end), reached | {spell.labels["severity"]})
        else:
            found.append((float(spell.start), end, {spell.labels["severity"]}))
    return [
        (start, None if end == float("inf") else end, tuple(s for s in SEVERITIES if s in reached))
        for start, end, reached in found
    ]


async def outcome(log: Listener, skew: float = 0.0) -> Outcome:
    return [
        (
            one.started_at - NOW - skew,
            None if one.resolved_at is None else one.resolved_at - NOW - skew,
            one.reached,
        )
        for one in await log.all()
    ]


async def last_polls(log: Listener, truth: Sequence[Spell], skew: float = 0.0) -> None:
    """Have what fires at the end listed, as often as it takes to be sure."""
    for second in (END, END + 30):
        await log.to(second)
        await log.polls(
            *(listed(NOW + one.start + skew, **one.labels) for one in truth if one.end is None)
        )


async def check(log: Listener) -> None:
    """Assert what holds at every moment: one open at most, none beside another within reach."""
    found = await log.all()
    for former, later in pairwise(found):
        assert former.resolved_at is not None
        assert later.started_at > former.resolved_at
    for one in found:
        assert (one.resolved_at is None) == any(state.firing for state in one.alerts)
        assert one.severity == one.reached[0]
        assert one.resolved_at is None or one.resolved_at >= one.started_at


@given(st.data(), truths(), st.sampled_from((0, -300, 300)), st.integers(1, 4))
def test_any_order_ends_as_the_true_order(
    data: st.DataObject, truth: list[Spell], skew: int, together: int
) -> None:
    said = [one for spell in truth for _, one in spell.said(skew)]
    order = data.draw(st.permutations(said + said[: data.draw(st.integers(0, len(said)))]))

    async def run() -> None:
        log = Listener(clock=FakeClock(NOW + END))
        for begin in range(0, len(order), together):
            await log.log.receive(message(*order[begin : begin + together]))
            await check(log)
        await last_polls(log, truth, skew)

        assert await outcome(log, skew) == oracle(truth)

    asyncio.run(run())


@st.composite
def deliveries(
    draw: st.DrawFn, truth: list[Spell], skew: float, lossy: bool
) -> list[tuple[float, Json]]:
    """Draw when each message comes: late, more than once, or never."""
    found = []
    for spell in truth:
        for at, one in spell.said(skew):
            least = 0 if lossy else 1
            for _ in range(draw(st.integers(least, 2))):
                found.append((at + draw(st.sampled_from((0, 5, 40, 200, 700, 3000))), one))
    return found


async def live(
    log: Listener,
    truth: list[Spell],
    events: list[tuple[float, Json]],
    polls: list[int],
    skew: float = 0.0,
) -> None:
    """Let messages and polls come at their times."""
    waiting: list[tuple[float, Json | None]] = [*events, *((at + 1.0, None) for at in polls)]
    for at, one in sorted(waiting, key=lambda event: event[0]):
        await log.to(max(at, log.clock.now() - NOW))
        if one is not None:
            await log.log.receive(message(one))
        else:
            await log.polls(
                *(listed(NOW + s.start + skew, **s.labels) for s in truth if s.fires(at))
            )
        await check(log)


_polls = st.lists(st.integers(0, 300), max_size=30).map(lambda ns: sorted({n * 30 for n in ns}))


@given(st.data(), truths(), _polls)
def test_late_messages_among_polls_end_as_the_true_order(
    data: st.DataObject, truth: list[Spell], polls: list[int]
) -> None:
    events = data.draw(deliveries(truth, 0.0, lossy=False))

    async def run() -> None:
        log = Listener(clock=FakeClock(NOW))
        await live(log, truth, events, polls)
        await last_polls(log, truth)

        assert await outcome(log) == oracle(truth)

    asyncio.run(run())


@given(
    st.data(),
    truths(),
    _polls,
    st.sampled_from((0, -300, 300)),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 3), st.integers(0, 3)), max_size=5),
)
def test_nothing_stays_stuck_whatever_is_lost_and_done(
    data: st.DataObject,
    truth: list[Spell],
    polls: list[int],
    skew: int,
    deeds: list[tuple[int, int, int]],
) -> None:
    events = data.draw(deliveries(truth, float(skew), lossy=True))
    ended = [spell for spell in truth if spell.end is not None]
    backfilled = data.draw(st.lists(st.sampled_from(ended), max_size=3)) if ended else []

    async def do(log: Listener, what: int, which: int) -> None:
        found = await log.all()
        if what == 3 or not found:
            past = [
                made(labels(**s.labels), {}, NOW + s.start - 15, NOW + (s.end or 0))
                for s in backfilled
            ]
            await log.log.fold(past, Source.PROMETHEUS, log.clock.now())
            return
        one = found[which % len(found)]
        if what == 0 and one.status is not IncidentStatus.RESOLVED:
            await log.log.acknowledge(one.id, "ann")
        elif what == 1:
            await log.log.resolve(one.id, "bob")
        elif what == 2:
            await log.log.note(one.id, "cid", "seen")

    async def run() -> None:
        log = Listener(clock=FakeClock(NOW))
        begin = 0
        for at, what, which in [*sorted(deeds), (END - 1, 2, 0)]:
            now = [event for event in events if begin <= event[0] < at]
            await live(log, truth, now, [n for n in polls if begin <= n + 1 < at], float(skew))
            begin = at
            await do(log, what, which)
            await check(log)
        await last_polls(log, truth, float(skew))
        await check(log)

        open_ = [one for one in await log.all() if one.status is not IncidentStatus.RESOLVED]
        firing = [spell for spell in truth if spell.end is None]
        held = [one for one in await log.all() if one.by_person]
        reopens = [
            spell
            for spell in firing
            if not any(spell.start + skew <= (one.resolved_at or 0.0) - NOW for one in held)
        ]
        assert len(open_) <= 1
        assert not open_ or firing
        assert bool(open_) or not reopens

    asyncio.run(run())


async def test_an_end_that_polls_concluded_gives_way_to_the_true_one_in_the_past_too() -> None:
    """Once the alert fired anew, the end that two polls had concluded could not be corrected."""
    truth = [Spell(0, 0, 50), Spell(0, 150, 2150), Spell(0, 2800, 2850)]
    (first, second, third) = (spell.said() for spell in truth)
    late = (2850.0, second[1][1])
    log = Listener(clock=FakeClock(NOW))

    await live(log, truth, [*first, second[0], late, *third], [2220, 2250])
    await last_polls(log, truth)

    assert await outcome(log) == oracle(truth)
