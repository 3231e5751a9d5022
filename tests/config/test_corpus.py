"""Every mistake a file can hold, one to a file, and files without any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.config import Configuration, make_target, read_files, read_text
from exporter.settings import Problem, SettingsError

FOLDER = Path(__file__).parents[1] / "configs"
BAD = sorted(FOLDER.glob("bad-*.yaml"))
GOOD = sorted(FOLDER.glob("good-*.yaml"))
SENTINEL = "SENTINEL-sk-live-51H8xkq"
PIECES = tuple(SENTINEL[i : i + 8] for i in range(len(SENTINEL) - 7))
ENVIRONMENT = {
    "TEXT": SENTINEL,
    "OPENAI_API_KEY": "sk-" + "a" * 40,
    "CUSTOM_KEY": "custom-key-0123456789",
    "HOST": "api.example.com",
    "ENABLED": "false",
    "PER_HOUR": "1000",
    "MULTIPLIER": "1.5",
    "AVAILABILITY": "99.5%",
    "INTERVAL": "45s",
    "RETRIES": "4",
    "STATUS": "204",
}


@dataclass(frozen=True)
class Expected:
    line: int
    where: str
    what: str


def expected_of(path: Path) -> Expected:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    line, where, what = first.removeprefix("# expect: ").split(": ", 2)
    return Expected(int(line), where, what.replace("{file}", path.name))


def problems_of(text: str, source: str = "services.yaml") -> list[Problem]:
    with pytest.raises(SettingsError) as caught:
        read_text(text, source, ENVIRONMENT)
    return caught.value.problems


def problem_of(path: Path) -> Problem:
    problems = problems_of(path.read_text(encoding="utf-8"), path.name)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def good(name: str) -> Configuration:
    path = FOLDER / f"good-{name}.yaml"
    return read_text(path.read_text(encoding="utf-8"), path.name, ENVIRONMENT)


bad = pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(BAD) >= 75
    assert len(GOOD) >= 8


@bad
def test_a_mistake_is_reported_once_at_its_line_and_path(path: Path) -> None:
    expected = expected_of(path)

    problem = problem_of(path)

    assert (problem.line, problem.where) == (expected.line, expected.where)


@bad
def test_a_mistake_is_explained_in_the_expected_words(path: Path) -> None:
    expected = expected_of(path)

    problem = problem_of(path)

    assert expected.what in problem.what


@bad
def test_a_problem_reads_as_file_line_path_and_text(path: Path) -> None:
    expected = expected_of(path)

    shown = str(problem_of(path))

    assert shown.startswith(f"{path.name}:{expected.line}: {expected.where}: ")


@bad
def test_no_message_repeats_a_piece_of_the_wrong_value(path: Path) -> None:
    shown = str(problem_of(path))

    assert not [piece for piece in PIECES if piece in shown]
    assert "51H8xk" not in shown
    assert "51884" not in shown


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_expectation_is_so_short_that_any_message_would_fit(path: Path) -> None:
    expected = expected_of(path)

    assert len(expected.what) >= 12


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_loads_and_each_service_becomes_a_target(path: Path) -> None:
    configuration = read_text(path.read_text(encoding="utf-8"), path.name, ENVIRONMENT)

    targets = [make_target(declared, ENVIRONMENT) for declared in configuration.services]

    assert [target.id for target in targets] == [s.raw["id"] for s in configuration.services]


def test_the_full_example_holds_what_it_says() -> None:
    configuration = good("full")

    custom = make_target(configuration.services[1], ENVIRONMENT)

    assert configuration.warnings == ()
    assert configuration.canaries[0].expected_status_codes == (204,)
    assert configuration.monitoring.metrics_retention_days == 100
    assert (custom.interval, custom.retries, custom.runbook) == (
        30.0,
        3,
        "https://wiki.company.com/custom-api#down",
    )


def test_merge_keys_lose_against_the_services_own_fields() -> None:
    _, blog, docs, wiki = (declared.raw for declared in good("anchors").services)

    assert (blog["team"], blog["health_check"]) == ("shop", {"interval": "5m", "retries": 4})
    assert (docs["team"], docs["metadata"]) == ("first", {})
    assert wiki["health_check"] == {"interval": "30s", "retries": 4}


def test_environment_references_become_the_type_that_the_field_wants() -> None:
    (raw,) = (declared.raw for declared in good("environment").services)

    assert raw["enabled"] is False
    assert raw["rate_limit"] == {"requests_per_minute": 60, "requests_per_hour": 1000}
    assert raw["health_check"]["expected_status_codes"] == [200, 204]
    assert raw["metadata"] == {"number": "4", "template": "${NOT_A_REFERENCE}"}


def test_texts_that_yaml_1_1_would_turn_into_something_else_stay_texts() -> None:
    (raw,) = (declared.raw for declared in good("yaml-surprises").services)

    assert (raw["name"], raw["team"], raw["environment"]) == ("no", "12:30:00", "2026-12-01")
    assert raw["metadata"]["zero"] == "007"


def test_all_mistakes_of_a_text_are_found_at_once_sorted_by_line() -> None:
    text = f"""\
defaults:
  teem: {SENTINEL}
  health_check: {{interval: 10s, timeout: 11s}}
canaries:
  - {{uri: {SENTINEL}, url: https://example.com}}
  - {{url: {SENTINEL}}}
services:
  - id: shop
    base_url: ftp://{SENTINEL}
    team: ${{UNSET_TEAM}}
    maintenance: [{SENTINEL}]
  - id: shop
    base_url: https://api.example.com
    base_url: https://{SENTINEL}
    health_check:
      expected_status_codes: [200, {SENTINEL}]
      assertions: [{{body: true, matches: "({SENTINEL}"}}]
  - {SENTINEL}
  - id: blog
    health_check: {{retries: {SENTINEL}}}
monitoring: {SENTINEL}
"""

    problems = problems_of(text)

    assert [(p.line, p.where) for p in problems] == [
        (2, "defaults.teem"),
        (3, "defaults.health_check.timeout"),
        (5, "canaries[0].uri"),
        (6, "canaries[1].url"),
        (9, "services[0].base_url"),
        (10, "services[0].team"),
        (11, "services[0].maintenance[0]"),
        (12, "services[1].id"),
        (14, "services[1].base_url"),
        (16, "services[1].health_check.expected_status_codes[1]"),
        (17, "services[1].health_check.assertions[0].matches"),
        (18, "services[2]"),
        (19, "services[3]"),
        (20, "services[3].health_check.retries"),
        (21, "monitoring"),
    ]
    assert not [p for p in problems if any(piece in str(p) for piece in PIECES)]


def test_a_mistake_of_the_defaults_is_told_once_however_many_services_have_it() -> None:
    text = "defaults: {alerts: {escalate_after: [1h, 5m]}}\nservices:\n" + "".join(
        f"  - {{id: s{i}, base_url: https://api.example.com}}\n" for i in range(50)
    )

    problems = problems_of(text)

    assert [str(p) for p in problems] == [
        "services.yaml:1: defaults.alerts.escalate_after: must grow from level to level"
    ]


def test_a_duplicate_key_inside_an_anchor_is_told_once_however_often_it_is_used() -> None:
    text = """\
services:
  - &base
    id: shop
    base_url: https://api.example.com
    metadata: &facts {owner: a, owner: b}
  - {<<: *base, id: blog}
  - {<<: *base, id: wiki, metadata: *facts}
"""

    problems = problems_of(text)

    assert [p.line for p in problems] == [5]


def test_the_files_of_a_directory_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("services: [{id: b, base_url: https://b.example.com}]")
    (tmp_path / "b.yml").write_text("defaults: {team: core}\nservices: [{id: o, provider: openai}]")
    (tmp_path / "c.txt").write_text(SENTINEL)

    configuration = read_files([tmp_path], {})

    assert [d.raw["id"] for d in configuration.services] == ["b", "o"]
    assert [d.raw["team"] for d in configuration.services] == ["core", "core"]


def test_a_service_learns_of_an_unset_key_in_another_files_defaults(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("services: [{id: b, base_url: https://b.example.com}]")
    (tmp_path / "b.yaml").write_text("defaults: {api_key: '${UNSET_KEY}'}")

    configuration = read_files([tmp_path], {})

    assert configuration.services[0].missing_variable == "UNSET_KEY"


def test_defaults_in_two_files_are_a_mistake_of_the_second(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("defaults: {team: core}")
    (tmp_path / "b.yaml").write_text("\ndefaults: {team: shop}")

    with pytest.raises(SettingsError) as caught:
        read_files([tmp_path], {})

    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{tmp_path}/b.yaml:2: defaults: is in another file already")
    assert f"{tmp_path}/a.yaml:1" in problem.what


def test_the_same_id_in_two_files_names_the_first_place(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("services:\n- {id: shop, base_url: https://a.example.com}")

    with pytest.raises(SettingsError) as caught:
        read_files([tmp_path], {})

    assert [(p.source, p.line) for p in caught.value.problems] == [(f"{tmp_path}/b.yaml", 2)]
    assert f"{tmp_path}/a.yaml:2" in caught.value.problems[0].what


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("missing.yaml", None, "cannot be read: No such file or directory"),
        ("latin.yaml", b"services: []  # caf\xe9", "is not UTF-8 text"),
        ("folder", b"", "has no .yaml file; name a file, or put one there"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(
    tmp_path: Path, name: str, content: bytes | None, what: str
) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        read_files([path], {})

    assert [(p.source, p.what) for p in caught.value.problems] == [(str(path), what)]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(
        b"\xef\xbb\xbfservices:\r\n- id: shop\r\n  base_url: https://a.example.com\r\n"
    )

    configuration = read_files([path], {})

    assert [d.raw["id"] for d in configuration.services] == ["shop"]
