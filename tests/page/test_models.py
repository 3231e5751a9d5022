"""Models on the pages: a panel, a caution that comes first, and no word of theirs as HTML."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model import Reason
from exporter.models import Skip
from exporter.page.wording import Overview, ShownState, headline, sentence
from tests.page.scenes import TROUBLE
from tests.page.stage import NOW, Stage, service

PRICE = {"input": 2.5, "output": 10}


def with_models(*ids: str, **more: Any) -> dict[str, Any]:
    """Return a service with models."""
    models = [{"id": id_, "price": PRICE, "protocol": "openai_chat"} for id_ in ids]
    return service("zeta", name="Zeta AI", models=models, **more)


@pytest.fixture
def models(stage: Stage) -> Stage:
    """Two services, both healthy; one has a model that fails, one that is slow, one that is fine"""
    stage.add(service("alpha"), with_models("gpt-x", "gpt-y", "gpt-z"))
    for id_ in ("alpha", "zeta"):
        stage.saw(id_)
    for ago in (3600, 2700, 1800):
        stage.asked("zeta", "gpt-x", ago=ago, first=0.61)
        stage.asked("zeta", "gpt-z", ago=ago)
        stage.asked("zeta", "gpt-y", ago=ago)
    stage.asked("zeta", "gpt-x", ago=900, first=14.2)
    for ago in (1200, 300):
        detail = "nothing for 60 s, after reasoning, before any visible text"
        stage.asked("zeta", "gpt-y", Reason.TIMEOUT, ago=ago, first=None, detail=detail)
    return stage


async def test_a_model_that_fails_is_a_caution_and_no_outage(models: Stage) -> None:
    home = (await models.ask("/")).text

    sentence = "All 2 services are healthy. But Zeta AI: model gpt-y fails, model gpt-x is slow."
    assert f'<h1 class="said">{sentence}</h1>' in home
    # The worst first: before the service whose name comes first.
    assert home.index('id="row-zeta"') < home.index('id="row-alpha"')
    assert '<tr id="row-zeta" role="row" class="row r-healthy">' in home
    assert ">model gpt-y fails, 1 more</span>" in home
    assert "(models) Service registry" in home
    assert "icon-degraded" in home


async def test_the_panel_shows_each_model_the_worst_first(models: Stage) -> None:
    page = (await models.ask("/services/zeta")).text

    panel = page[page.index('<section id="models"') : page.index('<section id="pictures"')]
    verdict = "Own check fine; gpt-y fails since 07:40 UTC: no answer in time; "
    verdict += "gpt-x first token 14 s (usual 0.6); gpt-z fine: switch"
    assert f"<bdi>{verdict}</bdi>." in panel
    assert "no answer in time (nothing for 60 s, after reasoning, before any" in panel
    places = [panel.index(f"<bdi>{one}</bdi>") for one in ("gpt-y", "gpt-x", "gpt-z")]
    assert places == sorted(places)
    assert "97 % left" in panel
    assert "use another model until this one answers again" in panel
    assert "But <a" in page
    assert "model gpt-y fails, model gpt-x is slow" in page


async def test_a_model_that_answers_again_is_shown_at_once(models: Stage) -> None:
    await models.ask("/")
    models.asked("zeta", "gpt-y")
    models.asked("zeta", "gpt-x", first=0.5)
    await models.step()

    home = (await models.ask("/")).text

    assert '<h1 class="said">All 2 services are healthy.</h1>' in home
    assert "model gpt" not in home


async def test_a_budget_that_is_used_up_is_a_caution_until_a_check_is_sent(models: Stage) -> None:
    state = models.asked("zeta", "gpt-z")
    state.skip(Skip.BUDGET_MODEL, NOW - 600)
    await models.step()
    page = (await models.ask("/services/zeta")).text
    warned = (await models.ask("/?state=warned")).text
    for id_ in ("gpt-x", "gpt-y"):
        models.asked("zeta", id_)
    models.asked("zeta", "gpt-z")
    await models.step()
    after = (await models.ask("/?state=warned")).text

    assert "gpt-z fine (not asked since 07:50 UTC): switch" in page
    assert ">07:50 UTC</time>: the budget of this model has no room for a check." in page
    assert "model gpt-z is not checked: its budget is used up" in warned
    assert "is not checked" not in after


async def test_who_answered_is_said_where_it_is_another_name(models: Stage) -> None:
    before = (await models.ask("/services/zeta")).text
    for id_, name in (("gpt-x", "gpt-x-2026-08-06"), ("gpt-z", "gpt-z")):
        state = models.asked("zeta", id_)
        assert state.last is not None
        state.last.reading.model = name
    await models.step()
    page = (await models.ask("/services/zeta")).text

    assert "Answered by" not in before
    assert page.count("Answered by") == 1
    assert "Answered by <bdi>gpt-x-2026-08-06</bdi>." in page


async def test_a_service_without_models_has_no_panel(models: Stage) -> None:
    page = (await models.ask("/services/alpha")).text

    assert '<section id="models" class="panel" aria-labelledby="h-models" hidden>' in page


async def test_no_word_of_a_model_is_html(stage: Stage) -> None:
    name = "<script>alert(1)</script>"
    stage.add(with_models(name))
    stage.saw("zeta")
    for _ in range(2):
        state = stage.asked("zeta", name, Reason.SERVER_ERROR, first=None, detail=TROUBLE)
    assert state.last is not None
    state.last.reading.model = state.last.reading.error = TROUBLE

    for path in ("/", "/services/zeta", "/?state=warned"):
        page = (await stage.ask(path)).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_service_that_is_down_itself_is_not_blamed_on_its_models(stage: Stage) -> None:
    stage.add(with_models("gpt-x"))
    stage.saw("zeta", Reason.SERVER_ERROR)
    stage.asked("zeta", "gpt-x", Reason.SERVER_ERROR, first=None)

    board = stage.live.drawer.board
    summary = board._summary(stage.registry.get("zeta"))

    assert summary.troubles == ("model gpt-x fails",)
    assert board.overview().models == []


def test_the_sentence_names_three_and_counts_the_others() -> None:
    counts = {ShownState.HEALTHY: 5, ShownState.DOWN: 2}
    names = [f"S{n}: model m fails" for n in range(5)]
    overview = Overview(now=NOW, counts=counts, causes={("provider", ""): 2}, models=names)

    end = "But S0: model m fails; S1: model m fails; S2: model m fails; and models of 2 more."
    assert headline(overview) == f"2 of 7 fail: 2 provider. {end}"
    assert sentence(overview).endswith(end)
