"""What is spent on checks of models never passes a cap, wherever the process dies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import UNITS, Budget, ModelTarget
from exporter.models import Spending, accounts_of
from exporter.models.spending import BELIEVED, Scope, cost_of
from exporter.store import Store
from exporter.streams import Usage
from tests.config.test_models import model
from tests.fakes import FakeClock

NOW = 1_800_000_000.0
DAY = 86_400.0
TOGETHER = Budget(day=1.0, month=10.0)


def target(**check: Any) -> ModelTarget:
    return model("openai", "gpt-4o", **check)


def spending() -> Spending:
    return Spending(Store.in_memory(FakeClock(NOW)).model_spend)


def total(book: Spending, one: ModelTarget) -> int:
    return book.read("a", one, TOGETHER, NOW)[0]


def left(book: Spending, one: ModelTarget, together: Budget, now: float) -> float | None:
    """Return what is left by all that was read at the Unix time *now*."""
    book.learn(book.read("a", one, together, now)[1], now)
    return book.remaining("a", one, together, now)


def test_a_check_is_paid_by_its_own_count() -> None:
    one, book = target(), spending()

    got = book.reserve("a", one, TOGETHER, NOW)
    assert isinstance(got, int)
    cost = cost_of(one, Usage(input=10, output=5))
    book.settle(got, cost)

    assert cost == 10 * one.input_price + 5 * one.output_price
    assert total(book, one) == cost
    assert left(book, one, TOGETHER, NOW) == pytest.approx(1 - cost / UNITS)


@pytest.mark.parametrize("usage", [Usage(), Usage(input=3), Usage(output=3)])
def test_what_nobody_counted_costs_its_whole_reserve(usage: Usage) -> None:
    assert cost_of(target(), usage) == target().reserve


@pytest.mark.parametrize(
    ("own", "together", "scope"),
    [
        (Budget(day=0.0), Budget(), Scope.MODEL),
        (Budget(month=0.0), Budget(), Scope.MODEL),
        (None, Budget(day=0.0), Scope.ALL),
        (Budget(day=5.0), Budget(month=0.0), Scope.ALL),
    ],
)
def test_whose_budget_is_used_up_is_said(
    own: Budget | None, together: Budget, scope: Scope
) -> None:
    raw = None if own is None else {"day": own.day, "month": own.month}
    one, book = target(budget=raw), spending()

    assert book.reserve("a", one, together, NOW) is scope
    assert total(book, one) == 0


def test_a_new_day_has_room_again_and_the_month_goes_on() -> None:
    one, book = target(max_tokens=4000), spending()
    tight = Budget(day=1.5 * one.reserve / UNITS, month=2.5 * one.reserve / UNITS)

    got = [book.reserve("a", one, tight, NOW + day * DAY) for day in (0, 0, 1, 2)]

    assert [isinstance(one, int) for one in got] == [True, False, True, False]
    assert got[1] is got[3] is Scope.ALL


def test_a_new_day_or_month_has_its_share_without_a_look_at_the_ledger() -> None:
    one, book = target(), spending()
    tight = Budget(day=2 * one.reserve / UNITS, month=4 * one.reserve / UNITS)
    assert isinstance(book.reserve("a", one, tight, NOW), int)

    assert left(book, one, tight, NOW) == pytest.approx(0.5)
    midnight = NOW // DAY * DAY + DAY
    assert book.remaining("a", one, tight, midnight - 1) == pytest.approx(0.5)
    assert book.remaining("a", one, tight, midnight) == pytest.approx(0.75)  # of the month
    assert book.remaining("a", one, tight, midnight + 31 * DAY) == 1
    assert book.remaining("a", one, tight, NOW) == pytest.approx(0.5)  # the clock went back


def test_what_one_model_spends_is_missing_to_the_others_at_once() -> None:
    one, other, book = target(), model("openai", "gpt-4.1"), spending()
    tight = Budget(day=2 * one.reserve / UNITS)
    assert left(book, other, tight, NOW) == 1
    assert isinstance(book.reserve("a", one, tight, NOW), int)

    assert left(book, one, tight, NOW) == pytest.approx(0.5)
    assert book.remaining("a", other, tight, NOW) == pytest.approx(0.5)


def test_what_is_known_of_past_days_goes() -> None:
    one, book = target(budget={"day": 1, "month": 9}), spending()
    for day in range(60):
        assert isinstance(book.reserve("a", one, TOGETHER, NOW + day * DAY), int)
        left(book, one, TOGETHER, NOW + day * DAY)

    assert len(book._known) == 4


@pytest.mark.parametrize(
    ("usage", "units"),
    [
        (Usage(input=10, output=5, cost=0.00002), 20_000_000),
        (Usage(cost=0.00002), 20_000_000),
        (Usage(cost=0.0), 0),
        (Usage(cost=1e-13), 1),
        (Usage(cost=50_000.0), UNITS),
        (Usage(input=10, output=5), 10 * 1_000_000 + 5 * 2_000_000),
    ],
)
def test_what_an_answer_says_it_cost_is_the_bill_where_the_currency_is_known(
    usage: Usage, units: int
) -> None:
    price = {"input": 1, "output": 2}
    assert cost_of(model("openrouter", "x/y", price=price), usage) == units


@pytest.mark.parametrize(
    "other",
    [
        model("openai", "gpt-4o", price={"input": 1, "output": 2}),
        model("openrouter", "x/y", price={"input": 1, "output": 2, "currency": "EUR"}),
    ],
)
def test_a_cost_in_no_known_currency_is_not_the_bill(other: ModelTarget) -> None:
    assert cost_of(other, Usage(input=10, output=5, cost=77.0)) == 20_000_000
    assert cost_of(other, Usage(cost=77.0)) == other.reserve


@pytest.mark.parametrize(
    "usage", [Usage(input=10**8, output=10**8), Usage(input=10**8, output=0, cost=1e6)]
)
def test_an_absurd_count_does_not_use_up_the_budget_of_all(usage: Usage) -> None:
    dear = target(price={"input": 1e6, "output": 1e6})
    for one in (target(), dear):
        assert cost_of(one, usage) == BELIEVED * one.reserve


@pytest.mark.parametrize("usage", [Usage(input=0, output=0), Usage(input=0, output=5)])
def test_a_prompt_of_no_tokens_is_no_count(usage: Usage) -> None:
    one = target()

    assert cost_of(one, usage) == one.reserve


def test_what_costs_nothing_is_asked_with_no_budget_at_all() -> None:
    free, book = target(price={"input": 0, "output": 0}), spending()
    nothing = Budget(day=0.0, month=0.0)

    for _ in range(3):
        got = book.reserve("a", free, nothing, NOW)
        assert isinstance(got, int)
        book.settle(got, cost_of(free, Usage(input=10**8, output=10**8)))
    assert total(book, free) == 0
    assert left(book, free, nothing, NOW) == 0


def test_a_clock_that_goes_back_over_midnight_gives_no_budget_twice() -> None:
    one, book = target(), spending()
    tight = Budget(day=1.5 * one.reserve / UNITS, month=2.5 * one.reserve / UNITS)
    midnight = NOW // DAY * DAY
    times = (-1, 1, -1, 1, 3 * DAY)

    got = [isinstance(book.reserve("a", one, tight, midnight + at), int) for at in times]

    assert got == [True, True, False, False, False]  # both days are used up, then the month


def test_budgets_of_another_currency_do_not_hold() -> None:
    euro = target(price={"input": 1, "output": 1, "currency": "EUR"})

    assert accounts_of("a", euro, TOGETHER, NOW) == ()


class Vendor:
    """Counts what a vendor really takes: nothing of this is known to a process that died."""

    def __init__(self) -> None:
        self.taken = 0

    def answer(self, one: ModelTarget, used: float) -> Usage:
        usage = Usage(input=int(one.most_input * used), output=int(one.max_tokens * used))
        self.taken += cost_of(one, usage)
        return usage


_events = st.lists(
    st.tuples(
        st.sampled_from(["good", "no count", "dies before", "dies after", "refused"]),
        st.floats(0, 1),
        st.integers(0, 7200),
    ),
    max_size=60,
)


@given(_events, st.floats(0.5, 20))
@settings(max_examples=200, deadline=None)
def test_no_order_of_crashes_passes_a_cap(
    events: list[tuple[str, float, int]], checks: float
) -> None:
    one, now, vendor = target(), NOW, Vendor()
    cap = Budget(day=checks * one.reserve / UNITS, month=2 * checks * one.reserve / UNITS)
    store = Store.in_memory(FakeClock(NOW))
    days: dict[str, int] = {}
    for kind, used, pause in events:
        book, now = Spending(store.model_spend), now + pause
        got = book.reserve("a", one, cap, now)
        if not isinstance(got, int):
            continue
        before = vendor.taken
        if kind != "dies before":
            usage = vendor.answer(one, used) if kind != "refused" else Usage()
            if kind == "good":
                book.settle(got, cost_of(one, usage))
            elif kind == "no count":
                book.settle(got, cost_of(one, Usage()))
            elif kind == "refused":
                book.settle(got, 0)
        if kind.startswith("dies"):
            store.model_spend.settle_open()
        (day,) = {a.name[:10] for a in accounts_of("a", one, cap, now) if a.name[10] == " "}
        days[day] = days.get(day, 0) + vendor.taken - before

    assert cap.day is not None
    assert cap.month is not None
    assert max(days.values(), default=0) <= cap.day * UNITS
    assert vendor.taken <= cap.month * UNITS
    assert total(Spending(store.model_spend), one) >= vendor.taken


def test_a_restart_settles_what_was_open_and_forgets_nothing(tmp_path: Path) -> None:
    one, clock = target(), FakeClock(NOW)
    store = Store.open(tmp_path / "data", clock, None)
    got = Spending(store.model_spend).reserve("a", one, TOGETHER, NOW)
    assert isinstance(got, int)
    store.close()

    store = Store.open(tmp_path / "data", clock, None)
    book = Spending(store.model_spend)
    assert total(book, one) == one.reserve
    assert left(book, one, TOGETHER, NOW) == pytest.approx(1 - one.reserve / UNITS)
    assert store.model_spend.settle_open() == 0
    store.model_spend.settle(got, 7)
    assert total(book, one) == one.reserve
    store.close()
