"""What a check of a model costs beside its stream, and what a saturated server's stream looks like.

The CPU of whole checks (reserved, streamed, judged, settled and kept on the disk) minus that of the
same bytes read by the bare engine, in rounds that alternate; the vendor is another process.

`python -m tests.bench.models URL MODEL` asks a real server that speaks OpenAI's chat, such as
`http://127.0.0.1:8000/v1`, while 0 to 32 other streams load it: what a free check says of it beside
what a short streamed one says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvloop

from exporter.clock import SystemClock
from exporter.config import Configuration, ModelTarget, Target, make_target, read_text
from exporter.model import Result
from exporter.models import ModelChecks, ModelStates
from exporter.probers import Endpoint, Probers, Request
from exporter.probers.curl import CurlTransport
from exporter.registry import RegistryChange
from exporter.store import Store
from exporter.streams import protocol
from tests.bench import fidelity
from tests.bench.figures import percentile
from tests.bench.subjects import TARGET, Bench
from tests.bench.table import OURS
from tests.programs import free_port, running

TOKENS, PAUSE = 16, 0.005
_ROUNDS, _CHECKS = 7, 40
_LOADS = (0, 1, 8, 32)
_LOAD_SECONDS, _LOAD_TOKENS = 12.0, 200


def configured(url: str, model: str = "m", **more: Any) -> tuple[Configuration, Target]:
    """Return a service at *url* with one model."""
    check = {"id": model, "protocol": "openai_chat", "price": {"input": 1, "output": 2}, **more}
    service = {
        "id": "ai",
        "base_url": url,
        "health_check": {"endpoint": "/models", "allow_private_addresses": True},
        "models": [check],
    }
    budgets = {"model_checks": {"day": 1000, "month": 1000}}
    text = json.dumps({"budgets": budgets, "services": [service]})
    configuration = read_text(text, "bench.yaml", {})
    (declared,) = configuration.services
    return configuration, make_target(declared, {})


class _Network:
    async def confirm(self, since: float) -> bool:
        return True


def run(bench: Bench) -> None:
    """Measure checks by themselves, then other probes beside them."""
    with _vendor(TOKENS, PAUSE) as url:
        whole, beside = uvloop.run(_measured(bench.folder, url))
    bench.results.add("check of a model, with its stream", OURS, *whole)
    bench.results.add("check of a model, beside its stream", OURS, *beside)
    errors = _beside(bench)
    bench.results.add("error p99, 100/s, models asked", OURS, percentile(errors, 0.99))


@contextlib.contextmanager
def _vendor(tokens: int, pause: float) -> Iterator[str]:
    """Run a vendor that streams *tokens*, *pause* seconds apart; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.streaming", str(port), str(tokens), str(pause)]
    with running(command, TARGET, f"http://127.0.0.1:{port}/models"):
        yield f"http://127.0.0.1:{port}"


async def _measured(folder: Path, url: str) -> tuple[list[float], list[float]]:
    """Return CPU milliseconds of a check, and those beside a bare read, each a value a round."""
    clock, transport, states = SystemClock(), CurlTransport(), ModelStates()
    store = Store.open(folder / "models", clock, None)
    configuration, target = configured(url)
    checks = ModelChecks(
        Probers(transport, clock),
        store.model_spend,
        states,
        clock,
        last=_no_result,
        network=_Network(),
        spread=lambda name: 1.0,
        remembers=True,
        figures=store.models,
    )
    checks.follow_configuration(configuration)
    checks.follow(RegistryChange(added=(target,)))
    (state,) = states
    request = _bare(state.model.endpoint)

    async def check() -> None:
        assert (await checks.check(state, "person")).success

    async def read() -> None:
        assert (await transport.fetch(request)).status == 200

    rounds = [(await _cpu(check), await _cpu(read)) for _ in range(1 + _ROUNDS)][1:]
    await transport.close()
    store.close()
    return [one for one, _ in rounds], [one - other for one, other in rounds]


def _no_result(service: str) -> Result | None:
    return None


def _bare(endpoint: Endpoint) -> Request:
    return Request(
        url=endpoint.url,
        method=endpoint.method,
        headers=(*endpoint.headers, ("Content-Type", "application/json")),
        body=endpoint.body,
        timeout=endpoint.timeout,
        allow_private=True,
        max_body=endpoint.body_limit,
        watch=lambda chunk: None,
    )


async def _cpu(ask: Callable[[], Awaitable[None]]) -> float:
    """Return CPU milliseconds of this process for one of `_CHECKS`, one after the other."""
    begun = time.process_time()
    for _ in range(_CHECKS):
        await ask()
    return (time.process_time() - begun) / _CHECKS * 1000


def _beside(bench: Bench) -> list[float]:
    """Return the errors of other probes while four models are asked every second, a second each."""
    price = "{input: 0, output: 0}"
    models = ", ".join(
        f"{{id: m{n}, protocol: openai_chat, price: {price}, interval: 60s}}" for n in range(48)
    )
    check = "{interval: 1h, endpoint: /models, allow_private_addresses: true}"
    with _vendor(20, 0.05) as url:
        more = "".join(
            f"- {{id: ai{n}, base_url: '{url}', health_check: {check}, models: [{models}]}}\n"
            for n in range(5)
        )
        return fidelity.errors_of(bench.exporter(OURS), bench.folder, 100, more=more)


# -- a real server ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Row:
    """What was seen under one load; times in seconds."""

    listed: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    failed: int = 0
    tokens: int = 0
    streams_failed: int = 0


async def against(url: str, model: str) -> None:
    """Print a row for each load of the server at *url*."""
    clock, transport = SystemClock(), CurlTransport()
    prober = Probers(transport, clock)
    (short,) = configured(url, model, max_tokens=1, timeout="90s")[1].models
    target = configured(url, model, max_tokens=_LOAD_TOKENS, timeout="120s")[1]
    assert target.endpoint is not None
    print("streams | list of models, ms | first token, ms | checks failed | tokens/s | failed")
    for load in _LOADS:
        row, end = _Row(), clock.tick() + _LOAD_SECONDS
        async with asyncio.TaskGroup() as group:
            for _ in range(load):
                group.create_task(_load(prober, target.models[0], row, end))
            group.create_task(_listed(prober, target.endpoint, row, end))
            group.create_task(_asked(prober, short, row, end))
        rate = row.tokens / _LOAD_SECONDS
        cells = (load, _shown(row.listed), _shown(row.first), row.failed, f"{rate:.0f}")
        print(" | ".join(map(str, (*cells, row.streams_failed))), flush=True)
    await transport.close()


def _shown(seconds: list[float]) -> str:
    """Return the median and the 95th percentile in milliseconds."""
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"{middle * 1000:.1f} ({late * 1000:.1f})"


async def _load(prober: Probers, model: ModelTarget, row: _Row, end: float) -> None:
    while SystemClock().tick() < end:
        seen = await prober.ask(model.endpoint, protocol(model.protocol))
        row.tokens += seen.reading.usage.output or seen.reading.texts
        row.streams_failed += not seen.outcome.success


async def _listed(prober: Probers, endpoint: Endpoint, row: _Row, end: float) -> None:
    while SystemClock().tick() < end:
        seen = await prober.probe(replace(endpoint, timeout=30.0))
        row.listed.append(seen.duration)
        await asyncio.sleep(0.25)


async def _asked(prober: Probers, model: ModelTarget, row: _Row, end: float) -> None:
    while SystemClock().tick() < end:
        seen = await prober.ask(model.endpoint, protocol(model.protocol))
        first = seen.reading.first_text
        row.failed += not seen.outcome.success
        row.first += [] if first is None else [first]
        await asyncio.sleep(0.25)


if __name__ == "__main__":
    asyncio.run(against(sys.argv[1], sys.argv[2]))
