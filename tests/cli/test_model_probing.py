"""`probe SERVICE --model ID`: what it says before and after, what it counts, its exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from exporter.clock import SystemClock
from exporter.store import Store
from tests.models.serving import KEY, config
from tests.streams.vendor import finish, stream, text, tokens
from tests.vendor import Vendor

THINKING = {"choices": [{"delta": {"reasoning": "hm"}}]}
GOOD = stream(
    (0.05, {"model": "m-2026-08-06", "choices": [{"delta": {"role": "assistant"}}]}),
    (0.1, THINKING),
    (0.15, THINKING),
    *tokens([0.2, 0.25, 0.3]),
    (0.3, finish(prompt_tokens=9, completion_tokens=6)),
    head_at=0.02,
)
Said = tuple[int, str, str]


async def probed(
    vendor: Vendor, folder: Path, capsys: pytest.CaptureFixture[str], *more: str, **model: Any
) -> Said:
    """Return exit code, standard output and standard error of `probe ai --model m`."""
    path = folder / "services.yaml"
    path.write_text(config(vendor, "m", "org/model", **model))
    arguments = ["probe", "ai", "--config", str(path), *(more or ("--model", "m"))]
    code = await asyncio.to_thread(main, arguments)
    return code, *capsys.readouterr()


async def test_the_course_of_a_stream_is_a_waterfall(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/v1/chat/completions", GOOD)

    code, out, err = await probed(vendor, tmp_path, capsys)

    assert code == 0
    steps = ("response head", "first event", "reasoning", "first token", "tokens", "finish", "end")
    places = [out.index(f"\n  {step:<15}") for step in steps]
    assert places == sorted(places)
    assert "3 until" in next(line for line in out.splitlines() if line.startswith("  tokens "))
    assert "9 in, 6 out" in out
    assert "m fine" in out
    assert "answered by          m-2026-08-06\n" in out
    assert "at most 0.000123 USD, not counted against a budget: that needs --data-dir" in err
    assert "0.000021 USD (0.000123 USD was reserved); not counted" in out
    assert KEY not in out + err


async def test_as_json_it_has_the_same_times(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/v1/chat/completions", GOOD)

    code, out, _ = await probed(vendor, tmp_path, capsys, "--model", "m", "--json")

    found = json.loads(out)
    events = {event["what"]: event for event in found["events"]}
    assert (code, found["success"], found["counted"], found["remaining"]) == (0, True, False, None)
    assert (found["answered_by"], found["finish"]) == ("m-2026-08-06", "complete")
    assert found["first_token_ms"] == events["first token"]["start_ms"]
    assert events["reasoning"]["count"] == 2
    assert events["tokens"]["count"] == 3
    assert events["response head"]["start_ms"] < events["first event"]["start_ms"]
    assert events["first event"]["start_ms"] < events["reasoning"]["start_ms"]
    assert (found["spent"], found["most"]) == (pytest.approx(0.000021), pytest.approx(0.000123))


async def test_what_it_costs_is_said_before_it_is_sent(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    good = GOOD

    async def behave(peer: Any, seen: Any) -> None:
        said.append(capsys.readouterr().err)
        await good(peer, seen)

    vendor.on("/v1/chat/completions", behave)

    await probed(vendor, tmp_path, capsys)

    assert "costs at most 0.000123 USD" in said[0]


async def test_with_a_data_directory_it_counts_and_keeps_to_the_budget(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/v1/chat/completions", GOOD)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    asked = ("--model", "m", "--data-dir", str(data))
    room = {"day": 0.00013}  # one check has room, a second has none

    first = await probed(vendor, tmp_path, capsys, *asked, budget=room)
    second = await probed(vendor, tmp_path, capsys, *asked, budget=room)

    assert (first[0], second[0]) == (0, 1)
    assert "counted against its budgets" in first[2]
    assert "% left of the tightest" in first[1]
    assert "the check is not sent: the budget of this model has no room" in second[2]
    assert len([one for one in vendor.seen if one.path == "/v1/chat/completions"]) == 1
    store = Store.open(data, SystemClock(), None)
    try:
        assert store.models.all()["ai", "m"]["reasons"] == {"ok": 1}
    finally:
        store.close()


async def test_a_directory_that_an_exporter_uses_names_the_other_way(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    store = Store.open(data, SystemClock(), None)
    try:
        asked = ("--model", "m", "--data-dir", str(data))
        code, _, err = await probed(vendor, tmp_path, capsys, *asked)
    finally:
        store.close()

    assert code == 1
    assert "POST /api/services/NAME/models/ID/test" in err
    assert vendor.seen == []


async def test_a_model_that_fails_is_exit_code_1_with_advice(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/v1/chat/completions", stream((0.0, text("O")), end="hang"))

    code, out, _ = await probed(vendor, tmp_path, capsys, timeout="300ms")

    assert code == 1
    assert "provider · timeout" in out
    assert "what to do: use another model until this one answers again" in out
    assert "after 1 piece of visible text" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--model", "n"), "no model 'n' in ai"),
        (("--model", "org/modle"), "did you mean org/model?"),
        (("--model", "m", "--data-dir", "/nowhere"), "--data-dir is not a directory"),
        (("--data-dir", "/tmp"), "give --model ID"),
    ],
)
async def test_what_cannot_be_asked_is_exit_code_2(
    vendor: Vendor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    said: str,
) -> None:
    code, _, err = await probed(vendor, tmp_path, capsys, *more)

    assert (code, said in err) == (2, True), err
    assert vendor.seen == []


def test_a_url_has_no_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "http://127.0.0.1:1/", "--model", "m"]) == 2
    assert "not a URL" in capsys.readouterr().err


def test_a_model_without_its_key_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "services.yaml"
    path.write_text(
        "services: [{id: a, provider: openai, api_key: '${NOT_SET_X}',"
        " models: [{id: gpt-4o, price: {input: 1, output: 1}}]}]"
    )

    assert main(["probe", "a", "--config", str(path), "--model", "gpt-4o"]) == 2
    assert "gpt-4o of a cannot be asked: no key: NOT_SET_X is not set" in capsys.readouterr().err
