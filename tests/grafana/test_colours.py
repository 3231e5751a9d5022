"""Colours stay apart for everybody, and none carries a meaning without its word."""

from __future__ import annotations

import itertools
import math

import pytest

from exporter.model import FACTS, Reason, Verdict
from grafana import tables, words
from tests.grafana.reading import BOARDS, panels, properties

# Machado, Oliveira & Fernandes 2009: what a linear colour looks like to whom, at full severity.
EYES = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red cones": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green cones": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue cones": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
Colour = tuple[float, float, float]
APART = 25.0
"""CIE76 distance; 2.3 is just noticeable, small areas need ten times as much."""


def _linear(channel: int) -> float:
    c = channel / 255
    return c / 12.92 if c <= 0.04045 else float(((c + 0.055) / 1.055) ** 2.4)


def _lab(r: float, g: float, b: float) -> Colour:
    def f(t: float) -> float:
        return float(t ** (1 / 3)) if t > 0.008856 else 7.787 * t + 16 / 116

    x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505)
    y = f(0.2126 * r + 0.7152 * g + 0.0722 * b)
    z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen(colour: str, eyes: str) -> Colour:
    linear = [_linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    r, g, b = (
        min(1.0, max(0.0, sum(a * c for a, c in zip(row, linear, strict=True))))
        for row in EYES[eyes]
    )
    return _lab(r, g, b)


@pytest.mark.parametrize("eyes", EYES)
def test_states_stay_apart(eyes: str) -> None:
    colours = {text: colour for text, colour in words.STATES.values()}

    for (one, a), (other, b) in itertools.combinations(colours.items(), 2):
        assert math.dist(seen(a, eyes), seen(b, eyes)) > APART, (one, other)


def _luminance(colour: str) -> float:
    r, g, b = (_linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 has it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colour", sorted({colour for _, colour in words.STATES.values()}))
def test_the_text_that_grafana_puts_on_a_colour_can_be_read(colour: str) -> None:
    """It is light or dark by the brightness; `getTextColorForAlphaBackground` of @grafana/ui."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    bright = (299 * red + 587 * green + 114 * blue) / 1000 > 180

    assert contrast("#202226" if bright else "#f7f8fa", colour) >= 4.5, "WCAG 2.2, level AA"


@pytest.mark.parametrize("eyes", EYES)
def test_reasons_of_one_provider_stay_apart_in_a_chart(eyes: str) -> None:
    """Eight reds cannot be as far apart as states are; each has its word in the legend."""
    mine = [r for r in Reason if FACTS[r].verdict is Verdict.PROVIDER]
    others = {colour for verdict, (_, colour) in words.VERDICTS.items() if verdict != "provider"}

    for one, other in itertools.combinations(mine, 2):
        apart = math.dist(seen(words.SHADES[one], eyes), seen(words.SHADES[other], eyes))
        assert apart > 12, (one, other)
    for reason in mine:
        for colour in others:
            assert math.dist(seen(words.SHADES[reason], eyes), seen(colour, eyes)) > 12, reason


@pytest.mark.parametrize("panel", ["#ffffff", "#181b1f"])
def test_a_key_of_a_legend_is_seen_on_a_light_panel_and_on_a_dark_one(panel: str) -> None:
    """1.75 is what nine colours can have that are apart for everybody; each comes with a word."""
    named = [*words.STATES.values(), *words.SHADES.items()]
    for text, colour in named:
        assert contrast(colour, panel) >= 1.75, text
    assert contrast(words.THIN_BAD, panel) >= 3


@pytest.mark.parametrize("name", BOARDS)
def test_backgrounds_are_the_tested_colours_themselves(name: str) -> None:
    """And not gradients of them; no text has a colour that one of the two themes hides."""
    for panel in panels(BOARDS[name]):
        cells = [value for key, value in properties(panel) if key == "custom.cellOptions"]
        assert all(cell == tables.CELL for cell in cells), panel["title"]
        if panel["type"] == "stat":
            shown = panel["options"]["colorMode"]
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            plain = [step["color"] for step in steps] == [words.PLAIN]
            assert shown == ("value" if plain else "background_solid"), panel["title"]


def test_every_state_verdict_and_reason_has_a_word_of_its_own() -> None:
    texts = [text for text, _ in words.STATES.values()]
    reasons = words.reasons()[0]["options"]

    assert len(set(texts)) == len(texts) == len(Verdict) + 2
    assert set(reasons) - {words.UNSEEN, words.HIDDEN} == set(Reason) == set(FACTS)
    assert all(FACTS[r].advice in reasons[r]["text"] for r in Reason)
    assert reasons[words.UNSEEN]["text"].startswith("no data: ")
    assert reasons[words.HIDDEN]["text"].startswith("our own network is down: check it")


@pytest.mark.parametrize("name", BOARDS)
def test_only_the_tested_palette_is_used_and_green_is_one_colour(name: str) -> None:
    palette = {colour for _, colour in words.STATES.values()} | {words.PLAIN, words.CLEAR}

    for panel in panels(BOARDS[name]):
        lines = palette - {words.BAD} | {words.THIN_BAD}
        known = lines if panel["type"] == "timeseries" else palette
        for key, value in properties(panel):
            if key == "thresholds":
                assert {step["color"] for step in value["steps"]} <= known, panel["title"]
            if key == "mappings":
                for mapping in value:
                    options = mapping["options"]
                    shown = [options["result"]] if "result" in options else options.values()
                    assert {one["color"] for one in shown} <= palette, panel["title"]
                    assert all(one["text"] for one in shown), panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_silence_is_never_shown_as_well(name: str) -> None:
    """A panel that can be green says for itself what a missing value is: grey."""
    for panel in panels(BOARDS[name]):
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] not in ("stat", "bargauge", "state-timeline", "status-history"):
            continue
        special = [m for m in defaults["mappings"] if m["type"] == "special"]
        if not special:
            assert words.OK not in str(defaults), panel["title"]
            assert defaults["thresholds"]["steps"][0]["color"] == words.CLEAR, panel["title"]
        else:
            grey = words.NO_DATA
            if panel["options"].get("colorMode") == "value":
                grey = words.PLAIN  # a grey word could not be read on white
            assert special[0]["options"]["result"]["color"] == grey, panel["title"]
