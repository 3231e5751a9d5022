"""alertmanager.minimal.yml: every message to one place, and one message for one trouble."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.programs import write_config
from exporter.stack import Minimal, minimal_routes
from tests.alertmanager import alertmanager, http_sink, muted, post, seconds
from tests.documents import yaml_of
from tests.patience import Patience
from tests.test_routes import ROOM, alerts_of_the_rules, amtool
from tests.test_stack_command import old

SHIPPED = ROOM / "alertmanager.minimal.yml"
CONFIG = yaml_of(SHIPPED.read_text())
PLACE = {"environment": "production", "provider": "openai", "service": "a", "cluster": "main"}


def fire(alertname: str, severity: str = "critical", **labels: str) -> dict[str, Any]:
    given = {**PLACE, "alertname": alertname, "severity": severity, **labels}
    return old({name: value for name, value in given.items() if value})


def test_it_loads_and_is_short() -> None:
    amtool("check-config", str(SHIPPED))

    lines = SHIPPED.read_text().splitlines()
    assert len(lines) < 45
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("alertname=Watchdog severity=none cluster=main", "incident-log"),
        ("alertname=ServiceDown severity=critical environment=production service=a", "webhook"),
        ("alertname=ServiceDown severity=high environment=prod service=a", "webhook"),
        ("alertname=ServiceUnresolved severity=high escalation=1 environment=prod", "webhook"),
        ("alertname=ServiceRateLimitHeadroomLow severity=low environment=prod", "webhook"),
        ("alertname=MonitoringNetworkDown severity=critical cluster=main", "webhook"),
        ("alertname=ManualIncident severity=high", "webhook"),
        ("alertname=Unknown", "webhook"),
        ("alertname=ServiceDown severity=critical environment=staging service=a", "nobody"),
        ("alertname=ServiceMaintenance severity=none environment=production", "nobody"),
    ],
)
def test_an_alert_goes_to_the_log_and_to_the_one_receiver(labels: str, receivers: str) -> None:
    expected = receivers if receivers == "incident-log" else f"incident-log,{receivers}"
    amtool(
        "config",
        "routes",
        "test",
        f"--config.file={SHIPPED}",
        f"--verify.receivers={expected}",
        *labels.split(),
    )


def test_every_alert_that_is_named_exists() -> None:
    known = alerts_of_the_rules()
    named = re.findall(r"alertname(?:=~?|!~|!=)\"([^\"]+)\"", SHIPPED.read_text())

    assert len(named) > 10
    for pattern in named:
        for part in re.sub(r"\(([^)]*)\)", "X", pattern).split("|"):
            assert part
        found = {name for name in known if re.fullmatch(pattern, name)}
        assert found, pattern
        for choice in re.findall(r"\(([^)]*)\)", pattern):
            for word in choice.split("|"):
                assert any(word in name for name in found), f"{pattern}: {word}"


def test_a_beat_is_never_skipped() -> None:
    beat = CONFIG["route"]["routes"][0]

    assert seconds(beat["repeat_interval"]) < seconds(beat["group_interval"])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("minimal")
    (folder / "token").write_text("made-up")
    with http_sink() as sink:
        made = minimal_routes(
            Minimal(webhook=f"{sink.url}/all"),
            token=folder / "token",
            exporter=sink.url,
            to=folder,
        )
        with alertmanager(write_config(folder / "routes.yml", made.config)) as base:
            yield base


SCOPES = {
    "network": {"service": "", "provider": "", "environment": ""},
    "environment": {"service": "", "provider": ""},
    "provider": {"service": ""},
    "service": {},
    "level": {"escalation": "1"},
    "latency": {"slo": "latency"},
    "model": {"model": "gpt-4o"},
    "other": {"model": "gpt-4o-mini"},
}
INHIBITIONS = """
MonitoringNetworkDown critical network     | ServiceDown critical service            | muted
MonitoringNetworkDown critical network     | ServiceKeyExpiringSoon high service     | told
MonitoringNetworkDown critical environment | ServiceDown high service                | muted
ExporterDown critical network              | ServiceNotProbed high service           | muted
ExporterAbsent critical network            | MonitoringNetworkDown critical network  | muted
ProviderOutage critical provider           | ServiceDown critical service            | muted
ProviderOutage critical provider           | ServiceUnresolved critical level        | told
ServiceKeyRejected high service            | ServiceDown critical service            | muted
ServiceQuotaExhausted high service         | ServiceDown critical service            | muted
ServiceQuotaRunsOut medium service         | ServiceDown critical service            | told
ServiceDown critical service               | ServiceErrorBudgetBurn high latency     | muted
ServiceDown critical service               | ServiceDown high service                | muted
ServiceDown high service                   | ServiceFlapping medium service          | told
ServiceDown high service                   | ModelFailing critical model             | muted
ServiceKeyRejected high service            | ModelFailing high model                 | muted
ProviderOutage critical provider           | ModelStalled high model                 | muted
MonitoringNetworkDown critical network     | ModelFirstTokenSlow high model          | muted
MonitoringNetworkDown critical network     | ModelBudgetExhausted low model          | told
ModelFailing critical model                | ModelStalled high model                 | muted
ModelFailing critical model                | ModelStalled high other                 | told
ModelFailing critical model                | ModelFailing high other                 | told
ServiceMaintenance none service            | ModelFailing critical model             | muted
ServiceDown critical service               | ServiceCallsFailing high service       | muted
ProviderOutage critical provider           | ServiceCallsFailing high service       | muted
MonitoringNetworkDown critical network     | ServiceCallsFailing high service       | muted
ServiceRateLimited medium service          | ServiceCallsFailing high service       | told
ServiceMaintenance none service            | ServiceUnresolved high level            | muted
ServiceMaintenance none service            | ServiceKeyRejected high service         | muted
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", INHIBITIONS.strip().splitlines(), ids=lambda text: text[:30])
def test_what_explains_something_mutes_it_and_never_itself(url: str, case: str) -> None:
    source, target, outcome = (part.split() for part in case.split("|"))
    # a cluster, service, provider and environment of this case alone
    mark = f"{zlib.crc32(case.encode()):x}"
    place = {name: f"{value}-{mark}" for name, value in PLACE.items()}

    def made(alertname: str, severity: str, scope: str) -> dict[str, Any]:
        return fire(alertname, severity, **(place | SCOPES[scope]))

    post(url, made(*source), made(*target))

    expected = [target[0]] if outcome == ["muted"] else []
    patience = Patience(5)
    while (found := held(url, place["cluster"])) != expected and not patience.is_over:
        time.sleep(0.05)  # its inhibitor hears of an alert a moment after the answer
    assert found == expected


def held(url: str, cluster: str) -> list[str]:
    return [one["alertname"] for one in muted(url) if one["cluster"] == cluster]
