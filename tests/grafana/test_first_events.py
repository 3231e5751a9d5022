"""The first event of a reason is counted by the boards, whether or not it had a series before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from grafana import queries
from tests.programs import unhurried

ONE = 'service="a"'
LABELS = 'job="j",instance="i",environment="p",service="a"'


def _growth(folder: Path, series: dict[str, str], times: dict[str, float | None]) -> None:
    """Have promtool compare what `queries.ended` tells of timeouts with *times*, by the minute."""
    expr = queries.ended(ONE, 'reason="timeout"', "2m")
    test = {
        "interval": "1m",
        "input_series": [
            {"series": f'probe_results_total{{{LABELS},reason="{reason}"}}', "values": values}
            for reason, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"sum by (reason) {expr} > 0",
                "eval_time": time,
                "exp_samples": []
                if value is None
                else [{"labels": '{reason="timeout"}', "value": value}],
            }
            for time, value in times.items()
        ],
    }
    (folder / "test.yml").write_text(json.dumps({"tests": [test]}))
    command = [*unhurried("promtool"), "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_of_a_reason_that_had_no_series(tmp_path: Path) -> None:
    series = {"ok": "5x40", "timeout": "_x20 1x20"}

    # Two minutes later it is there in both, and does not grow any more.
    _growth(tmp_path, series, {"19m": None, "20m": 1, "21m": 1, "22m": None, "30m": None})


def test_one_of_a_reason_that_was_there_from_0(tmp_path: Path) -> None:
    series = {"ok": "5x40", "timeout": "0x19 1x20"}

    _growth(tmp_path, series, {"19m": None, "20m": 1, "21m": 1, "22m": None})


def test_none_of_a_service_that_prometheus_sees_for_the_first_time(tmp_path: Path) -> None:
    series = {"ok": "_x20 5x20", "timeout": "_x20 7x20"}

    _growth(tmp_path, series, {"20m": None, "21m": None, "22m": None, "23m": None})
