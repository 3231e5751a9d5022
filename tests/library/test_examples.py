"""The programs of config/examples run as they stand, against servers on loopback."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.alertmanager import mail_sink
from tests.fakes import KEY
from tests.library.answers import JSON, MODELS
from tests.patience import patient, within
from tests.programs import free_port
from tests.vendor import Vendor, answer

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "config" / "examples"
README = ROOT / "README.md"


@contextlib.asynccontextmanager
async def running(name: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example until the block ends, then as by Ctrl-C; it has to end well."""
    clean = {k: v for k, v in os.environ.items() if "_API_KEY" not in k}
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(EXAMPLES / name)),
        env=clean | {"PYTHONPATH": str(ROOT), "ALLOW_PRIVATE_ADDRESSES": "true"} | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield program
        program.send_signal(signal.SIGINT)
        _, err = await within(30, program.communicate())
        # Of the keys and the unencrypted addresses that only a test has.
        shown = err.decode().replace("configuration warning\n", "")
        assert (program.returncode, shown) == (0, "")
    finally:
        if program.returncode is None:
            program.kill()
            await program.communicate()


async def line(program: asyncio.subprocess.Process, begins: str, seconds: float = 30) -> str:
    """Return the rest of the next line that the program prints."""
    assert program.stdout is not None
    found = (await within(seconds, program.stdout.readline())).decode()
    if not found.startswith(begins):
        assert program.stderr is not None
        pytest.fail(found + (await program.stderr.read()).decode())
    return found.removeprefix(begins).strip()


async def test_openai_and_stripe(vendor: Vendor) -> None:
    vendor.on("/openai/models", answer(200, MODELS, JSON))
    vendor.on("/stripe/account", answer(200, {"object": "account"}, JSON))
    url, port = vendor.url("").rstrip("/"), free_port()
    with mail_sink() as mail:
        variables = {
            "OPENAI_API_KEY": KEY,
            "STRIPE_API_KEY": "sk_test_0123456789abcdefghijklmn",
            "OPENAI_BASE_URL": f"{url}/openai",
            "STRIPE_BASE_URL": f"{url}/stripe",
            "INCIDENT_WEBHOOK_URL": f"{url}/hook",
            "SMTP_SERVER": mail.address,
            "SMTP_TLS": "none",
            "ON_CALL_EMAIL": "ann@example.com",
            "DASHBOARD_PORT": str(port),
        }
        async with running("openai_and_stripe.py", **variables) as program:
            dashboard = await line(program, "dashboard:")
            await vendor.until(lambda v: len(v.seen) >= 2, 15)
            async with aiohttp.ClientSession() as session, patient(10):
                while True:
                    async with session.get(f"{dashboard}/api/health") as response:
                        health = await response.json()
                    if health["summary"]["healthy"] == 2:
                        break
                    await asyncio.sleep(0.05)
                services = {}
                for name in ("openai", "stripe"):
                    async with session.get(f"{dashboard}/api/services/{name}") as response:
                        services[name] = (await response.json())["interval_seconds"]

    assert dashboard == f"http://127.0.0.1:{port}"
    assert {(seen.method, seen.path) for seen in vendor.seen} == {
        ("GET", "/openai/models"),
        ("GET", "/stripe/account"),
    }
    assert {service["id"] for service in health["services"]} == {"openai", "stripe"}
    assert [one["name"] for one in health["notifications"]] == ["library-webhook", "library-email"]
    assert services == {"openai": 30, "stripe": 60}


async def test_internal_api(vendor: Vendor) -> None:
    vendor.on("/billing/health", answer(200, {"status": "down"}, JSON))
    for path in ("/tickets", "/tickets/issues", "/chat"):
        vendor.on(path, answer())
    url = vendor.url("").rstrip("/")
    variables = {
        "BILLING_URL": f"{url}/billing",
        "BILLING_TOKEN": KEY,
        "TICKETS_URL": f"{url}/tickets",
        "TEAM_CHAT_URL": f"{url}/chat",
        "CHECK_INTERVAL": "1s",
    }
    async with running("internal_api.py", **variables) as program:
        await line(program, "watching")
        escalated = await line(program, "escalated:", 60)

    checks = [seen for seen in vendor.seen if seen.path == "/billing/health"]
    (ticket,) = [json.loads(s.body) for s in vendor.seen if s.path == "/tickets/issues"]
    (message,) = [json.loads(s.body) for s in vendor.seen if s.path == "/chat"]
    assert checks[0].method == "POST"
    assert checks[0].header("X-Internal-Token") == KEY
    assert json.loads(checks[0].body) == {"deep": True, "parts": ["database", "queue"]}
    assert ticket["title"] == escalated
    assert "fails its health check" in escalated
    assert message["text"] == f"payments: {escalated} Ticket {ticket['reference']} is open."


async def test_the_demonstration_takes_less_than_a_minute_and_nothing_else() -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(EXAMPLES / "library_demo.py")),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await within(60, program.communicate())

    told = re.findall(r"^ *[0-9]+ s  (.+)$", out.decode(), re.MULTILINE)
    # A busy machine is told of, and is no fault of the demonstration.
    said = [line for line in err.decode().splitlines() if "shortage of our own" not in line]
    assert (program.returncode, said) == (0, [])
    assert told == [
        "billing answers",
        "billing fails: 500",
        "an incident is open",
        "the webhook is told",
        "billing answers again",
        "the incident has ended",
        "the webhook is told of the end",
    ]


def test_every_example_is_explained_and_tested() -> None:
    programs = sorted(EXAMPLES.glob("*.py"))
    here = Path(__file__).read_text()

    assert {path.suffix for path in EXAMPLES.iterdir()} == {".py"}
    for path in programs:
        assert f'"{path.name}"' in here
        assert f"examples/{path.name}" in README.read_text()
        assert ast.get_docstring(ast.parse(path.read_text()))
