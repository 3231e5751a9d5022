"""Gate: every query over the real chain, and stories that panels must tell.

Exporters probe scripted APIs, Prometheus has the shipped rules, Alertmanager tells the exporters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from grafana import words
from tests.documents import yaml_of
from tests.grafana import happened, scene
from tests.grafana.live import Moments, chain
from tests.grafana.past import recording_rules
from tests.grafana.promql import ranged, selectors
from tests.grafana.reading import BOARDS, ROOT, expressions, panels
from tests.grafana.survey import Asked, Place, ask, empty, green, not_finite, strays

pytestmark = pytest.mark.slow
SEVERAL = ("good", "credits", "limited", "outage", "badkey", "painting")
"""Whose dashboards of one service are looked at: together they show every panel."""
LONG = "windows of a day and more begin at a full five minutes"
NEVER: Mapping[Place, str] = {
    ("registry-incidents", "Mean time to resolve", "A"): "no incident is over",
    ("registry-incidents", "Notifications", "B"): "none failed",
    ("registry-incidents", "Incident log", "B"): "rules of the library's users",
    ("registry-incidents", "Who saw it first", "A"): "no provider's own page is on loopback",
    ("registry-incidents", "Which services cost us sleep", "C"): "no incident is over",
    ("registry-incidents", "Which services cost us sleep", "D"): LONG,
    ("registry-incidents", "Down, hours a day", "A"): LONG,
    ("registry-limits", "Keys", "E"): "no key was rotated",
    ("registry-limits", "Refused for a quota or a rate limit", "B"): "calls of the library's users",
    ("registry-overview", "All services", "B"): LONG,
    ("registry-overview", "All services", "C"): LONG,
    ("registry-service", "Latency, beside last week", "B"): "there was no last week",
    ("registry-service", "Provider's own status page", "A"): "polled after five minutes",
    ("registry-service", "Our own calls", "A"): "calls of the library's users",
    ("registry-service", "Available, 30 days", "A"): LONG,
    ("registry-service", "Budget left", "A"): LONG,
    ("registry-slo", "Missed", "A"): LONG,
    ("registry-slo", "In danger", "A"): LONG,
    ("registry-slo", "Least budget left", "A"): LONG,
    **{("registry-slo", "Objectives and budgets", ref): LONG for ref in "BCDEH"},
    ("registry-slo", "Budget left over 30 days", "A"): LONG,
    ("registry-slo", "Good events by day", "A"): LONG,
    ("registry-status", "90 days", "A"): LONG,
    ("registry-status", "Available, 30 days", "A"): LONG,
    **{
        (
            "registry-models",
            panel["title"],
            target["refId"],
        ): "models are asked once a minute at most"
        for panel in panels(BOARDS["registry-models"])
        for target in panel["targets"]
    },
}
"""What the chain cannot have seen in its seconds; `test_past` sees all of it."""
ALIVE = {
    ("registry-monitoring", "Alertmanager"),
    ("registry-monitoring", "Longest without a probe"),
}
ROTATED = {
    ("registry-" + b, "Key rotated", "@")
    for b in ("overview", "service", "incidents", "limits", "models", "slo")
}


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moments]:
    with chain(tmp_path_factory.mktemp("chain")) as found:
        yield found


def asked(moments: Moments, moment: str, name: str) -> list[list[Asked]]:
    if name != "registry-service":
        return [list(ask(moments.desk(moment), name))]
    found = moments.desk(moment).query("last_over_time(service_info[1m])")
    place = {a.labels["service"]: a.labels["environment"] for a in found}
    return [
        list(ask(moments.desk(moment, service=service, environment=place[service]), name))
        for service in SEVERAL
    ]


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_has_an_answer_that_can_be_drawn(moments: Moments, name: str) -> None:
    found = asked(moments, "live", name)

    nothing = set.intersection(*(empty(one) for one in found))

    assert nothing - NEVER.keys() - ROTATED == set()
    assert [not_finite(one) for one in found] == [set()] * len(found)
    assert [strays(one) for one in found] == [set()] * len(found)


@pytest.mark.parametrize("name", BOARDS)
def test_a_dead_exporter_is_green_nowhere_and_breaks_no_query(moments: Moments, name: str) -> None:
    for one in asked(moments, "dead", name):
        assert green(one, moments.dead) - ALIVE == set()
        assert not_finite(one) == set()


@pytest.fixture(scope="module")
def catalogue(moments: Moments) -> Mapping[str, set[str]]:
    """Every metric with its labels: of the chain, and what only a longer life brings forth."""
    known: dict[str, set[str]] = {}
    for labels in moments.desk().get("series", **{"match[]": '{__name__!=""}'}):
        known.setdefault(labels["__name__"], set()).update(labels)
    exporter = scene.exporters()[0]
    # A model leaves the list that has been in it.
    exporter.probe(happened.LEFT_SINCE - happened.MINUTE)
    exporter.probe(happened.END)
    for at in range(happened.END, happened.END + 3 * happened.QUARTER, happened.MINUTE):
        exporter.ask_models(at - 5)
    for name, text in re.findall(r"^(\w+)\{(.*)\}", exporter.page(happened.END), re.MULTILINE):
        known.setdefault(name, {"job", "instance"}).update(re.findall(r"(\w+)=", text))
    for name in recording_rules():
        level = {"slo": "slo", "service": "provider"}.get(name.partition(":")[0], "provider")
        known.setdefault(name, {"environment", "service", level})
    calls = yaml_of((ROOT / "prometheus" / "rules" / "50-calls.yml").read_text())
    for rule in (rule for group in calls["groups"] for rule in group["rules"]):
        if "record" in rule:
            known.setdefault(rule["record"], {"environment", "service", "source"})
    return known


@pytest.mark.parametrize("name", BOARDS)
def test_every_metric_and_label_is_one_that_somebody_produces(
    catalogue: Mapping[str, set[str]], name: str
) -> None:
    for where, expr in expressions(BOARDS[name]):
        for metric, matchers in selectors(expr):
            assert metric in catalogue, (where, metric)
            assert set(matchers) - {"__name__"} <= catalogue[metric], (where, metric)


def test_rates_are_of_counters_and_slopes_of_gauges(moments: Moments) -> None:
    kinds = {name: rows[0]["type"] for name, rows in moments.desk().get("metadata").items()}
    counted = {"counter", "histogram"}
    fitting = {"rate": counted, "increase": counted, "deriv": {"gauge"}}
    looked_at = 0

    for board in BOARDS.values():
        for where, expr in expressions(board):
            for function, metric in ranged(expr):
                kind = kinds.get(metric) or kinds.get(
                    re.sub(r"_(bucket|sum|count|total)$", "", metric)
                )
                if function in fitting and kind is not None:
                    assert kind in fitting[function], (board["uid"], where, metric, kind)
                    looked_at += 1
    assert looked_at > 20


# -- stories -------------------------------------------------------------------------------------


def broken(moments: Moments, moment: str, environment: str) -> dict[str, dict[str, str]]:
    desk = moments.desk(moment, environment=environment)
    rows = desk.table("registry-overview", "What is broken")
    return {row["service"]: row for row in rows}


@pytest.mark.parametrize(
    ("environment", "service", "fault", "reason"),
    [
        ("outage", "outage", "THE PROVIDER", "server error (server_error): "),
        (
            "badkey",
            "badkey",
            "OUR KEY",
            "key rejected (auth_invalid): the provider rejects the key: replace it",
        ),
        (
            "quota",
            "empty",
            "OUR QUOTA",
            "quota used up (quota_exhausted): credits or quota are used up",
        ),
        ("network", "silent", "OUR NETWORK", "our own network is down: check it, "),
    ],
)
def test_the_overview_says_what_is_broken_and_whose_fault_it_is(
    moments: Moments, environment: str, service: str, fault: str, reason: str
) -> None:
    desk = moments.desk(environment=environment)
    code = next(str(c) for c, (text, _) in words.STATES.items() if text == fault)

    rows = broken(moments, "live", environment)

    assert set(rows) == {service}, "the others of this environment are well"
    assert rows[service]["fault"] == fault
    assert rows[service]["reason"].startswith(reason)
    assert (rows[service]["last success"] == "never") == (service != "outage")
    assert desk.stat("registry-overview", "Verdict") == {"": fault}
    assert desk.stat("registry-overview", "Services by state")[code] == "1"
    assert desk.stat("registry-service", "State") == {"": fault}


def test_who_was_told_and_whether_somebody_took_it(moments: Moments) -> None:
    taken = broken(moments, "live", "outage")["outage"]
    waiting = broken(moments, "live", "quota")["empty"]
    channels = moments.desk().table("registry-overview", "Who was told")
    alerts = moments.desk(environment="outage").table("registry-overview", "Firing alerts")

    assert taken["told"] == "acknowledged"
    assert waiting["told"] == "told, not taken"
    assert [row["integration"] for row in channels] == ["webhook"]
    assert {"ServiceDown", "MonitoringNetworkDown"} <= {row["alertname"] for row in alerts}
    (down,) = (row for row in alerts if row["alertname"] == "ServiceDown")
    assert (down["service"], down["severity"]) == ("outage", "CRITICAL"), "not as high as well"
    assert moments.desk(environment="quota").stat("registry-overview", "Not taken") == {"": "1"}
    assert moments.desk(environment="outage").stat("registry-overview", "Not taken") == {"": "0"}


def test_a_certificate_of_three_days_runs_out_next(moments: Moments) -> None:
    row = moments.desk(environment="certificate").table("registry-overview", "Runs out next")[0]

    assert (row["what"], row["service"]) == ("certificate", "expiring")
    assert 2.9 * words.DAY < float(row["in"]) < 3 * words.DAY
    assert broken(moments, "live", "certificate") == {}, "it is not broken yet"


def test_quota_and_key_run_out_at_their_pace(moments: Moments) -> None:
    rows = moments.desk(service="credits").table("registry-limits", "Runs out next")

    assert [row["what"] for row in rows] == ["quota: credits", "key"]
    assert 0 < float(rows[0]["in"]) < words.DAY
    assert float(rows[1]["in"]) == pytest.approx(20 * words.DAY, abs=60)


def test_a_key_and_the_one_after_it(moments: Moments) -> None:
    keys = {row["service"]: row for row in moments.desk().table("registry-limits", "Keys")}

    assert keys["badkey"]["accepted"] == "REJECTED"
    assert keys["credits"]["accepted"] == keys["credits"]["next accepted"] == "ACCEPTED"
    assert keys["badkey"]["next accepted"] == "none waits"


def test_declared_maintenance_is_neither_broken_nor_well(moments: Moments) -> None:
    desk = moments.desk(environment="maintenance")

    assert broken(moments, "live", "maintenance") == {}
    assert desk.stat("registry-overview", "Verdict") == {"": "MAINTENANCE"}


def test_an_alert_that_maintenance_mutes_is_not_counted(moments: Moments) -> None:
    resting = moments.desk(environment="maintenance")
    rows = {r["alertname"]: r for r in resting.table("registry-overview", "Firing alerts")}

    assert rows["ServiceDown"]["severity"] == "MUTED", "Alertmanager tells nobody"
    others = sum(row["severity"] != "MUTED" for row in rows.values())
    counted = resting.stat("registry-overview", "Firing by severity")
    assert sum(int(n) for n in counted.values() if n != "NONE") == others


def test_a_disabled_service_is_not_listed(moments: Moments) -> None:
    rows = moments.desk().table("registry-overview", "All services")

    assert "off" not in {row["service"] for row in rows}
    assert len(rows) == 10


def test_one_of_two_exporters_dies_and_nothing_changes(moments: Moments) -> None:
    for environment in ("outage", "badkey", "production"):
        before = broken(moments, "live", environment)
        after = broken(moments, "half", environment)
        assert {k: v["fault"] for k, v in before.items()} == {
            k: v["fault"] for k, v in after.items()
        }
    assert moments.desk("half").stat("registry-monitoring", "Exporters") == {"": "DOWN"}


def test_the_last_exporter_dies_and_every_service_is_no_data(moments: Moments) -> None:
    rows = moments.desk("dead").table("registry-overview", "What is broken")
    alive = moments.desk("live").table("registry-overview", "All services")
    desk = moments.desk("dead", environment="production")

    assert {row["service"] for row in rows} == {row["service"] for row in alive}
    assert {row["fault"] for row in rows} == {"NO DATA"}
    assert {row["told"] for row in rows} == {"NO DATA"}, "the incident log died with it"
    assert next(r for r in rows if r["service"] == "good")["last success"] != "never"
    assert desk.stat("registry-overview", "Verdict") == {"": "NO DATA"}
    assert desk.stat("registry-overview", "Not taken") == {"": "NO DATA"}
    assert desk.stat("registry-status", "All services") == {"": "NO DATA"}
    assert desk.stat("registry-monitoring", "Exporters") == {"": "DOWN"}
