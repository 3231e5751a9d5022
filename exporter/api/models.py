"""/api/services/{id}/models: what is known of a service's models, and one check now."""

from __future__ import annotations

import math

from aiohttp import web

from exporter.api.app_keys import MODELS, REGISTRY, RESULTS, Json
from exporter.api.guard import problem
from exporter.config import UNITS, Target
from exporter.models import (
    CheckRefusedError,
    ModelResult,
    ModelState,
    Skip,
    condition_of,
    model_advice,
    model_sentence,
    models_sentence,
)
from exporter.results import current_result


async def test(request: web.Request) -> web.Response:
    """Ask a model once, now; the check is counted, and counts against the budgets."""
    target = request.app[REGISTRY].get(request.match_info["id"])
    checks, name = request.app[MODELS], request.match_info["model"]
    state = checks.states.get(target.id, name)
    if state is None:
        return _unknown(target, [one.model.id for one in checks.states.of(target.id)])
    try:
        result = await checks.check(state, "person")
    except CheckRefusedError as error:
        return _refused(state, error, checks.now())
    return web.json_response(
        {
            **_result_json(result),
            "spent": result.spent / UNITS,
            "spent_in_all": state.spent / UNITS,
            "currency": state.model.currency,
            "remaining": state.remaining,
            "advice": model_advice(state),
            "sentence": model_sentence(state, checks.now()),
        }
    )


def _unknown(target: Target, known: list[str]) -> web.Response:
    why = f"those that are checked: {', '.join(known)}" if known else "none is checked"
    return problem(404, "there is no such model", detail=f"{target.id}: {why}")


def _refused(state: ModelState, error: CheckRefusedError, now: float) -> web.Response:
    status = 503 if error.skip is Skip.NO_LEDGER else 429
    refusal = problem(status, "the check is not sent", detail=str(error), code=str(error.skip))
    if error.skip is Skip.ASKED_TO_WAIT:
        refusal.headers["Retry-After"] = str(max(1, math.ceil(state.wait_until - now)))
    return refusal


def models_json(request: web.Request, target: Target) -> Json:
    """Return the members of a service's representation that are about its models."""
    checks, tally = request.app[MODELS], request.app[RESULTS].of(target.id)
    states, now = checks.states.of(target.id), checks.now()
    sentence = models_sentence(target, current_result(target, tally), states, now)
    return {
        "models_verdict": sentence or None,
        "models": [_state_json(state, now) for state in states],
    }


def _state_json(state: ModelState, now: float) -> Json:
    last = state.last
    return {
        "id": state.model.id,
        "condition": condition_of(state),
        "sentence": model_sentence(state, now),
        "advice": model_advice(state),
        "interval_seconds": state.model.interval,
        "last": None
        if last is None
        else {**_result_json(last), "at": last.at, "spent": last.spent / UNITS},
        "usual_first_token_ms": _ms(state.usual_first_token),
        "consecutive_failures": state.failures,
        "spent": state.spent / UNITS,
        "currency": state.model.currency,
        "most_per_check": state.model.reserve / UNITS,
        "remaining": state.remaining,
        "skipped": {why: state.skipped[why] for why in Skip if state.skipped[why]},
        "not_asked": _not_asked(state),
    }


def _result_json(result: ModelResult) -> Json:
    reading, usage = result.reading, result.reading.usage
    return {
        "success": result.success,
        "reason": result.reason,
        "verdict": result.verdict,
        "detail": result.outcome.detail,
        "first_token_ms": _ms(result.first_token),
        "tokens_per_second": reading.tokens_per_second,
        "gap_max_ms": _ms(reading.gap_max),
        "finish": reading.finish,
        "answered_by": reading.model or None,
        "usage": {
            name: getattr(usage, name) for name in ("input", "output", "reasoning", "cached")
        },
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _not_asked(state: ModelState) -> Json | None:
    """Return why the check that was due last was not sent, and since when none is."""
    if state.withheld is None:
        return None
    return {"why": state.withheld, "since": state.withheld_since}
