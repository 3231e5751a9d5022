"""What checks of models will cost a month at most, before they cost it; and what a budget refuses.

A month has 31 days, each check its whole reserve: the prompt's bytes as tokens, and the longest
answer. Checks on doubt, after a failure of the service's own check, come on top of those on the
interval; a budget holds for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Protocol

from exporter.config.declarations import Service
from exporter.config.models import UNITS, Budget, terms_of
from exporter.providers import presets
from exporter.settings import Problem, build

DAY_SECONDS = 86_400.0
MONTH_DAYS = 31


class Declaration(Protocol):
    """A service as a file declares it."""

    @property
    def raw(self) -> dict[str, Any]: ...
    @property
    def source(self) -> str: ...
    @property
    def line(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What the checks of one model may cost; money is in `UNITS` of the currency."""

    service: str
    model: str
    place: str
    """Of the model in the declaration of its service."""
    currency: str
    interval: float
    each: int
    """The most that one check may cost."""
    budget: Budget | None

    @property
    def checks(self) -> int:
        """How many are made on the interval in a month."""
        return ceil(MONTH_DAYS * DAY_SECONDS / self.interval)

    @property
    def a_day(self) -> int:
        """The most on the interval in a day, within the model's own budget."""
        most = ceil(DAY_SECONDS / self.interval) * self.each
        own = self.budget.day if self.budget else None
        return most if own is None else min(most, int(own * UNITS))

    @property
    def a_month(self) -> int:
        """The most on the interval in a month, within the model's own budget."""
        most = self.checks * self.each
        cap = cap_of(self.budget)
        return most if cap is None else min(most, cap)


def cap_of(budget: Budget | None) -> int | None:
    """Return the most that *budget* lets a month cost; None if it sets no limit."""
    if budget is None:
        return None
    caps = [] if budget.month is None else [int(budget.month * UNITS)]
    caps += [] if budget.day is None else [int(budget.day * UNITS) * MONTH_DAYS]
    return min(caps, default=None)


def model_costs(services: Iterable[Declaration]) -> list[ModelCost]:
    """Return what the models of *services* may cost, the dearest first; they must be valid.

    A model that is switched off costs nothing and is left out, as is one without a price.
    """
    found = [cost for declared in services for cost in _costs(declared.raw)]
    return sorted(found, key=lambda cost: (-cost.a_month, cost.service, cost.model))


def _costs(raw: dict[str, Any]) -> Iterator[ModelCost]:
    if not raw.get("models") or not raw.get("enabled", True):
        return
    service: Service = build(Service, raw)
    preset = presets().get(service.provider)
    for index, check in enumerate(service.models):
        terms = terms_of(check, preset) if check.enabled else None
        if terms is not None:
            yield ModelCost(
                service=service.id,
                model=check.id,
                place=f"models[{index}]",
                currency=terms.currency,
                interval=check.interval,
                each=terms.reserve,
                budget=check.budget,
            )


def cost_totals(costs: Iterable[ModelCost]) -> Mapping[str, int]:
    """Return by currency what all of *costs* may be in a month, not counting the common budget."""
    sums: dict[str, int] = {}
    for cost in costs:
        sums[cost.currency] = sums.get(cost.currency, 0) + cost.a_month
    return sums


def cost_warnings(services: Iterable[Declaration], together: Budget) -> Iterator[Problem]:
    """Yield where a budget is too small for what is asked for: checks will be skipped."""
    holders = [declared for declared in services if declared.raw.get("models")]
    costs = []
    for declared in holders:
        for cost in _costs(declared.raw):
            costs.append(cost)
            free = replace(cost, budget=None)
            for period, what in _lacks(cost.each, free.a_day, free.a_month, cost.budget):
                where = f"{cost.service}.{cost.place}.budget.{period}"
                yield Problem(declared.source, declared.line, where, what)
    counted = [cost for cost in costs if cost.currency == together.currency]
    each = max((cost.each for cost in counted), default=0)
    day, month = sum(cost.a_day for cost in counted), sum(cost.a_month for cost in counted)
    for period, what in _lacks(each, day, month, together):
        yield Problem(holders[0].source, 0, f"budgets.model_checks.{period}", what)


def _lacks(each: int, day: int, month: int, budget: Budget | None) -> Iterator[tuple[str, str]]:
    if budget is None:
        return
    for period, most, limit in (("day", day, budget.day), ("month", month, budget.month)):
        if limit is None:
            continue
        if each > limit * UNITS:
            what = f"one check may cost {shown_money(each, budget.currency)}: it is never sent"
            yield period, what
        elif most > limit * UNITS:
            cost = f"{shown_money(most, budget.currency)} a {period}"
            yield period, f"checks on their intervals may cost {cost}: some may be skipped"


def shown_money(units: int, currency: str) -> str:
    """Return an amount in `UNITS` as `4.31 USD`; what is less than a cent to three digits.

    >>> shown_money(4_310_000_000_000, "USD"), shown_money(52_500_000, "EUR")
    ('4.31 USD', '0.0000525 EUR')
    """
    value = units / UNITS
    if value >= 0.01:
        return f"{value:,.2f} {currency}"
    digits = f"{float(f'{value:.3g}'):.15f}".rstrip("0").rstrip(".") if value else "0"
    return f"{digits} {currency}"
