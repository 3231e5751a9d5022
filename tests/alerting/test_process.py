"""A real exporter without Prometheus: what fails becomes an incident, also over `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.patience import Patience
from tests.programs import exporter, free_port

pytestmark = pytest.mark.slow
CONFIG = """
services:
- id: dead
  base_url: http://127.0.0.1:{port}
  alerts: {{down_after: 2, critical_after: 3}}
  health_check: {{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}}
{more}
"""


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def _open(base: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_get(base + "/api/incidents?status=open"))["incidents"]
    return found


def _until(so: Callable[[], bool], seconds: float = 60.0) -> None:
    patience = Patience(seconds)
    while not so():
        assert not patience.is_over
        time.sleep(0.2)


def test_what_fails_is_an_open_incident_on_the_page_also_after_a_kill(tmp_path: Path) -> None:
    config = CONFIG.format(port=free_port(), more="")
    data = ("--data-dir", str(tmp_path / "data"))
    with exporter(tmp_path, config, *data) as (pid, base):
        assert "Incidents: decided here (embedded)" in _get(base + "/")
        assert json.loads(_get(base + "/api/health"))["incidents"] == "embedded"
        _until(lambda: bool(_open(base)))
        (incident,) = _open(base)
        assert (incident["service"], incident["severity"]) == ("dead", "critical")
        assert "dead (production) fails its health check." in _get(base + "/")
        assert "no connection" in incident["description"]
        _until(lambda: 'service_incidents_open{service="dead"' in _get(base + "/metrics"))
        os.kill(pid, signal.SIGKILL)

    with exporter(tmp_path, config, *data) as (pid, base):
        _until(lambda: json.loads(_get(base + "/api/health"))["summary"]["unhealthy"] == 1)
        (again,) = _open(base)
        assert again["id"] == incident["id"]
        assert again["started_at"] == incident["started_at"]
        assert [entry["kind"] for entry in again["timeline"]].count("opened") == 1
        assert "reopened" not in {entry["kind"] for entry in again["timeline"]}


def test_switched_off_nothing_is_judged(tmp_path: Path) -> None:
    config = CONFIG.format(port=free_port(), more="monitoring: {incidents: off}")
    with exporter(tmp_path, config) as (_, base):
        assert "Incidents: not decided here (off)" in _get(base + "/")
        assert json.loads(_get(base + "/api/health"))["incidents"] == "off"
