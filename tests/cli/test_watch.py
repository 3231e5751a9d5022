"""`watch`: each result once, in order, and an exit code that says how the last one was."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.cli import main
from tests.api.managed import Client, running, secret_key
from tests.cli.screen import screen
from tests.patience import patient
from tests.vendor import Vendor, answer

CHECK = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}


@pytest.fixture
async def client(vendor: Vendor, tmp_path: Path) -> AsyncIterator[Client]:
    vendor.on("/", answer())
    services = [
        {"id": "good", "base_url": vendor.url(), "health_check": CHECK},
        {"id": "bad", "base_url": "http://127.0.0.1:1", "health_check": CHECK},
    ]
    config = json.dumps({"services": services})
    async with running(config, data=tmp_path / "data", environment=secret_key(tmp_path)) as found:
        await found.probed("good")
        await found.probed("bad")
        yield found


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["watch", *arguments])


async def test_the_last_result_and_then_each_new_one_is_a_line(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await run("good", "--count", "2", "--url", client.base)

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len(lines) == 3
    assert sorted(lines) == lines, "in the order of their times"
    assert all("Z  ok " in line and line.endswith(" ok") for line in lines[:-1])


async def test_a_failure_says_its_reason_and_what_to_do_and_is_exit_code_1(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await run("bad", "--count", "1", "--url", client.base)

    last = capsys.readouterr().out.splitlines()[-1]
    assert code == 1
    assert "Z  FAILS" in last
    assert "connect" in last
    assert last.endswith("; try from another network: host down or firewall")


async def test_as_json_each_line_is_an_object(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    await run("good", "--count", "1", "--json", "--url", client.base)

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["service"] for one in found] == ["good"] * 2
    assert found[0]["at"] < found[1]["at"]
    assert found[1]["success"] is True


async def test_an_unknown_service_names_the_one_that_was_meant(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await run("goood", "--url", client.base)

    assert code == 1
    assert "there is no such service: did you mean good?" in capsys.readouterr().err


async def test_why_nothing_comes_is_told(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    await client.ask("POST", "/api/services/good/pause", {"by": "ann"})
    watching = asyncio.create_task(run("good", "--count", "1", "--url", client.base))
    told = "good: ann paused it; `service-registry resume good` ends it"
    errors = ""
    async with patient(30):
        while told not in errors:
            await asyncio.sleep(0.05)
            errors += capsys.readouterr().err

    await client.ask("POST", "/api/services/good/resume", {"by": "ann"})

    assert await watching == 0


def followed(base: str) -> tuple[int, str]:
    with screen("watch", "good", "--url", base) as one:
        one.until(lambda shown: shown.count("  ok ") >= 2)
        one.process.send_signal(signal.SIGINT)
        return one.end(), one.shown


async def test_ctrl_c_ends_it_with_the_code_of_the_last_result(client: Client) -> None:
    code, shown = await asyncio.to_thread(followed, client.base)

    assert code == 0
    assert "Traceback" not in shown
