"""Servers that every test of what is asked over HTTP needs."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
