"""What a document names exists: settings, metrics, alerts, routes, variables, files, options."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from exporter.api import ROUTES
from exporter.config import Canary, Monitoring, Service
from exporter.metrics import FAMILIES, INCIDENT_FAMILIES
from exporter.model import Reason, Verdict
from exporter.serving.web_config import WebSettings
from exporter.settings import reference
from tests.prose import DOCS, EACH, EACH_OF_OURS, ROOT, name_of, parted, pieces, said
from tests.reference import GUIDES
from tests.test_rules import ALERTS, RECORDED, RECORDED_OF_OTHERS


def _settings(cls: object) -> set[str]:
    rows = (row.split("|")[1].strip(" `") for row in reference(cls))
    return {row.replace("[]", "") for row in rows}


SETTINGS = _settings(Service) | _settings(Canary) | _settings(Monitoring)
LEAVES = {part for name in SETTINGS for part in name.split(".")}
SOURCES = "\n".join(path.read_text() for path in (ROOT / "exporter").rglob("*.py"))
METRICS = (
    {family.name for family in (*FAMILIES, *INCIDENT_FAMILIES)}
    | set(re.findall(r'"((?:exporter|service)_[a-z0-9_]+)"', SOURCES))
    | {"exporter_token"}  # a file
)
PREFIXED = re.compile(r"(?<![\w:./-])(?:probe|service|exporter)_[a-z0-9_]+(?![\w:])")
NOT_ALERTS = {"ServiceRegistry", "ManualIncident", "ServiceAccount", "PrometheusProto"}


VENDORS_CODES = {"service_unavailable"}
"""Codes of vendors' errors that look like names of ours."""


@EACH
def test_every_metric_that_is_named_exists(path: Path) -> None:
    unknown = set()
    for piece in said(path):
        for name in PREFIXED.findall(piece):
            bare = re.sub(r"_(bucket|sum|count)$", "", name)
            if not name.endswith("_") and not {name, bare} & METRICS:
                unknown.add(name)
        found = re.findall(r"\b[a-z_]+:[a-z_]+:[a-z0-9_]+\b", piece)
        unknown |= {*found} - RECORDED - RECORDED_OF_OTHERS

    assert unknown - VENDORS_CODES == set()


@EACH
def test_every_alert_that_is_named_exists(path: Path) -> None:
    shape = re.compile(
        r"\b(?:Service|Provider|Monitoring|Exporter|Prometheus|Alertmanager)[A-Z]\w+|\bWatchdog\w*"
    )
    named = {name for piece in said(path) for name in shape.findall(piece)}

    assert named <= ALERTS | NOT_ALERTS


@EACH_OF_OURS
def test_every_setting_with_its_place_exists(path: Path) -> None:
    groups = sorted({name.partition(".")[0] for name in SETTINGS if "." in name})
    shape = re.compile(rf"(?:{'|'.join(groups)})\.[a-z_.]+")
    named = {piece for piece in pieces(parted(path)[0]) if shape.fullmatch(piece)}

    assert {name for name in named if not name.endswith(".py")} <= SETTINGS


def _words_of_the_api() -> set[str]:
    from exporter.api.openapi import text  # the document itself is the list

    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.update(node["properties"] if isinstance(node.get("properties"), dict) else ())
            found.update(w for w in node.get("enum", ()) if isinstance(w, str))
            list(map(walk, node.values()))
        elif isinstance(node, list):
            list(map(walk, node))

    walk(json.loads(text(ROUTES, "0")))
    return found


WORDS = (
    set(map(str, Reason))
    | set(map(str, Verdict))
    | LEAVES
    | METRICS
    | _words_of_the_api()
    | _settings(WebSettings)
    | {part for name in _settings(WebSettings) for part in name.split(".")}
    | set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", SOURCES))
    | {path.stem for path in (ROOT / "alertmanager" / "templates").iterdir()}
)
WORDS_OF_OTHERS = {
    # Prometheus and Alertmanager
    "exported_service",
    "query_offset",
    "remote_write",
    "http_sd_configs",
    "scrape_samples_scraped",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "prometheus_tsdb_head_series",
    # those who count calls elsewhere
    "api_base",
    "api_provider",
    "api_openai_com",
    "api_openai_com_8443",
    "envoy_cluster_upstream_rq_xx",
    "http_client_request_duration_seconds_count",
    "litellm_deployment_total_requests_total",
    "litellm_deployment_failure_responses_total",
    "server_address",
    "server_port",
    # providers' own words
    "restricted_api_key",
    "rak_balance_read",
}


@EACH_OF_OURS
def test_every_reason_and_setting_that_is_named_exists(path: Path) -> None:
    """Words with an underscore are names of ours, but for a few of others."""
    prose = parted(path)[0]
    if name_of(path) == GUIDES:  # generated from the presets
        prose = re.sub(r"<!-- generated: .*?<!-- end -->", "", prose, flags=re.S)
    if name_of(path) == "exporter/README.md":  # names of code, see test_the_map_answers_...
        prose = re.sub(r"<!-- generated: .*?## Adding things", "", prose, flags=re.S)
    shape = re.compile(r"[a-z]+(?:_[a-z0-9]+)+")
    named = {piece for piece in pieces(prose) if shape.fullmatch(piece)}

    assert named <= WORDS | WORDS_OF_OTHERS


def test_no_word_of_others_is_on_a_list_without_need() -> None:
    text = "\n".join(path.read_text() for path in DOCS)

    assert {word for word in WORDS_OF_OTHERS if word in WORDS or word not in text} == set()


@EACH
def test_every_route_that_is_named_exists(path: Path) -> None:
    known = [
        (route.method, re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(route.path))))
        for route in ROUTES
    ]
    shape = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/(?:api/(?!v\d)|-/|sd|probe|metrics)[^\s?]*)")
    wrong = [
        piece
        for piece in said(path)
        for method, place in shape.findall(piece)
        if "/api/health" not in place  # Plausible has one, too
        and not any(m == method and p.fullmatch(place.split("|")[0]) for m, p in known)
    ]

    assert wrong == []


@EACH_OF_OURS
def test_every_variable_that_is_named_exists(path: Path) -> None:
    texts = [
        SOURCES,
        *(p.read_text() for p in ROOT.glob("*/*.y*ml")),
        (ROOT / "Makefile").read_text(),
    ]
    texts += [p.read_text() for p in (ROOT / "exporter" / "providers").glob("*.yaml")]
    texts += [(ROOT / "docker-compose.yml").read_text()]
    texts += [(ROOT / "grafana" / "provisioning" / "grafana.env").read_text()]
    everywhere = "\n".join(texts)
    shape = re.compile(r"[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+")
    generated = re.compile(r"<!-- generated: .*?<!-- end -->", re.S)
    named = {p for p in pieces(generated.sub("", parted(path)[0])) if shape.fullmatch(p)}

    assert {name for name in named if name not in everywhere} <= {
        "FAILED_PRECONDITION",
        "ALERTS_FOR_STATE",
    }


@EACH
def test_every_file_that_is_named_exists(path: Path) -> None:
    shape = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|md|json|toml|sh|env|tsv|tmpl|ya?ml)")
    named = {piece for piece in pieces(parted(path)[0]) if shape.fullmatch(piece)}
    places = (path.parent, ROOT, ROOT / "exporter")

    assert {name for name in named if not any((p / name).exists() for p in places)} == set()
