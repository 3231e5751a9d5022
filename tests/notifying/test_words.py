"""The same words as the shipped templates: amtool renders those, and both are compared."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Slack
from exporter.notifying import letters, payloads, words
from exporter.secret import Secret
from tests.notifying.stage import alert, message_of
from tests.test_routes import ROOM, rendered

PAGE = "https://registry.example.org"
_BEFORE_HOSTILE = {"é": "ß ǆ ŉ", "service": "a&b <c>", "severity": "hÿgh ß"}


def _several(count: int) -> dict[str, Any]:
    """Return template data of *count* alerts that fire and as many that are over."""
    data = json.loads((ROOM / "tests" / "several.json").read_text())
    one, other = data["alerts"]
    alerts = []
    for number in range(count):
        for pattern in (one, other):
            labels = pattern["labels"] | {"service": f"api-{number}"}
            alerts.append(pattern | {"labels": labels, "fingerprint": f"{len(alerts):016x}"})
    return data | {"alerts": alerts}


def _odd() -> dict[str, Any]:
    """Return template data of an alert with letters that upper case doubles, and no summary."""
    data = json.loads((ROOM / "tests" / "resolved.json").read_text())
    one = data["alerts"][0]
    labels = one["labels"] | _BEFORE_HOSTILE
    alerts = [
        one | {"labels": labels, "annotations": {}, "endsAt": end, "fingerprint": f"{number:016x}"}
        for number, end in enumerate(
            (
                "2026-11-25T02:03:04.4Z",
                "2026-11-25T02:04:03.6Z",
                "2026-11-25T02:04:33Z",
                "2026-11-25T03:02:59Z",
                "2026-11-25T04:03:04Z",
                "2026-12-02T04:13:04Z",
            )
        )
    ]
    alerts.append(
        alerts[0] | {"status": "firing", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "f" * 16}
    )
    return data | {"status": "firing", "alerts": alerts}


def _wild() -> dict[str, Any]:
    """Return template data with texts that are long, turn around, or break lines."""
    data = json.loads((ROOM / "tests" / "firing.json").read_text())
    one = data["alerts"][0]
    wild = "a\u202eb\tc\r\nd\u2028e\x07f\x85g\u00a0h "
    notes = {
        "summary": wild + "s" * 300 + ".",
        "description": wild + "\n\n" + "d" * 900,
        "fault": wild * 30,
        "runbook_url": "https://example.com/\u202e",
    }
    labels = one["labels"] | {"service": wild + "n" * 150, "team": "t" * 101, "provider": "p" * 100}
    return data | {"alerts": [one | {"labels": labels, "annotations": notes}]}


def _escalated() -> dict[str, Any]:
    """Return template data of an escalation."""
    data = json.loads((ROOM / "tests" / "firing.json").read_text())
    one = data["alerts"][0]
    return data | {"alerts": [one | {"labels": one["labels"] | {"escalation": "2"}}]}


def _manual() -> dict[str, Any]:
    """Return template data of an incident of a person that is over."""
    data = json.loads((ROOM / "tests" / "resolved.json").read_text())
    labels = {"alertname": "ManualIncident", "severity": "high", "incident": "inc_1"}
    notes = {"summary": "The <cable> is cut."}
    alerts = [data["alerts"][0] | {"labels": labels, "annotations": notes}]
    return data | {"alerts": alerts}


CASES = {
    **{
        name: json.loads((ROOM / "tests" / f"{name}.json").read_text())
        for name in ("firing", "resolved", "several", "hostile")
    },
    "many": _several(12),
    "odd": _odd(),
    "manual": _manual(),
    "wild": _wild(),
    "escalated": _escalated(),
}


@pytest.fixture(params=CASES)
def data(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return template data; what its alerts have in common is computed, as Alertmanager does."""
    found = CASES[request.param]
    message = message_of(found)
    common = {
        "commonLabels": message.common_labels,
        "commonAnnotations": message.common_annotations,
    }
    return found | common


@pytest.fixture
def shown(data: dict[str, Any], tmp_path: Path) -> Any:
    """Return a function that renders a shipped template with the status page, without silences."""
    for path in (ROOM / "templates").glob("*.tmpl"):
        text = path.read_text().replace('$page := ""', f'$page := "{PAGE}"')
        text = re.sub(r"(?m)^Silence: .*\n", "", text)
        text = re.sub(r" · \{\{ end -\}\}\n<a href[^\n]*Silence</a>", "{{ end -}}", text)
        text = re.sub(r" · \{\{ end -\}\}\n<\{\{ \$url[^\n]*\|Silence>", "{{ end -}}", text)
        (tmp_path / path.name).write_text(text)
    (tmp_path / "data.json").write_text(json.dumps(data))
    return lambda name: rendered(name, tmp_path / "data.json", tmp_path).removesuffix("\n")


def _squeezed(text: str) -> list[str]:
    """Return the lines of *text* that hold something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_title_is_that_of_the_template(data: dict[str, Any], shown: Any) -> None:
    message = message_of(data)

    assert words.title(message) == shown("registry.email.subject")
    assert payloads.slack(message, PAGE, Slack())["attachments"][0]["title"] == shown(
        "registry.slack.title"
    )
    escalated = letters.subject(message).startswith("Escalation 2: ")
    assert escalated == (data["alerts"][0]["labels"].get("escalation") == "2")
    assert not escalated or letters.subject(message) == shown("registry.email.escalation")
    assert payloads.color(message) == shown("registry.slack.color")


def test_the_text_for_slack_is_that_of_the_template(data: dict[str, Any], shown: Any) -> None:
    text = payloads.slack(message_of(data), PAGE, Slack())["attachments"][0]["text"]

    expected = shown("registry.slack.text").replace("see Alertmanager", f"see {PAGE}/incidents")
    assert _squeezed(text) == _squeezed(expected)


def test_the_mail_is_that_of_the_template(data: dict[str, Any], shown: Any) -> None:
    message = message_of(data)
    mail = _squeezed(letters.text(message, PAGE))
    expected = _squeezed(shown("registry.email.text"))

    assert expected[-1].startswith("Alertmanager: ")
    assert mail[-1].startswith("Status page: https://registry.example.org/")
    assert mail[:-1] == expected[:-1]


class _Content(HTMLParser):
    """What a reader sees and can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {dict(attrs).get('href') or ''}"] if tag in ("a", "script") else []

    def handle_data(self, data: str) -> None:
        self.found += data.split()


def _content(html: str) -> list[str]:
    parser = _Content()
    parser.feed(html)
    return parser.found


def test_the_html_mail_says_what_the_template_says(data: dict[str, Any], shown: Any) -> None:
    message = message_of(data)
    expected = _content(shown("registry.email.html"))
    expected = expected[: next(i for i, one in enumerate(expected) if "/#/alerts" in one)]
    # The template has the page's address as text, this one a link.
    mail = _content(letters.html(message, PAGE))
    links = {f"a {words.page_at(one, PAGE)}" for one in message.alerts}
    pages = {link.removeprefix("a ") for link in links}

    def readable(found: list[str]) -> list[str]:
        skipped = {"Page:", "Page", "·", *links, *pages}
        return [one for one in found if one not in skipped]

    end = mail.index("Status")
    assert readable(mail[: end - 1]) == readable(expected)


def test_pagerduty_gets_what_the_templates_say(data: dict[str, Any], shown: Any) -> None:
    message = message_of(data)
    event = payloads.pagerduty(message, PAGE, Secret("made-up-routing-key"))
    payload = event["payload"]

    assert payload["summary"] == shown("registry.pagerduty.title")
    assert payload["severity"] == shown("registry.pagerduty.severity")
    assert payload["source"] == shown("registry.pagerduty.source")
    details = payload["custom_details"]
    for name in ("firing", "resolved"):
        expected = shown(f"registry.pagerduty.{name}")
        expected = expected.replace("see Alertmanager", f"see {PAGE}/incidents")
        assert _squeezed(details[name]) == _squeezed(expected)
    assert event["event_action"] == ("resolve" if data["status"] == "resolved" else "trigger")


def test_without_a_page_there_are_no_links() -> None:
    message = message_of(CASES["many"])

    texts = (
        letters.text(message, ""),
        letters.html(message, ""),
        json.dumps(payloads.slack(message, "", Slack())),
        json.dumps(payloads.pagerduty(message, "", Secret("x" * 20))),
        json.dumps(payloads.webhook(message, "")),
    )

    for text in texts:
        assert not re.search(r"Page:|/services/|/incidents|href=\"\"", text)


def test_a_label_begins_no_header_and_no_second_line_of_a_subject() -> None:
    one = alert(service="a\r\nBcc: everybody@example.com\r\n\r\nhello\u2028\x00")
    data = CASES["firing"] | {"alerts": []}
    message = message_of(data | {"alerts": [_plain(one)]})
    setting = message_setting()

    mail = letters.letter(message, PAGE, setting)
    head = mail.as_bytes().partition(b"\r\n\r\n")[0].decode()

    assert "Bcc" not in mail
    assert not re.search(r"(?m)^Bcc", head)
    assert mail["To"] == "a@example.com"


def _plain(one: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": one.labels,
        "annotations": {"summary": f"{one.labels['service']} is down"},
        "startsAt": "2026-11-25T02:03:04Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": one.fingerprint,
    }


def message_setting() -> Any:
    from tests.notifying.stage import EMAIL, entries

    return entries(EMAIL).notify[0].email


def test_long_texts_are_bounded() -> None:
    data = json.loads(json.dumps(CASES["firing"]))
    for one in data["alerts"]:
        one["annotations"] = {"summary": "s" * 4096, "description": "d" * 4096}
    many = data | {"alerts": data["alerts"] * 9}
    message = message_of(many)

    slack = payloads.slack(message, PAGE, Slack())["attachments"][0]
    event = payloads.pagerduty(message, PAGE, Secret("x" * 20))

    assert len(slack["title"]) == len(event["payload"]["summary"]) < 300
    assert len(slack["text"]) <= 30_000
    assert len(json.dumps(event)) < 512 * 1024  # PagerDuty's own bound
    assert len(letters.subject(message)) <= 400
