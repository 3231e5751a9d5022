"""The fixture with a page and all that it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.page.stage import Stage, staged


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage
