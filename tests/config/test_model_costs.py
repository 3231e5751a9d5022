"""What checks of models cost a month at most, and budgets that are too small for them."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config import (
    UNITS,
    Configuration,
    cap_of,
    cost_totals,
    make_target,
    model_costs,
    read_text,
    shown_money,
)

KEY = "sk-0123456789012345678901234567890123456789"


def read(models: str, rest: str = "", **service: Any) -> Configuration:
    """Return a configuration of one service with *models*."""
    fields = "".join(f"    {name}: {value}\n" for name, value in service.items())
    text = f"services:\n  - id: shop\n    provider: openai\n    api_key: {KEY}\n{fields}"
    return read_text(f"{text}    models: [{models}]\n{rest}", "x.yaml", {})


def test_a_month_is_its_checks_at_their_whole_reserve() -> None:
    found = read("{id: m, price: {input: 2, output: 8}, interval: 1h, max_tokens: 100}")

    (cost,) = model_costs(found.services)
    (model,) = make_target(found.services[0], {}).models
    assert cost.checks == 31 * 24
    assert cost.each == model.reserve
    assert cost.a_month == 31 * 24 * model.reserve
    assert cost_totals([cost]) == {"USD": cost.a_month}


def test_the_dearest_is_first_and_what_is_off_costs_nothing() -> None:
    price = "price: {input: 1, output: %d}"
    models = (
        f"{{id: cheap, {price % 1}}}, {{id: dear, {price % 50}}},"
        f" {{id: off, {price % 9}, enabled: false}}"
    )

    assert [cost.model for cost in model_costs(read(models).services)] == ["dear", "cheap"]
    assert model_costs(read(models, enabled="false").services) == []


def test_a_budget_of_its_own_bounds_a_month() -> None:
    base = "{id: m, price: {input: 100, output: 500}, interval: 1m, budget: {%s}}"

    for given, cap in (("day: 0.5", 15.5), ("month: 3", 3), ("day: 1, month: 40", 31)):
        (cost,) = model_costs(read(base % given).services)
        assert cap_of(cost.budget) == cost.a_month == cap * UNITS


def test_currencies_are_summed_apart() -> None:
    found = read(
        "{id: a, price: {input: 1, output: 1}}, {id: b, price: {input: 1, output: 1}},"
        " {id: c, price: {input: 1, output: 1, currency: EUR}}"
    )

    sums = cost_totals(model_costs(found.services))
    assert sums["USD"] == 2 * sums["EUR"]


@pytest.mark.parametrize(
    ("models", "rest", "warnings"),
    [
        ("{id: m, price: {input: 1, output: 1}}", "", []),
        ("{id: m, price: {input: 0, output: 0}, budget: {day: 0}}", "", []),
        (
            "{id: m, price: {input: 1, output: 1}, budget: {day: 0.00001}}",
            "",
            ["shop.models[0].budget.day: one check may cost 0.000107 USD: it is never sent"],
        ),
        (
            "{id: m, price: {input: 1, output: 1}, budget: {month: 0.1}}",
            "",
            [
                "shop.models[0].budget.month: checks on their intervals may cost 0.32 USD"
                " a month: some may be skipped"
            ],
        ),
        (
            "{id: m, price: {input: 1, output: 1}}, {id: n, price: {input: 1, output: 1}}",
            "budgets: {model_checks: {day: 0.02, month: 10}}",
            [
                "budgets.model_checks.day: checks on their intervals may cost 0.02 USD"
                " a day: some may be skipped"
            ],
        ),
        (  # in another currency nothing counts against the budget of all
            "{id: m, price: {input: 1, output: 1, currency: EUR}}",
            "budgets: {model_checks: {day: 0.000001}}",
            [],
        ),
    ],
)
def test_a_budget_that_is_too_small_is_a_warning(
    models: str, rest: str, warnings: list[str]
) -> None:
    found = read(models, rest)

    shown = [str(one).partition(": ")[2] for one in found.warnings]
    assert [one for one in shown if "models" in one or "model_checks" in one] == warnings


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        (0, "0 EUR"),
        (1, "0.000000000001 EUR"),
        (52_500_000, "0.0000525 EUR"),
        (UNITS // 100, "0.01 EUR"),
        (1234 * UNITS + UNITS // 2, "1,234.50 EUR"),
    ],
)
def test_money_is_shown_without_an_exponent(units: int, shown: str) -> None:
    assert shown_money(units, "EUR") == shown
