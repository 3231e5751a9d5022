"""Prometheus' rules: checked and tested by promtool, and true to the exporter's metrics."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.incidents.alerts import NOTIFICATIONS_FAILING, RUNBOOK
from exporter.metrics import FAMILIES, OwnMetrics
from exporter.metrics.lines import NO_INCIDENT
from exporter.metrics.models import MODEL_FAMILIES
from exporter.model import Reason, Verdict
from exporter.models import Skip
from exporter.statuspages import Impact, Stage, State
from tests.documents import yaml_of
from tests.patience import Patience
from tests.programs import exporter, free_port, program, running
from tests.promtool import FOLDER, TEST_FILES, pass_cases, promtool, sliced

RULE_FILES = sorted(FOLDER.glob("rules/*.yml"))
DAYS_LONG = ("slo_long_test.yml",)

ALERTS = {
    "ServiceDown",
    "ServiceUnresolved",
    "ServiceFlapping",
    "ServiceLatencyHigh",
    "ServiceErrorBudgetBurn",
    "ServiceKeyRejected",
    "ServiceKeyExpiringSoon",
    "ServiceKeyMissing",
    "ServiceQuotaExhausted",
    "ServiceQuotaRunsOut",
    "ServiceRateLimited",
    "ServiceRateLimitHeadroomLow",
    "ServiceCertificateExpired",
    "ServiceCertificateExpiringSoon",
    "ServiceSunset",
    "ModelRetired",
    "ServiceNotProbed",
    "ServiceVanished",
    "ServiceCallsFailing",
    "ServiceMaintenance",
    "ModelFailing",
    "ModelFirstTokenSlow",
    "ModelStalled",
    "ModelBudgetExhausted",
    "ModelErrorBudgetBurn",
    "ProviderOutage",
    "ProviderReportsIncident",
    "ProviderSilentOutage",
    "MonitoringNetworkDown",
    "ExporterDown",
    "ExporterAbsent",
    "ExporterConfigReloadFailed",
    "ExporterScheduleLag",
    "ExporterRestarting",
    "ExporterSeriesBudget",
    "ExporterShortOfResources",
    "ExporterStalled",
    "ExporterStorageDamaged",
    "ExporterStorageFailing",
    "PrometheusRuleFailures",
    "PrometheusNotConnectedToAlertmanager",
    "AlertmanagerNotificationsFailing",
    "AlertmanagerConfigReloadFailed",
    "Watchdog",
}
ALWAYS_FIRING = {"Watchdog"}
SEVERITIES = {"critical", "high", "medium", "low", "none"}
CATEGORIES = {
    "availability",
    "latency",
    "slo",
    "credentials",
    "quota",
    "tls",
    "monitoring",
    "maintenance",
    "provider",
    "retirement",
    "watchdog",
}
DASHBOARDS = {
    "registry-service",
    "registry-slo",
    "registry-limits",
    "registry-models",
    "registry-monitoring",
    "registry-overview",
}
OTHERS_METRICS = {
    "up",
    "scrape_samples_scraped",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_notifications_alertmanagers_discovered",
    "alertmanager_notifications_total",
    "alertmanager_notifications_failed_total",
    "alertmanager_config_last_reload_successful",
}
INCIDENT_METRICS = {
    "service_incidents_open",
    "service_incidents_total",
    "service_incident_resolve_seconds",
    "service_incident_acknowledge_seconds",
    "service_incident_acknowledged",
    "exporter_escalations_total",
}
SERVICE_LABELS = {"service", "environment", "provider"}
SLO_LABELS = {"service", "environment", "slo"}
FURTHER_LABELS = {
    "service_info": {"name", "type", "team", "host", "owner", "runbook"},
    "probe_results_total": {"reason"},
    "service_verdict": {"verdict"},
    "service_failing_since_timestamp_seconds": {"reason", "verdict"},
    "exporter_reason_info": {"reason", "verdict", "fault", "whose", "advice"},
    "service_status_page": {"state"},
    "service_status_page_incident": {"state", "impact"},
    "probe_latency_seconds_bucket": {"le"},
    "service_requests_total": {"code"},
    "service_rate_limit_limit": {"resource"},
    "service_rate_limit_remaining": {"resource"},
    "service_quota_remaining": {"resource", "unit"},
    "service_sunset_timestamp_seconds": {"resource"},
    "model_gone_timestamp_seconds": {"model", "by"},
    "service_sli_events_total": {"slo"},
    "service_sli_bad_events_total": {"slo"},
    "service_slo_objective_ratio": {"slo"},
    "service_threshold_escalate_after_seconds": {"team", "severity", "escalation"},
    "model_failing_since_timestamp_seconds": {"reason", "verdict"},
    "model_probe_withheld": {"why"},
    "exporter_network_up": {"canary"},
    "exporter_services": {"state"},
    "exporter_probe_shortages_total": {"what"},
    "exporter_probe_schedule_lag_seconds_bucket": {"le"},
}
LABELLED = ("families", "lines", "models", "own", "selection", "thresholds", "traffic")
"""The modules of exporter/metrics that write labels."""
CLOSED = {
    "reason": set(map(str, Reason)),
    "verdict": set(map(str, Verdict)),
    "state": {*map(str, State), *map(str, Stage), NO_INCIDENT},
    "impact": {*map(str, Impact), NO_INCIDENT},
    "provider": {"custom"},
    "why": set(map(str, Skip)),
}


def _read(path: Path) -> Any:
    return yaml_of(path.read_text())


RULES: list[dict[str, Any]] = [
    rule for path in RULE_FILES for group in _read(path)["groups"] for rule in group["rules"]
]
ALERTING = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OTHER_CALLS = FOLDER / "other-calls.yml"
"""What users switch on themselves."""
RECORDED_OF_OTHERS = {
    rule["record"] for group in _read(OTHER_CALLS)["groups"] for rule in group["rules"]
}
EACH_ALERT = pytest.mark.parametrize(
    "rule", ALERTING, ids=lambda rule: rule["alert"] + rule["labels"].get("burn", "")
)


def _expressions() -> Iterator[str]:
    """Yield the expressions of all rules and the queries in their annotations."""
    for rule in RULES:
        yield re.sub(r"(?m)#.*$", "", rule["expr"])
        for text in rule.get("annotations", {}).values():
            for query in re.findall(r'printf "([^"]*)"', text):
                if "{" in query or "%s" in query:
                    yield query.replace("%q", "''").replace("%s", "")


def _names(expr: str) -> set[str]:
    """Return the metrics in a PromQL expression."""
    bare = re.sub(r"\{[^}]*\}", " ", expr)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right) \([^)]*\)", " ", bare)
    bare = re.sub(r"\[[^\]]*\]|\boffset \w+", " ", bare)
    words = set(re.findall(r"(?<![\w.:])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()", bare))
    return words - {"and", "or", "unless", "bool", "Inf"}


def _exporters_metrics() -> set[str]:
    page = OwnMetrics("0").page(openmetrics=False).decode()
    own = {family.name for family in text_string_to_metric_families(page)}
    shown = {family.name for family in (*FAMILIES, *MODEL_FAMILIES)}
    names = own | {f"{name}_total" for name in own} | shown
    return names | {f"{name}_bucket" for name in names}


def _expected(alert: str) -> list[list[dict[str, Any]]]:
    """Return what promtool's cases expect of *alert*: the alerts that fire, none in a negative."""
    tests = chain.from_iterable(_read(path)["tests"] for path in TEST_FILES)
    cases = chain.from_iterable(test.get("alert_rule_test", ()) for test in tests)
    return [case["exp_alerts"] for case in cases if case["alertname"] == alert]


# -- promtool -------------------------------------------------------------------------------------


def test_promtool_accepts_the_configuration() -> None:
    promtool("check", "config", FOLDER / "prometheus.yml")


def test_promtool_finds_nothing_in_the_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES, OTHER_CALLS)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.name in DAYS_LONG))
        for path in TEST_FILES
    ],
)
def test_promtool_passes_the_cases(path: Path, tmp_path: Path) -> None:
    pass_cases(path, tmp_path)


def test_every_rule_matters_to_a_case() -> None:
    slices = [groups for path in TEST_FILES for groups, _ in sliced(path)]
    judged = [rule for groups in slices for group in groups for rule in group["rules"]]

    assert [rule for rule in RULES if rule not in judged] == []


def test_every_rule_file_is_tested() -> None:
    tested = {name for path in TEST_FILES for name in _read(path)["rule_files"]}

    assert tested == {f"../rules/{path.name}" for path in RULE_FILES} | {"../other-calls.yml"}


# -- alerts ---------------------------------------------------------------------------------------


def test_the_alerts_are_those_of_the_contract() -> None:
    assert {rule["alert"] for rule in ALERTING} == ALERTS


@EACH_ALERT
def test_an_alert_has_a_severity_from_its_row_or_its_own(rule: dict[str, Any]) -> None:
    from_row = re.search(r"severity[^)]*\) \((service|model)_threshold_", rule["expr"])

    if "severity" in rule["labels"]:
        assert rule["labels"]["severity"] in SEVERITIES
        assert not re.search(r"by \([^)]*severity", rule["expr"])
    else:
        assert from_row


@EACH_ALERT
def test_an_alert_has_its_category_and_no_label_that_varies(rule: dict[str, Any]) -> None:
    labels = rule["labels"]

    assert labels["category"] in CATEGORIES
    assert labels.keys() <= {"category", "severity", "burn"}
    assert "{{" not in "".join(labels.values())


@EACH_ALERT
def test_an_alert_says_what_it_is_in_one_constant_sentence(rule: dict[str, Any]) -> None:
    summary = rule["annotations"]["summary"]
    plain = re.sub(r"\{\{.*?\}\}", "X", summary)

    assert re.fullmatch(r"[A-Z][^.]*\.", plain)
    assert "$value" not in summary
    assert "query" not in summary


@EACH_ALERT
def test_an_alert_has_the_annotations_that_messages_need(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]

    wanted = {"summary", "description", "runbook_url", "__dashboardUid__"}
    assert set(annotations) - {"fault"} == wanted
    assert annotations["description"].endswith((".", " end }}"))
    assert annotations["runbook_url"] == RUNBOOK + rule["alert"].lower()
    assert annotations["__dashboardUid__"] in DASHBOARDS


@EACH_ALERT
def test_an_alert_has_its_place_in_the_runbook(rule: dict[str, Any]) -> None:
    text = (FOLDER / "README.md").read_text()
    _, heading, rest = text.partition(f"\n## {rule['alert']}\n")
    section = rest.partition("\n## ")[0]

    assert heading
    for part in ("**Means.**", "**Look.**", "**Do.**", "**Silence.**"):
        assert part in section
    if rule["alert"] not in ALWAYS_FIRING:
        assert f"alertname={rule['alert']}" in section


def test_the_runbook_has_a_heading_and_a_row_for_each_alert_and_for_no_other() -> None:
    text = (FOLDER / "README.md").read_text()
    headings = set(re.findall(r"(?m)^## ([A-Z][a-z]+(?:[A-Z][a-z]+)*)$", text))
    rows = set(re.findall(r"(?m)^\| \[(\w+)\]\(#(\w+)\) \|", text))

    assert headings & ALERTS == ALERTS
    assert {name for name, _ in rows} == ALERTS
    assert all(anchor == name.lower() for name, anchor in rows)


def test_the_incident_that_the_exporter_makes_itself_has_its_place_in_the_runbook() -> None:
    """No rule names it: the embedded response opens it where an entry of `notify:` fails."""
    text = (FOLDER / "README.md").read_text()
    _, heading, rest = text.partition(f"\n### {NOTIFICATIONS_FAILING}\n")
    section = rest.partition("\n## ")[0]

    assert heading
    for part in ("**Means.**", "**Look.**", "**Do.**", "**Silence.**"):
        assert part in section


@EACH_ALERT
def test_an_alert_is_tested_firing_with_its_labels_and_texts(rule: dict[str, Any]) -> None:
    fired = chain.from_iterable(_expected(rule["alert"]))
    own = [one for one in fired if rule["labels"].items() <= one["exp_labels"].items()]

    assert own
    for one in own:
        assert one["exp_annotations"].keys() == rule["annotations"].keys()
        assert one["exp_labels"]["severity"] in SEVERITIES


@EACH_ALERT
def test_an_alert_is_tested_not_firing(rule: dict[str, Any]) -> None:
    assert [] in _expected(rule["alert"]) or rule["alert"] in ALWAYS_FIRING


@EACH_ALERT
def test_an_alert_names_what_it_is_about_and_who_cares(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    of_service = name.startswith(("Service", "Model"))
    wanted = {"environment", "provider"} if of_service or name.startswith("Provider") else set()
    wanted |= {"service", "team"} if of_service else set()
    if name.startswith("Model") and name != "ModelRetired":  # which counts those of a service
        wanted |= {"model"}

    fired = [set(one["exp_labels"]) for one in chain.from_iterable(_expected(name))]

    assert all(labels >= wanted - {"team"} for labels in fired)
    assert any(labels >= wanted for labels in fired)  # a service may be without a team


# -- the exporter's names -------------------------------------------------------------------------


def test_every_metric_in_the_rules_is_exported_or_recorded() -> None:
    known = _exporters_metrics() | OTHERS_METRICS | INCIDENT_METRICS | RECORDED
    used = set().union(*map(_names, _expressions()))

    assert used - known == set()
    assert len(used & _exporters_metrics()) > 30


def test_every_metric_of_others_is_used() -> None:
    used = set().union(*map(_names, _expressions()))

    assert used >= OTHERS_METRICS


def test_every_label_of_a_selector_is_one_of_the_metric_with_a_value_that_it_can_have() -> None:
    found = 0
    for expr in _expressions():
        for name, inside in re.findall(r"([a-z_:][\w:]*)\{([^}]*)\}", expr):
            allowed = {"job", "instance", *SERVICE_LABELS} | FURTHER_LABELS.get(name, set())
            if name.startswith("model_"):
                allowed.add("model")
            if name.startswith("slo:"):
                allowed = SLO_LABELS
            for label, value in re.findall(r"(\w+)(?:=~|!=|=)[\"']([^\"']*)[\"']", inside):
                found += 1
                assert label in allowed, f"{name}{{{inside}}}"
                if label in CLOSED and value:
                    assert set(value.split("|")) <= CLOSED[label], f"{name}{{{inside}}}"

    assert found > 20


def test_every_further_label_is_one_that_the_exporter_writes() -> None:
    folder = Path(__file__).parent.parent / "exporter" / "metrics"
    text = "".join((folder / f"{name}.py").read_text() for name in LABELLED)

    for label in set().union(*FURTHER_LABELS.values()) - {"le"}:
        assert f"{label}=" in text or f'"{label}"' in text, label


def test_every_threshold_of_the_exporter_is_used_by_a_rule() -> None:
    row = re.compile(r"\b(?:service|model)_threshold_\w+")
    rows = {f.name for f in (*FAMILIES, *MODEL_FAMILIES) if row.match(f.name)}
    used = set(row.findall(" ".join(_expressions())))

    assert used == rows


# -- a real Prometheus ----------------------------------------------------------------------------

ONE = """
services:
  - id: one
    base_url: http://127.0.0.1:{port}
    team: platform
    objectives: {{availability: 99.9%, latency: {{threshold: 1s, target: 99%}}}}
    alerts: {{latency_p95: 1s}}
    health_check: {{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}}
"""


def _groups(base: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(base + "/api/v1/rules", timeout=5) as answer:
        groups: list[dict[str, Any]] = json.load(answer)["data"]["groups"]
    return groups


def _evaluated(base: str) -> dict[str, tuple[str, str]]:
    """Return health and error of every rule, once all were evaluated."""
    patience = Patience(60)
    while True:
        rules = [rule for group in _groups(base) for rule in group["rules"]]
        if rules and all(rule["health"] != "unknown" for rule in rules):
            return {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in rules}
        assert not patience.is_over, "not all rules were evaluated"
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("services", ["services: []", ONE.format(port=1)], ids=["none", "one"])
def test_every_rule_evaluates_on_a_real_prometheus(tmp_path: Path, services: str) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for path in RULE_FILES:
        # every group at once and often, instead of within its own minutes
        text = re.sub(r"(?m)^    interval: .*$", "    interval: 1s", path.read_text())
        (rules / path.name).write_text(text)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with exporter(tmp_path, services) as (_, target):
        config = _read(FOLDER / "prometheus.yml")
        config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
        config.pop("alerting")
        config["scrape_configs"] = config["scrape_configs"][:1]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target.partition("://")[2]]}]
        (tmp_path / "prometheus.yml").write_text(json.dumps(config))
        command = [
            program("prometheus"),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(command, None, base + "/-/ready"):
            if "one" in services:
                _until_down(base)
            found = _evaluated(base)

    assert {name for name, (health, _) in found.items() if health == "ok"} == ALERTS | RECORDED
    assert [error for _, error in found.values() if error] == []


def _until_down(base: str) -> None:
    """Return once Prometheus says that the service is down."""
    patience = Patience(60)
    while not any(
        alert["labels"]["service"] == "one"
        for group in _groups(base)
        for rule in group["rules"]
        if rule["name"] == "ServiceDown"
        for alert in rule["alerts"]
    ):
        assert not patience.is_over, "ServiceDown does not fire"
        time.sleep(0.3)
