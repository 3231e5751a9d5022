"""A real Prometheus finds the services at /sd and knows them by the labels of ours."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import Patience
from tests.programs import exporter, free_port, program, running

pytestmark = pytest.mark.slow

CONFIG = """
monitoring: {enabled: true}
defaults: {health_check: {interval: 60s, timeout: 1s, allow_private_addresses: true}}
services:
  - {id: one, base_url: 'http://127.0.0.1:9/v1', environment: staging, team: core}
  - {id: two, provider: resend, base_url: 'http://127.0.0.1:9', api_key: re_0123456789}
  - {id: off, base_url: 'http://127.0.0.1:9/off', enabled: false}
"""
RELABEL = [
    {"source_labels": ["__address__"], "target_label": "__param_target"},
    {"source_labels": ["__param_target"], "target_label": "instance"},
    {"source_labels": ["__meta_service_team"], "target_label": "team"},
]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """Yield what Prometheus discovered; it asks the exporter's /probe about it."""
    folder = tmp_path_factory.mktemp("sd")
    with exporter(folder, CONFIG) as (_, base), _prometheus(folder, base) as url:
        patience = Patience(40)
        while not (found := _active(url)):
            assert not patience.is_over, "nothing was discovered"
            time.sleep(0.2)
        yield found


def _prometheus(folder: Path, base: str) -> Any:
    address = base.removeprefix("http://")
    config = {
        "scrape_configs": [
            {
                "job_name": "sd",
                "metrics_path": "/probe",
                "http_sd_configs": [{"url": f"{base}/sd", "refresh_interval": "1s"}],
                "relabel_configs": [
                    *RELABEL,
                    {"target_label": "__address__", "replacement": address},
                ],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return _Found(running(command, None, f"http://127.0.0.1:{port}/-/ready"), port)


class _Found:
    """A running Prometheus; the block gets its URL."""

    def __init__(self, process: Any, port: int) -> None:
        self._process, self._port = process, port

    def __enter__(self) -> str:
        self._process.__enter__()
        return f"http://127.0.0.1:{self._port}"

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)


def _active(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v1/targets?state=active", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["activeTargets"]
    return sorted(found, key=lambda target: str(target["labels"].get("service")))


def test_every_enabled_service_is_discovered_with_its_labels(
    targets: list[dict[str, Any]],
) -> None:
    labels = [
        tuple(target["labels"][name] for name in ("service", "environment", "provider"))
        for target in targets
    ]

    assert labels == [("one", "staging", "custom"), ("two", "production", "resend")]


def test_what_is_asked_is_ours_about_the_service(targets: list[dict[str, Any]]) -> None:
    first = targets[0]

    assert first["labels"]["instance"].startswith("http://127.0.0.1:9/v1")
    assert "target=http%3A%2F%2F127.0.0.1%3A9%2Fv1" in first["scrapeUrl"]
    assert "/probe?" in first["scrapeUrl"]


def test_what_is_no_label_of_ours_may_become_one(targets: list[dict[str, Any]]) -> None:
    assert targets[0]["labels"]["team"] == "core"
    assert targets[0]["discoveredLabels"]["__meta_service_type"] == "api"


def test_no_key_is_told_to_prometheus(targets: list[dict[str, Any]]) -> None:
    assert "re_0123456789" not in json.dumps(targets)
