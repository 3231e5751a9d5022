"""promtool's cases, each with those of the shipped rules only that matter to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql

from tests.documents import yaml_of
from tests.engines import Group
from tests.programs import unhurried
from tests.slices import asked_in, slice_of

FOLDER = Path(__file__).parent.parent / "prometheus"
TEST_FILES = sorted(FOLDER.glob("tests/*_test.yml"))
Case = dict[str, Any]


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which must not find anything."""
    command = [*unhurried("promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@cache
def sliced(path: Path) -> list[tuple[list[Group], list[Case]]]:
    """Return the cases of *path* by the rules that they need, as in the files that it names."""
    suite = yaml_of(path.read_text())
    files = [path.parent / name for name in suite["rule_files"]]
    groups = [group for file in files for group in yaml_of(file.read_text())["groups"]]
    found: list[tuple[list[Group], list[Case]]] = []
    for case in suite["tests"]:
        needed = _slice(groups, case)
        alike = [cases for others, cases in found if others == needed]
        if alike:
            alike[0].append(case)
        else:
            found.append((needed, [case]))
    return found


def _slice(groups: list[Group], case: Case) -> list[Group]:
    given = {one["series"].partition("{")[0] for one in case.get("input_series", ())}
    alerts = case.get("alert_rule_test", ())
    asked = {one["alertname"] for one in alerts}
    for one in case.get("promql_expr_test", ()):
        asked |= asked_in(promql.parse(one["expr"]))
    return slice_of(groups, given, asked, texts=any(one["exp_alerts"] for one in alerts))


def pass_cases(path: Path, folder: Path) -> None:
    """Let promtool judge the cases of *path*, in files that are written to *folder*."""
    promtool("test", "rules", *_files(path, folder))


def _files(path: Path, folder: Path) -> Iterator[Path]:
    suite = yaml_of(path.read_text())
    for number, (groups, cases) in enumerate(sliced(path)):
        rules = folder / f"rules{number}.json"
        rules.write_text(json.dumps({"groups": groups}))
        cases_file = folder / f"{path.stem}{number}.json"
        cases_file.write_text(json.dumps(suite | {"rule_files": [rules.name], "tests": cases}))
        yield cases_file
