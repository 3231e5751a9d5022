"""Streams whose end is easily judged wrong: each is judged as its vendor's documents say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.model import Outcome, Reason
from exporter.probers.streaming import judge_stream
from exporter.streams import StreamReader, protocol
from tests.fakes import make_endpoint

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("judged.yaml").read_text())


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_it_is_judged_as_the_vendor_means_it(case: dict[str, Any], newline: str) -> None:
    spoken = protocol(case["protocol"])
    reader = StreamReader(spoken)
    for at, event in enumerate(case["events"], 1):
        reader.feed(f"{event}\n\n".replace("\n", newline).encode(), at)
    reader.end(len(case["events"]) + 1)

    good = Outcome(reason=Reason.OK, status=200)
    expect = make_endpoint("https://ai.example/v1").expect
    judged = judge_stream(good, reader.reading, expect, spoken)

    assert judged.reason is Reason(case["reason"]), judged.detail
    assert case.get("words", "") in judged.detail
    assert (reader.reading.first_text is not None) is case["text"]
    assert (reader.reading.first_reasoning is not None) is case.get("reasoning", False)


def test_each_has_a_source() -> None:
    assert all(case["source"] for case in CASES)
    assert len(CASES) >= 20
