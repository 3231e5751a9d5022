"""The committed dashboards are what the builder makes, and exactly the promised eight."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from grafana import build
from tests.grafana.reading import BOARDS, FOLDER, ROOT, panels

SOURCES = sorted((ROOT / "grafana").rglob("*.py"))


def test_the_committed_dashboards_are_fresh() -> None:
    assert list(build.stale(FOLDER)) == [], "run make reference"


def test_building_twice_gives_the_same_bytes() -> None:
    assert build.built() == build.built()


def test_there_are_the_eight_with_the_uids_that_alerts_and_links_use() -> None:
    names = ("overview", "service", "incidents", "slo", "limits", "models", "monitoring", "status")

    assert set(BOARDS) == {f"registry-{name}" for name in names}
    assert all(board["uid"] == name for name, board in BOARDS.items())


def test_check_tells_a_changed_a_missing_and_a_foreign_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in FOLDER.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert list(build.stale(tmp_path)) == []

    (tmp_path / "registry-slo.json").write_text("{}")
    (tmp_path / "registry-status.json").unlink()
    (tmp_path / "mine.json").write_text("{}")

    assert list(build.stale(tmp_path)) == ["mine.json", "registry-slo.json", "registry-status.json"]
    assert build.main(["--check"]) == 1
    assert "registry-slo.json is stale" in capsys.readouterr().err
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_builder_keeps_the_rules_of_the_house(path: Path) -> None:
    tree = ast.parse(path.read_text())

    assert ast.get_docstring(tree)
    assert len(path.read_text().splitlines()) <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 42, node.name


def test_the_readme_names_panels_that_exist() -> None:
    text = (ROOT / "grafana" / "README.md").read_text()
    table = text.partition("| question |")[2].partition("\n\n")[0].splitlines()[2:]
    titles = {
        board["title"].removeprefix("Service registry / "): {p["title"] for p in panels(board)}
        for board in BOARDS.values()
    }

    assert {row.split("|")[2].partition("/")[0].strip() for row in table} == set(titles)
    for row in table:
        dashboard, _, named = row.split("|")[2].partition("/")
        for name in named.split(";"):
            assert re.sub(r"\(.*\)", "", name).strip() in titles[dashboard.strip()], name
