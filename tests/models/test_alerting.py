"""What alerts are judged by: failures, slow first tokens, pauses, skipped checks, an objective."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from exporter.config import make_target, read_text
from exporter.metrics.models import model_pieces
from exporter.model import Outcome, Reason, Verdict
from exporter.models import ModelResult, ModelState, Skip
from exporter.streams import Reading
from tests.models.test_checks import Rig, streamed

CONFIG = """
services:
  - id: shop
    provider: openai
    api_key: sk-0123456789012345678901234567890123456789
    models:
      - {id: gpt-4o, price: {input: 1, output: 2}, severity: critical,
         first_token: {threshold: 2s%s}}
"""


def made(target: str = "") -> ModelState:
    (declared,) = read_text(CONFIG % target, "x.yaml", {}).services
    found = make_target(declared, {})
    return ModelState(found, found.models[0])


def result(
    reason: Reason = Reason.OK,
    verdict: Verdict = Verdict.OK,
    *,
    at: float = 100.0,
    duration: float = 3.0,
    **reading: object,
) -> ModelResult:
    return ModelResult(
        at=at,
        outcome=Outcome(reason=reason, duration=duration),
        reading=Reading(**({"ended": reason is Reason.OK} | reading)),  # type: ignore[arg-type]
        verdict=verdict,
        spent=0,
    )


def shown(state: ModelState) -> dict[str, float]:
    """Return the samples of *state* by name and what is not a label of every one."""
    usual = {"service", "environment", "provider", "model", "team"}
    return {
        one.name + "".join(f" {v}" for n, v in sorted(one.labels.items()) if n not in usual): (
            one.value
        )
        for family in families(b"".join(model_pieces([state], openmetrics=False)).decode())
        for one in family.samples
    }


def test_slow_first_tokens_are_counted_in_a_row_and_a_failure_leaves_the_count() -> None:
    state, counts = made(), []
    timeout = result(Reason.TIMEOUT, Verdict.PROVIDER)
    for one in (
        result(first_text=1.0),
        result(first_text=2.5),
        timeout,
        result(first_text=9.0),
        result(first_text=2.0),
    ):
        state.add(one)
        counts.append(state.slow)

    assert counts == [0, 1, 1, 2, 0]


def test_since_when_it_fails_and_why_is_shown_until_it_succeeds() -> None:
    state = made()
    state.add(result(Reason.TIMEOUT, Verdict.PROVIDER, at=200))
    state.add(result(Reason.SERVER_ERROR, Verdict.PROVIDER, at=300))
    name = "model_failing_since_timestamp_seconds"

    assert shown(state)[f"{name} server_error provider"] == 200
    assert f"{name} timeout provider" not in shown(state)
    state.add(result(first_text=1.0))
    assert not [key for key in shown(state) if key.startswith(name)]


@pytest.mark.parametrize(
    ("one", "gap"),
    [
        (result(first_text=1.0, last_text=2.0, gaps=[0.4, 0.1]), 0.4),
        (result(first_text=1.0, last_text=1.0), None),
        # it went silent until the time was over
        (
            result(
                Reason.TIMEOUT,
                Verdict.PROVIDER,
                duration=60.0,
                first_text=1.0,
                last_text=2.0,
                gaps=[1.0],
            ),
            58.0,
        ),
        (result(Reason.TIMEOUT, Verdict.PROVIDER, duration=60.0), None),  # it never began
        (
            result(
                Reason.TIMEOUT,
                Verdict.NETWORK,
                duration=60.0,
                first_text=1.0,
                last_text=2.0,
                gaps=[1.0],
            ),
            1.0,
        ),
    ],
    ids=["flowing", "one piece", "broke off", "no text", "our network"],
)
def test_the_longest_pause_is_also_the_one_in_which_a_stream_broke_off(
    one: ModelResult, gap: float | None
) -> None:
    state = made()
    state.add(one)

    assert shown(state).get("model_probe_token_gap_max_seconds") == gap


@pytest.mark.parametrize(
    ("one", "is_in_time"),
    [
        (result(first_text=1.0), True),
        (result(first_text=2.5), False),
        (result(first_text=1.0, gaps=[11.0]), False),
        (result(Reason.TIMEOUT, Verdict.PROVIDER, first_text=1.0), False),
    ],
    ids=["well", "slow", "stalled", "failed"],
)
def test_a_model_is_well_while_nothing_of_its_last_check_was_late(
    one: ModelResult, *, is_in_time: bool
) -> None:
    state = made()
    assert "model_probe_in_time" not in shown(state)
    state.add(one)

    assert shown(state)["model_probe_in_time"] == is_in_time


def test_why_checks_are_withheld_is_shown_until_one_is_sent() -> None:
    state = made()
    state.skip(Skip.BUDGET_ALL, 100.0)
    name = "model_probe_withheld"

    assert {k: v for k, v in shown(state).items() if k.startswith(name) and v} == {
        f"{name} budget_all": 1
    }
    state.add(result(first_text=1.0))
    assert not any(v for k, v in shown(state).items() if k.startswith(name))


def test_events_of_the_objective_are_shown_where_there_is_one() -> None:
    for target, expected in (("", {}), (", target: 95%", {"events": 3, "bad_events": 2})):
        state = made(target)
        for one in (
            result(first_text=1.0),
            result(first_text=5.0),
            result(Reason.TIMEOUT, Verdict.PROVIDER),
            result(Reason.AUTH_INVALID, Verdict.CREDENTIAL),
        ):
            state.add(one)
        found = shown(state)

        assert {
            key.removeprefix("model_sli_").removesuffix("_total"): value
            for key, value in found.items()
            if key.startswith("model_sli_")
        } == expected
        assert found.get("model_slo_objective_ratio") == (0.95 if target else None)


def test_a_check_is_not_stale_before_the_third_after_it_is_missed() -> None:
    state = made()

    assert shown(state)["model_threshold_stale_seconds critical"] == 3 * 900 + 60


async def test_when_the_service_is_well_again_what_failed_meanwhile_is_asked_once_more() -> None:
    async with Rig(spread=1.0) as rig:
        rig.asker.answer = lambda: streamed(Reason.TIMEOUT, first=None)
        rig.checks.doubt(rig.target, rig.seen(Reason.SERVER_ERROR, Verdict.PROVIDER))
        await rig.pass_(30)
        for _ in range(3):
            rig.checks.doubt(rig.target, rig.seen(Reason.OK, Verdict.OK))
            await rig.pass_(70)
        assert len(rig.asker.asked) == 2  # the second one by the first success alone

    async with Rig(spread=1.0) as rig:
        rig.checks.doubt(rig.target, rig.seen(Reason.SERVER_ERROR, Verdict.PROVIDER))
        await rig.pass_(30)
        rig.checks.doubt(rig.target, rig.seen(Reason.OK, Verdict.OK))
        await rig.pass_(70)
        assert len(rig.asker.asked) == 1  # the model was well all the time
