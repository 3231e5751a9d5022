"""Any course of alerts and of deliveries: groups beside a model, and what a receiver believes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.notifying.book import Book
from exporter.notifying.groups import Group
from exporter.notifying.messages import in_order
from exporter.notifying.routes import group_of, route_of
from tests.notifying.stage import START, alert, said

STEP = 15.0
NAMES = ("a", "b", "c")
ALERTS = {name: alert(service=name, provider="acme", severity="low") for name in NAMES}
"""One group: by alertname, environment, provider; 5 minutes, 30 minutes, 24 hours."""
ROUTE = route_of(ALERTS["a"].labels)
assert ROUTE is not None
KEY = group_of(ROUTE, ALERTS["a"].labels)
# Each step lasts for a number of evaluations.
COURSE = st.lists(
    st.tuples(st.sets(st.sampled_from(NAMES)), st.integers(min_value=1, max_value=150)),
    max_size=12,
)


@dataclass
class Model:
    """Alertmanager 0.25 for one group and a receiver that always takes: run and needsUpdate."""

    told: set[str] = field(default_factory=set)
    due: float | None = None
    sent: float = 0.0
    messages: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)

    def look(self, firing: set[str], now: float) -> None:
        if self.due is None:
            if not firing:
                return
            self.due = now + ROUTE.wait  # type: ignore[union-attr]
        if now < self.due:
            return
        self.due += ROUTE.interval  # type: ignore[union-attr]
        ended = self.told - firing
        is_repeat = bool(firing) and now - self.sent > ROUTE.repeat  # type: ignore[union-attr]
        if firing - self.told or ended or is_repeat:
            told = {f"+{name}" for name in firing} | {f"-{name}" for name in ended}
            self.messages.append((now, tuple(sorted(told))))
            self.told, self.sent = set(firing), now
        if not firing:
            self.due = None  # an empty group is removed; the next alert begins a new one


class Drive:
    """A book with one entry, step by step."""

    def __init__(self) -> None:
        self.book, self.tick = Book(), 1000.0
        self.firing: set[str] = set()

    @property
    def now(self) -> float:
        return START + self.tick - 1000.0

    def look(self, firing: set[str], suppressed: frozenset[str] = frozenset()) -> None:
        for name in firing:
            began = replace(ALERTS[name], starts_at=self.now)
            one = replace(began, suppressed="inhibited" if name in suppressed else "")
            self.book.add(one, KEY, "hook", self.tick, self.now)
        for name in self.firing - firing:
            self.book.end(ALERTS[name].fingerprint, self.tick, self.now)
        self.firing = set(firing)
        for group in list(self.book.groups.values()):
            if group.due <= self.tick:
                self.book.flush(group, self.tick, self.now)

    @property
    def group(self) -> Group | None:
        return self.book.groups.get(("hook", KEY.text))

    def deliver(self) -> tuple[str, ...] | None:
        """Have what waits received; return what it said."""
        group = self.group
        if group is None or group.waiting is None:
            return None
        message = group.waiting.message
        self.book.done(group, group.waiting, sent=True, tick=self.tick, now=self.now)
        return said(message.alerts)


@given(COURSE)
def test_a_receiver_that_works_is_told_what_alertmanager_tells(
    course: list[tuple[set[str], int]],
) -> None:
    drive, model = Drive(), Model()
    ours = []
    for firing, steps in [*course, (set[str](), 200)]:
        for _ in range(steps):
            model.look(firing, drive.now)
            drive.look(firing)
            if (told := drive.deliver()) is not None:
                ours.append((drive.now, told))
            drive.tick += STEP

    assert ours == model.messages
    assert drive.book.groups == {}
    assert drive.book._members == {}


TRIES = st.lists(st.sampled_from(["taken", "lost", "unheard", "refused", "none", "killed"]))


@given(COURSE, TRIES, st.sets(st.sampled_from(NAMES)))
def test_whatever_happens_to_messages_a_receiver_ends_with_the_truth(
    course: list[tuple[set[str], int]], tries: list[str], suppressed: set[str]
) -> None:
    """*unheard*: taken, but the answer was lost; *lost*: not taken, and that is not known."""
    drive, believes = Drive(), dict[str, bool]()
    fates, held = iter(tries), frozenset(suppressed)

    def receive() -> None:
        group = drive.group
        assert group is not None
        assert group.waiting is not None
        for one in group.waiting.message.alerts:
            believes[one.labels["service"]] = one.firing

    for number, (firing, steps) in enumerate(course):
        for _ in range(steps):
            drive.look(firing, held if number % 2 else frozenset())
            group = drive.group
            if group is not None and (waiting := group.waiting) is not None:
                fate = next(fates, "none")
                if fate in ("taken", "unheard", "killed"):
                    receive()
                if fate == "taken":
                    drive.deliver()
                waiting.begun |= fate in ("unheard", "lost", "killed")
                if fate == "killed":
                    drive = restarted(drive)
            drive.tick += STEP
    last = course[-1][0] if course else set()
    for _ in range(300):  # less than the repeat, which would mend a lie
        drive.look(last)
        group = drive.group
        if group is not None and group.waiting is not None:
            receive()
            drive.deliver()
        drive.tick += STEP

    assert {name for name, firing in believes.items() if firing} == last


def restarted(former: Drive) -> Drive:
    """Return a process that knows what the killed one had written."""
    drive = Drive()
    drive.tick = former.tick
    written = kept_of(former.book)
    drive.book.restore(written, {"hook"}, drive.tick, drive.now)
    drive.firing = {one.labels["service"] for one in drive.book.current.values()}
    return drive


def kept_of(book: Book) -> tuple[list, list]:  # type: ignore[type-arg]
    """Return the rows of everything that *book* would have written so far."""
    from exporter.notifying.kept import Changes, Note

    whole = Changes()
    for group in book.groups.values():
        if group.waiting is not None:
            whole.outbox["hook", group.key.text] = group.waiting.message
        for fingerprint, told in group.told.items():
            note = Note(told, told.at, group.ends.get(fingerprint))
            whole.told["hook", fingerprint] = note
    rows = whole.written()
    return rows.outbox, rows.told


@pytest.mark.parametrize(
    "labels",
    [
        [{"a": "1"}, {"a": "1", "b": "1"}],
        [{"b": "1"}, {"a": "1"}],
        [{"a": "1", "c": "2"}, {"a": "2", "b": "1"}],
        [{"job": "a", "x": "1", "y": "1"}, {"job": "b"}, {"instance": "a"}, {"instance": "b"}],
        [{"job": "a", "instance": "b"}, {"job": "a"}, {"instance": "a"}],
    ],
)
def test_alerts_are_in_alertmanagers_order(labels: list[dict[str, str]]) -> None:
    """As types.AlertSlice sorts them; a running Alertmanager confirms it elsewhere."""
    expected = [alert(one) for one in labels]

    assert list(in_order(reversed(expected))) == expected
