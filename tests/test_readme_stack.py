"""The README's way to the whole stack without Docker, typed as it is written there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alertmanager import Request, Sink, http_sink
from tests.patience import Patience
from tests.programs import free_port, program

ROOT = Path(__file__).parent.parent
HOOK = "https://hooks.example.org"
OPTIONS = ("--listen", "--prometheus.listen", "--alertmanager.listen")
ONE = """
services:
  - id: here
    base_url: "http://127.0.0.1:1"
    health_check: {allow_private_addresses: true, interval: 10s, timeout: 1s, retries: 0}
canaries: [{url: "http://127.0.0.1:%d/", allow_private_addresses: true}]
"""


def typed() -> str:
    """Return the README's line that starts the stack."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (found,) = (block for block in blocks if "service-registry stack" in block)
    return str(found).strip()


@pytest.fixture
def hook() -> Iterator[Sink[Request]]:
    with http_sink() as sink:
        yield sink


@pytest.fixture
def stack(tmp_path: Path, hook: Sink[Request]) -> Iterator[list[str]]:
    """The URLs of exporter, Prometheus and Alertmanager."""
    addresses = [f"localhost:{free_port()}" for _ in OPTIONS]
    (tmp_path / "config").mkdir()
    own_port = int(addresses[0].rpartition(":")[2])
    (tmp_path / "config" / "services.yaml").write_text(ONE % own_port)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "service-registry").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m exporter "$@"\n'
    )
    (commands / "service-registry").chmod(0o755)
    for name in ("prometheus", "prometheus-alertmanager"):
        (commands / name).symlink_to(program(name, name.removeprefix("prometheus-")))
    line = typed().replace(HOOK, hook.url)
    assert hook.url in line
    for option, address in zip(OPTIONS, addresses, strict=True):
        line += f" {option} {address}"
    environment = {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(tmp_path)}
    shell = subprocess.Popen(
        ["bash", "-euc", line],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield [f"http://{address}" for address in addresses]
    finally:
        os.killpg(shell.pid, signal.SIGINT)
        out, _ = shell.communicate(timeout=30)
        print(out.decode()[-3000:])
    assert shell.returncode == 0


def asked(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def until(url: str, wanted: Any, seconds: float = 180) -> None:
    """Return once *wanted* holds of the answer of *url*."""
    patience, found = Patience(seconds), None
    while not patience.is_over:
        found = asked(url)
        if found is not None and wanted(found):
            return
        time.sleep(0.2)
    pytest.fail(f"{url}: {found}")


def state(exporter: str, prometheus: str, alertmanager: str) -> str:
    """Return where on its way from the probe to the webhook an alert is: for a failure."""
    watched = "probe_consecutive_failures|service_verdict|exporter_network_up|up|ALERTS.*"
    query = urllib.parse.quote(f'{{__name__=~"{watched}"}} > 0')
    found = {
        "incidents": asked(f"{exporter}/api/incidents"),
        "series": asked(f"{prometheus}/api/v1/query?query={query}"),
        "rules": asked(f"{prometheus}/api/v1/alerts"),
        "alerts": asked(f"{alertmanager}/api/v2/alerts"),
    }
    return json.dumps(found, indent=1)


@pytest.mark.slow
def test_a_service_that_fails_is_told_to_the_webhook(stack: list[str], hook: Sink[Request]) -> None:
    exporter, prometheus, alertmanager = stack

    until(
        f"{prometheus}/api/v1/query?query=up",
        lambda found: (
            sorted((r["metric"]["job"], r["value"][1]) for r in found["data"]["result"])
            == [("alertmanager", "1"), ("prometheus", "1"), ("service-registry", "1")]
        ),
    )
    until(
        f"{alertmanager}/api/v2/alerts",
        lambda found: "Watchdog" in {alert["labels"]["alertname"] for alert in found},
    )
    # An alert came back to the exporter: rules, routes, token and receiver are one chain.
    until(
        f"{prometheus}/api/v1/query?query=exporter_watchdog_last_received_timestamp_seconds>0",
        lambda found: bool(found["data"]["result"]),
    )
    assert asked(f"{exporter}/api/health")["summary"]["total"] == 1
    try:
        (told, *_) = hook.wait(
            lambda got: got.body["commonLabels"]["alertname"] == "ServiceDown", seconds=180
        )
    except TimeoutError:
        pytest.fail(state(exporter, prometheus, alertmanager))
    assert told.body["commonLabels"]["service"] == "here"
    assert {got.body["receiver"] for got in hook.items} == {"webhook"}
