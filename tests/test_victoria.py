"""VictoriaMetrics and vmalert, the real ones: the same alerts as in Prometheus."""

from __future__ import annotations

import asyncio

import pytest

from tests import fleet, victoria
from tests.engines import parsed, read_names
from tests.fleet import History
from tests.test_rule_expressions import GROUPS
from tests.test_rules import ALERTS
from tests.victoria import Seen, Times, remembering, steady, strange, tolerances

pytestmark = pytest.mark.slow

RULES = victoria.of_alerts(GROUPS)
MARGINS = tolerances(RULES)
REMEMBERING = remembering(RULES)
LABEL = "-external.label=cluster=main"
VARIANTS = {
    "plain": ("", ()),
    "external label": ("", (LABEL,)),
    "label of the scrapes": ('cluster="main",', ()),
    "both": ('cluster="main",', (LABEL,)),
}


@pytest.fixture(scope="module")
def history() -> History:
    wanted = {name for g in RULES for rule in g["rules"] for name in read_names(parsed(rule))}
    return asyncio.run(fleet.history(wanted))


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


def replayable(times: Times) -> Times:
    """Return *times* of the alerts whose rules a replay can follow."""
    return {k: v for k, v in times.items() if dict(k)["alertname"] not in REMEMBERING}


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
