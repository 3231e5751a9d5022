"""GET /api/services/{id}/report and the command that asks for it, on a running exporter."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from pathlib import Path

import pytest

from exporter.app import App
from exporter.cli import main
from exporter.model import Outcome, Reason, Result, verdict_of
from exporter.reports import FORMATS
from tests.api.test_edge import running
from tests.cli.test_remote import until_probed
from tests.fakes import KEY
from tests.sentinel import forms_of
from tests.vendor import Vendor, answer

PAST = "/api/services/past/report?from=10m"
CHECK = "{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}"


def config(vendor: Vendor) -> str:
    objectives = "objectives: {availability: 99.9%}"
    return (
        f"services: [{{id: good, provider: twilio, base_url: '{vendor.url()}', api_key: {KEY},"
        f" {objectives}, health_check: {CHECK}}},"
        f" {{id: bad, base_url: 'http://127.0.0.1:1', health_check: {CHECK}}},"
        " {id: past, base_url: 'http://127.0.0.1:1', enabled: false}]"
    )


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, arguments)


def live_through(app: App, *reasons: Reason, online: bool = True) -> None:
    """Let *app* have seen *reasons* of the service `past`, one a minute, the last a minute ago."""
    now = app.clock.now() // 60 * 60
    app.minutes.start_run(now - 3600)
    target = app.registry.get("past")
    for number, reason in enumerate(reasons):
        at = now - 60 * (len(reasons) - number) + 7
        outcome = Outcome(reason=reason, status=500, request_id=f"req-{number}")
        verdict = verdict_of(reason, online=online)
        result = Result(service="past", at=at, outcome=outcome, verdict=verdict)
        app.recording.probe(target, result)


async def test_a_report_is_answered_in_every_format(vendor: Vendor) -> None:
    vendor.on("/", answer())
    async with running(config(vendor)) as client:
        await until_probed(client.app, "bad")
        for name, form in FORMATS.items():
            path = f"/api/services/bad/report?format={name}&from=1h"
            status, headers, text = await client.ask("GET", path)

            assert status == 200
            assert headers["Content-Type"] == f"{form.media_type}; charset=utf-8"
            assert f".{form.extension}" in headers["Content-Disposition"]
            assert "bad" in text


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("format=pdf", "format must be one of text, markdown, html, csv, json"),
        ("from=yesterday", "from must be a day such as 2026-11-01"),
        ("to=2026-13-40", "to must be a day such as"),
        ("from=1h&to=2h", "from must be before to"),
        ("from=401d", "a report is about 400 days at most"),
        ("from=99999999d", "from must be a day"),
    ],
)
async def test_a_wrong_question_is_answered_in_plain_words(
    query: str, what: str, vendor: Vendor
) -> None:
    async with running(config(vendor)) as client:
        status, _, text = await client.ask("GET", f"/api/services/bad/report?{query}")

    assert status == 400
    assert what in json.loads(text)["title"]


async def test_no_service_no_report(vendor: Vendor) -> None:
    async with running(config(vendor)) as client:
        assert (await client.ask("GET", "/api/services/none/report"))[0] == 404


async def test_a_failing_service_is_down_in_its_report_before_anything_is_saved(
    vendor: Vendor,
) -> None:
    ok, failed = Reason.OK, Reason.SERVER_ERROR
    async with running(config(vendor)) as client:
        await until_probed(client.app, "bad")  # so the loops have begun
        live_through(client.app, ok, failed, failed, Reason.QUOTA_EXHAUSTED, ok)
        report = json.loads((await client.ask("GET", PAST))[2])

    (window,) = report["windows"]
    assert (window["minutes"], window["ended"]) == (2, "quota")
    assert (window["reasons"], window["statuses"]) == ({"server_error": 2}, {"500": 2})
    assert window["request_ids"] == ["req-1", "req-2"]
    assert window["network"] == "answer"
    assert report["minutes"]["observed"] == 4
    assert report["minutes"]["unobserved"]["quota"] == 1
    assert report["availability"] == 0.5


async def test_a_vendor_s_report_lists_no_failure_of_our_own_network_or_exporter(
    vendor: Vendor,
) -> None:
    reasons = (Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.INTERNAL)
    async with running(config(vendor)) as client:
        await until_probed(client.app, "bad")
        live_through(client.app, Reason.OK, *reasons, online=False)
        report = json.loads((await client.ask("GET", PAST))[2])
        text = (await client.ask("GET", f"{PAST}&format=text"))[2]

    assert [one["reason"] for one in report["failures"]] == ["server_error"]
    assert "Those of our own network or exporter are left out." in " ".join(text.split())


async def test_a_report_is_the_same_after_the_exporter_was_killed(
    vendor: Vendor, tmp_path: Path
) -> None:
    ok, failed = Reason.OK, Reason.SERVER_ERROR
    async with running(config(vendor), data_dir=tmp_path / "data") as client:
        await until_probed(client.app, "bad")  # so the loops have begun
        live_through(client.app, ok, failed, failed, ok)
        await client.app.persistence.save()
        before = json.loads((await client.ask("GET", PAST))[2])
        shutil.copytree(tmp_path / "data", tmp_path / "killed")  # as kill -9 leaves it

    async with running(config(vendor), data_dir=tmp_path / "killed") as client:
        after = json.loads((await client.ask("GET", PAST))[2])

    assert [one["start"] for one in after["windows"]] == [one["start"] for one in before["windows"]]
    assert after["windows"][0]["minutes"] == 2
    assert after["minutes"]["observed"] == before["minutes"]["observed"] == 4


async def test_the_command_prints_one_report_or_all(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/", answer())
    file = tmp_path / "all.html"
    async with running(config(vendor)) as client:
        await until_probed(client.app, "bad")
        one = await run("report", "bad", "--url", client.base)
        text = capsys.readouterr().out
        all_ = await run(
            "report", "--all", "--url", client.base, "--format", "html", "--output", str(file)
        )
        theirs = await run(
            "report", "--provider", "twilio", "--url", client.base, "--format", "json"
        )

    assert (one, all_, theirs) == (0, 0, 0)
    assert text.startswith("Availability of bad\n")
    assert file.read_text(encoding="utf-8").count("<article>") == 3
    assert json.loads(capsys.readouterr().out)["service"] == "good"


async def test_the_command_says_what_is_wrong(
    vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(config(vendor)) as client:
        codes = [
            await run("report", "none", "--url", client.base),
            await run("report", "bad", "--from", "soon", "--url", client.base),
            await run("report", "--provider", "stripe", "--url", client.base),
            await run("report", "bad", "--output", "/dev/null/x", "--url", client.base),
        ]

    said = capsys.readouterr().err
    assert codes == [1, 1, 2, 2]
    assert "there is no such service" in said
    assert "from must be a day" in said
    assert "no such service is registered" in said
    assert "--output" in said
    assert "soon" not in said


async def test_no_format_holds_a_key(vendor: Vendor, tmp_path: Path) -> None:
    """The vendor sends the key back wherever it can, and a person types it into an incident."""
    headers = {"X-Request-Id": KEY, "Twilio-Request-Id": KEY, "Server": KEY, "Retry-After": KEY}
    vendor.on("/", answer(500, {"message": KEY}, headers=headers))
    vendor.on("/Accounts//Balance.json", answer(500, {"message": KEY}, headers=headers))
    async with running(config(vendor), data_dir=tmp_path / "data") as client:
        await until_probed(client.app, "good")
        summary = f"key {KEY} was refused"
        await client.app.incidents.create(
            summary=summary, severity="high", service="good", environment="production", by="ann"
        )
        found = {
            name: (await client.ask("GET", f"/api/services/good/report?format={name}&from=1h"))[2]
            for name in FORMATS
        }

    assert all("was refused" in text for text in found.values())
    for name, text in found.items():
        for form, secret in forms_of(KEY).items():
            assert secret not in text.replace("\\", "").encode(), (name, form)


async def test_pages_lead_to_the_report(vendor: Vendor) -> None:
    async with running(config(vendor)) as client:
        incident = await client.app.incidents.create(
            summary="late", severity="high", service="good", environment="production", by="ann"
        )
        for path in ("/services/good", f"/incidents/{incident.id}"):
            text = (await client.ask("GET", path))[2]
            (link,) = re.findall(r'<a id="report" href="([^"]+)"', text)
            status, headers, page = await client.ask("GET", html.unescape(link))

            assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert "style-src 'sha256-" in headers["Content-Security-Policy"]
            assert "<h1>" in page
