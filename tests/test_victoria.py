"""The same alerts as in Prometheus: in the real VictoriaMetrics and vmalert, from a compact page.

Together, since what Prometheus makes of hours of every trouble takes a minute.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
import uvloop

from tests import fleet, victoria
from tests.engines import parsed, read_names
from tests.fleet import History
from tests.slices import metrics_alike, not_decided_by
from tests.test_rule_expressions import GROUPS
from tests.test_rules import ALERTS
from tests.victoria import Seen, Times, remembering, steady, strange, tolerances

pytestmark = pytest.mark.slow

RULES = victoria.of_alerts(GROUPS)
NAMES, READ = (
    {name for g in groups for rule in g["rules"] for name in read_names(parsed(rule))}
    for groups in (GROUPS, RULES)
)
MARGINS = tolerances(RULES)
REMEMBERING = remembering(RULES)
LABEL = "-external.label=cluster=main"
VARIANTS = {
    "plain": ("", ()),
    "external label": ("", (LABEL,)),
    "label of the scrapes": ('cluster="main",', ()),
    "both": ('cluster="main",', (LABEL,)),
}


def read(found: History) -> History:
    """Return of *found* what the rules of alerts read."""
    return {series: rows for series, rows in found.items() if series.partition("{")[0] in READ}


@pytest.fixture(scope="module")
def complete() -> History:
    return uvloop.run(fleet.history(NAMES))


@pytest.fixture(scope="module")
def history(complete: History) -> History:
    return read(complete)


@pytest.fixture(scope="module")
def prometheus(history: History, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return victoria.in_prometheus(tmp_path_factory.mktemp("prometheus"), RULES, history)


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS.keys())
def vmalert(
    request: pytest.FixtureRequest, history: History, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    label, flags = request.param
    found = {series.replace("{", "{" + label, 1): rows for series, rows in history.items()}
    folder = tmp_path_factory.mktemp("victoria") / "storage"
    return victoria.in_victoria(folder, RULES, found, *flags)


def test_every_alert_occurs_in_the_history(prometheus: Seen) -> None:
    assert {dict(key)["alertname"] for key in prometheus.firing} == ALERTS


def test_every_alert_of_a_compact_page_fires_when_it_does_with_a_complete_one(
    complete: History, prometheus: Seen, tmp_path: Path
) -> None:
    compact = uvloop.run(fleet.history(NAMES, compact=True))
    alerts = not_decided_by(metrics_alike(read(compact), read(complete)), RULES)

    found = victoria.in_prometheus(tmp_path, victoria.of_alerts(RULES, alerts), read(compact))

    # The same rules make the same of the same samples: only the others are evaluated once more.
    assert found.firing == of(alerts, prometheus.firing)
    assert found.rows == of(alerts, prometheus.rows)
    assert len(ALERTS) / 4 < len(alerts) < len(ALERTS)
    assert len(compact) < 0.6 * len(complete)


def of(alerts: Collection[str], times: Times) -> Times:
    """Return *times* of *alerts*."""
    return {key: value for key, value in times.items() if dict(key)["alertname"] in alerts}


def replayable(times: Times) -> Times:
    """Return *times* of the alerts whose rules a replay can follow."""
    return of(ALERTS - REMEMBERING, times)


def test_one_alert_only_cannot_be_replayed() -> None:
    assert {"ServiceUnresolved"} == REMEMBERING


def test_an_alert_of_prometheus_fires_in_vmalert_too(prometheus: Seen, vmalert: Seen) -> None:
    assert strange(replayable(prometheus.firing), vmalert.firing, MARGINS) == []


def test_vmalert_fires_no_alert_of_its_own(prometheus: Seen, vmalert: Seen) -> None:
    assert strange(replayable(vmalert.firing), prometheus.firing, MARGINS) == []


def test_a_single_look_finds_the_same_rows(prometheus: Seen, vmalert: Seen) -> None:
    rows = replayable(prometheus.rows)
    assert strange(replayable(vmalert.rows), rows, MARGINS) == []
    assert strange(steady(rows, MARGINS), vmalert.rows, MARGINS) == []


def test_the_comparison_sees_what_is_missing_and_what_is_late() -> None:
    key, margins = (("alertname", "A"),), {("A", ""): 30}
    one = {key: list(range(60, 600, 15))}
    late = {key: list(range(90, 600, 15))}
    too_late = {key: list(range(105, 600, 15))}

    assert strange(one, late, margins) == []
    assert strange(one, too_late, margins) == ["alertname=A: 1-1"]
    assert strange(one, {}, margins) == ["alertname=A: 1-9.75"]
    assert steady(one, margins) == {key: [240, 480]}
