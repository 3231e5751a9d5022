"""A sweep: whatever outsiders can ask for, no secret and nothing internal is in the answers."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import aiohttp
import pytest

from exporter.store.vault import VARIABLE
from tests.api.managed import TOKEN, Answer, running, secret_key
from tests.sentinel import forms_of
from tests.vendor import Vendor, answer

KEY = "sk-sentinel-KEY-4f8a1c77d2"
NEXT_KEY = "sk-sentinel-NEXT-99ab31c0de"
HEADER = "sentinel-HEADER-b3d7e1aa08"
IN_BODY = "sentinel-SENT-71aa0be4c2"
OF_ANSWER = "sentinel-ANSWER-5d2e90f1b6"
REQUEST_ID = "req-sentinel-0a1b2c3d4e"
TEAM, OWNER, REASON = "team-sentinel-x", "owner-sentinel@corp.example", "reason-sentinel-disk"
NOTE, SUMMARY = "note-sentinel-internal", "summary-sentinel-internal"
PERSON = "person-sentinel-ann"
ENVIRONMENT = "environment-sentinel"
SECRETS = (KEY, NEXT_KEY, HEADER, IN_BODY, OF_ANSWER, REQUEST_ID, TOKEN)
INTERNAL = (TEAM, OWNER, REASON, NOTE, SUMMARY, PERSON, ENVIRONMENT, "runbook-sentinel")
WORDS = ("curl", "127.0.0.1", "bearer", "x-sentinel", "authorization", "path-sentinel")


FIRING = {
    "version": "4",
    "alerts": [
        {
            "status": "firing",
            "startsAt": "2026-11-01T22:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "labels": {
                "alertname": "ServiceDown",
                "service": "shown",
                "severity": "critical",
                "team": TEAM,
                "environment": ENVIRONMENT,
            },
            "annotations": {"summary": SUMMARY, "description": KEY},
            "fingerprint": "f",
        }
    ],
}


def _service(id_: str, url: str, **more: object) -> dict[str, object]:
    check = {
        "endpoint": f"/path-sentinel-{id_}",
        "interval": "1s",
        "timeout": "1s",
        "retries": 0,
        "allow_private_addresses": True,
        "method": "POST",
        "headers": {"X-Sentinel": HEADER},
        "body": {"token": IN_BODY},
    }
    return {
        "id": id_,
        "name": f"Service {id_}",
        "base_url": url,
        "api_key": KEY,
        "api_key_next": NEXT_KEY,
        "additional_headers": {"X-Sentinel-Too": HEADER},
        "team": TEAM,
        "environment": ENVIRONMENT,
        "metadata": {"owner": OWNER, "runbook": "https://runbook-sentinel.example"},
        "maintenance": [
            {"start": "2099-01-01T00:00:00Z", "end": "2099-01-02T00:00:00Z", "reason": REASON}
        ],
        "health_check": check,
        "alerts": {"down_after": 1, "critical_after": 2},
        **more,
    }


async def asked_of(session: aiohttp.ClientSession, base: str, ids: list[str]) -> list[Answer]:
    """Return the answers to everything that an outsider could ask for, without a token."""
    queries = ("", "?show=uptime", "?show=uptime&days=90")
    paths = ["/public", "/public/feed.atom", "/public/assets/nothing", "/public/nothing"]
    paths += [f"/badge/{i}.{kind}{q}" for i, kind, q in product(ids, ("svg", "json"), queries)]
    found = []
    for path in paths:
        async with session.get(base + path) as response:
            found.append(Answer(response.status, response.headers, await response.text()))
    return found


@pytest.mark.parametrize("failing", [False, True], ids=["well", "failing"])
async def test_nothing_that_outsiders_get_holds_a_secret_or_what_is_internal(
    vendor: Vendor, tmp_path: Path, failing: bool
) -> None:
    status = 503 if failing else 200
    headers = {"X-Request-Id": REQUEST_ID}
    for id_ in ("shown", "hidden"):
        body = {"error": OF_ANSWER}
        vendor.on(f"/path-sentinel-{id_}", answer(status, body, headers))
    config = json.dumps(
        {
            "services": [
                _service("shown", vendor.url(), public=True),
                _service("hidden", vendor.url()),
            ]
        }
    )
    environment = secret_key(tmp_path)
    assert VARIABLE in environment
    async with running(config, environment=environment, public_page=True) as client:
        await client.probed("shown")
        await client.probed("hidden")
        report = {"summary": SUMMARY, "description": SUMMARY, "service": "shown", "by": PERSON}
        await client.ask("POST", "/api/alertmanager", FIRING)
        opened = (await client.ask("POST", "/api/incidents", report)).json["id"]
        note = f"/api/incidents/{opened}/note"
        await client.ask("POST", note, {"by": PERSON, "note": NOTE})
        await client.ask("POST", note, {"by": PERSON, "note": "for outsiders", "public": True})
        await client.app.persistence.save()
        answers = await asked_of(client.session, client.base, ["shown", "hidden", "nobody"])

    text = "\n".join(f"{dict(found.headers)}\n{found.text}" for found in answers)
    assert vendor.seen, "the sweep is of a service that was really asked"
    assert "for outsiders" in text
    assert "Outage: Service shown" in text
    assert "Service hidden" not in text
    for secret in SECRETS:
        for form, raw in forms_of(secret).items():
            assert raw not in text.encode(), (secret, form)
    for word in (*INTERNAL, *WORDS, opened):
        assert word.lower() not in text.lower(), word
