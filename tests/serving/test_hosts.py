"""By which names the exporter may be addressed, and from which web pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.serving.hosts import HostNames, host_of, is_host_pattern
from tests.api.test_edge import TOKEN, running

NEW = {"summary": "x", "by": "me"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9642",
        "127.9.9.9",
        "10.2.3.4:9642",
        "203.0.113.7",
        "[::1]:9642",
        "[fe80::1%25eth0]:9642",
        "localhost",
        "LOCALHOST:9642",
        "exporter:9642",
        "exporter.",
        "service_registry:9642",
        "me.localhost:9642",
        "host.docker.internal:9642",
        "service-registry-0.service-registry:9642",
        "exporter.monitoring.svc:9642",
        "exporter.monitoring.svc.cluster.local:9642",
    ],
)
def test_addresses_and_names_that_nobody_can_buy_are_allowed(host: str) -> None:
    assert HostNames("0.0.0.0", ()).allows(host)


@pytest.mark.parametrize(
    "host",
    [
        "rebind.evil.example",
        "127.0.0.1.nip.io:9642",
        "localhost.evil.example",
        "svc.evil.example",
        "evil-svc.cluster.local.example",
        "evil.local",
        "1.2.3.4.5",
        "",
        ":9642",
        "a b",
        "[evil.example]",
        "évil",
        "evil.xn--p1ai",
        "evil-one.example",
        "a" * 64,
        "a." * 130,
        "127.0.0.1@evil.example",
        "evil.example/127.0.0.1",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    assert not HostNames("0.0.0.0", ()).allows(host)


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("status.example.com", "status.example.com:443", True),
        ("status.example.com", "STATUS.example.com.", True),
        ("Status.Example.com", "status.example.com", True),
        ("status.example.com", "x.status.example.com", False),
        ("*.example.com", "status.example.com", True),
        ("*.example.com", "a.status.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "notexample.com", False),
        ("*", "anything.example", True),
        ("*", "not a name", False),
    ],
)
def test_a_listed_name_is_allowed(allowed: str, host: str, is_allowed: bool) -> None:
    assert HostNames("0.0.0.0", (allowed,)).allows(host) is is_allowed


def test_the_name_that_it_listens_on_is_allowed() -> None:
    assert HostNames("exporter.corp.example", ()).allows("exporter.corp.example:9642")


@pytest.mark.parametrize("text", ["", "a b", "http://x", "x:80", "*.", "a.*", "**", ".x", "x/"])
def test_what_is_no_name_cannot_be_listed(text: str) -> None:
    assert not is_host_pattern(text)


def test_a_long_name_takes_no_time() -> None:
    assert host_of("a" * 100_000 + "!") is None
    assert host_of("a." * 100_000 + "!") is None


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/services", "/-/healthy", "/nowhere"])
async def test_a_rebound_name_reads_nothing(path: str) -> None:
    async with running("services: []") as client:
        status, headers, text = await client.ask("GET", path, headers={"Host": "evil.example"})
        plain, _, _ = await client.ask("GET", "/metrics")

    assert status == 421
    assert headers["Content-Type"].startswith("application/problem+json")
    assert "--web.allowed-hosts" in json.loads(text)["detail"]
    assert plain == 200


async def test_a_listed_name_reads() -> None:
    async with running("services: []", allowed_hosts=("status.example.com",)) as client:
        headers = {"Host": "status.example.com"}
        status, _, _ = await client.ask("GET", "/", headers=headers)

    assert status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://own:1", "Host": "own:1"}, 201),
        ({"Origin": "https://status.example.com", "Host": "own:1"}, 201),
        ({"Origin": "http://own:2", "Host": "own:1"}, 403),
        ({"Origin": "http://203.0.113.9", "Host": "own:1"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_a_change_comes_from_no_other_web_site(headers: dict[str, str], status: int) -> None:
    async with running("services: []", allowed_hosts=("status.example.com",)) as client:
        found, _, text = await client.ask(
            "POST", "/api/incidents", headers=headers | BEARER, json=NEW
        )

    answer: dict[str, Any] = json.loads(text)
    assert found == status, answer
