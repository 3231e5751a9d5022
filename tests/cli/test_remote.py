"""The commands that call the API of a running exporter, against a real one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from tests.api.test_edge import TOKEN, running
from tests.fakes import KEY
from tests.patience import patient
from tests.vendor import Vendor, answer

NEW_KEY = "sk-rotated-0123456789-key"


def config(vendor: Vendor) -> str:
    check = "{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}"
    return (
        f"services: [{{id: good, base_url: '{vendor.url()}', api_key: {KEY},"
        f" health_check: {check}}}, {{id: bad, base_url: 'http://127.0.0.1:1',"
        f" health_check: {check}}}]"
    )


async def run(*arguments: str) -> int:
    """Return the exit code of a command, which blocks and so runs in a thread."""
    return await asyncio.to_thread(main, arguments)


async def until_probed(app: Any, *names: str) -> None:
    async with patient(10):
        while any(app.results.of(name).last is None for name in names):
            await asyncio.sleep(0.02)


async def test_services_are_listed_worst_first_and_a_bad_one_is_exit_code_1(
    vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/", answer())
    async with running(config(vendor)) as client:
        await until_probed(client.app, "good", "bad")

        code = await run("services", "--url", client.base)

    output = capsys.readouterr().out
    assert code == 1
    assert output.index("unhealthy") < output.index("healthy", output.index("unhealthy") + 9)
    assert "host down or firewall" in output


async def test_a_disabled_service_is_marked_and_listed_last(
    vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.on("/", answer())
    off = ", {id: a-disabled-one, base_url: 'http://127.0.0.1:1', enabled: false}]"
    async with running(config(vendor).removesuffix("]") + off) as client:
        await until_probed(client.app, "good", "bad")

        await run("services", "--url", client.base)

    rows = [row.split() for row in capsys.readouterr().out.splitlines() if row.startswith("│")]
    assert [row[1] for row in rows] == ["bad", "good", "a-disabled-one"]
    assert rows[-1][5] == "disabled"


async def test_services_as_json_are_those_of_the_api(
    vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(config(vendor)) as client:
        await run("services", "--url", client.base, "--json")

    found = json.loads(capsys.readouterr().out)
    assert [service["id"] for service in found["services"]] == ["bad", "good"]


async def test_stats_sum_up(vendor: Vendor, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(config(vendor)) as client:
        code = await run("stats", "--url", client.base)

    output = capsys.readouterr().out
    assert code == 0
    assert "custom 2" in output
    assert "production 2" in output


async def test_stats_are_in_units_that_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    async with Vendor() as exporter:
        shown = {"availability": 0.999999, "mttr_seconds": 7530.2, "mtta_seconds": None}
        exporter.on("/api/stats", answer(200, {"services": 2, **shown, "by_type": {"api": 2}}))
        assert await run("stats", "--url", exporter.url("").rstrip("/")) == 0

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == ["services 2", "availability 99.99 %", "mttr 2h 5m", "mtta –", "by type api 2"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text(TOKEN)
    key.write_text(NEW_KEY)
    return str(token), str(key)


async def test_without_storage_a_rotation_is_refused_with_what_to_do(
    vendor: Vendor, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    token, key = files
    async with running(config(vendor)) as client:
        code = await run(
            "rotate-key",
            "good",
            "--url",
            client.base,
            "--key-file",
            key,
            "--admin-token-file",
            token,
        )

    output = capsys.readouterr().out
    assert code == 1
    assert "--data-dir" in output
    assert NEW_KEY not in output


async def test_a_key_is_rotated_and_rolled_back(
    vendor: Vendor, files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token, key = files
    vendor.on("/", answer())
    secret = tmp_path / "secret"
    secret.write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    environment = {"SERVICE_REGISTRY_SECRET_KEY_FILE": str(secret)}
    more: dict[str, Any] = {"data_dir": tmp_path / "data", "environment": environment}
    common = ("--admin-token-file", token)
    declared = config(vendor).replace("id: good,", "id: good, provider: openai,")
    async with running(declared, **more) as client:
        rotated = await run(
            "rotate-key", "good", "--url", client.base, "--key-file", key, "--force", *common
        )
        used = client.app.registry.get("good").key
        back = await run("rotate-key", "good", "--url", client.base, "--rollback", *common)
        restored = client.app.registry.get("good").key
        again = await run("rotate-key", "good", "--url", client.base, "--rollback", *common)

    output = capsys.readouterr().out
    assert (rotated, back, again) == (0, 0, 1)
    assert restored is not None
    assert restored.reveal() == KEY
    assert used is not None
    assert used.reveal() == NEW_KEY
    assert "good: key rotated at" in output
    assert "the old key still works at OpenAI" in output
    assert "there is no key to roll back to" in output


async def test_without_an_admin_token_nothing_is_asked(
    vendor: Vendor, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, key = files

    code = await run("rotate-key", "good", "--url", vendor.url(), "--key-file", key)

    assert code == 2
    assert "--admin-token-file" in capsys.readouterr().err
    assert vendor.connections == 0
