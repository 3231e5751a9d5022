"""vmalert and VictoriaMetrics 1.151 with the shipped files: what they accept, what they send."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exporter.incidents.alerts import key_of
from tests.documents import yaml_of
from tests.patience import Patience
from tests.programs import exporter, free_port, program, running
from tests.test_rules import ALERTS, FOLDER, ONE, RECORDED, RULE_FILES
from tests.victoria import ask, storage

CONFIG, PAGE, MORE = (
    FOLDER / name for name in ("prometheus.yml", "VICTORIAMETRICS.md", "vmalert.yml")
)


def _read(path: Path) -> Any:
    return yaml_of(path.read_text())


def _dry_run(rules: str) -> subprocess.CompletedProcess[str]:
    command = [program("vmalert"), "-dryRun", f"-rule={rules}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_programs_have_the_version_that_the_page_names() -> None:
    page = PAGE.read_text()
    version = re.search(r"(?m)^VICTORIA=(.+)$", (FOLDER.parent / "tests/tools.sh").read_text())

    assert version is not None
    assert f"vmalert {version[1]}" in page


@pytest.mark.parametrize("rules", ["rules/*.yml", "vmalert.yml"])
def test_vmalert_accepts_every_rule_and_every_text(rules: str) -> None:
    done = _dry_run(str(FOLDER / rules))

    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("humanizeDuration", "humaniseDuration"),
        ("    interval: 15s", "    interval: 15s\n    query_offset: 1m"),
        ("keep_firing_for:", "keep_firing:"),
    ],
)
def test_vmalert_refuses_what_it_does_not_know(tmp_path: Path, old: str, new: str) -> None:
    text = (FOLDER / "rules" / "20-services.yml").read_text()
    (tmp_path / "bad.yml").write_text(text.replace(old, new, 1))

    assert new not in text
    assert _dry_run(str(tmp_path / "bad.yml")).returncode != 0


@pytest.mark.parametrize(("flags", "accepted"), [((), False), (("=false",), True)])
def test_victoria_metrics_scrapes_by_our_file_if_it_may_skip_what_is_not_its(
    flags: tuple[str, ...], accepted: bool
) -> None:
    more = [f"-promscrape.config.strictParse{flag}" for flag in flags]
    command = [program("victoria-metrics"), "-dryRun", f"-promscrape.config={CONFIG}", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode == 0) is accepted, done.stderr[-2000:]


def _flags_of(name: str) -> set[str]:
    done = subprocess.run([program(name), "-help"], capture_output=True, text=True, check=False)
    return set(re.findall(r"(?m)^  (-[\w.]+)", done.stdout + done.stderr))


def test_every_flag_on_the_page_exists() -> None:
    named = set(re.findall(r"[\s`](-[a-z][\w.]*[a-zA-Z])", PAGE.read_text()))

    assert len(named) > 15
    assert named <= _flags_of("vmalert") | _flags_of("victoria-metrics")


def test_every_alert_about_vmalert_has_a_heading_and_the_labels_of_ours() -> None:
    for rule in _read(MORE)["groups"][0]["rules"]:
        page, _, heading = rule["annotations"]["runbook_url"].rpartition("#")

        assert page.endswith("/prometheus/VICTORIAMETRICS.md")
        assert heading == rule["alert"].lower()
        assert f"### {rule['alert']}\n" in PAGE.read_text()
        assert rule["labels"] == {"category": "monitoring", "severity": "critical"}


class Received:
    """An Alertmanager that only listens."""

    def __init__(self) -> None:
        self.alerts: dict[str, dict[str, Any]] = {}
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for alert in json.loads(body):
                    received.alerts[alert["labels"]["alertname"]] = alert
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Received:
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def _rules(folder: Path) -> Path:
    """Return the rules with every group due each second, instead of within its own minutes."""
    folder.mkdir()
    for path in RULE_FILES:
        text = re.sub(r"(?m)^    interval: .*$", "    interval: 1s", path.read_text())
        (folder / path.name).write_text(text)
    return folder


MORE_RULES = """
groups:
  - name: broken
    interval: 1s
    rules:
      - {alert: Broken, expr: 'exporter_services * on (job) exporter_services'}
  - name: kept
    interval: 1s
    rules:
      - {alert: Kept, expr: 'vector(1) unless on () ended', keep_firing_for: 1h}
      - {alert: NotKept, expr: 'vector(1) unless on () ended'}
"""


def _scraping(folder: Path, address: str, vmalert: int) -> Path:
    config = yaml_of(CONFIG.read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    config["scrape_configs"] = config["scrape_configs"][:1]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [address]}]
    own = [{"targets": [f"127.0.0.1:{vmalert}"]}]
    config["scrape_configs"].append({"job_name": "vmalert", "static_configs": own})
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))
    return path


@dataclass(frozen=True, slots=True, repr=False)
class Live:
    """What came of a live run, and where to ask for more."""

    alerts: dict[str, dict[str, Any]]
    rules: list[dict[str, Any]]
    storage: str


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Run exporter, VictoriaMetrics and vmalert until all is evaluated and a service is down.

    One rule more fails, two end once they have fired, and one Alertmanager more is not there.
    """
    folder = tmp_path_factory.mktemp("live")
    port = free_port()
    (folder / "more.yml").write_text(MORE_RULES)
    with Received() as received, exporter(folder, ONE.format(port=1)) as (_, target):
        scrape = _scraping(folder, target.partition("://")[2], port)
        flags = [f"-promscrape.config={scrape}", "-promscrape.config.strictParse=false"]
        with storage(folder, *flags) as base:
            command = [
                program("vmalert"),
                f"-rule={_rules(folder / 'rules')}/*.yml",
                f"-rule={folder / 'more.yml'}",
                f"-datasource.url={base}",
                f"-remoteWrite.url={base}",
                f"-remoteRead.url={base}",
                f"-notifier.url={received.url},http://127.0.0.1:1",
                "-rule.evalDelay=2s",
                "-external.label=cluster=main",
                "-external.url=http://vmalert.example:8880",
                f"-httpListenAddr=127.0.0.1:{port}",
            ]
            own = f"http://127.0.0.1:{port}"
            with running(command, None, own + "/health"):
                _until(own, lambda rules: _all_came(rules, received))
                ask(base, "/api/v1/import/prometheus", b"ended 1\n")
                yield Live(received.alerts, _until(own, _one_is_over), base)


Rules = list[dict[str, Any]]
"""What a vmalert says of each rule; an alert may have several."""


def _all_came(rules: Rules, received: Received) -> bool:
    sent = {"ServiceDown", "Watchdog", "Kept", "NotKept"} <= received.alerts.keys()
    return sent and all(rule["lastEvaluation"] > "1970" for rule in rules)


def _one_is_over(rules: Rules) -> bool:
    return any(rule["name"] == "NotKept" and rule["state"] == "inactive" for rule in rules)


def _until(base: str, true: Callable[[Rules], bool]) -> Rules:
    """Return the rules of the vmalert at *base* once they are so."""
    patience = Patience(60)
    while True:
        groups = json.loads(ask(base, "/api/v1/rules"))["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if rules and true(rules):
            return rules
        assert not patience.is_over, [rule for rule in rules if rule["lastError"]]
        time.sleep(0.3)


@pytest.mark.slow
def test_every_rule_evaluates_in_a_real_vmalert(live: Live) -> None:
    errors = {rule["name"]: rule["lastError"] for rule in live.rules if rule["lastError"]}

    assert errors.keys() == {"Broken"}
    assert "duplicate time series" in errors["Broken"]
    healthy = {rule["name"] for rule in live.rules if rule["health"] == "ok"}
    assert healthy == ALERTS | RECORDED | {"Kept", "NotKept"}


@pytest.mark.slow
def test_an_alert_of_vmalert_brings_its_text_and_two_labels_more(live: Live) -> None:
    alert = live.alerts["ServiceDown"]

    assert alert["labels"]["cluster"] == "main"
    assert alert["labels"]["alertgroup"] == "service_registry_outages"
    assert alert["generatorURL"].startswith("http://vmalert.example:8880/vmalert/alert?")
    assert alert["annotations"]["summary"] == "one (production) fails its health check."
    assert "At fault: " in alert["annotations"]["description"]


@pytest.mark.slow
def test_keep_firing_for_keeps_an_alert(live: Live) -> None:
    states = {rule["name"]: rule["state"] for rule in live.rules if rule["type"] == "alerting"}

    assert (states["Kept"], states["NotKept"]) == ("firing", "inactive")


def _labels(live: Live, query: str) -> list[dict[str, str]]:
    answer = json.loads(ask(live.storage, "/api/v1/query", query=query))
    return [row["metric"] for row in answer["data"]["result"]]


@pytest.mark.slow
def test_the_label_of_the_installation_is_on_what_is_scraped_and_on_what_is_recorded(
    live: Live,
) -> None:
    for name in ("service_info", "service:service_labels:info", "ALERTS"):
        patience = Patience(60)
        while not (found := _labels(live, name)):
            assert not patience.is_over, f"{name} is not there"
            time.sleep(0.2)
        assert {labels["cluster"] for labels in found} == {"main"}


@pytest.mark.slow
def test_the_rules_about_vmalert_see_a_failing_rule_and_a_missing_alertmanager(live: Live) -> None:
    failing, cannot_send = _read(MORE)["groups"][0]["rules"]

    assert {row["group"] for row in _labels(live, failing["expr"])} == {"broken"}
    assert [row["addr"] for row in _labels(live, cannot_send["expr"])] == [
        "http://127.0.0.1:1/api/v2/alerts"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ServiceDown", "Watchdog"])
def test_an_alert_of_vmalert_belongs_to_the_incident_of_prometheus(live: Live, name: str) -> None:
    labels = live.alerts[name]["labels"]
    from_prometheus = {k: v for k, v in labels.items() if k != "alertgroup"}

    assert key_of(labels) == key_of(from_prometheus)
