"""Every message of an hour of trouble is right and none is missing, on Prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import check_every_message

pytestmark = pytest.mark.slow


def test_every_message_of_an_hour_of_trouble_is_right(tmp_path: Path) -> None:
    check_every_message(tmp_path, victoria=False)
