"""Servers that every test of what is asked over HTTP needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.incidents.servers import Alertmanager, Prometheus, serving


@pytest.fixture
async def alertmanager() -> AsyncIterator[Alertmanager]:
    server = Alertmanager()
    async with serving(server):
        yield server


@pytest.fixture
async def second() -> AsyncIterator[Alertmanager]:
    """Another peer of the cluster."""
    server = Alertmanager()
    async with serving(server):
        yield server


@pytest.fixture
async def prometheus() -> AsyncIterator[Prometheus]:
    server = Prometheus()
    async with serving(server):
        yield server


@pytest.fixture(scope="module")
def storage_here() -> Iterator[None]:
    """Have storage used on the loop: for who awaits each change before the next, it is the same.

    Of a history of thousands of small changes, handing them to a thread takes half.
    """

    async def here(call: Callable[..., Any], *given: Any, **more: Any) -> Any:
        loop = asyncio.get_running_loop()
        asyncio.events._set_running_loop(None)  # as in a thread, where the guard of loops rests
        try:
            return call(*given, **more)
        finally:
            asyncio.events._set_running_loop(loop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", here)
        yield
