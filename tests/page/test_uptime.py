"""How much of the time a service worked, from the quarters of an hour that are kept."""

from __future__ import annotations

import pytest

from exporter.model import Reason, Verdict
from exporter.page.uptime import LENGTHS, Uptime, uptimes
from exporter.results import Bucket
from tests.page.reading import read
from tests.page.stage import NOW, Stage, service

DAY = 86_400.0


def test_every_length_that_is_kept_whole_has_its_own_figures() -> None:
    counted = [(95, 1, NOW - DAY / 2), (670, 2, NOW - 7 * DAY + 900), (2000, 2, NOW - 20 * DAY)]

    shown = uptimes([*counted, (2000, 2, NOW - 20 * DAY)], NOW)

    assert [(up.length, up.since) for up in shown] == [
        (DAY, 0.0),
        (7 * DAY, 0.0),
        (30 * DAY, NOW - 20 * DAY),
    ]


def test_without_a_result_there_is_no_figure() -> None:
    assert uptimes([(0, 0, None)] * 4, NOW) == ()
    assert uptimes([(0, 0, NOW)] * 4, NOW) == ()


@pytest.mark.parametrize(
    ("ok", "bad", "text"),
    [(1, 0, "100.00 %"), (0, 3, "0.00 %"), (999_999, 1, "99.99 %"), (8633, 7, "99.91 %")],
)
def test_a_failure_is_never_rounded_away(ok: int, bad: int, text: str) -> None:
    assert Uptime(DAY, ok, bad, 0.0).percent == text


async def test_the_page_of_a_service_shows_a_day_a_week_a_month_and_a_quarter(stage: Stage) -> None:
    stage.add(service("a"), service("b"))
    stage.had("a", [(24 * day + 1, Reason.OK) for day in range(0, 90)])
    stage.had("a", [(24 * 90 - 4, Reason.OK)])
    stage.had("a", [(24 * day + 2, Reason.TIMEOUT) for day in (5, 20, 60)])
    stage.had("b", [(24 * day + 1, Reason.TIMEOUT) for day in range(0, 91)])

    shown = read((await stage.ask("/services/a")).text).one("dl", **{"class": "uptimes"})

    assert [" ".join(part.text.split()) for part in shown.all("div")] == [
        "24 h 100.00 % 0 of 15 probes bad",
        "7 d 87.50 % 15 of 120 probes bad",
        "30 d 93.75 % 30 of 480 probes bad",
        "90 d 96.80 % 45 of 1,410 probes bad",
    ]


async def test_the_figure_counts_what_the_bars_beside_it_count(stage: Stage) -> None:
    stage.add(service("a"))
    stage.had("a", [(24 - 1 / 4, Reason.TIMEOUT), (24, Reason.TIMEOUT)])
    stage.had("a", [(30 * 24 - 4, Reason.TIMEOUT), (30 * 24, Reason.TIMEOUT)])
    stage.saw("a", ago=120)
    stage.saw("a", Reason.SERVER_ERROR, ago=60)
    stage.saw("a", Reason.CONNECT, ago=30, verdict=Verdict.NETWORK)

    page = read((await stage.ask("/services/a")).text)

    day, month = (f"{n} bad probes" for n in (16, 46))
    assert page.one(id="day").one("svg", role="img").attributes["aria-label"].endswith(day)
    assert page.one(id="month").one("svg", role="img").attributes["aria-label"].endswith(month)
    shown = [" ".join(part.text.split()) for part in page.one(id="pictures").all("dd")]
    assert shown[0] == "5.88 % 16 of 17 probes bad"
    assert shown[2] == "2.12 % 46 of 47 probes bad"
    last = page.one("svg", **{"class": "spark tall"}).attributes["aria-label"]
    assert last == "last 3 results: 200 ms, 1 bad, 1 failed on our side"
    sides = [row.all("td")[1].text for row in page.one(id="recent").one("tbody").all("tr")]
    assert sides == ["connect on our side", "server_error", "ok"]


async def test_a_failure_is_in_the_figure_when_it_is_in_the_bar(stage: Stage) -> None:
    stage.add(service("a"))
    stage.saw("a", ago=120)
    assert "0 of 1 probes bad" in (await stage.ask("/services/a")).text

    stage.saw("a", Reason.SERVER_ERROR, ago=60)
    page = (await stage.ask("/services/a")).text

    assert "1 with the provider down" in page, "another state is drawn at once"
    assert "1 of 2 probes bad" in page


async def test_after_a_failure_bars_figure_and_budget_agree_soon(stage: Stage) -> None:
    stage.add(service("a", objectives={"availability": "99%"}))
    for ago in (180, 120, 60):
        stage.saw("a", Reason.SERVER_ERROR, ago=ago)
    assert "3 of 3 probes bad" in (await stage.ask("/services/a")).text
    await stage.step(5)

    stage.saw("a", Reason.SERVER_ERROR)
    page = (await stage.ask("/services/a")).text

    assert "4 bad of 4 counted" in page
    assert "4 of 4 probes bad" in page
    assert "last 24 hours: 4 bad probes" in page


async def test_the_figures_are_read_once_a_minute(stage: Stage) -> None:
    def bad() -> str:
        return f"{15 * len(hours)} probes bad"

    stage.add(service("a"))
    hours = [1.0]
    stage.had("a", [(1, Reason.TIMEOUT)])
    assert bad() in (await stage.ask("/services/a")).text
    hours.append(2.0)
    stage.had("a", [(2, Reason.TIMEOUT)])
    assert bad() not in (await stage.ask("/services/a")).text

    await stage.step(61)

    assert bad() in (await stage.ask("/services/a")).text


def test_rows_that_are_damaged_are_not_counted(stage: Stage) -> None:
    start = int(NOW) - 900
    stage.store.record_history([Bucket("a", start, 3, 1, Reason.TIMEOUT, 1.0, 1.0)])
    damaged = [("ok", "-5"), ("bad", "'x'"), ("ok", str(2**60)), ("start", "'now'")]
    with stage.store._database.write() as db:
        for number, (column, value) in enumerate(damaged, 1):
            bad = Bucket("a", start - number * 900, 1, 1, Reason.TIMEOUT, 1.0, 1.0)
            db.execute(
                "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, x'')", (*bad[:4], "timeout", 1, 1)
            )
            db.execute(f"UPDATE history SET {column} = {value} WHERE start = ?", (bad.start,))

    assert stage.store.counted("a", 0.0, NOW) == (3, 1, float(start))
    assert len(LENGTHS) == 4
