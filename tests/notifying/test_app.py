"""The exporter with `notify:` as a whole: what is sent, kept, counted and shown."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.api.status import entry_health
from exporter.cli.commands import main
from exporter.log import configure
from exporter.store import Store
from tests.alertmanager import http_sink, mail_sink
from tests.api.managed import ADMIN, Client, running
from tests.fakes import FakeClock
from tests.notifying.stage import WEBHOOK, Stage, alert
from tests.patience import Patience
from tests.sentinel import forms_of

SECRET = "sentinel-0123456789-never-shown"


def config(*entries: str) -> str:
    # The tests say themselves what fires.
    page = "monitoring: {page_url: 'https://status.example.com/', incidents: off}"
    return f"{page}\nservices: []\nnotify: [{', '.join(entries)}]\n"


async def eventually(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    patience = Patience(seconds)
    while not (found := true()):
        assert not patience.is_over
        await asyncio.sleep(0.02)
    return found


async def read(client: Client, path: str) -> str:
    async with client.session.get(client.base + path) as response:
        return await response.text()


async def test_what_fires_is_sent_counted_and_kept(tmp_path: Path) -> None:
    began = time.time() - 60
    with http_sink() as sink:
        text = config(f"{{webhook: {{url: '{sink.url}/hook'}}}}")
        async with running(text, data=tmp_path) as client:
            before = await read(client, "/metrics")
            assert 'service_notifications_total{medium="webhook",result="sent"} 0.0' in before
            await client.app.notifier.take([alert(at=began)], time.time())
            (got,) = await asyncio.to_thread(sink.wait, lambda got: True)
            line = 'service_notifications_total{medium="webhook",result="sent"} 1.0'
            while line not in await read(client, "/metrics"):
                await asyncio.sleep(0.02)
            (told,) = client.app.notifier.told(alert().fingerprint)
            assert told.receiver == "webhook"
        assert got.body["externalURL"] == "https://status.example.com"
        async with running(text, data=tmp_path) as client:
            await client.app.notifier.take([alert(at=began)], time.time())
            (again,) = client.app.notifier.told(alert().fingerprint)
            assert again == told
        assert len(sink.items) == 1


async def test_a_medium_that_fails_is_shown_and_its_address_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("json", logging.DEBUG)
    url = f"http://127.0.0.1:9/{SECRET}"
    secrets = f"headers: {{Authorization: 'Bearer {SECRET}'}}"
    text = config(
        f"{{webhook: {{url: '{url}', {secrets}}}}}",
        f"{{pagerduty: {{routing_key: '{SECRET}', url: 'http://127.0.0.1:9/'}}}}",
        f"{{email: {{to: [a@example.com], smtp: '127.0.0.1:9', username: u, password: '{SECRET}',"
        " tls: none}}",
    )
    seen = list[str]()
    async with running(text, data=tmp_path) as client:
        await client.app.notifier.take([alert(at=time.time() - 60)], time.time())
        states = client.app.notifier.states
        await eventually(lambda: all(one.failing_since for one in client.app.notifier.states))
        seen += [await read(client, p) for p in ("/", "/metrics", "/api/health", "/config")]
        shown = [entry_health(one) for one in client.app.notifier.states]
        assert client.app.redaction(f"x {SECRET} y") == "x … y"
    assert len(states) == 3
    assert {one["waiting"] for one in shown} == {1}
    for name in ("webhook", "pagerduty", "email"):
        assert f"Messages to {name} fail since" in seen[0]
        assert f'"name": "{name}"' in seen[2]
        assert f'medium="{name}",result="failed"}} 1.0' in seen[1]
    seen.append(capsys.readouterr().err)
    assert "a notification failed" in seen[-1]
    seen += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for place in seen:
        for form in forms_of(SECRET).values():
            assert form.decode("latin-1") not in place


async def test_a_reload_without_an_entry_takes_its_series_and_its_messages(tmp_path: Path) -> None:
    texts = [config("{webhook: {url: 'http://127.0.0.1:9/'}}")]
    async with running(lambda: texts[-1], data=tmp_path) as client:
        await client.app.notifier.take([alert(at=time.time() - 60)], time.time())
        await eventually(lambda: client.app.notifier.states[0].failing_since)
        texts.append(config())
        async with client.session.post(client.base + "/-/reload", headers=ADMIN) as response:
            assert response.status == 200
        assert "service_notifications_total{" not in await read(client, "/metrics")
        await client.app.notifier.take([], time.time())
    with sqlite3.connect(tmp_path / "registry.db") as db:
        assert db.execute("SELECT count(*) FROM notifications").fetchone() == (0,)


# The store


async def test_the_store_keeps_what_the_notifier_needs(tmp_path: Path) -> None:
    clock = FakeClock()
    for expected in ([("+openai",)], []):
        store = Store.open(tmp_path, clock, None)
        async with Stage(WEBHOOK, store.notifications, clock) as stage:
            await stage.fires(alert(at=clock.now()))
            await stage.passes(60)
            assert stage.hook.said == expected
        store.close()
    store = Store.open(tmp_path, clock, None)
    async with Stage(WEBHOOK, store.notifications, clock) as stage:
        await stage.fires()
        await stage.passes(120)
        assert stage.hook.said == [("-openai",)]
        assert store.notifications.load() == ([], [])
    store.close()


async def test_a_damaged_row_costs_itself(tmp_path: Path) -> None:
    clock, counted = FakeClock(), list[str]()
    store = Store.open(tmp_path, clock, None)
    many = [alert(service=f"s{n}", provider=f"p{n}") for n in range(4)]
    async with Stage(WEBHOOK, store.notifications, clock) as stage:
        await stage.fires(*many)
        await stage.passes(60)
    store.close()
    with sqlite3.connect(tmp_path / "registry.db") as db:
        rows = [row[0] for row in db.execute("SELECT fingerprint FROM told ORDER BY fingerprint")]
        for fingerprint, column, value in (
            (rows[0], "alert", b"\xff"),
            (rows[1], "alert", "[]"),
            (rows[2], "at", "soon"),
        ):
            db.execute(f"UPDATE told SET {column} = ? WHERE fingerprint = ?", (value, fingerprint))
    store = Store.open(tmp_path, clock, None, count=counted.append)
    assert [row.fingerprint for row in store.notifications.load()[1]] == [rows[3]]
    assert set(counted) == {"told"}
    async with Stage(WEBHOOK, store.notifications, clock) as stage:
        await stage.fires(*many)
        await stage.passes(60)
        assert len(stage.hook.sent) == 3, "those of the damaged rows are told anew"
    store.close()


# The command


def test_the_command_tries_every_entry_and_says_what_to_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "services.yaml"
    with http_sink() as sink, mail_sink() as mail:
        file.write_text(
            config(
                f"{{webhook: {{url: '{sink.url}/{SECRET}'}}}}",
                f"{{name: pager, pagerduty: {{routing_key: {SECRET}, url: '{sink.url}/pagerduty'"
                "}}",
                f"{{email: {{to: [a@example.com], smtp: '{mail.address}', tls: none}}}}",
                f"{{slack: {{url: 'http://127.0.0.1:9/{SECRET}'}}}}",
                "{name: other, slack: {url_file: nowhere}}",
            )
        )
        code = main(["notify", "test", "--config", str(file)])
        (got,) = mail.wait(lambda mail: True)
        trigger, resolve = sink.wait(lambda got: got.path == "/pagerduty", 2)
    out = capsys.readouterr().out

    assert code == 1
    assert out.splitlines() == [
        "ok      webhook: a test message was taken",
        "ok      pager (pagerduty): a test message was taken, an incident that is closed again",
        "ok      email: a test message was taken",
        "FAILED  slack: no connection (ECONNREFUSED); is the receiver running?",
        "FAILED  other (slack): the file of its secret cannot be read (No such file or directory);"
        " mend the file; it is read again at every try",
    ]
    assert got.subject == "LOW: This is a test: nothing is wrong"
    assert [one.body["event_action"] for one in (trigger, resolve)] == ["trigger", "resolve"]
    assert trigger.body["dedup_key"] == resolve.body["dedup_key"]


def test_the_command_tries_one_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "services.yaml"
    with http_sink() as sink:
        entries = (f"{{name: {n}, webhook: {{url: '{sink.url}/{n}'}}}}" for n in ("a", "b"))
        file.write_text(config(*entries))
        assert main(["notify", "test", "b", "--config", str(file)]) == 0
        (got,) = sink.wait(lambda got: True)
        assert got.path == "/b"
        assert main(["notify", "test", "c", "--config", str(file)]) == 2
    assert "`notify:` has no such entry; there are: a, b" in capsys.readouterr().err
    file.write_text("services: []")
    assert main(["notify", "test", "--config", str(file)]) == 2
    assert "nobody is told: the configuration has no `notify:`" in capsys.readouterr().err


async def test_the_notifier_tries_its_entries() -> None:
    async with Stage(WEBHOOK) as stage:
        (trial,) = await stage.notifier.test("webhook")
        assert trial.is_delivered
        assert stage.hook.sent[-1].alerts[0].labels["alertname"] == "NotificationTest"
        with pytest.raises(LookupError, match="there are: webhook"):
            await stage.notifier.test("nobody")
