"""A vendor that sends our keys back in every way: nothing of them shows in any place."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from exporter.cli import main
from exporter.config import Email, Slack
from exporter.incidents.model import Alert
from exporter.log import configure
from exporter.model import Result, verdict_of
from exporter.notifying import letters, payloads
from exporter.secret import HIDDEN, Secret
from tests.api.managed import Client, running
from tests.notifying.stage import message_about
from tests.probers.test_evidence import OTHER, SENTINEL, any_trace, encodings
from tests.vendor import Vendor, answer

PAGE = "https://registry.example.org"
MARK = "something-to-be-shown"
FORMS = [
    (secret, form)
    for secret, unknown in ((SENTINEL, ()), (OTHER, ("tail", "head", "upper")))
    for form in encodings(secret)
    if form not in unknown
]


@pytest.fixture
async def echoing(authority: Any) -> AsyncIterator[tuple[Vendor, Vendor]]:
    """Return a vendor that echoes a key in bodies and headers, and one that does in its name."""
    ca: trustme.CA = authority.ca
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    named = ca.issue_cert("127.0.0.1", common_name=f"key {SENTINEL}")
    named.configure_cert(context)
    async with Vendor() as plain, Vendor(context) as secure:
        for number, (secret, form) in enumerate(FORMS):
            echo = encodings(secret)[form]
            line = "".join(c if " " <= c < "\x7f" else "?" for c in echo)
            headers = [
                ("X-Request-Id", f"{line}"[:200]),
                ("Server", f"echo {line}"[:400]),
                ("X-RateLimit-Remaining", "7"),
            ]
            body = {"error": {"message": f"{MARK} {echo} is wrong", "got": {"value": echo}}}
            plain.on(f"/{number}", answer(500, json.dumps(body).encode(), headers))
        secure.on("/", answer(500, f"{MARK} here".encode()))
        yield plain, secure


@pytest.fixture
async def failing(
    echoing: tuple[Vendor, Vendor], authority: Any, tmp_path: Path
) -> AsyncIterator[Client]:
    """Return an exporter with an alert for each way, after some failures of each."""
    plain, secure = echoing
    check = {"enabled": False, "retries": 0, "allow_private_addresses": True}
    base = plain.url("").rstrip("/")
    services: list[dict[str, Any]] = [
        {
            "id": f"s{number}",
            "base_url": f"{base}/{number}",
            "api_key": SENTINEL,
            "health_check": check,
        }
        for number in range(len(FORMS))
    ]
    named = {**check, "tls": {"ca_file": authority.file}}
    services += [
        {"id": "named", "base_url": secure.url(), "api_key": SENTINEL, "health_check": named},
        {"id": "other", "base_url": plain.url(), "api_key": OTHER, "health_check": check},
    ]
    text = json.dumps({"services": services}).replace('"enabled": false, ', "")
    (tmp_path / "services.json").write_text(text)
    async with running(text, data=tmp_path / "data") as client:
        app = client.app
        app.scheduler.stop()
        for target in app.registry:
            assert target.endpoint is not None
            for step in range(3):
                outcome = await app.prober.probe(target.endpoint)
                made = Result(
                    service=target.id,
                    at=app.clock.now() - 3 + step,
                    outcome=outcome,
                    verdict=verdict_of(outcome.reason),
                )
                app.recording.probe(target, made)
        await app.failures.save()
        await app.response.round()
        yield client


async def _pages(client: Client) -> AsyncIterator[tuple[str, str]]:
    incidents = (await client.ask("GET", "/api/incidents?limit=1000")).json["incidents"]
    assert len(incidents) >= len(FORMS)
    paths = ["/", "/incidents", "/metrics", "/api/health", "/api/services"]
    for number in range(len(FORMS)):
        paths += [f"{room}/services/s{number}" for room in ("", "/api")]
        paths.append(f"/api/services/s{number}/failures")
    paths += ["/services/named", "/api/services/named/failures"]
    for one in incidents:
        paths += [f"/incidents/{one['id']}", f"/api/incidents/{one['id']}"]
    for path in paths:
        yield path, (await client.ask("GET", path)).text
    accept = {"Accept": "application/openmetrics-text"}
    yield "openmetrics", (await client.ask("GET", "/metrics", headers=accept)).text


def _messages(alerts: tuple[Alert, ...]) -> Iterator[tuple[str, str]]:
    message = message_about(*alerts)
    email = Email(to=("a@example.org",), smtp="localhost:25")
    yield "mail", letters.text(message, PAGE) + letters.html(message, PAGE)
    yield "letter", letters.letter(message, PAGE, email).as_string()
    yield "slack", json.dumps(payloads.slack(message, PAGE, Slack()))
    yield "pagerduty", json.dumps(payloads.pagerduty(message, PAGE, Secret("k")))
    yield "webhook", json.dumps(payloads.webhook(message, PAGE))


async def test_nothing_of_a_key_is_in_any_place_that_shows_a_failure(
    failing: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {name: text async for name, text in _pages(failing)}
    alerts = tuple(one for one in failing.app.response.alerts if one.labels.get("service"))
    found |= dict(_messages(alerts))
    found["files"] = b"".join(
        path.read_bytes() for path in sorted((tmp_path / "data").iterdir())
    ).decode("latin-1")
    for shape in ([], ["--json"]):
        command = ["probe", "s1", "--config", str(tmp_path / "services.json"), *shape]
        assert await asyncio.to_thread(main, command) == 1
        found[f"probe {shape}"] = capsys.readouterr().out

    assert {name: traces for name, text in found.items() if (traces := any_trace(text))} == {}
    for name in ("/services/s1", "/api/services/s1/failures", "files", "probe []", "mail", "slack"):
        assert MARK in found[name], name
        assert HIDDEN in found[name] or "\\u2026" in found[name] or name == "files", name
    assert MARK in found["/api/services/named/failures"]


async def test_nothing_of_a_key_is_in_the_log(
    failing: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(level=logging.DEBUG)  # without the keys to strike out: the first line of defence
    target = failing.app.registry.get("s1")
    assert target.endpoint is not None
    outcome = await failing.app.prober.probe(target.endpoint)
    made = Result(
        service="s1",
        at=failing.app.clock.now(),
        outcome=outcome,
        verdict=verdict_of(outcome.reason),
    )
    failing.app.recording.probe(target, made)

    logged = capsys.readouterr().err
    assert "probed" in logged
    assert not any_trace(logged)
    assert MARK not in logged


async def test_a_message_has_the_request_id_and_a_line_of_what_was_answered(
    tmp_path: Path, vendor: Vendor
) -> None:
    vendor.on("/", answer(503, b'{"error":"no capacity"}', [("X-Request-Id", "req_42")]))
    check = {"retries": 0, "allow_private_addresses": True}
    service = {"id": "a", "base_url": vendor.url(), "health_check": check}
    async with running(json.dumps({"services": [service]}), data=tmp_path / "data") as client:
        app, target = client.app, client.app.registry.get("a")
        app.scheduler.stop()
        assert target.endpoint is not None
        outcome = await app.prober.probe(target.endpoint)
        for step in range(3):
            made = Result(
                service="a",
                at=app.clock.now() - 3 + step,
                outcome=outcome,
                verdict=verdict_of(outcome.reason),
            )
            app.recording.probe(target, made)
        await app.response.round()
        alerts = [one for one in app.response.alerts if one.labels["alertname"] == "ServiceDown"]
        incidents = (await client.ask("GET", "/api/incidents")).json["incidents"]
        shown = [
            (await client.ask("GET", f"/api/incidents/{one['id']}")).json["evidence"]
            for one in incidents
            if one["alertname"] == "ServiceDown"
        ]

    texts = dict(_messages(tuple(alerts)))
    for name, text in texts.items():
        assert "req_42" in text, name
        assert "no capacity" in text.replace("\\", "").replace("=\n", ""), name
    assert [(one["first"]["request_id"], one["last"]["status"]) for one in shown] == [
        ("req_42", 503)
    ]
    assert shown[0]["first"]["at"] < shown[0]["last"]["at"]
