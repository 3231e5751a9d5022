"""Webhooks of status pages: with their token they make the exporter look, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.app import App, Options
from exporter.config import read_text
from exporter.log import configure
from exporter.secret import Secret
from exporter.statuspages import State, pages
from tests.api.managed import TOKEN, Client
from tests.patience import patient
from tests.sentinel import forms_of
from tests.vendor import Peer, Seen, Vendor, answer

RING = "a-token-for-status-pages"
ADMIN_HEADERS = {"Authorization": f"Bearer {TOKEN}"}
NONE = {"Authorization": ""}
PATH = "/api/status-page/openai"
STATUSPAGE = {
    "meta": {"unsubscribe": "https://evil.example/", "generated_at": "2026-11-27T02:31:33Z"},
    "page": {"id": "p", "status_indicator": "critical"},
    "incident": {"id": "i", "name": "<script>alert(1)</script>", "impact": "critical"},
}


@contextlib.asynccontextmanager
async def running(
    vendor: Vendor,
    *,
    token: str | None = RING,
    data: Path | None = None,
    status_page: dict[str, Any] | None = None,
) -> AsyncIterator[Client]:
    """Run an application with one service whose page is *vendor*, or *status_page*."""
    of_vendor = {
        "url": vendor.url().rstrip("/"),
        "adapter": "statuspage",
        "allow_private_addresses": True,
    }
    config = {
        "services": [
            {
                "id": "gpt",
                "provider": "openai",
                "base_url": vendor.url("/api"),
                "health_check": {"allow_private_addresses": True, "retries": 0},
                "status_page": of_vendor if status_page is None else status_page,
            },
            {"id": "own", "base_url": "https://own.example", "health_check": {"enabled": False}},
        ]
    }
    options = Options(
        source=lambda: read_text(json.dumps(config), "services.yaml", {}),
        environment={},
        port=0,
        admin_token=Secret(TOKEN),
        status_page_token=None if token is None else Secret(token),
        data_dir=data,
    )
    app, stop, started = App(options), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run(stop, lambda _: started.set()))
    await started.wait()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(app, session)
    finally:
        stop.set()
        await task


@pytest.fixture
async def page() -> AsyncIterator[Vendor]:
    async with Vendor() as vendor:
        body = json.dumps({"status": {"indicator": "none"}, "incidents": []}).encode()
        vendor.on("/api/v2/summary.json", answer(body=body))
        yield vendor


def reads(vendor: Vendor) -> int:
    return sum(one.path == "/api/v2/summary.json" for one in vendor.seen)


async def test_a_webhook_makes_the_exporter_look_and_is_not_believed(
    page: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LEAST_SECONDS", 0.0)
    async with running(page) as client:
        await page.until(lambda vendor: reads(vendor) == 1, 30)
        given = await client.ask("POST", f"{PATH}?token={RING}", STATUSPAGE, headers=NONE)
        await page.until(lambda vendor: reads(vendor) == 2, 30)
        (one,) = client.app.registry.status_pages()
        text = (await client.ask("GET", "/metrics")).text + (
            await client.ask("GET", "/api/services/gpt")
        ).text

        assert client.app.pages.state(one) is State.OPERATIONAL
    assert (given.status, given.json) == (202, {"asked": 1})
    assert "<script>" not in text
    assert "evil.example" not in text


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        (f"?token={RING}", NONE, 202),
        ("", {"Authorization": f"Bearer {RING}"}, 202),
        ("", ADMIN_HEADERS, 202),
        ("", NONE, 401),
        ("?token=wrong", NONE, 401),
        (f"?token={TOKEN}", NONE, 401),
        ("?token=", NONE, 401),
        (f"?token={RING}", {"Authorization": "Bearer wrong"}, 401),
    ],
)
async def test_its_token_may_be_in_the_address_and_the_admin_token_may_not(
    page: Vendor, query: str, headers: dict[str, str], status: int
) -> None:
    async with running(page) as client:
        assert (await client.ask("POST", PATH + query, {}, headers=headers)).status == status


async def test_its_token_opens_nothing_else(page: Vendor) -> None:
    async with running(page) as client:
        header = {"Authorization": f"Bearer {RING}"}
        tries = [
            await client.ask("POST", f"/-/reload?token={RING}", headers=NONE),
            await client.ask("POST", "/-/reload", headers=header),
            await client.ask("POST", "/api/alertmanager", {}, headers=header),
            await client.ask("POST", f"/api/alertmanager?token={RING}", {}, headers=NONE),
        ]

    assert [one.status for one in tries] == [401] * 4


async def test_without_its_token_the_address_opens_nothing(page: Vendor) -> None:
    async with running(page, token=None) as client:
        answers = [
            await client.ask("POST", PATH + query, {}, headers=NONE)
            for query in (f"?token={RING}", f"?token={TOKEN}", "?token=")
        ]

    assert [one.status for one in answers] == [401] * 3


@pytest.mark.parametrize("provider", ["stripe", "own", "custom", "%00", "../openai", "x" * 4000])
async def test_a_provider_without_a_page_is_not_found(page: Vendor, provider: str) -> None:
    async with running(page) as client:
        given = await client.ask(
            "POST", f"/api/status-page/{provider}?token={RING}", {}, headers=NONE
        )

    assert given.status == 404


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[" * 100_000, b'{"a": NaN'])
async def test_what_is_in_it_does_not_matter(page: Vendor, body: bytes) -> None:
    async with (
        running(page) as client,
        client.session.post(f"{client.base}{PATH}?token={RING}", data=body) as response,
    ):
        assert response.status == 202


async def test_neither_its_token_nor_what_is_in_it_is_shown_or_logged(
    page: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = "sk-live-of-a-vendor-0123456789"
    body = {"incident": {"name": inside, "impact": inside}, "page": {"id": inside}}
    async with running(page, data=tmp_path / "data") as client:
        configure(level=logging.DEBUG)  # without the tokens to strike out
        given = [
            await client.ask("POST", f"{path}?token={token}", body, headers=NONE)
            for path in (PATH, "/api/status-page/nobody")
            for token in (RING, f"{RING}x")
        ]
        shown = {
            path: (await client.ask("GET", path)).text
            for path in ("/", "/services/gpt", "/api/services/gpt", "/metrics", "/api/incidents")
        }
        await client.app.persistence.save()
    shown["log"] = capsys.readouterr().err
    shown["answers"] = "".join(one.text for one in given)
    files = [one for one in (tmp_path / "data").iterdir() if one.is_file()]
    shown["files"] = "".join(one.read_bytes().decode("latin-1") for one in files)

    assert [one.status for one in given] == [202, 401, 404, 401]
    assert "status page" in shown["log"]
    for place, text in shown.items():
        for secret in (RING, inside):
            for form, raw in forms_of(secret).items():
                assert raw not in text.encode(), (place, form)


async def test_those_that_ring_while_the_page_is_read_lose_nothing(
    page: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was posted after the copy that is under way is seen by the read that follows."""
    monkeypatch.setattr(pages, "LEAST_SECONDS", 0.0)
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def old(peer: Peer, seen: Seen) -> None:
        under_way.set()
        await go_on.wait()
        await answer(body=json.dumps({"status": {"indicator": "none"}}).encode())(peer, seen)

    page.on("/api/v2/summary.json", old)
    async with running(page) as client:
        await under_way.wait()
        page.on("/api/v2/summary.json", answer(body=b'{"status": {"indicator": "major"}}'))
        given = await asyncio.gather(
            *(client.ask("POST", f"{PATH}?token={RING}", {}, headers=NONE) for _ in range(50))
        )
        go_on.set()
        (one,) = client.app.registry.status_pages()
        async with asyncio.timeout(30):
            while client.app.pages.state(one) is not State.PARTIAL_OUTAGE:
                await asyncio.sleep(0.05)

    assert {answered.status for answered in given} == {202}
    assert reads(page) <= 4


async def test_a_page_that_is_switched_off_is_not_rung(page: Vendor) -> None:
    async with running(page, status_page={"enabled": False}) as client:
        given = await client.ask("POST", f"{PATH}?token={RING}", {}, headers=NONE)

    assert given.status == 404
    assert reads(page) == 0


async def test_a_huge_one_is_refused(page: Vendor) -> None:
    async with (
        running(page) as client,
        client.session.post(
            f"{client.base}{PATH}?token={RING}", data=io.BytesIO(b"x" * (1024 * 1024 + 1))
        ) as response,
    ):
        assert response.status == 413


async def test_a_service_is_known_by_its_id_too(page: Vendor) -> None:
    async with running(page) as client:
        given = await client.ask("POST", f"/api/status-page/gpt?token={RING}", {}, headers=NONE)

    assert given.json == {"asked": 1}


async def test_a_running_exporter_says_who_saw_it_first(page: Vendor) -> None:
    now = datetime.now(UTC)
    incident = {
        "id": "i",
        "name": "Elevated errors",
        "status": "investigating",
        "impact": "major",
        "created_at": (now - timedelta(minutes=9)).isoformat(),
        "started_at": (now - timedelta(minutes=30)).isoformat(),
    }
    body = json.dumps({"status": {"indicator": "none"}, "incidents": [incident]}).encode()
    page.on("/api/v2/summary.json", answer(body=body))
    page.on("/api/models", answer(500, b"{}"))
    async with running(page) as client:
        said: dict[str, Any] = {}
        async with patient(30):
            while said.get("claim") != "lead":
                await asyncio.sleep(0.05)
                said = (await client.ask("GET", "/api/services/gpt")).json["status_page"]
        text = (await client.ask("GET", "/metrics")).text
        html = (await client.ask("GET", "/services/gpt")).text

    assert -600 < said["lead_seconds"] < -480
    assert "9 minutes before us" in said["sentence"]
    assert said["sentence"] in html
    labels = 'service="gpt",environment="production",provider="openai"'
    row = f'service_status_page_incident{{{labels},state="investigating",impact="major"}} 1'
    assert row in text
    assert f"service_status_page_lead_seconds{{{labels}}} -5" in text
    assert "Elevated" not in text
