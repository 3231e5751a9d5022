"""Gate: every query over a month with outages, and the numbers that it must show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.documents import yaml_of
from tests.grafana import happened
from tests.grafana.asking import Desk
from tests.grafana.past import month
from tests.grafana.promql import selectors
from tests.grafana.reading import BOARDS, ROOT, expressions, panel_of
from tests.grafana.survey import Asked, ask, empty, green, not_finite, strays

pytestmark = pytest.mark.slow
ONES = tuple((name, "production") for name in ("openai", "stripe", "credits", "mail"))
STAYS = {("registry-monitoring", "Alertmanager")}
PROD = "production"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with month(tmp_path_factory.mktemp("month")) as found:
        yield found


def desk(base: str, at: int = happened.END, **chosen: str) -> Desk:
    return Desk(base, at, chosen)


def asked(base: str, name: str, at: int = happened.END) -> list[list[Asked]]:
    if name != "registry-service":
        return [list(ask(desk(base, at), name))]
    return [
        list(ask(desk(base, at, service=service, environment=environment), name))
        for service, environment in ONES
    ]


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_has_an_answer_that_can_be_drawn(base: str, name: str) -> None:
    found = asked(base, name)

    assert set.intersection(*(empty(one) for one in found)) == set()
    assert [not_finite(one) for one in found] == [set()] * len(found)
    assert [strays(one) for one in found] == [set()] * len(found)


@pytest.mark.parametrize("name", BOARDS)
def test_ten_minutes_after_the_last_exporter_nothing_is_green(base: str, name: str) -> None:
    for one in asked(base, name, happened.DEAD):
        assert green(one, happened.DEAD) - STAYS == set()
        assert not_finite(one) == set()


def test_every_recorded_series_is_one_of_a_shipped_rule() -> None:
    files = (ROOT / "prometheus" / "rules").glob("*.yml")
    groups = [group for file in files for group in yaml_of(file.read_text())["groups"]]
    known = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}

    for board in BOARDS.values():
        for where, expr in expressions(board):
            recorded = {metric for metric, _ in selectors(expr) if ":" in metric}
            assert recorded <= known, (board["uid"], where, recorded - known)


def test_choosing_a_provider_leaves_the_others_out(base: str) -> None:
    chosen = desk(base, provider="stripe")

    for board, title in (
        ("registry-overview", "What is broken"),
        ("registry-overview", "All services"),
        ("registry-overview", "Runs out next"),
        ("registry-overview", "Firing alerts"),
        ("registry-limits", "Keys"),
        ("registry-slo", "Objectives and budgets"),
        ("registry-incidents", "Which services cost us sleep"),
    ):
        assert {row["service"] for row in chosen.table(board, title)} == {"stripe"}, title


def test_several_chosen_services_are_shown_and_no_other(base: str) -> None:
    chosen = desk(base, service="(stripe|openai)", environment="(production|staging)")

    for board, title in (("overview", "All services"), ("slo", "Objectives and budgets")):
        rows = chosen.table(f"registry-{board}", title)
        assert {row["service"] for row in rows} == {"stripe", "openai"}, title
    alerts = chosen.table("registry-overview", "Firing alerts")
    assert {row["service"] for row in alerts} == {"stripe"}


def test_all_services_of_a_pair_of_exporters_are_there_once(base: str) -> None:
    rows = desk(base).table("registry-overview", "All services")

    assert sorted((row["service"], row["environment"]) for row in rows) == sorted(
        [
            *((name, PROD) for name in happened.SERVICES),
            *((name, "staging") for name in happened.STAGING if name != "removed"),
        ]
    ), "what was removed from a living exporter is gone at once"


def test_an_outage_is_the_providers_since_its_last_success(base: str) -> None:
    production = desk(base, environment=PROD)
    rows = {r["service"]: r for r in production.table("registry-overview", "What is broken")}
    since = {
        answer.labels["service"]: answer.last / 1000
        for answer in desk(base).panel("registry-overview", "What is broken")[1]
    }

    assert {s: r["fault"] for s, r in rows.items()} == {
        "stripe": "THE PROVIDER",
        "sendgrid": "OUR KEY",
        "split": "THE PROVIDER",
    }
    assert since["stripe"] == pytest.approx(happened.END - 40 * 60 - 65, abs=61)
    assert rows["stripe"]["in a row"] == "40"
    assert rows["stripe"]["told"] == "told, not taken"
    assert rows["sendgrid"]["told"] == "acknowledged"
    assert production.stat("registry-overview", "Verdict") == {"": "THE PROVIDER"}


def test_of_two_exporters_that_disagree_the_worse_one_is_shown(base: str) -> None:
    both = desk(base, environment=PROD, service="split")

    (row,) = both.table("registry-overview", "What is broken")

    assert row["fault"] == "THE PROVIDER"
    assert row["reason"].startswith("name does not resolve (dns): "), "40 minutes ago"
    assert both.stat("registry-overview", "Services by state") == {"7": "1"}


def test_no_failure_is_a_flat_line_and_not_nothing(base: str) -> None:
    (found,) = desk(base, environment=PROD, service="openai").panel(
        "registry-overview", "Failed probes by reason"
    )

    assert [answer.labels["reason"] for answer in found] == ["ok"]
    assert set(found[0].values) == {0.0}


def test_a_verdict_of_the_past_is_no_data(base: str) -> None:
    staging = desk(base, environment="staging")

    (row,) = staging.table("registry-overview", "What is broken")

    assert (row["service"], row["fault"]) == ("forgotten", "NO DATA")
    assert row["reason"] == "no data: no result for three intervals: look at the exporter"
    assert staging.stat("registry-overview", "Services by state") == {"3": "1", "1": "1"}
    assert staging.stat("registry-overview", "Verdict") == {"": "NO DATA"}, "not hidden by an OK"
    assert staging.table("registry-limits", "Rate limits") == [], "those of before are not now's"
    forgotten = desk(base, environment="staging", service="forgotten")
    assert forgotten.table("registry-overview", "Runs out next") == []
    alone = desk(base, environment="staging", service="openai")
    assert alone.stat("registry-overview", "Verdict") == {"": "OK"}
    assert desk(base, environment="staging", service="forgotten").stat(
        "registry-service", "State"
    ) == {"": "NO DATA"}


def test_budgets_are_those_of_the_outages(base: str) -> None:
    rows = {
        row["service"]: row
        for row in desk(base).table("registry-slo", "Objectives and budgets")
        if row["slo"] == "availability" and row["environment"] == PROD
    }

    for service, outages in happened.OUTAGES.items():
        lost = sum(min(end, happened.END) - start for start, end in outages)
        left = 1 - lost / (0.001 * 30 * happened.DAY)
        assert float(rows[service]["budget left"]) == pytest.approx(left, abs=0.4)
    assert float(rows["legacy"]["budget left"]) == 1
    least = desk(base).stat("registry-slo", "Least budget left")
    assert least.keys() == {"stripe availability (production)"}


def test_what_is_spent_stands_before_what_will_be(base: str) -> None:
    rows = desk(base).table("registry-limits", "Runs out next")
    first = desk(base).table("registry-overview", "Runs out next")

    spent = [row["service"] for row in rows if row["in"] == "SPENT"]
    seconds = [float(row["in"]) for row in rows[len(spent) :]]
    assert seconds == sorted(seconds)
    assert rows[0]["what"].startswith("budget: ")
    assert [row["in"] for row in first] == [row["in"] for row in rows[:6]]
    assert "stripe" in spent
    assert {"certificate", "key", "quota: credits"} <= {row["what"] for row in rows}


def test_times_to_acknowledge_and_to_resolve_are_those_of_the_incidents(base: str) -> None:
    week = desk(base)
    rows = {
        row["service"]: row
        for row in week.table("registry-incidents", "Which services cost us sleep")
        if row["environment"] == PROD
    }

    assert week.stat("registry-incidents", "Mean time to resolve") == {"": f"{(2900 + 3600) / 2:g}"}
    assert week.stat("registry-incidents", "Mean time to acknowledge") == {
        "": f"{(240 + 1500 + 300) / 3:g}"
    }
    assert rows["openai"]["critical incidents"] == "1"
    assert rows["stripe"]["critical incidents"] == "0", "its critical one was before this week"
    assert float(rows["stripe"]["down"]) == pytest.approx(40 * 60, abs=300)


def test_last_week_stands_beside_this_one(base: str) -> None:
    now, before = desk(base, service="openai", environment=PROD).panel(
        "registry-service", "Latency, beside last week"
    )

    assert now[0].last == pytest.approx(0.24, abs=0.05)
    assert before[0].last == pytest.approx(0.18)


def test_the_timeline_tells_when_it_began(base: str) -> None:
    (found,) = desk(base, service="stripe", environment=PROD).panel(
        "registry-service", "State over time"
    )

    began = next(t for t, v in zip(found[0].times, found[0].values, strict=True) if v == 7)
    assert set(found[0].values) == {1.0, 7.0}
    assert began == pytest.approx(happened.END - 40 * 60, abs=180)


def test_reasons_have_a_row_for_each_that_occurred(base: str) -> None:
    (found,) = desk(base, service="sendgrid", environment=PROD).panel("registry-service", "Reasons")

    assert {answer.labels["reason"] for answer in found} == {"ok", "auth_invalid"}


def test_the_status_page_shows_production_only_and_days(base: str) -> None:
    title = "90 days"
    (days,) = desk(base).panel("registry-status", title)
    worst = {answer.labels["service"]: min(answer.values) for answer in days}

    assert set(worst) == set(happened.SERVICES)
    assert worst["legacy"] == 1
    assert worst["stripe"] < 0.93, "two hours of one day"
    assert panel_of("registry-status", title)["timeFrom"] == "90d"
    assert desk(base).stat("registry-status", "Services")["stripe"] == "DISRUPTED"
    assert desk(base).stat("registry-status", "Services")["mail"] == "MAINTENANCE"


def test_a_service_is_shown_in_every_environment(base: str) -> None:
    (found,) = desk(base, service="openai", environment=PROD).panel(
        "registry-service", "In every environment"
    )

    assert {answer.labels["environment"] for answer in found} == {"production", "staging"}
