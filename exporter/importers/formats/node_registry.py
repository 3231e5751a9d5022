"""The original registry: the JSON that its Node.js service was configured with.

Names may be in camelCase or snake_case; the services may be a list by themselves. Where a service
names its provider and nothing contradicts the preset, only what differs from it is written.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import get_args

from exporter.config.declarations import LABEL
from exporter.importers.credentials import holds_key
from exporter.importers.known import adopt
from exporter.importers.naming import slug
from exporter.importers.node_service import (
    Check,
    lose_unread,
    set_address,
    set_answer,
    set_key,
    set_limits,
    set_request,
    set_times,
)
from exporter.importers.report import Draft, Ledger, names_in
from exporter.importers.request import Builder
from exporter.importers.spelling import Spelled
from exporter.providers import ServiceType, presets

MARK = "services with baseUrl or healthCheck (the original registry)"
TAKES_TARGETS, EXPANDS = False, False
# Ours has none of these; where Compose has a word of one, that is in another spelling.
_OF_A_SERVICE = frozenset(
    {
        "baseUrl",
        "baseURL",
        "apiKey",
        "apiKeyHeader",
        "apiKeyPrefix",
        "healthCheck",
        "rateLimit",
        "retryPolicy",
        "additionalHeaders",
    }
)
_OF_A_CHECK = frozenset({"interval_ms", "timeout_ms", "base_delay_ms"})
_OF_MONITORING = frozenset(
    {"dashboardEnabled", "metricsRetentionDays", "healthCheckDefaults", "health_check_defaults"}
)
_LABEL_FIELDS = {"team": "team"}


def recognised(data: dict[str, object]) -> bool:
    """Return whether *data* looks like the original's configuration, and not like ours."""
    monitoring = data.get("monitoring")
    if isinstance(monitoring, dict) and _OF_MONITORING & monitoring.keys():
        return True
    services = data.get("services")
    found = list(services.values()) if isinstance(services, dict) else services
    return isinstance(found, list) and any(map(_is_service, found))


def _is_service(data: object) -> bool:
    if not isinstance(data, dict):
        return False
    inner = [value for value in data.values() if isinstance(value, dict)]
    return bool(_OF_A_SERVICE & data.keys()) or any(_OF_A_CHECK & part.keys() for part in inner)


def collect(ledger: Ledger, targets: Ledger | None) -> None:
    """Add the services of the original's configuration to the report."""
    bare = isinstance(ledger.data, list)
    top = Spelled(ledger, (), {} if bare else ledger.data)
    top.skip("version", "$schema")
    monitoring = top.mapping("monitoring")
    holder = monitoring if "healthCheckDefaults" in monitoring else top
    defaults = holder.mapping("healthCheckDefaults")
    _monitoring(monitoring)
    services = _bare(ledger) if bare else _services(top)
    for place, fields in services:
        if builder := _service(fields, place, defaults):
            ledger.report.drafts.append(builder.draft)
    _keep_apart(ledger)
    if services:
        lose_unread(defaults)
    lose_unread(monitoring)
    lose_unread(top)


def _bare(ledger: Ledger) -> list[tuple[str, Spelled]]:
    return [("", Spelled(ledger, (index,), item)) for index, item in enumerate(ledger.data)]


def _services(top: Spelled) -> list[tuple[str, Spelled]]:
    """Return the services, each with the name that it has in a mapping."""
    if isinstance(top.raw("services"), dict):
        by_id = top.free("services")
        items = ((name, by_id.raw(name), by_id.at(name)) for name in by_id.names())
        return [(name, Spelled(top.ledger, path, item)) for name, item, path in items]
    return [("", Spelled(top.ledger, path, item)) for path, item in top.items("services")]


def _monitoring(fields: Spelled) -> None:
    ours = fields.ledger.report.monitoring
    if not fields.flag("enabled", True):
        ours["enabled"] = False
    if not fields.flag("dashboardEnabled", True):
        ours["dashboard_enabled"] = False
    for theirs, name in (
        ("metricsRetentionDays", "metrics_retention_days"),
        ("incidentRetentionDays", "incident_retention_days"),
    ):
        if (days := fields.whole(theirs, 1, 3650)) is not None:
            ours[name] = days


def _service(fields: Spelled, place: str, defaults: Spelled) -> Builder | None:
    """Return what one service becomes, None if it cannot be imported."""
    ledger, given_id = fields.ledger, fields.text("id") or place
    name = fields.text("name")
    if not name and not given_id:
        ledger.mistake(fields.path, "id is missing")
        return None
    draft = Draft(name, ledger.problem_at(fields.path), wanted_id=given_id)
    builder, check = Builder(ledger, draft), Check(fields, defaults)
    if not fields.flag("enabled", True):
        draft.raw["enabled"] = False
    key = set_key(builder, fields)
    if not set_address(builder, fields, check) or not set_request(builder, fields, check, key):
        return None
    set_times(builder, check)
    set_limits(builder, fields)
    set_answer(builder, check)
    if not _provider(builder, fields):
        return None
    _labels(builder, fields)
    check.report_unread(builder)
    lose_unread(fields)
    return builder


def _provider(builder: Builder, fields: Spelled) -> bool:
    """Make it a service of its preset; return whether there is an address to ask."""
    draft, ledger, path = builder.draft, fields.ledger, fields.at("provider")
    written = fields.text("provider")
    name, raw = slug(written), draft.raw
    kind = fields.text("type").lower()
    if kind in get_args(ServiceType):
        if name not in presets() or presets()[name].type != kind:
            raw["type"] = kind
    elif kind:
        ledger.lost(fields.at("type"), f"must be one of {', '.join(get_args(ServiceType))}")
    if name in presets():
        if not (why := adopt(name, draft)):
            _drop_usual_status(draft)
            return True
        message = f"not written as a service of that preset, since it {why}"
        if "base_url" not in raw and "$" not in presets()[name].base_url:
            raw["base_url"] = presets()[name].base_url
        ledger.lost(path, message)
    elif name not in ("", "custom"):
        ledger.lost(
            path, "no equivalent: there is no preset of this name; see `service-registry providers`"
        )
    _drop_usual_status(draft)
    if raw.get("api_key_header", "").lower() == "authorization":
        raw.pop("api_key_header")
    if raw.get("api_key_prefix") == "Bearer ":
        raw.pop("api_key_prefix")
    if not raw.get("base_url"):
        ledger.lost(fields.path, "has no baseUrl, and no preset to take it from; not imported")
        return False
    return True


def _drop_usual_status(draft: Draft) -> None:
    """Leave out that 200 is expected, which is the default of every request but a preset's own."""
    check = draft.check
    own = "provider" not in draft.raw or "endpoint" in check
    if own and check.get("expected_status_codes") == [200]:
        check.pop("expected_status_codes")


def _labels(builder: Builder, fields: Spelled) -> None:
    draft, ledger = builder.draft, builder.ledger
    metadata = fields.free("metadata")
    for name in metadata.names():
        value, path = metadata.raw(name), metadata.at(name)
        if isinstance(value, list) and all(isinstance(item, (str, int)) for item in value):
            text = ", ".join(map(str, value))
        elif isinstance(value, (dict, list)):
            ledger.lost(path, "no equivalent: metadata has texts, no lists or mappings")
            continue
        else:
            text = metadata.text(name)
        inner = fields.with_variables(ledger.inner(text, path), path)
        builder.labels({name: inner}, metadata.path, fields=_LABEL_FIELDS)
    for name in ("team", "owner", "description"):
        if text := fields.text(name):
            builder.labels({name: text}, fields.path, fields=_LABEL_FIELDS)
    environment = fields.text("environment").strip()
    if not environment:
        return
    if names_in(environment) or holds_key(environment) or not re.fullmatch(LABEL, environment):
        message = "must be 1 to 128 printable characters, without a variable or key; not imported"
        ledger.lost(fields.at("environment"), message)
    else:
        draft.raw["environment"] = environment


def _keep_apart(ledger: Ledger) -> None:
    """Give every service an id of its own: of several with one, those outside production change."""
    drafts = ledger.report.drafts
    times = Counter(slug(draft.wanted_id) for draft in drafts)
    seen: set[tuple[str, str]] = set()
    for draft in drafts:
        wanted = slug(draft.wanted_id)
        environment = draft.raw.get("environment", "production")
        if times[wanted] > 1 and wanted:
            if environment != "production":
                draft.wanted_id = f"{draft.wanted_id} {environment}"
            if (wanted, environment) in seen:
                _report_id(ledger, draft, "is given twice: its id here has a number at its end")
            elif environment != "production":
                _report_id(ledger, draft, "is the id of several services: the environment is added")
            seen.add((wanted, environment))
        elif wanted != draft.wanted_id and draft.wanted_id:
            message = "is changed, since an id here has at most 63 of a-z, 0-9 and -"
            _report_id(ledger, draft, message)


def _report_id(ledger: Ledger, draft: Draft, message: str) -> None:
    where = f"{draft.place.where}.id".removeprefix("(top).")
    ledger.report.warnings.append(replace(draft.place, where=where, what=message))
