"""`probe SERVICE --model ID`: one check of a model now, as a waterfall of what came when."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from exporter.cli.probing import COLORS, WIDTH_COLUMNS, Found, find
from exporter.cli.usage import UsageError, meant
from exporter.cli.waiting import waiting
from exporter.clock import SystemClock
from exporter.config import UNITS, ModelTarget, shown_money
from exporter.model import Outcome, Verdict, fault_of
from exporter.models import (
    CheckRefusedError,
    ModelChecks,
    ModelResult,
    ModelState,
    ModelStates,
    model_advice,
    model_sentence,
    most_of,
)
from exporter.probers import Probers, command_line
from exporter.probers.curl import CurlTransport
from exporter.registry import RegistryChange
from exporter.schedule import Canaries
from exporter.settings import shown_prose
from exporter.store import Store, StoreError, open_store
from exporter.streams import Step, course

_NOT_COUNTED = "not counted against a budget: that needs --data-dir DIR"


def probe_model(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Ask the model in *arguments* once and print what came; return 0 on success, else 1.

    What it costs at most is said before it is sent, on standard error.

    Raises:
        UsageError: a URL or a directory that is none is given.
        LookupError: there is no such service or model, or it cannot be asked.
        SettingsError: the configuration is wrong.
        StoreError: the data directory cannot be used.
    """
    if "://" in arguments.target:
        raise UsageError("--model needs a service of the configuration, not a URL")
    found = find(arguments, environment)
    model = _model(found, arguments.model)
    store = _store(arguments.data_dir, environment)
    try:
        counted = "counted against its budgets" if arguments.data_dir else _NOT_COUNTED
        print(f"asking {model.id} once: costs {most_of(model)}, {counted}", file=sys.stderr)
        try:
            with waiting(f"asking {model.id}"):
                state = asyncio.run(_ask(found, model, store))
        except CheckRefusedError as refused:
            print(f"service-registry: the check is not sent: {refused}", file=sys.stderr)
            return 1
    finally:
        store.close()
    result = state.last
    assert result is not None
    if arguments.json:
        print(json.dumps(_as_json(state, result, counted=bool(arguments.data_dir)), indent=2))
    else:
        _print(state, result, counted)
    return 0 if result.success else 1


def _model(found: Found, name: str) -> ModelTarget:
    """Return the model *name* of the service.

    Raises:
        LookupError: there is none, or it cannot be asked.
    """
    target = found.target
    if (model := next((one for one in target.models if one.id == name), None)) is not None:
        return model
    declared = [str(one["id"]) for one in found.raw.get("models", ())]
    if name in declared:
        why = target.unprobed or "it is switched off, or there is no key"
        raise LookupError(f"{name} of {target.id} cannot be asked: {why}")
    known = ", ".join(declared) or "none: list it in `models` of the service"
    shown = shown_prose(repr(name))
    raise LookupError(f"no model {shown} in {target.id}{meant(name, declared)}; known: {known}")


def _store(directory: Path | None, environment: Mapping[str, str]) -> Store:
    if directory is not None and not directory.is_dir():
        raise UsageError("--data-dir is not a directory; give that of an exporter")
    try:
        return open_store(directory, SystemClock(), environment)
    except StoreError as error:
        what = f"{error}; a running exporter asks with POST /api/services/NAME/models/ID/test"
        raise StoreError(what) from None


async def _ask(found: Found, model: ModelTarget, store: Store) -> ModelState:
    transport, clock, states = CurlTransport(), SystemClock(), ModelStates()
    prober = Probers(transport, clock, found.holds_key)
    checks = ModelChecks(
        prober,
        store.model_spend,
        states,
        clock,
        last=lambda service: None,
        network=Canaries(found.plans, prober, clock),
        spread=lambda name: 1.0,
        remembers=True,
        figures=store.models,
    )
    checks.follow_configuration(found.configuration)
    checks.restore()
    # Asked by a person, also while the exporter leaves it alone.
    checks.follow(RegistryChange(added=(replace(found.target, enabled=True),)))
    state = states.get(found.target.id, model.id)
    assert state is not None
    try:
        await checks.check(state, "person")
        return state
    finally:
        await transport.close()


# -- what is printed ---------------------------------------------------------------------------


def _head_at(outcome: Outcome) -> float | None:
    """Return when the head of the response was there: at the end of all phases but the last."""
    return sum(outcome.phases[:-1]) if outcome.status else None


def _as_json(state: ModelState, result: ModelResult, *, counted: bool) -> dict[str, Any]:
    reading, usage = result.reading, result.reading.usage
    return {
        "service": state.target.id,
        "model": state.model.id,
        "success": result.success,
        "reason": result.reason,
        "verdict": result.verdict,
        "detail": result.outcome.detail,
        "fault": None if result.success else fault_of(result.reason, result.verdict),
        "advice": model_advice(state),
        "sentence": _sentence(state, result),
        "status": result.outcome.status or None,
        "duration_ms": _ms(result.outcome.duration),
        "first_token_ms": _ms(result.first_token),
        "tokens_per_second": reading.tokens_per_second,
        "gap_median_ms": _ms(reading.gap_median),
        "gap_max_ms": _ms(reading.gap_max),
        "finish": reading.finish,
        "answered_by": reading.model or None,
        "usage": {
            name: getattr(usage, name) for name in ("input", "output", "reasoning", "cached")
        },
        "spent": result.spent / UNITS,
        "most": state.model.reserve / UNITS,
        "currency": state.model.currency,
        "counted": counted,
        "remaining": state.remaining if counted else None,
        "events": [
            {
                "what": step.what,
                "start_ms": _ms(step.start),
                "end_ms": _ms(step.end),
                "count": step.count,
            }
            for step in course(reading, _head_at(result.outcome))
        ],
        "curl": command_line(state.model.endpoint),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _sentence(state: ModelState, result: ModelResult) -> str:
    return model_sentence(state, result.at)


def _print(state: ModelState, result: ModelResult, counted: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    color = "green" if result.verdict is Verdict.OK else COLORS.get(result.verdict, "red")
    head = Text(f"{state.target.name}  {state.model.id}  ", style="bold")
    words = f"{result.verdict} · {result.reason} · {fault_of(result.reason, result.verdict)}"
    head.append("ok" if result.success else words, f"bold {color}")
    console.print(head)
    address = f"  ({result.outcome.address})" if result.outcome.address else ""
    console.print(Text(f"  {result.outcome.detail}{address}"))
    console.print(Text(f"  {_sentence(state, result)}"))
    if advice := model_advice(state):
        console.print(Text(f"  what to do: {advice}"))
    console.print()
    for row in _waterfall(result):
        console.print(row)
    console.print()
    for fact in _facts(state, result, counted):
        console.print(Text(f"  {fact}"))
    console.print(Text(f"  {command_line(state.model.endpoint)}", style="dim"))


def _waterfall(result: ModelResult) -> list[Text]:
    steps = course(result.reading, _head_at(result.outcome))
    total = max([result.outcome.duration, *(step.end for step in steps)]) or 1e-9
    rows = [_row(step, total) for step in steps]
    rows.append(Text(f"  {'total':<15}{total * 1000:9.2f} ms", style="bold"))
    return rows


def _row(step: Step, total: float) -> Text:
    """Return one line: when it began, a bar from there to its end, and how many events it is."""
    start = min(round(step.start / total * WIDTH_COLUMNS), WIDTH_COLUMNS - 1)
    length = max(1, round(step.end / total * WIDTH_COLUMNS) - start)
    row = Text(f"  {step.what:<15}{step.start * 1000:9.2f} ms  ")
    row.append(" " * start + ("█" * length if step.end > step.start else "▏"), "cyan")
    if step.count > 1:
        row.append(f"  {step.count} until {step.end * 1000:.2f} ms", "dim")
    return row


def _facts(state: ModelState, result: ModelResult, counted: str) -> list[str]:
    reading, usage, model = result.reading, result.reading.usage, state.model
    rows = []
    if reading.model and reading.model != model.id:
        rows.append(f"answered by          {reading.model}")
    if reading.tokens_per_second is not None:
        rows.append(f"tokens per second    {reading.tokens_per_second:.1f}")
    if reading.gap_max is not None:
        middle = reading.gap_median or 0.0
        rows.append(
            f"pauses               {middle * 1000:.1f} ms median, {reading.gap_max * 1000:.1f} max"
        )
    if usage.input is not None and usage.output is not None:
        thought = f", {usage.reasoning} of them reasoning" if usage.reasoning else ""
        rows.append(f"tokens               {usage.input} in, {usage.output} out{thought}")
    cost, most = (shown_money(units, model.currency) for units in (result.spent, model.reserve))
    rows.append(f"cost                 {cost} ({most} was reserved); {counted}")
    if state.remaining is not None and counted is not _NOT_COUNTED:
        rows.append(f"budget               {state.remaining:.1%} left of the tightest")
    return rows
