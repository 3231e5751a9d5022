"""What `check-config` says that checks of models will cost, before they cost it."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.cli.usage import counted
from exporter.config import Budget, Configuration, ModelCost, cap_of, cost_totals, model_costs
from exporter.config import shown_money as money

_MOST_LINES = 10
_WORTH_A_LINE = 10**10
"""A cent a month, in units of money."""


def cost_lines(configuration: Configuration) -> Iterator[str]:
    """Yield what checks of models cost a month at most; nothing without models.

    The first line is the sum, then one for each model if more than one costs a cent.
    """
    costs = model_costs(configuration.services)
    if not costs:
        return
    together = configuration.budgets.model_checks
    for currency, most in cost_totals(costs).items():
        number = sum(cost.currency == currency for cost in costs)
        what = f"at most {money(most, currency)} a month on their intervals" if most else "free"
        yield f"model checks: {counted(number, 'model')}, {what}{_cap(together, currency, most)}"
    dear = [cost for cost in costs if cost.a_month >= _WORTH_A_LINE]
    if len(dear) > 1:
        yield from map(_line, dear[:_MOST_LINES])
        if (others := len(dear) - _MOST_LINES) > 0:
            yield f"  and {counted(others, 'model')} more"


def _cap(together: Budget, currency: str, most: int) -> str:
    if not most:
        return ""
    if together.currency != currency:
        return f", not capped in all: budgets.model_checks is in {together.currency}"
    cap = cap_of(together)
    return ", not capped in all" if cap is None else f", capped at {money(cap, currency)}"


def _line(cost: ModelCost) -> str:
    each = f"{cost.checks:,} checks, at most {money(cost.each, cost.currency)} each"
    own = cap_of(cost.budget)
    capped = "" if own is None else f", its own budget {money(own, cost.currency)}"
    most = money(cost.a_month, cost.currency)
    return f"  {cost.model} of {cost.service}: at most {most} a month ({each}{capped})"
