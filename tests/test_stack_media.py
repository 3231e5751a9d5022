"""What `service-registry stack` gives Alertmanager: the media that are set up, and no other."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from exporter.programs import shipped, write_config
from exporter.stack import Minimal, Routes, full_routes, minimal_routes
from tests.alertmanager import alertmanager, http_sink, mail_sink, post
from tests.programs import program
from tests.test_stack_command import DOWN, old

SHIPPED = shipped("alertmanager")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder of secrets in which nobody has filled in anything."""
    assert main(["make-secrets", str(tmp_path / "secrets")]) == 0
    return tmp_path / "secrets"


def routes(secrets: Path, source: Path = SHIPPED / "alertmanager.yml") -> Routes:
    to = secrets.parent
    return full_routes(
        source,
        secrets=secrets,
        token=secrets / "exporter_token",
        exporter="http://127.0.0.1:9642",
        to=to,
    )


def own(folder: Path, **changes: str) -> Path:
    """Copy the shipped folder, with *changes* to the texts of its files; return the file."""
    for path in (SHIPPED / "alertmanager.yml", *(SHIPPED / "templates").glob("*.tmpl")):
        text = path.read_text()
        for old_text, new in changes.items():
            text = text.replace(old_text, new)
        to = folder / "own" / path.relative_to(SHIPPED)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text)
    return folder / "own" / "alertmanager.yml"


def media(found: Routes) -> dict[str, set[str]]:
    return {
        receiver["name"]: {key.removesuffix("_configs") for key in receiver if key != "name"}
        for receiver in found.config["receivers"]
    }


def files(node: Any) -> Iterator[str]:
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)):
            yield from files(value)
        elif str(name).endswith("_file"):
            yield value


def checked(folder: Path, found: Routes) -> None:
    """Let amtool check what Alertmanager would be given."""
    path = write_config(folder / "routes.yml", found.config)
    subprocess.run([program("amtool"), "check-config", path], check=True, capture_output=True)


def test_what_nobody_has_set_up_is_left_out_and_named(tmp_path: Path, secrets: Path) -> None:
    found = routes(secrets)

    assert set(found.left_out) == {
        "slack (no slack_webhook_url)",
        "pagerduty (no pagerduty_routing_key)",
        "pagerduty (no pagerduty_routing_key_payments)",
        "email (smtp.example.org is a placeholder)",
        "webhook (hooks.example.org is a placeholder)",
        "deadman (hc-ping.example.org is a placeholder)",
    }
    assert found.nobody
    assert {name for name, there in media(found).items() if there} == {"incident-log", "deadman"}
    assert len(found.config["receivers"]) == len(media(routes(secrets)))
    checked(tmp_path, found)


def test_what_is_set_up_stays_and_works(tmp_path: Path, secrets: Path) -> None:
    (secrets / "pagerduty_routing_key").write_text("a-real-key")
    (secrets / "smtp_password").write_text("a-real-password")
    source = own(tmp_path, **{"example.org": "company.test"})

    found = routes(secrets, source)

    assert set(found.left_out) == {
        "slack (no slack_webhook_url)",
        "pagerduty (no pagerduty_routing_key_payments)",
        "webhook (no webhook_token)",
    }
    assert not found.nobody
    assert media(found)["page"] == {"pagerduty", "email"}
    assert media(found)["page-payments"] == {"email"}
    assert found.silent == ("slack", "non-production")
    receivers = found.config["receivers"]
    assert {Path(path) for path in files(receivers)} <= set(secrets.iterdir())
    checked(tmp_path, found)


def test_mail_is_left_out_while_its_addresses_are_placeholders(
    tmp_path: Path, secrets: Path
) -> None:
    (secrets / "smtp_password").write_text("a-real-password")
    server = {"smtp.example.org": "smtp.company.test", "from: alerts@example.org": "from: a@b.test"}

    found = routes(secrets, own(tmp_path, **server))

    why = "example.org is a placeholder in templates/addresses.tmpl"
    assert f"email ({why})" in found.left_out


def test_the_routes_themselves_stay_as_they_are(secrets: Path) -> None:
    found = routes(secrets)
    found_text = json.dumps(found.config["route"]) + json.dumps(found.config["inhibit_rules"])

    assert found_text.count('"receiver"') == (SHIPPED / "alertmanager.yml").read_text().count(
        " receiver: "
    )
    assert "example.org" not in re.sub("smtp.*", "", json.dumps(found.config["receivers"]))


@pytest.mark.slow
def test_a_mailbox_gets_every_message_of_the_minimal_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("made-up")
    with mail_sink() as mail, http_sink() as exporter:
        medium = Minimal(
            mail="me@example.com", smtp=mail.address, username="relay", password="made-up-password"
        )
        made = minimal_routes(medium, token=token, exporter=exporter.url, to=tmp_path)
        with alertmanager(write_config(tmp_path / "routes.yml", made.config)) as url:
            post(url, old(DOWN))
            (got,) = mail.wait(lambda _: True)
            exporter.wait(lambda request: request.path == "/api/alertmanager")

    assert got.to == ["me@example.com"]
    assert got.password == "made-up-password"
    assert got.subject == "CRITICAL: a is down."
    assert f"Page: {exporter.url}/services/a" in got.part("html")
    assert "made-up-password" not in repr(medium) + repr(made)
    assert media(made) == {"nobody": set(), "incident-log": {"webhook"}, "email": {"email"}}
    checked(tmp_path, made)
