"""Every preset has a guide that says how to make a key and what each answer means."""

from __future__ import annotations

import re

import pytest

from exporter.model import advice_of, verdict_of
from exporter.providers import presets
from tests.prose import ROOT
from tests.reference import GUIDES


def test_every_preset_has_a_guide_and_no_other_has() -> None:
    text = (ROOT / GUIDES).read_text()

    assert set(re.findall(r"^## (\S+)$", text, re.M)) == set(presets())
    assert set(re.findall(r"<!-- generated: (\S+) -->", text)) == set(presets())


def test_every_guide_tells_how_to_make_a_key() -> None:
    text = (ROOT / GUIDES).read_text()
    guides = dict(zip(*[iter(re.split(r"^## (\S+)$", text, flags=re.M)[1:])] * 2, strict=True))

    for name, guide in guides.items():
        by_hand = re.sub(r"<!-- generated: .*?<!-- end -->", "", guide, flags=re.S)
        assert "**Key.**" in by_hand, name
        assert re.search(r"\((?:[^()]*\b)?(?:doc|code|belief)\b", by_hand), f"{name}: how sure?"


@pytest.mark.parametrize("name", sorted(presets()))
def test_a_mark_in_a_guide_is_never_above_that_of_the_preset(name: str) -> None:
    """The generated table shows each rule with the mark it has, and what is advised."""
    text = (ROOT / GUIDES).read_text().partition(f"<!-- generated: {name} -->")[2]
    preset = presets()[name]
    table = text.partition("| answer | reason |")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"\| `(\w+)` \| (\w+) \| ([^|]+) \|$", table, re.M)

    expected = [
        (
            str(rule.reason),
            rule.confidence,
            advice_of(rule.reason, verdict_of(rule.reason), has_page=bool(preset.status_page)),
        )
        for rule in preset.answers
    ]
    assert rows == expected
    assert preset.status_page or "status page" not in table
