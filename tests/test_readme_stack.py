"""The README's way to the whole stack without Docker, typed as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import free_port, program

ROOT = Path(__file__).parent.parent
PORTS = ("9642", "9090", "9093")
USED = ("config", "prometheus", "alertmanager")
ONE = """
services:
  - {id: here, base_url: "http://127.0.0.1:1", health_check: {allow_private_addresses: true}}
"""


def typed() -> str:
    """Return the block of the README that starts Prometheus."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (found,) = (block for block in blocks if "--storage.tsdb.path" in block)
    return str(found)


def listening_elsewhere(block: str, ports: dict[str, str]) -> str:
    """Return *block* on ports of the test's own; the exporter's is the usual one and not said."""
    for usual, ours in ports.items():
        block = block.replace(f"localhost:{usual}", f"localhost:{ours}")
    # Prometheus scrapes itself where it listens, which stands in its configuration.
    own = f"s/localhost:9090/localhost:{ports['9090']}/; s/alertmanager:9093/"
    block = block.replace("s/alertmanager:9093/", own)
    listen = f"service-registry serve --listen localhost:{ports['9642']}"
    return block.replace("service-registry serve", listen)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The addresses of exporter, Prometheus and Alertmanager, by their usual ports."""
    for name in USED:
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "config" / "services.yaml").write_text(ONE)
    routes = tmp_path / "alertmanager" / "alertmanager.yml"
    routes.write_text(
        re.sub(r"https://[\w.-]*example\.org", "http://127.0.0.1:1", routes.read_text())
    )
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "service-registry").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m exporter "$@"\n'
    )
    (commands / "service-registry").chmod(0o755)
    (commands / "prometheus-alertmanager").symlink_to(
        program("prometheus-alertmanager", "alertmanager")
    )
    ports = {usual: str(free_port()) for usual in PORTS}
    path = f"{commands}:{os.environ['PATH']}:/usr/sbin"
    environment = {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    shell = subprocess.Popen(
        ["bash", "-euc", listening_elsewhere(typed(), ports)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield {usual: f"http://localhost:{ours}" for usual, ours in ports.items()}
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        out, _ = shell.communicate(timeout=30)
        print(out.decode()[-3000:])


def asked(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def until(url: str, wanted: Any, seconds: float = 180) -> None:
    """Return once *wanted* holds of the answer of *url*."""
    end, found = time.monotonic() + seconds, None
    while time.monotonic() < end:
        found = asked(url)
        if found is not None and wanted(found):
            return
        time.sleep(0.2)
    pytest.fail(f"{url}: {found}")


@pytest.mark.slow
def test_exporter_prometheus_and_alertmanager_find_each_other(stack: dict[str, str]) -> None:
    exporter, prometheus, alertmanager = (stack[port] for port in PORTS)

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
