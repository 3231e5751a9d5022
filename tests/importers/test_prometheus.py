"""Prometheus' scrape_configs: whose job it is, and what relabelling makes of a target."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.importers import Imported, NoImportError, import_text
from tests.importers.foreign import only_service, warnings_of

MODULES = "modules: {http_2xx: {prober: http}}"
TWO_MODULES = "modules: {http_2xx: {prober: http}, https: {prober: http}}"
TARGET = {"source_labels": ["__address__"], "target_label": "__param_target"}
INSTANCE = {"source_labels": ["__param_target"], "target_label": "instance"}


def exporter_at(address: str) -> dict[str, Any]:
    return {"target_label": "__address__", "replacement": address}


def job(name: str, *rules: dict[str, Any], targets: Any = (), **more: Any) -> dict[str, Any]:
    """Return a scrape_config that asks /probe, with the static *targets*."""
    groups = [{"targets": list(targets or ["api.example.com"]), "labels": more.pop("labels", {})}]
    return {
        "job_name": name,
        "metrics_path": "/probe",
        "params": {"module": ["http_2xx"]},
        "static_configs": groups,
        "relabel_configs": list(rules),
    } | more


def imported_from(*jobs: Any, modules: str = MODULES) -> Imported:
    text = json.dumps({"scrape_configs": jobs}, indent=1)
    return import_text(modules, "b.yml", targets=(text, "p.yml"))


def addresses(imported: Imported) -> list[str]:
    return [
        service["base_url"] + service.get("health_check", {}).get("endpoint", "")
        for service in imported.services
    ]


def about_jobs(imported: Imported) -> list[str]:
    return [line for line in warnings_of(imported) if "job " in line]


BLACKBOX = job("bb", TARGET, INSTANCE, exporter_at("blackbox:9115"))


@pytest.mark.parametrize(
    ("foreign", "why"),
    [
        (job("x", TARGET, exporter_at("ssl-exporter:9219"), params={"module": ["https"]}), "asks"),
        (job("x", TARGET, exporter_at("domain-exporter:9222"), params={}), "asks"),
        (job("x", TARGET, exporter_at("10.0.0.1:7979")), "asks"),
        (job("x", TARGET, exporter_at("snmp:9116"), metrics_path="/snmp"), "asks"),
        (job("x", TARGET, exporter_at("own:80"), params={"module": ["own"]}), "names a module"),
        (job("x", TARGET, exporter_at("own:80"), params={}), "names no module"),
        (job("x", {"action": "explode"}), "an action that is not known"),
        (job("x", {"regex": "(", "target_label": "a"}), "regex that is not valid"),
        (job("x", {"target_label": "__metrics_path__", "replacement": "/metrics"}), "asks"),
        (job("x", {"action": "drop", "regex": ".*"}), "is dropped"),
        (job("x", {**TARGET, "regex": "never"}), "has no target"),
    ],
)
def test_a_job_that_cannot_be_imported_is_named_and_takes_no_other_with_it(
    foreign: dict[str, Any], why: str
) -> None:
    for jobs in ((BLACKBOX, foreign), (foreign, BLACKBOX)):
        imported = imported_from(*jobs, modules=TWO_MODULES)

        assert addresses(imported) == ["http://api.example.com"]
        (line,) = about_jobs(imported)
        assert f"scrape_configs[{jobs.index(foreign)}]: job x: " in line
        assert why in line


@pytest.mark.parametrize("path", ["/metrics", ""])
def test_a_job_that_asks_its_targets_themselves_is_not_mentioned(path: str) -> None:
    other = {"job_name": "node", "static_configs": [{"targets": ["a:9100"]}]}

    assert not imported_from(BLACKBOX, other | ({"metrics_path": path} if path else {})).warnings


def test_an_odd_target_is_named_and_the_others_stay() -> None:
    by_label = {"source_labels": ["module"], "target_label": "__param_module"}
    probing = job("x", by_label, TARGET, params={})
    probing["static_configs"] = [
        {"targets": [f"{name}.example.com"], "labels": {"module": name}}
        for name in ("http_2xx", "if_mib", "https")
    ]

    imported = imported_from(probing, modules=TWO_MODULES)

    assert addresses(imported) == ["http://http_2xx.example.com", "http://https.example.com"]
    assert [w.where for w in imported.warnings] == [
        "scrape_configs[0].static_configs[1].targets[0]"
    ]


def test_the_default_module_of_blackbox_exporter_is_used_when_a_job_names_none() -> None:
    imported = imported_from(job("x", TARGET, exporter_at("blackbox:9115"), params={}))

    assert addresses(imported) == ["http://api.example.com"]
    assert not imported.warnings


A = "__address__"


@pytest.mark.parametrize(
    ("rules", "target", "expected"),
    [
        ([{**TARGET, "replacement": "https://$1/health"}], "a.example", "https://a.example/health"),
        ([{**TARGET, "replacement": "https://${1}:8443"}], "a.example", "https://a.example:8443"),
        ([{**TARGET, "replacement": "https://a.example/$1x"}], "b", "https://a.example"),
        ([{**TARGET, "replacement": "https://$1/$$5"}], "a.example", "https://a.example/$5"),
        (
            [{**TARGET, "regex": "(.*):(.*)", "replacement": "https://$2/$1"}],
            "x:a.example",
            "https://a.example/x",
        ),
        (
            [{**TARGET, "regex": "(?P<host>.*);.*", "replacement": "https://${host}"}],
            "a.example;x",
            "https://a.example",
        ),
        # anchored: example matches inside only, so the rule does nothing
        (
            [TARGET, {**TARGET, "regex": "example", "replacement": "https://b.example"}],
            "a.example",
            "http://a.example",
        ),
        (
            [{**TARGET, "source_labels": [A, "path"], "separator": "/"}],
            "https://a.example",
            "https://a.example/status",
        ),
        (
            [
                {
                    **TARGET,
                    "source_labels": [A, "path"],
                    "regex": "(.*);(.*)",
                    "replacement": "$1/$2",
                }
            ],
            "https://a.example",
            "https://a.example/status",
        ),
        ([{**TARGET, "source_labels": ["url"]}], "ignored", "https://u.example/x"),
        (
            [{"action": "labelmap", "regex": "ur(l)", "replacement": "__param_target"}],
            "ignored",
            "https://u.example/x",
        ),
        ([{**TARGET, "action": "lowercase"}], "HTTPS://A.EXAMPLE", "https://a.example"),
        ([{**TARGET, "action": "Replace"}], "https://a.example", "https://a.example"),
        (
            [{"target_label": "__param_target", "replacement": "https://c.example"}],
            "x",
            "https://c.example",
        ),
        (
            [TARGET, {"action": "keep", "source_labels": [A], "regex": "https://.*"}],
            "https://a.example",
            "https://a.example",
        ),
        (
            [TARGET, {"action": "drop", "source_labels": [A], "regex": "example"}],
            "https://a.example",
            "https://a.example",
        ),
        (
            [
                TARGET,
                {"action": "keepequal", "source_labels": [A], "target_label": "__param_target"},
            ],
            "https://a.example",
            "https://a.example",
        ),
        (
            [
                {
                    **TARGET,
                    "target_label": "__param_$1",
                    "regex": "(target)",
                    "replacement": "https://t.example",
                    "source_labels": ["word"],
                }
            ],
            "x",
            "https://t.example",
        ),
    ],
)
def test_a_target_is_what_relabelling_makes_of_it(
    rules: list[dict[str, Any]], target: str, expected: str
) -> None:
    labels = {"path": "status", "url": "https://u.example/x", "word": "target"}

    imported = imported_from(
        job("x", *rules, exporter_at("blackbox:9115"), targets=[target], labels=labels)
    )

    assert addresses(imported) == [expected]
    assert not imported.warnings


def test_labels_are_those_after_relabelling() -> None:
    rules = (
        TARGET,
        {"source_labels": ["__param_target"], "target_label": "instance", "regex": "(.*?)[.].*"},
        {"source_labels": ["env_name"], "target_label": "environment"},
        {"action": "labeldrop", "regex": "env_.*|secret"},
        {
            "target_label": "shard",
            "action": "hashmod",
            "modulus": 10,
            "source_labels": ["__address__"],
        },
        {"target_label": "site", "replacement": ""},
    )
    labels = {"env_name": "staging", "site": "x", "owner": "web team"}

    service = only_service(imported_from(job("x", *rules, labels=labels)))

    assert (service["id"], service["environment"]) == ("api", "staging")
    assert service["metadata"] == {"owner": "web team", "shard": "6"}


def test_external_labels_say_who_is_told_unless_the_target_does() -> None:
    """Prometheus puts them on every alert: without them a test system would page as production."""
    top = {"global": {"external_labels": {"env": "staging", "team": "web", "replica": "a"}}}

    def told(labels: dict[str, str]) -> tuple[Any, ...]:
        text = json.dumps(top | {"scrape_configs": [job("one", TARGET, labels=labels)]})
        service = only_service(import_text(MODULES, "b.yml", targets=(text, "p.yml")))
        return service["environment"], service["team"], service.get("metadata")

    assert told({}) == ("staging", "web", None)
    assert told({"environment": "qa"}) == ("qa", "web", None)
    assert told({"env": "qa", "team": "api"}) == ("qa", "api", None)


def test_a_job_may_set_its_own_times_by_relabelling() -> None:
    rule = {"target_label": "__scrape_interval__", "replacement": "5m"}

    check = only_service(imported_from(job("x", TARGET, rule)))["health_check"]

    assert check["interval"] == "5m"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("services: []", "a configuration of this program"),
        ("services: {web: {image: x}}", "a Compose file"),
        ("{apiVersion: v1, kind: ConfigMap}", "a Kubernetes manifest"),
        ("{route: {}, receivers: []}", "Alertmanager's configuration"),
        ("groups: []", "Prometheus' rules"),
        ("{panels: [], title: x}", "a Grafana dashboard"),
        ("- targets: [a]", "file_sd_configs"),
        ("modules: {if_mib: {walk: [1.3.6]}}", "another exporter"),
        ("modules: {default: {metrics: []}}", "json_exporter"),
        ("a: 1", "not recognised"),
    ],
)
def test_what_a_file_is_is_said_if_it_is_none_of_ours(text: str, what: str) -> None:
    with pytest.raises(NoImportError, match=what):
        import_text(text, "x.yml")


def test_a_prober_of_another_exporter_is_said() -> None:
    modules = "modules: {http_2xx: {prober: http}, https: {prober: https}}"

    (line,) = warnings_of(imported_from(BLACKBOX, modules=modules))

    assert "modules.https: has a prober that blackbox_exporter does not have" in line
