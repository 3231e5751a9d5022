"""Who gets the public page: nobody unless asked for, and passwords and limits hold there too."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import bcrypt
import pytest

from exporter.api import FOR_OUTSIDERS, ROUTES
from exporter.api.guard import Access
from exporter.cli import main
from exporter.public.assets import path_of
from tests.api.managed import declared, running

HASH = bcrypt.hashpw(b"wonderland", b"$2b$04$IGU48cWL.SHCBwPN4Jck4e").decode()
CONFIG = json.dumps({"services": [declared("a", "http://127.0.0.1:9")]})
OUTSIDE = {
    "/public": 200,
    "/public/feed.atom": 200,
    path_of("public.css"): 200,
    "/badge/a.svg": 200,
    "/badge/a.json": 200,
    "/badge/nobody.svg": 404,
}
NO_TOKEN = {"Authorization": ""}


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    file = tmp_path / "web.yaml"
    file.write_text(f"basic_auth_users: {{alice: '{HASH}'}}\n")
    return file


async def test_the_public_page_is_behind_the_password_unless_it_is_opened(passwords: Path) -> None:
    async with running(CONFIG, web_config=passwords, public_page=True) as client:
        for path in OUTSIDE:
            assert (await client.ask("GET", path, headers=NO_TOKEN)).status == 401, path
        alice = aiohttp.encode_basic_auth("alice", "wonderland")
        found = await client.ask("GET", "/public", headers={"Authorization": alice})
        assert found.status == 200


async def test_opened_it_needs_no_password_and_nothing_else_is_opened(passwords: Path) -> None:
    options = {"web_config": passwords, "public_page": True, "public_without_password": True}
    others = [
        (route.method, route.path.replace("{id}", "a"))
        for route in ROUTES
        if route.path not in FOR_OUTSIDERS
    ]
    spelt = ("/public/../metrics", "/public/%2e%2e/metrics", "/public//", "/badge/a.svg/../../api")

    async with running(CONFIG, **options) as client:
        for path, status in OUTSIDE.items():
            assert (await client.ask("GET", path, headers=NO_TOKEN)).status == status, path
        for method, path in [*others, *(("GET", path) for path in spelt)]:
            assert (await client.ask(method, path, headers=NO_TOKEN)).status == 401, path


async def test_the_rate_limit_holds_for_what_is_opened_too(passwords: Path) -> None:
    limit = 'rate_limit: {interval: "1h", burst: 1}\n'
    passwords.write_text(passwords.read_text() + limit)

    options = {"web_config": passwords, "public_page": True, "public_without_password": True}
    async with running(CONFIG, **options) as client:
        found = [(await client.ask("GET", "/public", headers=NO_TOKEN)).status for _ in "ab"]

    assert found == [200, 429]


async def test_it_is_served_without_the_page_for_colleagues_and_by_known_names_only() -> None:
    config = json.dumps({"monitoring": {"dashboard_enabled": False}, **json.loads(CONFIG)})
    async with running(config, public_page=True) as client:
        assert (await client.ask("GET", "/")).status == 404
        assert (await client.ask("GET", "/public")).status == 200
        foreign = await client.ask("GET", "/public", headers={"Host": "evil.example.com"})
        assert foreign.status == 421
    async with running(CONFIG) as client:
        assert (await client.ask("GET", "/public")).status == 404


def test_only_what_outsiders_may_see_is_marked_so() -> None:
    assert sorted(FOR_OUTSIDERS) == [
        "/badge/{id}.json",
        "/badge/{id}.svg",
        "/public",
        "/public/assets/{id}",
        "/public/feed.atom",
    ]
    assert {r.access for r in ROUTES if r.path in FOR_OUTSIDERS} == {Access.OPEN}


def test_a_page_that_is_opened_must_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--public-page.without-password"]) == 2

    assert "needs --public-page" in capsys.readouterr().err
