"""The templates: compiled before the first probe, off the event loop, once for all."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from exporter.page import live
from tests.api.managed import running
from tests.page.stage import Stage, staged
from tests.patience import patient
from tests.vendor import Vendor, answer


class Compiling:
    """In the place of what compiles: waits until it may end, and remembers its threads."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.may_end = threading.Event()

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        assert self.may_end.wait(60)


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> Compiling:
    made = Compiling()
    monkeypatch.setattr(live, "_compile", made)
    return made


async def test_what_a_page_needs_is_compiled_before_the_first_probe(
    compiling: Compiling, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    service = {"id": "a", "base_url": vendor.url(), "health_check": {"interval": "1s"}}
    service["health_check"] |= {"timeout": "1s", "allow_private_addresses": True}

    async with running(json.dumps({"services": [service]})) as client, patient(30):
        while not compiling.threads:
            await asyncio.sleep(0.001)
        assert (await client.ask("GET", "/metrics")).status == 200
        assert not client.app.scheduler.in_flight
        assert not vendor.seen
        compiling.may_end.set()
        while not vendor.seen:
            await asyncio.sleep(0.001)

    (thread,) = compiling.threads
    assert thread != threading.get_ident()


async def test_a_page_that_is_off_is_not_compiled(compiling: Compiling) -> None:
    stage = Stage()
    stage.enabled = False

    await stage.live.prepare()

    stage.store.close()
    assert not compiling.threads


@pytest.mark.parametrize("path", ["/", "/services/nobody", "/api/events?of=/"])
async def test_the_first_view_waits_for_a_thread_and_not_the_loop(
    compiling: Compiling, path: str
) -> None:
    async with staged() as stage, patient(30):
        url = stage.base + path
        first, second = (asyncio.create_task(stage.session.get(url)) for _ in range(2))
        while not compiling.threads:
            await asyncio.sleep(0.001)
        first.cancel()  # its browser went away: the other view needs what it began
        assert not second.done()
        compiling.may_end.set()
        (await second).close()

    (thread,) = compiling.threads
    assert thread != threading.get_ident()
