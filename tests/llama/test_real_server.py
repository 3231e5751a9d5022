"""A real inference server on loopback, llama.cpp's own with random weights: what a check sees."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from exporter.clock import SystemClock
from exporter.models import ModelState
from tests.api.managed import running
from tests.llama.server import serving
from tests.patience import patient

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (platform.system(), platform.machine()) != ("Linux", "x86_64"),
        reason="the package of llama.cpp's server is for Linux on x86-64, which CI is",
    ),
]
TOKENS = 200
FASTER = 30.0


class FastClock(SystemClock):
    """A clock on which seconds pass faster, so that an interval is two seconds long."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = super().now()

    def now(self) -> float:
        return self._begun + (super().now() - self._begun) * FASTER

    def tick(self) -> float:
        return super().tick() * FASTER

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / FASTER)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("llama")) as url:
        yield url


def config(url: str, **model: Any) -> str:
    service = {
        "id": "ours",
        "provider": "llama-cpp",
        "base_url": url,
        "api_key": "sk-no-key-is-needed-here",
        "health_check": {"allow_private_addresses": True, "interval": "10m"},
        "models": [{"id": "tiny", "max_tokens": TOKENS, "interval": "60s", **model}],
    }
    return json.dumps({"services": [service]})


async def test_a_probe_of_a_real_model_sees_its_tokens(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "services.yaml"
    path.write_text(config(server))

    code = await asyncio.to_thread(
        main, ["probe", "ours", "--model", "tiny", "--json", "--config", str(path)]
    )

    found = json.loads(capsys.readouterr().out)
    events = {event["what"]: event for event in found["events"]}
    assert (code, found["reason"], found["finish"]) == (0, "ok", "limit"), found["detail"]
    assert found["answered_by"] == "tiny"
    assert found["usage"]["output"] == TOKENS
    assert found["usage"]["input"] > 5
    assert 0 < events["response head"]["start_ms"] <= events["first event"]["start_ms"]
    assert events["first event"]["start_ms"] <= found["first_token_ms"] < found["duration_ms"]
    text = events["tokens"]
    assert text["count"] > TOKENS / 2
    assert text["start_ms"] == found["first_token_ms"]
    seconds = (text["end_ms"] - text["start_ms"]) / 1000
    assert found["tokens_per_second"] == pytest.approx((TOKENS - 1) / seconds, rel=0.001)
    assert found["gap_median_ms"] <= found["gap_max_ms"]
    assert "end" in events


async def test_a_model_that_is_not_there_is_the_loaded_one_and_it_is_said(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "services.yaml"
    path.write_text(config(server, id="gpt-none"))

    code = await asyncio.to_thread(
        main, ["probe", "ours", "--model", "gpt-none", "--config", str(path)]
    )

    assert code == 0
    assert "answered by          tiny" in capsys.readouterr().out


async def test_serving_asks_a_real_model_on_its_interval(server: str, tmp_path: Path) -> None:
    async with running(config(server), data=tmp_path, clock=FastClock()) as client:
        (state,) = client.app.model_states
        await client.probed("ours")
        await _asked_twice(state)
        shown = (await client.ask("GET", "/api/services/ours")).json
        metrics = (await client.ask("GET", "/metrics")).text

    (one,) = shown["models"]
    assert shown["models_verdict"] == "own check fine; tiny fine"
    assert (one["condition"], one["last"]["finish"]) == ("fine", "limit")
    assert one["last"]["usage"]["output"] == TOKENS
    (line,) = [row for row in metrics.splitlines() if row.startswith("model_probe_success{")]
    assert line.endswith(" 1")
    assert state.last is not None
    assert state.last.cause == "interval"


async def _asked_twice(state: ModelState) -> None:
    async with patient(60):
        while state.reasons.total() < 2:
            await asyncio.sleep(0.05)
