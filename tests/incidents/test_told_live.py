"""Debian's Alertmanager 0.25 itself: delivered, failing, inhibited and silenced are told apart."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exporter.clock import SystemClock
from exporter.incidents import Incident, IncidentLog, Peers, Reconciliation, told_sentence
from exporter.store import Store
from tests.alertmanager import Mail, Sink, alert, alertmanager, mail_sink, post
from tests.incidents.saying import iso
from tests.patience import Patience
from tests.programs import free_port

CONFIG = """
global: {{smtp_from: a@example.org, smtp_require_tls: false}}
route:
  receiver: mail
  group_by: [service]
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: 4h
  routes:
  - receiver: incident-log
    continue: true
    group_wait: 0s
  - {{receiver: refused, matchers: ['team="refused"']}}
  - {{receiver: nobody, matchers: ['team="nobody"']}}
  - receiver: night
    matchers: ['team="night"']
    active_time_intervals: [office-hours]
  - receiver: mail
time_intervals: [{{name: office-hours, time_intervals: [{{years: ['1999']}}]}}]
receivers:
- {{name: mail, email_configs: [{{to: b@example.org, smarthost: '{mail}'}}]}}
- {{name: refused, email_configs: [{{to: b@example.org, smarthost: 'localhost:{closed}'}}]}}
- {{name: night, email_configs: [{{to: b@example.org, smarthost: '{mail}'}}]}}
- name: nobody
- {{name: incident-log, webhook_configs: [{{url: 'http://127.0.0.1:{closed}/api/alertmanager'}}]}}
inhibit_rules:
- source_matchers: ['alertname="ProviderOutage"']
  target_matchers: ['alertname="ServiceDown"']
  equal: [provider]
"""


class Watched:
    """A log that looks at a real Alertmanager."""

    def __init__(self, url: str) -> None:
        clock = SystemClock()
        store = Store.in_memory(clock)
        self.url, self.peers = url, Peers([url])
        self.log = IncidentLog(store.incidents, clock)
        self.reconciliation = Reconciliation(self.log, store.incidents, self.peers, clock)

    async def until(self, service: str, wanted: Callable[[str], bool]) -> tuple[Incident, str]:
        """Look until the sentence about *service* is *wanted*."""
        patience, found = Patience(30), ""
        while not patience.is_over:
            await self.reconciliation.round()
            for one in await self.log.unresolved():
                if one.service == service and wanted(found := told_sentence(one, time.time())):
                    return one, found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{service}: {found}")

    async def fires(self, service: str, **more: str) -> None:
        labels = {"alertname": "ServiceDown", "service": service, "severity": "high", **more}
        await asyncio.to_thread(post, self.url, alert(labels))


def silence(url: str, service: str, until: float) -> None:
    body: dict[str, Any] = {
        "matchers": [{"name": "service", "value": service, "isRegex": False, "isEqual": True}],
        "startsAt": iso(time.time() - 1),
        "endsAt": iso(until),
        "createdBy": "ann",
        "comment": "known",
    }
    request = urllib.request.Request(
        url + "/api/v2/silences", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=5).read()


async def test_a_real_alertmanager_is_asked_who_was_told(tmp_path: Path) -> None:
    with mail_sink() as mail:
        given = {"mail": mail.address.replace("127.0.0.1", "localhost"), "closed": free_port()}
        (tmp_path / "am.yml").write_text(CONFIG.format(**given))
        with alertmanager(tmp_path / "am.yml") as url:
            watched = Watched(url)
            try:
                await _told_apart(watched, mail)
            finally:
                await watched.peers.close()


async def _told_apart(watched: Watched, mail: Sink[Mail]) -> None:
    await watched.reconciliation.round()
    await watched.fires("told")
    told, sentence = await watched.until("told", lambda text: text.startswith("told"))
    assert mail.items, "no message has arrived"
    assert sentence.startswith("told: mail (mail) at ")
    assert [(e.by, e.note) for e in told.timeline if e.kind == "notified"] == [("mail", "mail")]

    silence(watched.url, "silenced", time.time() + 3600)
    await watched.fires("silenced")
    _, sentence = await watched.until("silenced", lambda text: "by ann" in text)
    assert sentence.startswith("nobody yet: silenced until ")

    cause = {"alertname": "ProviderOutage", "provider": "p", "severity": "high", "team": "nobody"}
    await asyncio.to_thread(post, watched.url, alert(cause))
    await watched.until("", lambda text: text.startswith("nobody: it is sent to no receiver"))
    await watched.fires("held", provider="p")
    held, sentence = await watched.until("held", lambda text: "held back" in text)
    assert sentence == "nobody yet: held back by ProviderOutage until the provider is back"
    outage = next(one for one in await watched.log.unresolved() if not one.service)
    assert await watched.log.causes() == {held.id: outage.id}

    # 0.25 does not say that a route is muted, and counts mails of all receivers together.
    await watched.fires("night", team="night")
    await watched.until("night", lambda text: text.startswith("not known: the time interval"))
    await watched.fires("other")
    await watched.until("other", lambda text: text.startswith("told"))
    _, sentence = await watched.until("night", bool)
    assert sentence == "not known: the time interval office hours may mute it"
    one, sentence = await watched.until("told", bool)
    assert sentence.startswith("told: mail (mail) at ")
    assert {told.receiver for told in one.told} == {"mail"}

    # The last: 0.25 counts the failures of all mails together too, so from here on none is certain.
    await watched.fires("refused", team="refused")
    _, sentence = await watched.until("refused", lambda text: "fail" in text)
    assert sentence.startswith("nobody: mail fails since ")
