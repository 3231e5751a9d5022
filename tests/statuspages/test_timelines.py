"""Who saw it first, in scripted nights over all adapters: exact sign and minutes, or no claim."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.probers import Answer, Request
from exporter.statuspages import ADAPTERS, Claim, StatusPage, StatusPages, lead_of, sentence
from tests.clocks import QuickClock
from tests.documents import yaml_of
from tests.statuspages.bodies import at, body_of, list_of, moment

NIGHTS = yaml_of((Path(__file__).parent / "timelines.yaml").read_text())


class Jobs:
    """Runs jobs when they are due, without a step in between, as `Polling` does."""

    def __init__(self, clock: QuickClock) -> None:
        self.clock = clock
        self.jobs: dict[str, Any] = {}
        self.interval = self.due = 0.0
        self.begun = float("-inf")

    def put(self, name: str, interval: float, job: Callable[[], Awaitable[None]]) -> None:
        if not self.jobs:
            self.due = self.clock.tick()
        self.jobs[name], self.interval = job, interval

    def hasten(self, name: str, seconds: float) -> None:
        self.due = min(self.due, max(self.clock.tick(), self.begun + seconds))

    def drop(self, name: str) -> None:
        self.jobs.pop(name)

    async def until(self, tick: float) -> None:
        while self.due <= tick:
            self.clock.jump(self.due - self.clock.tick())
            self.begun, self.due = self.due, self.due + self.interval
            for job in self.jobs.values():
                await job()
        self.clock.jump(tick - self.clock.tick())


class Night:
    """A page that answers by the clock, asked by the poller as in the exporter."""

    def __init__(self, script: Mapping[str, Any]) -> None:
        self.script = script
        self.clock = QuickClock(at(script.get("start", "01:00")))
        self.jobs = Jobs(self.clock)
        self.pages = StatusPages(self, self.jobs, "agent/1", self.clock)
        self.page = StatusPage(
            url="https://status.example",
            adapter=script["adapter"],
            component_filter=script.get("filter"),
            confidence="doc",
        )

    async def fetch(self, request: Request) -> Answer:
        begun = [one for one in self.script.get("page", ()) if at(one["at"]) <= self.clock.now()]
        now: Mapping[str, Any] = begun[-1] if begun else {}
        is_list = request.url.endswith("/incidents.json") and self.page.adapter != "google_cloud"
        if status := now.get("list_status" if is_list else "status"):
            return Answer(status=status, headers={"location": "https://elsewhere.example/"})
        headers = {"age": str(now["age"])} if "age" in now else {}
        if modified := now.get("modified"):
            headers["last-modified"] = format_datetime(moment(modified), usegmt=True)
        incidents = now.get("incidents", ())
        body = (
            list_of(incidents, now) if is_list else body_of(str(self.page.adapter), incidents, now)
        )
        if "raw" in now:
            body = now["raw"].encode()
        return Answer(status=200, body=body, headers=headers)

    async def until(self, text: str) -> None:
        await self.jobs.until(self.clock.tick() + max(0.0, at(text) - self.clock.now()))

    async def run(self) -> None:
        self.pages.set_pages({self.page})
        await self.until(self.script["fails"])
        self.pages.note(self.page, "api", failing=True)
        if works := self.script.get("works"):
            await self.until(works)
            self.pages.note(self.page, "api", failing=False)
        await self.until(self.script.get("look", "03:00"))


@pytest.mark.parametrize("script", NIGHTS, ids=[night["night"] for night in NIGHTS])
async def test_who_saw_it_first(script: Mapping[str, Any]) -> None:
    night = Night(script)
    await night.run()

    record = night.pages.record(night.page)
    assert record is not None
    works = script.get("works")
    lead = lead_of(record, at(script["fails"]), None if works is None else at(works))

    if script["lead"] is None:
        assert lead.seconds is None
        assert lead.claim is not Claim.LEAD
    else:
        assert lead.seconds == pytest.approx(script["lead"], abs=script.get("slack", 0.5))
        assert lead.uncertainty == pytest.approx(script["within"], abs=2)
    if says := script.get("says"):
        assert sentence(lead) == says


def test_every_adapter_has_its_nights() -> None:
    assert {night["adapter"] for night in NIGHTS} == set(ADAPTERS)
    assert len(NIGHTS) >= 40
    assert len({night["night"] for night in NIGHTS}) == len(NIGHTS)
