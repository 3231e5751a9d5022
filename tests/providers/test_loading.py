"""Presets as files: a mistake is reported with its line, a mistake in a key without quoting it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config import make_target, read_text
from exporter.providers import SettingsError, key_mistakes, load, load_file, presets, use_folder

module = sys.modules[presets.__module__]

GOOD = """\
name: Made Up
type: api
docs: [https://docs.example.com/]
base_url: https://api.example.com
auth: {kind: header}
health:
  endpoint: /ping
  confidence: doc
intervals: {health: 60s, minimum: 30s}
key:
  pattern: '^mk-[a-z]{8}$'
  lint:
    - {pattern: '^old-', level: error, message: "an old key"}
    - {pattern: '^test-', level: warning, environment: production, message: "a test key"}
    - {pattern: '^live-', level: error, environment: other, message: "a live key"}
  confidence: belief
"""
BROKEN = [
    ("type: api", "type: toy", 2, "type"),
    ("docs: [https://docs.example.com/]", "docs: []", 3, "docs"),
    ("docs: [https://docs.example.com/]", "docs: [ftp://docs.example.com/]", 3, "docs[0]"),
    ("{kind: header}", "{kind: cookie}", 5, "auth.kind"),
    ("  endpoint: /ping\n", "", 6, "health"),
    ("confidence: doc", "confidence: sure", 8, "health.confidence"),
    ("minimum: 30s", "minimum: often", 9, "intervals.minimum"),
    ("minimum: 30s", "minimum: 30s, maximum: 1h", 9, "intervals.maximum"),
    ("'^mk-[a-z]{8}$'", "'^mk-[z-a]$'", 11, "key.pattern"),
    ("'^test-'", "'^test-('", 14, "key.lint[1].pattern"),
    ("level: warning", "level: loud", 14, "key.lint[1].level"),
    ("confidence: belief", "confidence: 'belief", 16, ""),
]


@pytest.mark.parametrize(("good", "bad", "line", "where"), BROKEN)
def test_a_broken_preset_is_refused_with_its_file_and_line(
    good: str, bad: str, line: int, where: str
) -> None:
    assert good in GOOD

    with pytest.raises(SettingsError) as caught:
        load("made-up.yaml", GOOD.replace(good, bad))

    (problem,) = caught.value.problems
    assert (problem.source, problem.line) == ("made-up.yaml", line)
    assert where in (problem.where, "")


def test_every_broken_pattern_is_told_at_once() -> None:
    text = GOOD.replace("'^old-'", "'('").replace("'^live-'", "'['")

    with pytest.raises(SettingsError) as caught:
        load("made-up.yaml", text)

    assert [problem.line for problem in caught.value.problems] == [13, 15]


def test_a_good_preset_is_read_with_its_defaults() -> None:
    preset = load("made-up.yaml", GOOD)

    assert (preset.name, preset.auth.header, preset.health.method) == (
        "Made Up",
        "Authorization",
        "GET",
    )
    assert (preset.health.expected_status_codes, preset.intervals.minimum) == ((200,), 30.0)
    assert (preset.status_page, preset.answers, preset.key_variables) == (None, (), ())


def test_variables_in_a_preset_are_left_for_later() -> None:
    preset = load("made-up.yaml", GOOD.replace("api.example.com", "${NAME}.example.com"))

    assert preset.base_url == "https://${NAME}.example.com"


def test_the_presets_are_the_files_of_their_folder() -> None:
    assert len(presets()) >= 22
    assert all(preset.name for preset in presets().values())
    assert presets() is presets()


UNLIKE = ("warning", "does not look like a key of Made Up")
KEYS = [
    ("mk-abcdefgh", "production", []),
    ("mk-abcdefgh", "staging", []),
    ("mk-ABC", "production", [UNLIKE]),
    ("", "production", [UNLIKE]),
    ("old-key", "production", [("error", "an old key")]),
    ("old-key", "staging", [("error", "an old key")]),
    ("test-key", "production", [("warning", "a test key")]),
    ("test-key", "staging", [UNLIKE]),
    ("live-key", "production", [UNLIKE]),
    ("live-key", "staging", [("error", "a live key")]),
]


@pytest.mark.parametrize(("key", "environment", "mistakes"), KEYS)
def test_a_key_of_the_wrong_kind_is_told_by_its_looks(
    key: str, environment: str, mistakes: list[tuple[str, str]]
) -> None:
    assert key_mistakes(load("made-up.yaml", GOOD), key, environment) == mistakes


KNOWN = [
    ("openai", "sk-proj-" + "a" * 40, "production", None),
    ("openai", "sk-ant-" + "a" * 40, "production", "warning"),
    ("openai", "sk-admin-" + "a" * 40, "production", "error"),
    ("github", "ghp_" + "a" * 36, "production", None),
    ("github", "a" * 40, "production", "warning"),
    ("cloudflare", "a" * 37, "production", "error"),
    ("cloudflare", "A" * 40, "production", None),
    ("hubspot", "01234567-89ab-cdef-0123-456789abcdef", "production", "error"),
    ("stripe", "sk_test_" + "a" * 24, "production", "error"),
    ("stripe", "sk_live_" + "a" * 24, "production", "warning"),
    ("stripe", "pk_live_" + "a" * 24, "production", "error"),
    ("gemini", "AIza" + "a" * 35, "production", "warning"),
]


@pytest.mark.parametrize(("provider", "key", "environment", "level"), KNOWN)
def test_known_kinds_of_keys_are_told_apart(
    provider: str, key: str, environment: str, level: str | None
) -> None:
    mistakes = key_mistakes(presets()[provider], key, environment)

    assert [found for found, _ in mistakes] == ([] if level is None else [level])
    assert all(key not in message for _, message in mistakes)


@pytest.fixture
def _presets_of_our_own_again() -> Iterator[None]:
    yield
    presets.cache_clear()


@pytest.mark.usefixtures("_presets_of_our_own_again")
def test_a_configuration_reads_the_presets_that_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    presets.cache_clear()
    read: list[str] = []
    monkeypatch.setattr(module, "_shipped", lambda name: read.append(name) or load(name, GOOD))
    stripe = {"id": "a", "provider": "stripe", "api_key": "mk-abcdefgh"}
    own = {"id": "b", "base_url": "https://api.example.com"}

    text = json.dumps({"services": [stripe, own]})
    declared = read_text(text, "services.yaml", {}).services
    targets = [make_target(one, {}) for one in declared]

    assert [target.id for target in targets] == ["a", "b"]
    assert read == ["stripe"]
    assert "openai" in presets()


@pytest.mark.usefixtures("_presets_of_our_own_again")
def test_a_folder_adds_presets_and_replaces_those_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "made-up.yaml").write_text(GOOD)
    (tmp_path / "stripe.yaml").write_text(GOOD.replace("Made Up", "Our Stripe"))

    use_folder(tmp_path)

    assert presets()["made-up"].name == "Made Up"
    assert presets()["stripe"].name == "Our Stripe"
    assert presets()["openai"].name == "OpenAI"


@pytest.mark.usefixtures("_presets_of_our_own_again")
def test_the_mistakes_of_all_files_of_a_folder_are_told_and_nothing_is_taken(
    tmp_path: Path,
) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "one.yaml").write_text(GOOD.replace("type: api", "type: toy"))
    (tmp_path / "two.yaml").write_text("answers: [{status: 400, reason: odd}]")

    with pytest.raises(SettingsError) as caught:
        use_folder(tmp_path)

    assert {Path(problem.source).name for problem in caught.value.problems} == {
        "one.yaml",
        "two.yaml",
    }
    assert "good" not in presets()


def test_a_folder_without_presets_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no NAME\.yaml"):
        use_folder(tmp_path)


@pytest.mark.parametrize("name", ["Upper.yaml", "custom.yaml", "a.yml", "nowhere.yaml"])
def test_a_file_needs_a_name_that_can_be_a_label_and_must_be_there(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"must be named|cannot be read"):
        load_file(tmp_path / name)


def test_a_path_or_a_pattern_in_an_answer_is_checked() -> None:
    bad = "answers: [{status: 400, when: {json: '$[', equals: 1}, reason: retired}]\n"

    with pytest.raises(SettingsError) as caught:
        load("made-up.yaml", GOOD + bad)

    (problem,) = caught.value.problems
    assert problem.where == "answers[0].when.json"


@pytest.mark.parametrize("path", sorted(Path("config/providers").glob("*.yaml")), ids=str)
def test_the_examples_of_own_presets_have_no_mistake(path: Path) -> None:
    assert load_file(path).answers
