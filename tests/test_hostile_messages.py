"""Hostile labels and texts in the real Alertmanager's messages: shown as text, in every medium."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.alertmanager import (
    Mail,
    Request,
    Sink,
    alert,
    alertmanager,
    http_sink,
    mail_sink,
    post,
    shipped,
)

pytestmark = pytest.mark.slow

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
LONG = 10_000
# What to write where a name or a text is expected, and how it begins in a message that shows it.
HOSTILE = {
    "html": ("<script>alert(1)</script><img src=x onerror=alert(2)>", "<script>alert(1)"),
    "attribute": ("\" onmouseover=\"alert(1)' onclick='x", '" onmouseover="alert(1)'),
    "slack commands": ("<!channel> <@U1> <#C1> <http://evil.test|click>", "<!channel> <@U1>"),
    "mrkdwn": ("*bold* `code` ```block``` _it_ ~no~ & &lt;!here&gt;", "*bold* `code`"),
    "headers": ("a\r\nBcc: everybody@evil.test\r\n\r\nbody", "a Bcc: everybody@evil.test"),
    "controls": ("a\x00b\x07\x1b[31mred\x85\u2028next", "a b [31mred next"),
    "direction": (f"pay{BIDI}yap", "pay" + "\ufffd" * len(BIDI) + "yap"),
    "emoji": (
        "\U0001f525\U0001f468\u200d\U0001f469\u200d\U0001f467 caf\u00e9 \u4e2d",
        "\U0001f525",
    ),
    "template": ('{{ .Labels }}{{ template "registry.title" . }}{{', "{{ .Labels }}"),
    "yaml": ("'\n- &a [*a, *a]: {x", "' - &a [*a"),
    "long": ("x" * LONG, "x" * 100),
    "long emoji": ("\U0001f525" * LONG, "\U0001f525" * 100),
}
TAGS = {"html", "head", "meta", "title", "body", "div", "h1", "p", "b", "br", "a", "span"}
HEADERS = {b"subject", b"to", b"from", b"message-id", b"date", b"content-type", b"mime-version"}
# Slack truncates beyond 40,000 characters, PagerDuty refuses a summary over 1,024 characters and an
# event over 512 KiB, a mail server a line over 998 bytes (RFC 5322, section 2.1.1).
SLACK, SUMMARY, EVENT, LINE = 40_000, 1024, 512 << 10, 998


@dataclass(frozen=True, slots=True)
class Stage:
    url: str
    web: Sink[Request]
    mail: Sink[Mail]

    def at(self, path: str, seen: int = 0) -> dict[str, Any]:
        """Return the next message at *path*, after *seen* that came before."""
        found = self.web.wait(lambda got: got.path.startswith(path), seen + 1)
        body: dict[str, Any] = found[seen].body
        return body


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with http_sink() as web, mail_sink() as mail:
        config = shipped(tmp_path_factory.mktemp("am"), sink=web.url, mail=mail.address)
        with alertmanager(config) as url:
            yield Stage(url, web, mail)


def hostile(text: str, *, ended: bool = False, **more: str) -> dict[str, Any]:
    """Return an alert that has *text* in everything that is shown."""
    names = ("service", "environment", "provider", "team", "category", "slo", "cluster")
    labels = dict.fromkeys(names, text) | {"environment": "production", "severity": "critical"}
    notes = dict.fromkeys(("summary", "description", "fault", "__dashboardUid__"), text)
    return alert(
        {"alertname": f"N{text}", **labels, **more},
        ended=ended,
        **notes,
        runbook_url=f"https://wiki.example.org/{text}",
    )


class Parsed(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_mail(message: Mail, shown: str, stage: Stage) -> None:
    head, body = message.raw.split(b"\r\n\r\n", 1)
    names = [line.split(b":")[0] for line in re.split(rb"\r\n(?![ \t])", head)]
    assert sorted(names) == sorted(set(names))
    assert {name.lower() for name in names} <= HEADERS
    # Alertmanager does not fold a subject that it encodes: only one in ASCII has a bound.
    lines = message.raw.split(b"\r\n")
    assert all(len(line) <= LINE for line in lines if not line.startswith(b"Subject: =?"))
    assert message.to == ["api-owners@example.org"]
    assert shown in message.subject
    assert shown in message.part("plain")
    page = Parsed(message.part("html"))
    assert shown in page.text
    assert page.tags <= TAGS
    assert page.attributes <= {"lang", "charset", "name", "content", "style", "href"}
    ours = (stage.url + "/#/", "https://wiki.example.org/")
    assert all(link.startswith(ours) for link in page.links), page.links
    assert not set(BIDI) & set(message.subject + message.part("plain") + page.text)
    assert body


def assert_slack(message: dict[str, Any], shown: str, stage: Stage) -> None:
    (found,) = message["attachments"]
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for text in (found["title"], found["fallback"], found["text"]):
        assert escaped in text
        for command in re.findall(r"<[^>]*>?", text):
            assert command.startswith((f"<{stage.url}/#/", "<https://wiki.example.org/")), command
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    assert not set(BIDI + "\x00\x07\x1b\r") & set(json.dumps(message, ensure_ascii=False))
    assert "\n" not in found["title"]
    assert len(json.dumps(message, ensure_ascii=False)) <= SLACK
    assert found["title_link"].startswith(stage.url)
    assert len(found["title_link"]) < 10_000
    assert message["channel"] == "#api-alerts"


def assert_pagerduty(event: dict[str, Any], shown: str) -> None:
    payload = event["payload"]
    assert shown in payload["summary"]
    assert shown in payload["custom_details"]["firing"] + payload["custom_details"]["resolved"]
    assert len(payload["summary"]) <= SUMMARY
    for name in ("summary", "source", "component", "group", "class"):
        assert "\n" not in payload[name]
        assert len(payload[name]) <= SUMMARY
    assert len(json.dumps(event).encode()) <= EVENT
    assert not set(BIDI) & set(json.dumps(event, ensure_ascii=False))


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_is_text_in_every_medium(stage: Stage, kind: str) -> None:
    text, shown = HOSTILE[kind]
    before = [got.path for got in stage.web.items]
    mails = len(stage.mail.items)

    post(stage.url, hostile(text))

    event = stage.at("/pagerduty", before.count("/pagerduty"))
    assert_pagerduty(event, shown)
    assert_slack(stage.at("/slack", before.count("/slack")), shown, stage)
    assert_mail(stage.mail.wait(lambda _: True, mails + 1)[mails], shown, stage)
    hook = stage.at("/webhook", before.count("/webhook"))
    assert hook["alerts"][0]["labels"]["service"] == text, "a program gets it as it is"
    if kind.startswith("long"):
        assert "…" in event["payload"]["summary"], "what is cut has a sign"


def test_the_end_of_a_hostile_alert_is_text_as_well(stage: Stage) -> None:
    """All of the texts at once, among them a group of several."""
    texts = [text for text, _ in HOSTILE.values()]
    together = [hostile(text, provider="many", service="many") for text in texts]
    begun = [got.path for got in stage.web.items]
    post(stage.url, *together)
    stage.web.wait(lambda got: got.path == "/pagerduty", begun.count("/pagerduty") + 1)
    before = [got.path for got in stage.web.items]
    mails = len(stage.mail.items)

    for one in together:
        one["endsAt"] = one["startsAt"]
    post(stage.url, *together)

    over = "RESOLVED: many (production): several problems are over"
    slack = stage.web.wait(lambda got: got.path == "/slack" and over in json.dumps(got.body))
    assert_slack(slack[0].body, "many (production)", stage)
    assert len(before) < len(stage.web.items)
    found = stage.mail.wait(lambda one: one.subject.startswith(over))
    assert_mail(found[0], "many (production)", stage)
    assert mails < len(stage.mail.items)


def test_many_long_alerts_stay_within_what_slack_takes(stage: Stage) -> None:
    text = "word " * 2000
    long = dict.fromkeys(("summary", "description", "fault"), text)
    labels = {"severity": "low", "environment": "production", "team": text, "provider": "y" * 190}
    runbook = "https://wiki.example.org/" + "p" * 470
    alerts = [
        alert(labels | {"alertname": "Crowd", "service": f"{n:0190}"}, **long, runbook_url=runbook)
        for n in range(30)
    ]
    post(stage.url, *alerts)

    (found,) = stage.web.wait(lambda got: got.path == "/slack" and "30 alerts" in str(got.body))

    assert_slack(found.body, "word", stage)
    assert "… and more, see Alertmanager" in found.body["attachments"][0]["text"]


def test_an_escalation_is_one_header_too(stage: Stage) -> None:
    level = "1\tBcc: everybody@evil.test " + "y" * LONG
    post(stage.url, hostile("calm", service="calm", escalation=level))

    (found,) = stage.mail.wait(lambda one: one.subject.startswith("Escalation"))

    assert found.to == ["duty-manager@example.org"]
    assert found.message["Bcc"] is None
    assert found.subject.startswith("Escalation 1 Bcc: everybody@evil.test yyy")
    assert "yy…: CRITICAL" in found.subject
    assert max(map(len, found.raw.split(b"\r\n"))) <= LINE
