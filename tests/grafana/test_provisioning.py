"""Gate: what Grafana reads at its start, by the fields its own readers know."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from exporter.page.views import ServicePage, view_of
from tests.documents import yaml_of
from tests.grafana.reading import BOARDS, ROOT, links, panels

PLACE = ROOT / "grafana" / "provisioning"
SOURCES: Any = yaml_of((PLACE / "datasources" / "datasources.yml").read_text())
PROVIDERS: Any = yaml_of((PLACE / "dashboards" / "dashboards.yml").read_text())
ENVIRONMENT = dict(
    line.split("=", 1)
    for line in (PLACE / "grafana.env").read_text().splitlines()
    if line and not line.startswith("#")
)
_TEXT, _BOOL, _WHOLE = {"type": "string", "minLength": 1}, {"type": "boolean"}, {"type": "integer"}


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


# The structs of pkg/services/provisioning/datasources/types.go and .../dashboards/types.go.
SOURCE = _closed(
    ["name", "uid", "type", "access", "url", "editable", "jsonData"],
    name=_TEXT,
    uid={"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
    orgId=_WHOLE,
    type={"enum": ["prometheus", "alertmanager"]},
    access={"enum": ["proxy"]},
    url=_TEXT,
    user=_TEXT,
    database=_TEXT,
    basicAuth=_BOOL,
    basicAuthUser=_TEXT,
    withCredentials=_BOOL,
    isDefault=_BOOL,
    editable=_BOOL,
    version=_WHOLE,
    jsonData=_closed(
        [],
        httpMethod={"enum": ["POST", "GET"]},
        timeInterval={"type": "string", "pattern": "s$"},
        prometheusType={"enum": ["Prometheus", "Mimir", "Thanos", "Cortex"]},
        manageAlerts=_BOOL,
        alertmanagerUid=_TEXT,
        exemplarTraceIdDestinations={
            "type": "array",
            "items": _closed(["name"], name=_TEXT, url=_TEXT, urlDisplayLabel=_TEXT),
        },
        implementation={"enum": ["prometheus", "mimir", "cortex"]},
        handleGrafanaManagedAlerts=_BOOL,
    ),
)
SOURCES_FILE = _closed(
    ["apiVersion", "datasources"],
    apiVersion={"const": 1},
    prune=_BOOL,
    deleteDatasources={"type": "array"},
    datasources={"type": "array", "items": SOURCE, "minItems": 2},
)
PROVIDERS_FILE = _closed(
    ["apiVersion", "providers"],
    apiVersion={"const": 1},
    providers={
        "type": "array",
        "minItems": 1,
        "items": _closed(
            ["name", "type", "options"],
            name=_TEXT,
            orgId=_WHOLE,
            folder=_TEXT,
            folderUid=_TEXT,
            type={"const": "file"},
            disableDeletion=_BOOL,
            allowUiUpdates=_BOOL,
            editable=_BOOL,
            updateIntervalSeconds=_WHOLE,
            options=_closed(["path"], path=_TEXT, foldersFromFilesStructure=_BOOL),
        ),
    },
)


@pytest.mark.parametrize(("file", "schema"), [(SOURCES, SOURCES_FILE), (PROVIDERS, PROVIDERS_FILE)])
def test_a_file_has_only_fields_that_grafana_reads(file: Any, schema: Any) -> None:
    jsonschema.validate(file, schema)


def by_uid(uid: str) -> Any:
    return next(s for s in SOURCES["datasources"] if s["uid"] == uid)


def test_the_least_interval_is_the_scrape_interval() -> None:
    """$__rate_interval is made from it: a smaller one gives empty panels."""
    scraped = yaml_of((ROOT / "prometheus" / "prometheus.yml").read_text())

    assert by_uid("prometheus")["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]


def test_a_dot_leads_to_the_failures_of_its_service_up_to_its_time() -> None:
    """$${…} is a variable of Grafana's data links, not of its environment."""
    (where,) = by_uid("prometheus")["jsonData"]["exemplarTraceIdDestinations"]
    url = where["url"].replace("${REGISTRY_URL}", "").replace("$${", "${")

    assert where["name"] == "request_id"
    assert url == "/services/${__data.fields.service}?until=${__value.time}"
    shown = url.replace("${__data.fields.service}", "a").replace("${__value.time}", "1800000000250")
    assert view_of(shown) == ServicePage(id="a", until=1800000000.25)


def test_panels_show_request_ids_where_prometheus_stores_them() -> None:
    asked = [
        (panel["title"], target["expr"])
        for panel in panels(BOARDS["registry-service"])
        for target in panel.get("targets", ())
        if target["exemplar"]
    ]

    assert [title for title, _ in asked] == ["Failed probes", "Latency distribution"]
    assert all(re.search(r"probe_(results_total|latency_seconds_bucket)", e) for _, e in asked)
    for file in ("docker-compose.yml", "config/production/docker-compose.yml"):
        command = yaml_of((ROOT / file).read_text())["services"]["prometheus"]["command"]
        assert "--enable-feature=exemplar-storage" in command


def test_the_alertmanager_is_a_plain_one_and_prometheus_knows_it() -> None:
    assert by_uid("alertmanager")["jsonData"]["implementation"] == "prometheus"
    assert by_uid("prometheus")["jsonData"]["alertmanagerUid"] == "alertmanager"
    assert by_uid("prometheus")["jsonData"]["manageAlerts"] is True


def test_every_name_and_uid_that_a_dashboard_uses_is_provisioned() -> None:
    names = {s["name"]: s for s in SOURCES["datasources"]}

    for board in BOARDS.values():
        for panel in panels(board):
            assert panel["datasource"]["uid"] in ("${datasource}", "prometheus")
            if panel["type"] == "alertlist":
                assert names[panel["options"]["datasource"]]["type"] == "prometheus"
        for variable in board["templating"]["list"]:
            if variable["type"] == "datasource":
                assert names[variable["current"]["text"]]["uid"] == variable["current"]["value"]
        for _, url in links(board):
            if found := re.search(r"alertmanager=(\w+)", url):
                assert names[found[1]]["type"] == "alertmanager"


def test_every_address_is_a_variable_and_no_secret_stands_in_a_file() -> None:
    assert {s["url"] for s in SOURCES["datasources"]} == {
        "${PROMETHEUS_URL}",
        "${ALERTMANAGER_URL}",
    }
    assert not re.search(r"secure|password|token", str(SOURCES), re.IGNORECASE)
    assert not [k for k in ENVIRONMENT if "PASSWORD" in k and not k.endswith("__FILE")]


def test_grafana_alerts_nobody_but_still_shows_alerts_and_silences() -> None:
    assert ENVIRONMENT["GF_UNIFIED_ALERTING_EXECUTE_ALERTS"] == "false"
    assert ENVIRONMENT["GF_UNIFIED_ALERTING_ENABLED"] == "true"


def test_home_is_the_overview_where_the_provider_looks() -> None:
    folder = PROVIDERS["providers"][0]["options"]["path"]

    home = ENVIRONMENT["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert home == f"{folder}/registry-overview.json"
    assert not PROVIDERS["providers"][0]["allowUiUpdates"]


def test_nobody_is_more_than_a_viewer_without_signing_in() -> None:
    assert ENVIRONMENT["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert ENVIRONMENT["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert ENVIRONMENT["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_the_dashboard_of_every_alert_exists() -> None:
    named = {
        rule["alert"]: rule["annotations"].get("__dashboardUid__", "")
        for path in (ROOT / "prometheus" / "rules").glob("*.yml")
        for group in yaml_of(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }

    assert named
    assert {a: uid for a, uid in named.items() if uid not in BOARDS} == {}
