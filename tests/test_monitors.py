"""How a Prometheus finds exporters: by their metrics, whatever job and target are called."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents import yaml_of
from tests.patience import Patience
from tests.programs import exporter, free_port, program, running
from tests.test_rules import ONE

ROOT = Path(__file__).parent.parent
KUBERNETES = ROOT / "config" / "kubernetes"
OBJECTS = list(yaml.safe_load_all((KUBERNETES / "registry.yaml").read_text()))

# Of a label, in PromQL and in YAML, with or without escapes; a scrape configuration names its job.
_JOB = re.compile(r"""\bjob\b\s*(?:=~?|!=|!~|:)\s*[\\"']*service-registry""")
_PROSE = re.compile(r"\bjob `?service-registry\b")
_SHIPPED = ("*.md", "*.y*ml", "*.json", "*.py", "*.tmpl")
_FOLDERS = ("alertmanager", "config", "exporter", "grafana", "prometheus/rules")


def _shipped() -> list[Path]:
    found = [
        path for folder in _FOLDERS for kind in _SHIPPED for path in (ROOT / folder).rglob(kind)
    ]
    return [
        *found,
        *ROOT.glob("*.md"),
        *(ROOT / "prometheus").glob("*.*"),
        ROOT / "docker-compose.yml",
    ]


def test_nothing_that_is_shipped_asks_for_a_job_by_name() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in _shipped()}
    asks = {name for name, text in texts.items() if _JOB.search(text) or _PROSE.search(text)}

    assert len(texts) > 200
    assert asks == set()


@pytest.mark.parametrize(
    "text",
    [
        'up{job="service-registry"} == 0',
        r'"expr": "min(up{job=\"service-registry\"})"',
        "up{a='b', job=~'service-registry|other'}",
        "matchers: {job: service-registry}",
    ],
)
def test_asking_for_the_job_is_found(text: str) -> None:
    assert _JOB.search(text)


@pytest.mark.parametrize("text", ["- job_name: service-registry", "job: prometheus"])
def test_naming_a_job_is_not_asking_for_it(text: str) -> None:
    assert not _JOB.search(text)


# -- the operator of Prometheus ---------------------------------------------------------------


def _monitor(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml_of((KUBERNETES / name).read_text())["spec"]
    return found


def _selected(monitor: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(monitor["selector"]["matchLabels"].items() <= labels.items())


def test_the_pod_monitor_finds_the_pods_and_their_port() -> None:
    monitor = _monitor("podmonitor.yaml")
    template = next(o for o in OBJECTS if o["kind"] == "StatefulSet")["spec"]["template"]
    ports = template["spec"]["containers"][0]["ports"]

    assert _selected(monitor, template["metadata"]["labels"])
    assert monitor["podMetricsEndpoints"][0]["port"] in {port["name"] for port in ports}


def test_the_service_monitor_finds_each_exporter_once() -> None:
    monitor = _monitor("servicemonitor.yaml")
    services = [o for o in OBJECTS if o["kind"] == "Service"]
    found = [o for o in services if _selected(monitor, o["metadata"]["labels"])]

    assert [o["spec"]["clusterIP"] for o in found] == ["None"]
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in found[0]["spec"]["ports"]}


def test_both_monitors_have_the_limit_of_our_own_file() -> None:
    job = yaml_of((ROOT / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]

    for name in ("podmonitor.yaml", "servicemonitor.yaml"):
        assert _monitor(name)["sampleLimit"] == job["sample_limit"]


def _relabelling(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *rules* of the operator's spelling in Prometheus' own."""
    return [
        {
            re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), name): value
            for name, value in rule.items()
        }
        for rule in rules
    ]


def _names(base: str, label: str, query: str) -> set[str]:
    """Return the values of *label* in the rows of *query*, once there are any."""
    patience = Patience(60)
    url = f"{base}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    while True:
        with urllib.request.urlopen(url, timeout=5) as answer:
            rows = json.load(answer)["data"]["result"]
        if rows:
            return {row["metric"].get(label, "") for row in rows}
        assert not patience.is_over, query
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "services"),
    [(None, {"one"}), ([], {"service-registry"})],
    ids=["ours", "without"],
)
def test_a_registered_service_keeps_its_label_under_a_service_monitor(
    tmp_path: Path, rules: list[dict[str, Any]] | None, services: set[str]
) -> None:
    relabelings = _monitor("servicemonitor.yaml")["endpoints"][0]["relabelings"]
    # What the operator gives each target before the relabelling of the monitor.
    labels = {"service": "service-registry", "namespace": "n", "endpoint": "http", "pod": "p"}
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with exporter(tmp_path, ONE.format(port=1)) as (_, target):
        job = {
            "job_name": "serviceMonitor/n/service-registry/0",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [target.partition("://")[2]], "labels": labels}],
            "relabel_configs": _relabelling(relabelings if rules is None else rules),
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
        command = [
            program("prometheus"),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(command, None, base + "/-/ready"):
            assert _names(base, "service", "service_info") == services
            # Nor do the exporter's own metrics look like those of a registered service.
            assert _names(base, "service", "up") == (services - {"one"} or {""})


def test_the_relabelling_is_one_that_prometheus_loads(tmp_path: Path) -> None:
    rules = _relabelling(_monitor("servicemonitor.yaml")["endpoints"][0]["relabelings"])
    config = {"scrape_configs": [{"job_name": "a", "relabel_configs": rules}]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    command = [program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
