"""A dashboard around its panels: places, variables, annotations, links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from grafana.panels import SOURCE
from grafana.queries import ABOUT, CHOSEN, SERVICE
from grafana.words import BAD, MAINTENANCE, NETWORK, OK, Json

TAG = "service-registry"
COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a headline; without one they are at the top."""

    title: str
    panels: Sequence[Json]
    collapsed: bool = False


def placed(rows: Iterable[Row]) -> list[Json]:
    """Return the panels in their places, from the left and from the top."""
    out: list[Json] = []
    y = 0
    for row in rows:
        into = out
        if row.title:
            head = _headline(row, y)
            out.append(head)
            y += 1
            into = head["panels"] if row.collapsed else out
        bottom = _fill(into, row.panels, y)
        y = y if row.collapsed else bottom
    return out


def _headline(row: Row, y: int) -> Json:
    """Return the panel of type `row` that carries the title."""
    number = 1_000_001 + sum(map(ord, row.title)) * 31 + y
    return {
        "id": number,
        "type": "row",
        "title": row.title,
        "collapsed": row.collapsed,
        "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        "panels": [],
    }


def _fill(into: list[Json], panels: Sequence[Json], y: int) -> int:
    """Place *panels* line by line from *y* on; return where the next row begins."""
    x = height = 0
    for panel in panels:
        place = panel["gridPos"]
        if x + place["w"] > COLUMNS:
            x, y, height = 0, y + height, 0
        place["x"], place["y"] = x, y
        x, height = x + place["w"], max(height, place["h"])
        into.append(panel)
    return y + height


DATA_SOURCE: Json = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "refresh": 1,
    "regex": "",
    "hide": 0,
    "multi": False,
    "includeAll": False,
    "current": {"text": "Prometheus", "value": "prometheus"},
    "options": [],
    "skipUrlSync": False,
}


def variable(name: str, values: str, *, several: bool = True) -> Json:
    """Return a variable whose values are asked from Prometheus whenever the time changes."""
    everything = {"text": ["All"], "value": ["$__all"]}
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": SOURCE,
        "definition": values,
        "query": {
            "qryType": 1,
            "query": values,
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".+"} if several else {}),
        "current": everything if several else {"text": "", "value": ""},
        "options": [],
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
    }


_IN = 'environment=~"$environment"'
MANY = (
    DATA_SOURCE,
    variable("environment", "label_values(service_info, environment)"),
    variable("provider", f"label_values(service_info{{{_IN}}}, provider)"),
    variable("service", f'label_values(service_info{{{_IN}, provider=~"$provider"}}, service)'),
)
_HERE = 'environment="$environment"'
ONE = (
    DATA_SOURCE,
    variable("environment", "label_values(service_info, environment)", several=False),
    variable("service", f"label_values(service_info{{{_HERE}}}, service)", several=False),
)


def annotation(name: str, expr: str, colour: str, title: str, text: str, **more: Any) -> Json:
    """Return marks on every curve; values above 0 in a row become a stretch."""
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "target": {"expr": expr, "interval": "60s", "refId": "Anno"},
        "titleFormat": title,
        "textFormat": text,
        **more,
    }


RELOADS = annotation(
    "Configuration loaded",
    "1000 * max by (instance) (exporter_config_last_reload_success_timestamp_seconds)",
    OK,
    "configuration loaded",
    "{{instance}}",
    useValueForTime=True,
)


def alerts_of(about: str) -> Json:
    """Mark when alerts fired."""
    kept = "alertname, severity, environment, service, provider"
    return annotation(
        "Alerts",
        f'max by ({kept}) (ALERTS{{{about}, alertstate="firing", severity!="none"}})',
        BAD,
        "{{alertname}} ({{severity}})",
        "{{service}} {{environment}}",
        tagKeys="severity,service,environment",
    )


def events(about: str, select: str) -> tuple[Json, ...]:
    """Return what may explain a change: alerts, configuration, keys, maintenance."""
    rotated = f"service_key_rotated_timestamp_seconds{{{select}}}"
    return (
        alerts_of(about),
        RELOADS,
        annotation(
            "Key rotated",
            f"1000 * max by ({SERVICE}) ({rotated})",
            NETWORK,
            "key rotated",
            "{{service}} {{environment}}",
            useValueForTime=True,
        ),
        annotation(
            "Maintenance",
            f"max by ({SERVICE}) (service_maintenance{{{select}}}) == 1",
            MAINTENANCE,
            "declared maintenance",
            "{{service}} {{environment}}",
        ),
    )


# -- links: each carries what is chosen and the time ---------------------------------------------
# Grafana encodes what it puts into a link, but for & # + and their like, which an environment may
# contain; `percentencode` does. An address in a cell is one already: `raw`.

_KEPT = "var-datasource=${datasource}"


def link(title: str, url: str, *, new: bool = False) -> Json:
    """Return a link of a value."""
    return {"title": title, "url": url, "targetBlank": new}


def of_row(board: str, title: str) -> Json:
    """Return a link to another dashboard for the service of a table's row."""
    return _board_link(board, title, _variables("__data.fields", "service", "environment"))


def to_service() -> Json:
    """Return a link to the dashboard of a row's service."""
    return of_row("service", "Open the service")


def of_subject() -> Json:
    """Return a link to what explains a row of `queries.about`: its service, or else the whole."""
    chosen = "&".join(
        f"var-{name}=${{__data.fields.{label}:percentencode}}"
        for name, label in (("service", "chosen"), ("environment", "environment"))
    )
    return _board_link("${__data.fields.board:percentencode}", "Open", chosen)


def of_series() -> Json:
    """Return the same for a value that is not in a table."""
    chosen = _variables("__field.labels", "service", "environment")
    return _board_link("service", "Open the service", chosen)


def _variables(of: str, *labels: str) -> str:
    """Return the part of an address that chooses the *labels* of a row or a series."""
    return "&".join(f"var-{name}=${{{of}.{name}:percentencode}}" for name in labels)


def _board_link(board: str, title: str, chosen: str) -> Json:
    """Return a link to a dashboard with what is *chosen* in it."""
    return link(title, f"/d/registry-{board}?{_KEPT}&{chosen}&${{__url_time_range}}")


def to_board(name: str, title: str) -> Json:
    """Return a link to another dashboard with the same choice."""
    chosen = "&".join(f"${{{v}:queryparam}}" for v in ("environment", "provider", "service"))
    return _board_link(name, title, chosen)


def silence(*labels: str, optional: tuple[str, ...] = ()) -> Json:
    """Return a link that opens a new silence for the *labels* of a row; needs the role Editor.

    The form takes no empty value. A label that a row may not have is asked for by a pattern, which
    is not empty and matches its absence.
    """
    value = "${__data.fields.%s:percentencode}"
    matchers = "".join(f"&matcher={name}%3D{value % name}" for name in labels)
    matchers += "".join(f"&matcher={name}%3D~({value % name})" for name in optional)
    return link("Silence", f"/alerting/silence/new?alertmanager=Alertmanager{matchers}")


NAVIGATION: Json = {
    "type": "dashboards",
    "title": "Service registry",
    "tags": [TAG],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "The other dashboards, with the same choice and time",
    "url": "",
}


def dashboard(
    name: str,
    title: str,
    about: str,
    rows: Sequence[Row],
    *,
    variables: Sequence[Json] = MANY,
    annotations: Sequence[Json] | None = None,
    since: str = "now-6h",
    refresh: str = "30s",
    navigation: bool = True,
) -> Json:
    """Return the dashboard `registry-<name>`."""
    marks = events(ABOUT, CHOSEN) if annotations is None else annotations
    return {
        "uid": f"registry-{name}",
        "title": title,
        "description": about,
        "tags": [TAG],
        "schemaVersion": 42,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "time": {"from": since, "to": "now"},
        "refresh": refresh,
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m", "15m"]},
        "links": [NAVIGATION] if navigation else [],
        "templating": {"list": list(variables)},
        "annotations": {"list": list(marks)},
        "panels": placed(rows),
    }
