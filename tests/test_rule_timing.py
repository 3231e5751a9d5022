"""Rules in time: no false alarm and no late one, however often is probed and scraped.

promtool plays what an exporter would show to a Prometheus that scrapes at any phase. Its answer is
read from what it says it got, so that one run tells about many moments.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.config.declarations import Alerts
from exporter.config.thresholds import ThresholdKind, thresholds_of
from tests.programs import unhurried
from tests.slices import ALERTS, slice_of
from tests.test_rule_expressions import GROUPS

EVALUATION = 15
ORDER = ["service_registry_state", "service_registry_history", "service_registry_outages"]
Value = Callable[[float], float | None]


class Page:
    """What an exporter shows, as functions of the time of the scrape; None: not shown."""

    def __init__(self) -> None:
        self._series: dict[str, Value] = {}

    def show(self, name: str, value: Value | float, **labels: str) -> None:
        """Show *name* with *labels*; *value* is called with the Unix time of each scrape."""
        written = ",".join(f'{label}="{text}"' for label, text in labels.items())
        fixed = value
        shown = fixed if callable(fixed) else lambda at: float(fixed)
        self._series[f"{name}{{{written}}}"] = shown

    @property
    def names(self) -> set[str]:
        """The metrics that are shown."""
        return {name.partition("{")[0] for name in self._series}

    def input_series(self, scrape: int, seconds: int) -> list[dict[str, str]]:
        """Return the series as promtool takes them, scraped every *scrape* seconds."""
        times = range(0, seconds + 1, scrape)
        return [
            {"series": name, "values": " ".join(_sample(value, at) for at in times)}
            for name, value in self._series.items()
        ]


def _sample(value: Value, at: float) -> str:
    found, before = value(at), value(at - 1)
    if found is None:
        return "stale" if before is not None else "_"
    return repr(round(found, 3))


def played(folder: Path, page: Page, scrape: int, seconds: int) -> dict[str, list[float]]:
    """Return for each firing alert, as `name service severity`, at which evaluations it fired."""
    ask = 'label_join(ALERTS{alertstate="firing"}, "x", " ", "alertname", "service", "severity")'
    times = range(0, seconds + 1, EVALUATION)
    rules = folder / "rules.json"
    rules.write_text(json.dumps({"groups": slice_of(GROUPS, page.names, {ALERTS}, texts=False)}))
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{EVALUATION}s",
        "group_eval_order": ORDER,
        "tests": [
            {
                "interval": f"{scrape}s",
                "input_series": page.input_series(scrape, seconds),
                "promql_expr_test": [
                    {"expr": f"count by (x) ({ask})", "eval_time": f"{at}s", "exp_samples": NEVER}
                    for at in times
                ],
            }
        ],
    }
    path = folder / "played.json"
    path.write_text(json.dumps(test))
    done = subprocess.run(
        [*unhurried("promtool"), "test", "rules", path], capture_output=True, text=True, check=False
    )
    return _firing(done.stdout + done.stderr, len(times))


NEVER = [{"labels": '{x="never"}', "value": -1}]
"""What no evaluation gives, so that promtool prints what each one gave."""


def _firing(printed: str, evaluations: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    answers = re.findall(r"time: (\S+),\n\s+exp:.*\n\s+got: (.*)", printed)
    assert len(answers) == evaluations, printed[-3000:]
    for time, got in answers:
        for name in re.findall(r'x="([^"]*)"', got):
            found.setdefault(name, []).append(_seconds(time))
    return found


def _seconds(text: str) -> float:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"([\d.]+)([dhms])", text))


def thresholds(page: Page, service: Mapping[str, str], interval: float, **alerts: Any) -> None:
    """Show the rows that the exporter has for a service that is probed every *interval* s."""
    for row in thresholds_of(Alerts(**alerts), interval):
        labels = {**service, "team": "t", "severity": row.severity}
        if row.escalation:
            labels["escalation"] = row.escalation
        page.show(f"service_threshold_{row.kind}", row.value, **labels)


def probed(
    page: Page,
    id_: str,
    interval: float,
    *,
    phase: float = 0.0,
    takes: float = 0.0,
    until: float = float("inf"),
    fails: Callable[[float], bool] = lambda at: False,
    provider: str = "",
    verdict: Callable[[float], str] = lambda at: "provider",
    **alerts: Any,
) -> dict[str, str]:
    """Show a service that is probed at phase + n * interval, each probe taking *takes* seconds.

    *fails* tells of a probe by its start; from *until* on there are no more probes.
    """
    service = {"environment": "prod", "service": id_, "provider": provider or id_}

    def starts(at: float) -> Iterable[float]:
        """The starts of the probes whose results are known, the newest first."""
        number = int((min(at, until) - phase - takes) // interval)
        return (phase + n * interval for n in range(number, -1, -1))

    def last(at: float) -> float | None:
        return next(iter(starts(at)), None)

    def in_a_row(at: float) -> float:
        count = 0
        for start in starts(at):
            if not fails(start):
                break
            count += 1
        return float(count)

    def success(at: float) -> float | None:
        return next((start for start in starts(at) if not fails(start)), None)

    def failing(at: float) -> float | None:
        now = last(at)
        return 1.0 if now is not None and fails(now) else 0.0

    page.show("service_enabled", 1.0, **service)
    page.show("service_info", 1.0, **service, team="t")
    page.show("probe_last_run_timestamp_seconds", last, **service)
    page.show("probe_last_success_timestamp_seconds", success, **service)
    page.show("probe_consecutive_failures", in_a_row, **service)
    for name in ("provider", "network"):
        page.show(
            "service_verdict",
            lambda at, name=name: float(bool(failing(at)) and verdict(last(at) or 0) == name),
            **service,
            verdict=name,
        )
    thresholds(page, service, interval, **alerts)
    return service


# -- not probed ------------------------------------------------------------------------------------

INTERVALS = (1, 2, 5, 15, 60, 300, 3600)


@pytest.mark.parametrize("scrape", [5, 15, 30, 60])
def test_a_probed_service_is_never_called_not_probed(tmp_path: Path, scrape: int) -> None:
    page, ids = Page(), []
    for interval in INTERVALS:
        for phase in (0.0, 0.37, 0.9):
            for part in (0.0, 0.95):  # of the interval: how long a probe takes
                ids.append(f"s{interval}-{phase}-{part}")
                first = min(phase * interval, 10.0)  # a new exporter probes everything soon
                probed(page, ids[-1], interval, phase=first, takes=min(part * interval, 300))

    found = played(tmp_path, page, scrape, 3 * 3600)

    assert not {name for name in found if name.split()[0] not in ("Watchdog", *ABOUT_US)}
    assert len(ids) == len(INTERVALS) * 6


ABOUT_US = ("ExporterAbsent",)
"""Fires in these histories, which show services only."""


@pytest.mark.parametrize("scrape", [5, 15, 60])
@pytest.mark.parametrize("interval", [1, 15, 60, 300])
def test_a_service_that_is_no_longer_probed_is_told_in_time(
    tmp_path: Path, scrape: int, interval: int
) -> None:
    page, end = Page(), 900
    probed(page, "dead", interval, phase=3.0, until=end)
    (row,) = [
        row for row in thresholds_of(Alerts(), interval) if row.kind is ThresholdKind.PROBE_STALE
    ]

    found = played(tmp_path, page, scrape, end + 3 * interval + 600)
    first = min(found["ServiceNotProbed dead high"])

    # what the runbook promises: the row, a minute, and a scrape, an evaluation and a probe
    assert end - interval + row.value + 60 <= first
    assert first <= end + row.value + 60 + scrape + 2 * EVALUATION


# -- our own network, without canaries -------------------------------------------------------------


def _fleet(page: Page, fails: Callable[[float], bool], **slow: float) -> None:
    """Show five services of five providers, probed once a minute, *slow* ones less often."""
    for place, id_ in enumerate(("mail", "pay", "chat", "news", "maps")):
        probed(page, id_, slow.get(id_, 60), phase=3.0 + place, fails=fails)


def test_a_suspected_network_mutes_until_each_failing_service_was_probed_again(
    tmp_path: Path,
) -> None:
    page = Page()
    _fleet(page, lambda at: 600 <= at < 1800, maps=420)

    found = played(tmp_path, page, 15, 3600)
    down, network = found["ServiceDown maps high"], found["MonitoringNetworkDown  critical"]

    assert min(network) < min(found["ServiceDown pay high"])
    # maps is probed at 7 + n * 420: its failures stand until 2107, five minutes after the end
    assert 2107 <= max(network) <= 2107 + 150 + 15 + 2 * EVALUATION
    assert set(down) <= set(network)


def test_an_outage_that_goes_on_after_a_suspected_network_is_told_at_once(tmp_path: Path) -> None:
    page = Page()
    for place, id_ in enumerate(("mail", "pay", "chat", "maps", "gone")):
        ends = 5400 if id_ == "gone" else 1800
        probed(page, id_, 60, phase=3.0 + place, fails=lambda at, ends=ends: 600 <= at < ends)

    found = played(tmp_path, page, 15, 5400)
    network = found["MonitoringNetworkDown  critical"]
    told = [at for at in found["ServiceDown gone critical"] if at not in network]
    escalated = [at for at in found["ServiceUnresolved gone high"] if at not in network]

    # all others are probed again within a minute, and their alerts have ended two minutes later
    assert min(told) <= 1800 + 60 + 150 + 15 + 3 * EVALUATION
    # the first level of escalation is 15 minutes after somebody could be told
    assert min(told) + 900 <= min(escalated) + EVALUATION
    assert min(escalated) <= min(told) + 900 + 3 * EVALUATION
