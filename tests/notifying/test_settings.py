"""`notify:` in the file: what it may say; each mistake with its place and without its value."""

from __future__ import annotations

import re

import pytest

from exporter.config import file_schema, read_text
from exporter.settings import SettingsError

SECRET = "sentinel-0123456789-never-shown"


def mistakes(text: str, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_text(f"notify:\n{text}", "f.yaml", environment)
    assert SECRET not in str(caught.value)
    return [re.sub(r"^f.yaml:", "", str(problem)) for problem in caught.value.problems]


def test_every_medium_with_every_field_is_taken() -> None:
    text = """
notify:
- {name: hook, webhook: {url: "https://example.com/${T}", headers: {Authorization: "Bearer ${T}"}}}
- {slack: {url_file: secrets/slack, channel: "#api"}, severities: [critical, low]}
- {pagerduty: {routing_key: "${T}", url: "http://127.0.0.1:1/enqueue"}, escalations: [1, 2]}
- email: {to: [a@example.com, b@example.com], from: c@example.com, smtp: "[::1]:465", tls: tls,
          username: u, password_file: secrets/smtp}
  environments: [production, staging]
  teams: [payments]
monitoring: {page_url: "https://status.example.com/"}
"""
    found = read_text(text, "f.yaml", {"T": SECRET})

    assert [(entry.key, entry.medium) for entry in found.notify] == [
        ("hook", "webhook"),
        ("slack", "slack"),
        ("pagerduty", "pagerduty"),
        ("email", "email"),
    ]
    assert SECRET not in repr(found)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- {}", "2: notify[0]: needs exactly one of webhook, email, slack, pagerduty"),
        (
            "- {slack: {url: 'http://a/'}, webhook: {url: 'http://a/'}}",
            "2: notify[0]: needs exactly one of webhook, email, slack, pagerduty",
        ),
        ("- webhook: {}", "2: notify[0].webhook.url: is missing; give url or url_file"),
        (
            "- pagerduty: {}",
            "2: notify[0].pagerduty.routing_key: is missing; give routing_key or routing_key_file",
        ),
        (
            f"- slack: {{url: 'http://a/{SECRET}', url_file: x}}",
            "2: notify[0].slack.url_file: is given beside url; keep one",
        ),
        (
            f"- slack: {{url: 'ftp://a/{SECRET}'}}",
            "2: notify[0].slack.url: must be an absolute http:// or https:// URL without user or"
            " password",
        ),
        (
            f"- slack: {{url: 'https://u:{SECRET}@a/'}}",
            "2: notify[0].slack.url: must be an absolute http:// or https:// URL without user or"
            " password",
        ),
        (
            f"- webhook: {{url: 'http://a/', headers: {{Idempotency-Key: {SECRET}}}}}",
            "2: notify[0].webhook.headers.Idempotency-Key: is set by the exporter itself",
        ),
        (
            f'- webhook: {{url: "http://a/", headers: {{X-Key: "{SECRET}\\n"}}}}',
            "2: notify[0].webhook.headers.X-Key: holds a line break or another control character",
        ),
        (
            "- email: {to: [somebody], smtp: 'a:25'}",
            "2: notify[0].email.to[0]: must be a mail address such as on-call@example.com",
        ),
        (
            '- email: {to: ["a@example.com\\nBcc: b@example.com"], smtp: "a:25"}',
            "2: notify[0].email.to[0]: must be a mail address such as on-call@example.com",
        ),
        ("- email: {to: [], smtp: 'a:25'}", "2: notify[0].email.to: must have at least 1 item"),
        (
            "- email: {to: [a@example.com], smtp: smtp.example.com}",
            "2: notify[0].email.smtp: must be HOST:PORT",
        ),
        (
            f"- email: {{to: [a@example.com], smtp: 'a:25', password: {SECRET}}}",
            "2: notify[0].email.username: username and password (or password_file) need each other",
        ),
        (
            f"- email: {{to: [a@example.com], smtp: 'a:25', username: u, password: {SECRET},"
            " tls: none}",
            "2: notify[0].email.tls: none would send the password unencrypted; only to this",
        ),
        (
            "- {slack: {url: 'http://a/'}, escalations: [0]}",
            "2: notify[0].escalations[0]: must be a level from 1",
        ),
        (
            "- {slack: {url: 'http://a/'}, severities: [none]}",
            "2: notify[0].severities[0]: must be one of critical, high, medium, low",
        ),
        (
            "- slack: {url: 'http://a/'}\n- slack: {url: 'http://b/'}",
            "3: notify[1].name: is the same as in f.yaml:2; give each a name: of its own",
        ),
        (
            "- {slack: {url: 'http://a/'}, name: email}\n"
            "- email: {to: [a@example.com], smtp: 'a:25'}",
            "3: notify[1].name: is the same as in f.yaml:2; give each a name: of its own",
        ),
        ("- slack: {url: '${NOT_SET}'}", "2: notify[0].slack.url: "),
        ("- slak: {url: 'http://a/'}", "2: notify[0].slak: unknown field slak"),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_not_with_its_value(text: str, expected: str) -> None:
    found = mistakes(text)

    assert any(one.startswith(expected) for one in found), found


def test_what_only_follows_from_another_mistake_is_not_shown() -> None:
    assert len(mistakes("- webhook: {url: 5}")) == 1


def test_a_secret_in_the_file_itself_is_warned_of() -> None:
    text = f"""
notify:
- slack: {{url: "https://example.com/{SECRET}"}}
- pagerduty: {{routing_key: {SECRET}}}
- email: {{to: [a@example.com], smtp: "a:25", username: u, password: {SECRET}}}
- webhook: {{url: "https://example.com/"}}
"""
    warnings = [str(one) for one in read_text(text, "f.yaml", {}).warnings]

    assert [one.partition(": the secret")[0] for one in warnings] == [
        "f.yaml:3: notify[0].slack.url",
        "f.yaml:4: notify[1].pagerduty.routing_key",
        "f.yaml:5: notify[2].email.password",
    ]
    assert SECRET not in "".join(warnings)


def test_entries_of_several_files_add_up() -> None:
    both = read_text("notify: [{slack: {url: 'http://a/'}}]", "a", {})

    assert len(both.notify) == 1
    assert "notify" in file_schema()["properties"]
