"""A replayed outage: mail, page and report let a stranger file the ticket with the vendor.

An exporter lives through the beginning on a clock that is behind, so that the vendor's page posts
20 minutes later by the clock of everybody; then the real programs take over its data. With
SHOW_TICKET=FOLDER everything that was sent or shown is written there, to be read.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.app import App, Options
from exporter.config import read_text
from exporter.model import Result, verdict_of
from exporter.secret import HIDDEN
from exporter.store import SECRET_KEY_VARIABLE
from tests.alertmanager import Mail
from tests.chain import Answer, Chain, chain
from tests.page.reading import Element, read
from tests.probers.test_evidence import SENTINEL, any_trace, encodings

pytestmark = pytest.mark.slow

QUICK = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
GOOD_SECONDS, FAILED_SECONDS, STEP_SECONDS = 300, 1200, 15
"""What is replayed, and the time between two of its probes."""
TITLE = "Elevated error rates on the API"
SAID = "The engine is currently overloaded"
RING = "a-token-for-status-pages"
SINKS = ("text", "html", "markdown", "csv", "json")


class ClockBehind:
    """A clock that is some seconds behind."""

    def __init__(self, behind: float) -> None:
        self.behind = behind

    def now(self) -> float:
        return time.time() - self.behind

    def tick(self) -> float:
        return time.monotonic() - self.behind

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def services(url: str) -> str:
    """Return one service of a provider with a status page, and a canary."""
    page = {"url": f"{url}/status", "adapter": "statuspage", "allow_private_addresses": True}
    service = {
        "id": "chat",
        "name": "Chat answers",
        "provider": "openai",
        "team": "platform",
        "api_key": SENTINEL,
        "base_url": f"{url}/openai/v1",
        "status_page": page,
        "health_check": QUICK,
    }
    canary = {"url": f"{url}/canary", "expected_status_codes": [200], **QUICK}
    return json.dumps({"canaries": [canary], "services": [service]})


def failing() -> Iterator[Answer]:
    """Yield failed answers, each with an id of its own; each repeats our key in another way."""
    for number, echo in enumerate(itertools.cycle(encodings(SENTINEL).values()), 1):
        shown = "".join(char if " " <= char < "\x7f" else "?" for char in echo)
        error = {"message": f"{SAID}; {echo} was not served", "type": "server_error"}
        headers = {"x-request-id": f"req_{number:06}", "Via": "1.1 edge-7", "X-Ratelimit": shown}
        yield Answer(503, {"error": error}, headers)


def status_page(posted: float | None = None) -> Answer:
    """Return what the page answers: all is well, or an incident that it *posted* then."""
    incident = {"id": "k1", "name": TITLE, "status": "investigating", "impact": "major"}
    if posted is None:
        return Answer(200, {"status": {"indicator": "none"}, "incidents": []})
    incident["created_at"] = datetime.fromtimestamp(posted, UTC).isoformat()
    incident["started_at"] = datetime.fromtimestamp(posted - 600, UTC).isoformat()
    return Answer(200, {"status": {"indicator": "major"}, "incidents": [incident]})


def replay(made: Chain) -> None:
    """Live through the beginning, and leave what was seen on the disk."""
    made.provider.answers["/status/"] = status_page()
    asyncio.run(_replay(made))


async def _replay(made: Chain) -> None:
    text = (made.folder / "services.yaml").read_text()
    options = Options(
        source=lambda: read_text(text, "services.yaml", {}),
        environment={SECRET_KEY_VARIABLE: str(made.folder / "secret-key")},
        data_dir=made.folder / "data",
    )
    clock = ClockBehind(GOOD_SECONDS + FAILED_SECONDS)
    app = App(options, clock=clock)
    app.prepare()
    target = app.registry.get("chat")
    assert target.endpoint is not None
    assert target.status_page is not None
    app.pages.set_pages({target.status_page})
    app.minutes.start_run(clock.now())
    for second in range(0, GOOD_SECONDS + FAILED_SECONDS, STEP_SECONDS):
        if second == GOOD_SECONDS:
            made.provider.answers["/openai/"] = failing()
        if second % 60 == 0:
            await app.pages.poll(target.status_page)
        at, outcome = clock.now(), await app.prober.probe(target.endpoint)
        verdict = verdict_of(outcome.reason)
        made_ = Result(service="chat", at=at, outcome=outcome, verdict=verdict)
        app.recording.probe(target, made_)
        clock.behind -= STEP_SECONDS
    await app.persistence.save()
    await app.failures.save()
    await app.close()


@dataclass
class Seen:
    """Everything that was sent or can be read, and when the vendor began to fail."""

    began: float
    mail: Mail
    incident: dict[str, Any]
    incident_page: Element
    service_page: Element
    reports: dict[str, str]
    sinks: dict[str, str]


def fetched(url: str, accept: str = "text/html") -> str:
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def reported(running: Chain, start: str, end: str, form: str) -> str:
    """Return what the command prints."""
    command = [sys.executable, "-m", "exporter", "report", "chat", "--from", start, "--to", end]
    command += ["--format", form, "--url", running.exporter.url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def play(running: Chain) -> Seen:
    """Let the outage be told, the vendor's page follow, and the vendor come back."""
    url = running.exporter.url
    id_ = running.incident("ServiceDown", "open", service="chat")["id"]
    (mail, *_) = running.until("mail", lambda: running.mails("chat", "CRITICAL"))
    began = running.ask(f"/api/incidents/{id_}")["evidence"]["first"]["at"]
    running.provider.answers["/status/"] = status_page(time.time())
    ring = urllib.request.Request(f"{url}/api/status-page/openai?token={RING}", b"{}")
    urllib.request.urlopen(ring, timeout=10).close()
    running.until("both", lambda: "after us" in str(running.ask(f"/api/incidents/{id_}")))
    link = re.search(rf"Page: ({re.escape(url)}/services/chat\S*)", mail.part("plain"))
    assert link, mail.part("plain")
    pages = {"incident": f"{url}/incidents/{id_}", "service": link[1].partition("#")[0]}
    html = {name: fetched(address) for name, address in pages.items()}
    api = {
        path: json.dumps(running.ask(path))
        for path in (
            f"/api/incidents/{id_}",
            "/api/services/chat/failures",
            "/api/services/chat",
        )
    }
    metrics = {
        kind: fetched(f"{url}/metrics", kind)
        for kind in ("text/plain", "application/openmetrics-text")
    }
    running.provider.answers.pop("/openai/")
    ended = running.incident("ServiceDown", "resolved", service="chat")
    running.until("the end", lambda: running.mails("chat", "RESOLVED"))
    running.until("the end", lambda: running.hooks("chat", "resolved"))
    start = datetime.fromtimestamp(began - GOOD_SECONDS, UTC).strftime("%Y-%m-%dT%H:%MZ")
    end = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%MZ")
    reports = {form: reported(running, start, end, form) for form in SINKS}
    running.exporter.end()
    mails = "\n".join(one.part("plain") + one.part("html") for one in running.mail.items)
    sent = json.dumps([one.body for one in running.web.items])
    sinks = {**html, **api, **metrics, **reports, "mails": mails, "webhooks": sent}
    return Seen(began, mail, ended, read(html["incident"]), read(html["service"]), reports, sinks)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("ticket")
    (folder / "ring").write_text(RING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVICE_REGISTRY_STATUS_PAGE_TOKEN_FILE", str(folder / "ring"))
        with chain(folder, services, prepare=replay) as running:
            found = play(running)
            found.sinks["log"] = (folder / "exporter.log").read_text()
            found.sinks["data"] = "".join(
                path.read_bytes().decode("latin-1") for path in sorted((folder / "data").iterdir())
            )
            if to := os.environ.get("SHOW_TICKET"):
                _show(Path(to), found)
    return found


def _show(folder: Path, found: Seen) -> None:
    """Write everything to *folder*, for somebody who wants to read it."""
    for name, text in {**found.sinks, "mail": found.mail.part("plain")}.items():
        (folder / re.sub(r"\W+", "-", name)).write_text(text)


def test_the_mail_says_what_since_when_whose_fault_and_where_to_look(seen: Seen) -> None:
    text = seen.mail.part("plain")
    since = datetime.fromtimestamp(seen.began, UTC).strftime("%H:%M UTC on %-d %B")

    assert "chat (production) fails its health check: overloaded, at fault: the prov" in text
    assert f"Since {since}: overloaded. At fault: the provider." in text
    assert "Last HTTP status: 503" in text
    holds = r"#failures \(failed requests with ids and answers, a report for the vendor\)"
    assert re.search(rf"Page: http://\S+/services/chat\?until=\d+{holds}", text)


def test_the_linked_page_opens_at_the_failure_with_all_that_support_asks_for(seen: Seen) -> None:
    head, panel = seen.service_page.one(id="head").text, seen.service_page.one(id="failures")
    first, *others = panel.all("details")
    found = first.text

    assert "open" in first.attributes
    assert others
    assert not [one for one in others if "open" in one.attributes]
    assert re.search(r"Evidence: request req_\d{6}", found)
    assert "At fault the provider; the API answered" in found
    assert "Our network worked: an answer came" in found
    assert re.search(r"Probe \d\d:\d\d:\d\d UTC to 127\.0\.0\.1 , 1 attempt", found)
    assert SAID in panel.text
    assert HIDDEN in panel.text
    assert re.search(r"we fail since \d\d:\d\d UTC; their page: since .*20 minutes after us", head)
    assert TITLE in head
    (report,) = seen.service_page.all("a", id="report")
    assert "report?format=html" in report.attributes["href"]


def test_the_incident_has_both_ends_and_what_their_page_said_when(seen: Seen) -> None:
    text = seen.incident_page.one(id="timeline").text
    green, posted = text.find("their page is green"), text.find("20 minutes after us (± ")

    assert 0 < text.find("First failure") < text.find("opened") < green < posted
    assert "request req_000001" in text
    assert f'their title: "{TITLE}"' in text
    assert text.count("Our network worked: an answer came") == 2
    assert seen.incident["resolved_at"]


@pytest.mark.parametrize("form", ["text", "html"])
def test_the_report_is_a_ticket_by_itself(seen: Seen, form: str) -> None:
    text = seen.reports[form]
    flat = " ".join((read(text) if form == "html" else Element("", {}, [], [text])).text.split())
    minute = second(seen.began)[:-3]

    assert "Availability of Chat answers" in flat
    assert minute in flat
    assert "UTC" in flat
    assert "overloaded in 20 minutes" in flat
    assert "503 in 20 minutes" in flat
    assert "worked: an answer came" in flat
    assert "watched by one canary" in flat
    assert second(seen.began) in flat
    assert "req_000001" in flat
    assert SAID in flat
    assert "127.0.0.1" in flat
    assert "/openai/v1/models" in flat
    assert "operational" in flat
    assert "/status" in flat
    assert re.search(r"published \d\d:\d\d: 20 minutes after us \(± ", flat)
    assert TITLE in flat
    assert "Our probe is not the call that the promise is about" in flat


def test_the_key_is_in_nothing_that_anybody_can_read(seen: Seen) -> None:
    found = {name: any_trace(text) for name, text in seen.sinks.items()}

    assert len(found) >= 16
    assert {name: traces for name, traces in found.items() if traces} == {}
    for name in ("data", "json", "text", "/api/services/chat/failures", "service", "incident"):
        assert SAID in seen.sinks[name], name
