"""GET /api: a section for each route, examples that are right, nothing from elsewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator

import pytest
from jsonschema import Draft202012Validator

from exporter.api import ROUTES
from exporter.api.guard import Access
from exporter.api.openapi import document
from exporter.api.reference import BODIES, anchor
from tests.api.managed import TOKEN, Client, declared, running
from tests.page.reading import Element, read

SCHEMAS = document(ROUTES, "1.2.3")["components"]["schemas"]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(json.dumps({"services": [declared("a", "http://127.0.0.1:9")]})) as found:
        yield found


@pytest.fixture
async def page(client: Client) -> Element:
    found = await client.ask("GET", "/api")
    assert (found.status, found.type) == (200, "text/html")
    return read(found.text)


def sections(page: Element) -> dict[str, Element]:
    return {one.attributes["id"]: one for one in page.all("section")}


async def test_every_route_has_a_section_of_its_own_with_its_answers(page: Element) -> None:
    found = sections(page)

    assert len({anchor(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    for route in ROUTES:
        text = found[anchor(route.method, route.path)].text
        assert route.path in text
        assert route.summary in text
        assert all(str(status) in text for status, _ in route.answers)
        assert all(name in text for name, _ in route.query)
        assert ("needs the" in text) is (route.access is not Access.OPEN)


async def test_every_shape_is_described_and_every_link_leads_somewhere(page: Element) -> None:
    found = sections(page)
    for name, schema in SCHEMAS.items():
        text = found[f"shape-{name}"].text
        assert all(field in text for field in schema.get("properties", {}))

    ids = {one.attributes["id"] for one in page.all() if "id" in one.attributes}
    assert len(ids) == len([one for one in page.all() if "id" in one.attributes])
    targets = {link.attributes["href"] for link in page.all("a")}
    assert {target[1:] for target in targets if target.startswith("#")} <= ids
    assert all(target.startswith(("#", "/")) for target in targets)


async def test_nothing_comes_from_elsewhere_and_nothing_is_inline(page: Element) -> None:
    places = [
        one.attributes[name]
        for one in page.all()
        for name in ("src", "href")
        if name in one.attributes and one.tag in ("script", "link", "img")
    ]

    assert places
    assert all(place.startswith("/assets/") for place in places)
    assert page.all("style") == []
    assert all("style" not in one.attributes for one in page.all())
    assert all(one.text.strip() == "" for one in page.all("script"))


@pytest.mark.parametrize("name", BODIES)
def test_the_example_of_a_body_is_right(name: str) -> None:
    whole = {**SCHEMAS[name], "components": {"schemas": SCHEMAS}}

    Draft202012Validator(whole).validate(BODIES[name])


async def test_an_example_can_be_pasted_and_shows_no_token(client: Client, page: Element) -> None:
    assert set(BODIES) == {route.body for route in ROUTES if route.body}
    for route in ROUTES:
        example = sections(page)[anchor(route.method, route.path)].one("pre").text
        words = shlex.split(example.replace("\\ ", ""))  # lines are joined
        assert words[:2] == ["curl", "-sS"]
        assert words[-1].startswith(client.base + "/")
        assert re.fullmatch(route.path.replace("{id}", "[^/{}]+"), words[-1][len(client.base) :])
        assert ("-X" in words) is (route.method != "GET")
        assert ("Authorization: Bearer ••••••••" in words) is (route.access is not Access.OPEN)
        if route.body:
            assert json.loads(words[words.index("-d") + 1]) == BODIES[route.body]
    assert TOKEN not in page.text


async def test_the_address_is_the_one_that_people_are_given() -> None:
    config = {"monitoring": {"page_url": "https://registry.example.com/"}}
    async with running(json.dumps(config)) as client:
        text = (await client.ask("GET", "/api")).text

    assert "https://registry.example.com/api/health" in text
    assert client.base not in text


async def test_it_is_a_page_like_the_others_and_goes_with_them() -> None:
    async with running(json.dumps({"monitoring": {"dashboard_enabled": False}})) as client:
        assert (await client.ask("GET", "/api")).status == 404
        assert (await client.ask("GET", "/openapi.json")).status == 200
