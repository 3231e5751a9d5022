"""`check-config` says what checks of models will cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli import main

SERVICE = """
services:
  - id: shop
    provider: openai
    models:
      - {id: gpt-x, price: {input: 2.5, output: 10}}
      - {id: gpt-y, price: {input: 5, output: 20}, budget: {month: 2}}
      - {id: gpt-free, price: {input: 0, output: 0}}
"""
EURO = """
  - id: eu
    provider: mistral
    models: [{id: m, price: {input: 3, output: 9, currency: EUR}, interval: 12h}]
"""


def said(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    path = folder / "services.yaml"
    path.write_text(text)
    assert main(["check-config", str(path)]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_sum_and_each_model_that_costs_a_cent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(SERVICE, tmp_path, capsys)

    start = next(n for n, line in enumerate(lines) if line.startswith("model checks"))
    assert lines[start : start + 3] == [
        "model checks: 3 models, at most 3.15 USD a month on their intervals, capped at 10.00 USD",
        "  gpt-y of shop: at most 2.00 USD a month"
        " (2,976 checks, at most 0.000775 USD each, its own budget 2.00 USD)",
        "  gpt-x of shop: at most 1.15 USD a month (2,976 checks, at most 0.000387 USD each)",
    ]
    assert "gpt-free" not in "\n".join(lines)
    assert "may cost 2.31 USD a month: some may be skipped" in lines[0]


def test_another_currency_has_a_sum_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(SERVICE + EURO, tmp_path, capsys)

    assert (
        "model checks: 1 model, at most 0.03 EUR a month on their intervals,"
        " not capped in all: budgets.model_checks is in USD"
    ) in lines


def test_models_that_cost_nothing_and_no_models_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = "services: [{id: a, provider: vllm, base_url: 'http://x.example', models: [{id: m}]}]"
    none = "services: [{id: a, provider: openai}]"

    assert "model checks: 1 model, free" in said(free, tmp_path, capsys)
    assert not [line for line in said(none, tmp_path, capsys) if "model" in line]


def test_the_number_of_lines_is_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = ", ".join(f"{{id: m{n}, price: {{input: 9, output: 9}}}}" for n in range(13))
    text = f"services: [{{id: a, provider: openai, models: [{models}]}}]"

    lines = said(text, tmp_path, capsys)

    assert len([line for line in lines if " of a: " in line]) == 10
    assert "  and 3 models more" in lines
