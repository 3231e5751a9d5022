"""A process that is killed at any step loses no message and repeats only what was under way."""

from __future__ import annotations

import pytest

from tests.torture import outbox


@pytest.mark.slow
def test_a_killed_process_loses_no_message_and_repeats_only_what_was_under_way() -> None:
    found = outbox.totals(kills=20, seed=7)

    assert found.wrong == []
    assert found.kills == 20
    assert found.messages > 20
    assert found.repeated > 0, "none was killed between the request and its record"
