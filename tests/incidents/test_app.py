"""The log through the running application: who may speak, what is answered, what is kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.app import App, Options
from exporter.config import read_text
from exporter.secret import Secret
from tests.api.managed import ADMIN, TOKEN, Answer, Client
from tests.incidents.saying import Json, alert, listed, message
from tests.incidents.servers import Alertmanager
from tests.patience import patient

RECEIVER = "a-receiver-token-of-some-length"
AS_RECEIVER = {"Authorization": f"Bearer {RECEIVER}"}
NOW = float(int(time.time())) - 86_400  # yesterday: the clock is real, and old ones are removed
CONFIG = """
services:
- {id: stripe, base_url: "https://stripe.example", environment: prod, team: pay,
   health_check: {enabled: false}}
"""


@contextlib.asynccontextmanager
async def running(
    *,
    data: Path | None = None,
    token: str | None = TOKEN,
    receiver: str | None = RECEIVER,
    alertmanagers: tuple[str, ...] = (),
) -> AsyncIterator[Client]:
    """Run an application that knows a receiver until the block ends."""
    options = Options(
        source=lambda: read_text(CONFIG, "services.yaml", {}),
        environment={},
        port=0,
        data_dir=data,
        admin_token=None if token is None else Secret(token),
        receiver_token=None if receiver is None else Secret(receiver),
        alertmanagers=alertmanagers,
    )
    app, stop, started = App(options), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run(stop, lambda _: started.set()))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(app, session)
    finally:
        stop.set()
        await task


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as made:
        yield made


async def hear(client: Client, *alerts: Json, **more: Any) -> Answer:
    return await client.ask("POST", "/api/alertmanager", message(*alerts), **more)


async def listing(client: Client, query: str = "") -> list[Json]:
    answer = await client.ask("GET", f"/api/incidents{query}")
    assert answer.status == 200
    found: list[Json] = answer.json["incidents"]
    return found


async def metric(client: Client, start: str) -> list[str]:
    text = (await client.ask("GET", "/metrics")).text
    return [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(start)]


def became(changed: int, **more: int) -> dict[str, int]:
    """Return the answer to a message."""
    return {"changed": changed, "set_aside": 0, "left_out": 0} | more


# -- Alertmanager ----------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [ADMIN, AS_RECEIVER])
async def test_admin_and_receiver_may_send_messages(
    client: Client, headers: dict[str, str]
) -> None:
    first = await hear(client, alert(NOW), headers=headers)
    again = await hear(client, alert(NOW), headers=headers)

    assert (first.status, first.json) == (200, became(1))
    assert (again.status, again.json) == (200, became(0))
    assert [one["service"] for one in await listing(client)] == ["stripe"]
    assert await metric(client, 'exporter_alertmanager_messages_total{result="ok"}') == ["2.0"]


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Authorization": ""}])
async def test_a_wrong_token_is_refused(client: Client, headers: dict[str, str]) -> None:
    answer = await hear(client, alert(NOW), headers=headers)

    assert (answer.status, answer.type) == (401, "application/problem+json")
    assert await listing(client) == []
    assert await metric(client, "exporter_alertmanager_messages_total") == ["0.0"] * 4


async def test_without_any_token_the_log_takes_no_messages() -> None:
    async with running(token=None, receiver=None) as client:
        answer = await hear(client, alert(NOW))

        assert answer.status == 403
        assert "--alertmanager.token-file" in answer.json["detail"]


async def test_the_receivers_token_opens_nothing_else() -> None:
    async with running(token=None) as client:
        heard = await hear(client, alert(NOW), headers=AS_RECEIVER)
        (incident,) = await listing(client)
        word = {"by": "anna"}
        taken = await client.ask(
            "POST", f"/api/incidents/{incident['id']}/acknowledge", word, headers=AS_RECEIVER
        )

    assert (heard.status, taken.status) == (200, 403)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"{}", 'the message must be an object with version "4"'),
        (
            b'{"version": "4", "alerts": [{"status": "hush-hush"}]}',
            "alerts[0].status must be firing or resolved",
        ),
    ],
)
async def test_garbage_is_refused_and_counted(client: Client, body: bytes, title: str) -> None:
    answer = await client.ask(
        "POST", "/api/alertmanager", data=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status, answer.json["title"]) == (400, title)
    assert await metric(client, 'exporter_alertmanager_messages_total{result="invalid"}') == ["1.0"]
    assert await listing(client) == []


async def test_a_bad_alert_takes_no_other_with_it(client: Client) -> None:
    bad = alert(NOW) | {"startsAt": "x"}

    answer = await hear(client, alert(NOW, service="good"), bad)

    assert (answer.status, answer.json) == (200, became(1, set_aside=1))
    assert [one["service"] for one in await listing(client)] == ["good"]
    result = 'exporter_alertmanager_messages_total{result="partial"}'
    assert await metric(client, result) == ["1.0"]


async def test_a_message_of_bad_alerts_only_is_refused(client: Client) -> None:
    answer = await hear(client, alert(NOW) | {"startsAt": "x"})

    assert answer.status == 400
    assert await listing(client) == []


async def test_a_watchdog_shows_that_the_chain_is_alive(client: Client) -> None:
    before = await metric(client, "exporter_watchdog_last_received_timestamp_seconds")
    await hear(client, alert(NOW, alertname="Watchdog", severity="none", service=""))

    (after,) = await metric(client, "exporter_watchdog_last_received_timestamp_seconds")

    assert before == []
    assert abs(float(after) - client.app.clock.now()) < 60
    assert await listing(client) == []


async def test_a_fact_makes_no_incident(client: Client) -> None:
    await hear(client, alert(NOW, alertname="ServiceMaintenance", severity="none"))

    assert await listing(client) == []
    assert await metric(client, "service_incidents_open") == []


async def test_an_outage_is_counted_and_taken(client: Client) -> None:
    await hear(client, alert(NOW))
    open_ = await metric(client, "service_incidents_open")
    free = await metric(client, "service_incident_acknowledged")
    (incident,) = await listing(client)
    await client.ask("POST", f"/api/incidents/{incident['id']}/acknowledge", {"by": "anna"})

    assert (open_, free) == (["1"], ["0"])
    assert await metric(client, "service_incident_acknowledged") == ["1"]
    assert await metric(client, "service_incident_acknowledge_seconds_count") == ["1"]


# -- kept ------------------------------------------------------------------------------------


async def test_a_restart_finds_everything(tmp_path: Path) -> None:
    async with running(data=tmp_path / "data") as client:
        await hear(client, alert(NOW), alert(NOW, service="b"))
        await hear(client, alert(NOW, alertname="Watchdog", severity="none"))
        first = (await listing(client))[0]["id"]
        await client.ask("POST", f"/api/incidents/{first}/acknowledge", {"by": "anna"})
        await hear(client, alert(NOW - 5000, NOW - 4000, service="c"))
        before = await listing(client)
        stats = (await client.ask("GET", "/api/incidents/stats")).json
        watchdog = await metric(client, "exporter_watchdog_last_received")

    async with running(data=tmp_path / "data") as client:
        assert await listing(client) == before
        assert (await client.ask("GET", "/api/incidents/stats")).json == stats
        assert await metric(client, "exporter_watchdog_last_received") == watchdog
        async with patient(5):
            while not await metric(client, "service_incidents_open"):
                await asyncio.sleep(0.02)
        await hear(client, alert(NOW, NOW + 60), alert(NOW, NOW + 60, service="b"))
        assert {one["status"] for one in await listing(client)} == {"resolved"}


async def test_what_is_polled_is_shown(alertmanager: Alertmanager) -> None:
    alertmanager.alerts = [listed(NOW, by="silenced")]
    async with running(alertmanagers=(alertmanager.url,)) as client:
        async with patient(5):
            while not (found := await listing(client)):
                await asyncio.sleep(0.02)

        assert found[0]["suppressed"] == "silenced"
        assert found[0]["receivers"] == ["incident-log", "page"]


async def test_a_cut_message_is_asked_for_at_once(alertmanager: Alertmanager) -> None:
    async with running(alertmanagers=(alertmanager.url,)) as client, patient(5):
        while client.app.store.incidents.last_contact("polled") is None:  # the first round
            await asyncio.sleep(0.01)
        alertmanager.alerts = [listed(NOW, service="cut")]
        said = message(alert(NOW)) | {"truncatedAlerts": 1}
        await client.ask("POST", "/api/alertmanager", said)
        while len(await listing(client)) < 2:
            await asyncio.sleep(0.02)


# -- read ------------------------------------------------------------------------------------


async def test_filters_and_pages(client: Client) -> None:
    alerts = [
        alert(
            NOW + n // 3,
            service=f"s{n % 4}",
            severity=("high", "critical")[n % 2],
            alertname=f"A{n}",
            environment=("prod", "dev")[n % 5 == 0],
        )
        for n in range(20)
    ]
    await hear(client, *alerts)
    await hear(client, alert(NOW, NOW + 50, service="over", environment="prod"))
    first = (await listing(client, "?severity=high"))[0]["id"]
    await client.ask("POST", f"/api/incidents/{first}/acknowledge", {"by": "anna"})

    assert len(await listing(client, "?service=s1")) == 5
    assert {one["service"] for one in await listing(client, "?service=s1")} == {"s1"}
    assert len(await listing(client, "?environment=dev&severity=high")) == 2
    assert [one["id"] for one in await listing(client, "?status=acknowledged")] == [first]
    assert [one["service"] for one in await listing(client, "?status=resolved")] == ["over"]
    everything, pages, cursor = await listing(client), list[Json](), ""
    while cursor is not None:
        answer = await client.ask("GET", "/api/incidents", params={"limit": 4, "cursor": cursor})
        pages += answer.json["incidents"]
        cursor = answer.json["next"]
    assert pages == everything
    assert len(everything) == 21
    starts = [one["started_at"] for one in everything]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "severity=bad",
        "status=closed",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "cursor=nan.x",
        "cursor=1.",
        "severity=",
        "cursor=-1.0.x",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(client: Client, query: str) -> None:
    answer = await client.ask("GET", f"/api/incidents?{query}")

    assert (answer.status, answer.type) == (400, "application/problem+json")


async def test_one_incident_is_told_with_its_timeline(client: Client) -> None:
    await hear(client, alert(NOW), alert(NOW, NOW + 60))
    (listed_,) = await listing(client)

    answer = await client.ask(
        "GET", f"/api/incidents/{listed_['id']}", headers={"Authorization": ""}
    )

    assert answer.status == 200
    assert answer.json == listed_ | {"evidence": None}
    assert listed_ | {"id": ""} == {
        "id": "",
        "alertname": "ServiceDown",
        "service": "stripe",
        "environment": "prod",
        "provider": "stripe",
        "team": "pay",
        "category": "availability",
        "slo": None,
        "severity": "critical",
        "status": "resolved",
        "suppressed": None,
        "manual": False,
        "summary": "ServiceDown is critical",
        "description": "",
        "runbook_url": None,
        "receivers": [],
        "told": [],
        "told_sentence": "not known",
        "held_back_by": None,
        "started_at": NOW,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": NOW + 60,
        "resolved_by": "alertmanager",
        "reopened": 0,
        "timeline": [
            {"at": NOW, "kind": "opened", "by": "alertmanager", "note": "critical"},
            {"at": NOW + 60, "kind": "resolved", "by": "alertmanager", "note": ""},
        ],
    }


async def test_an_unknown_incident_is_not_found(client: Client) -> None:
    for method, path in (
        ("GET", ""),
        ("POST", "/acknowledge"),
        ("POST", "/resolve"),
        ("POST", "/note"),
    ):
        body = {"by": "anna", "note": "x"} if method == "POST" else None
        answer = await client.ask(method, f"/api/incidents/nobody{path}", body)
        assert answer.status == 404, path


async def test_stats_are_told(client: Client) -> None:
    await hear(client, alert(NOW, NOW + 60), alert(NOW, service="b", severity="low"))

    answer = await client.ask("GET", "/api/incidents/stats")

    assert answer.json == {
        "total": 2,
        "open": 1,
        "acknowledged": 0,
        "resolved": 1,
        "mttr_seconds": 60.0,
        "mtta_seconds": None,
        "by_severity": {"critical": 1, "low": 1},
        "by_service": {"b": 1, "stripe": 1},
    }


# -- people ----------------------------------------------------------------------------------


async def test_an_incident_is_taken_noted_and_ended(client: Client) -> None:
    await hear(client, alert(NOW))
    path = f"/api/incidents/{(await listing(client))[0]['id']}"

    taken = await client.ask("POST", f"{path}/acknowledge", {"by": "anna", "note": "mine"})
    noted = await client.ask("POST", f"{path}/note", {"by": "bob", "note": "two\nlines"})
    ended = await client.ask("POST", f"{path}/resolve", {"by": "anna"})
    late = await client.ask("POST", f"{path}/acknowledge", {"by": "bob"})
    again = await client.ask("POST", f"{path}/resolve", {"by": "bob"})

    assert [a.status for a in (taken, noted, ended, late, again)] == [200, 200, 200, 409, 200]
    assert (taken.json["status"], taken.json["acknowledged_by"]) == ("acknowledged", "anna")
    assert noted.json["timeline"][-1]["note"] == "two\nlines"
    assert (ended.json["status"], ended.json["resolved_by"]) == ("resolved", "anna")
    assert again.json == ended.json


@pytest.mark.parametrize("action", ["acknowledge", "resolve", "note"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"by": ""},
        {"by": 5},
        {"by": "a" * 129},
        {"by": "a\x00"},
        {"by": "a", "more": 1},
        {"by": "a", "note": 5},
        {"by": "a", "note": "n" * 4097},
    ],
)
async def test_a_word_that_cannot_be_used_is_refused(
    client: Client, action: str, body: Json
) -> None:
    await hear(client, alert(NOW))
    (before,) = await listing(client)

    answer = await client.ask("POST", f"/api/incidents/{before['id']}/{action}", body)

    assert answer.status == 400
    assert await listing(client) == [before]


@pytest.mark.parametrize("action", ["acknowledge", "resolve", "note", ""])
async def test_only_the_admin_may_speak(client: Client, action: str) -> None:
    path = f"/api/incidents/x/{action}" if action else "/api/incidents"
    answer = await client.ask("POST", path, {"by": "a"}, headers={"Authorization": ""})

    assert answer.status == 401


async def test_an_incident_is_made_by_hand_and_told(alertmanager: Alertmanager) -> None:
    async with running(alertmanagers=(alertmanager.url,)) as client:
        answer = await client.ask(
            "POST", "/api/incidents", {"summary": "Slow", "service": "stripe", "by": "anna"}
        )
        async with patient(5):
            while not alertmanager.posted:
                await asyncio.sleep(0.01)
            while len((found := await listing(client))[0]["timeline"]) < 2:
                await asyncio.sleep(0.02)
        await client.ask("POST", f"/api/incidents/{found[0]['id']}/resolve", {"by": "anna"})
        async with patient(5):
            while alertmanager.posted[-1][0]["endsAt"] > alertmanager.posted[0][0]["endsAt"][:16]:
                await asyncio.sleep(0.01)

    made = answer.json
    assert (answer.status, made["severity"], made["manual"]) == (201, "high", True)
    assert answer.headers["Location"] == f"/api/incidents/{made['id']}"
    assert (made["environment"], made["team"]) == ("prod", "pay")
    assert [entry["kind"] for entry in found[0]["timeline"]] == ["opened", "posted"]
    assert alertmanager.posted[0][0]["labels"]["incident"] == made["id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"summary": "x"},
        {"by": "a"},
        {"summary": "", "by": "a"},
        {"summary": "x", "by": "a", "severity": "none"},
        {"summary": "x", "by": "a", "service": "no"},
        {"summary": "x", "by": "a", "environment": ""},
        {"summary": "x", "by": "a", "team": "t"},
    ],
)
async def test_an_incident_that_makes_no_sense_is_not_made(client: Client, body: Json) -> None:
    answer = await client.ask("POST", "/api/incidents", body)

    assert answer.status == 400
    assert await listing(client) == []


# -- history and audit -----------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False])
async def test_a_day_of_a_service_is_told(tmp_path: Path, kept: bool) -> None:
    async with running(data=tmp_path / "data" if kept else None) as client:
        empty = await client.ask("GET", "/api/services/stripe/history")
        unknown = await client.ask("GET", "/api/services/nobody/history")

    assert (empty.status, unknown.status) == (200, 404)
    assert empty.json == {"service": "stripe", "width_seconds": 900, "buckets": []}


async def test_the_audit_is_for_the_admin(client: Client) -> None:
    answers = [
        (await client.ask("GET", f"/api/audit{query}", headers={"Authorization": word})).status
        for query, word in (
            ("", ADMIN["Authorization"]),
            ("?limit=1", ADMIN["Authorization"]),
            ("?limit=0", ADMIN["Authorization"]),
            ("", ""),
            ("", f"Bearer {RECEIVER}"),
        )
    ]

    assert answers == [200, 200, 400, 401, 401]


async def test_the_audit_is_off_without_an_admin() -> None:
    async with running(token=None) as client:
        assert (await client.ask("GET", "/api/audit")).status == 403


async def test_no_answer_names_the_tokens(client: Client) -> None:
    texts = [
        (await client.ask("GET", path)).text
        for path in ("/metrics", "/api/incidents", "/api/audit", "/openapi.json")
    ]

    assert TOKEN not in json.dumps(texts)
    assert RECEIVER not in json.dumps(texts)
