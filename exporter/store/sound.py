"""What a sound row is: every value that is read back is of its type and within its range.

A flipped bit can make a number of a text, a text of bytes, or a text that is not UTF-8 (read with
surrogates). Whatever is not sound is not read: see `damage`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from exporter.incidents.model import (
    ACKNOWLEDGE_BUCKETS,
    RESOLVE_BUCKETS,
    SEVERITIES,
    AlertState,
    EntryKind,
    Incident,
    Spell,
    Told,
    ToldState,
)
from exporter.model import Reason

INCIDENT_COLUMNS = tuple(f.name for f in fields(Incident) if f.name != "timeline")
_STATE_FIELDS = frozenset(f.name for f in fields(AlertState))
_JSON = ("reached", "receivers", "alerts", "past")
_FLAGS = ("manual", "by_person")
_STATE_TIMES = tuple(f.name for f in fields(AlertState) if f.type == "float | None")
_TEXTS = tuple(f.name for f in fields(Incident) if f.type == "str")
_REASONS, _KINDS = frozenset(map(str, Reason)), frozenset(map(str, EntryKind))
_MOST = 2**53
COUNTED = (
    f"service = ? AND start BETWEEN ? AND {_MOST} AND typeof(ok) = 'integer'"
    f" AND typeof(bad) = 'integer' AND ok BETWEEN 0 AND {_MOST} AND bad BETWEEN 0 AND {_MOST}"
)
"""Which rows of the history are counted: an SQL condition on what is summed, a text is larger."""
_SUMS = {"resolve": len(RESOLVE_BUCKETS), "acknowledge": len(ACKNOWLEDGE_BUCKETS)}


def is_text(value: Any) -> bool:
    """Return whether *value* is a text that was UTF-8."""
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def is_time(value: Any) -> bool:
    """Return whether *value* is a Unix time, or a span in seconds."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and 0 <= value < _MOST


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def parsed(text: Any) -> Any:
    """Return the JSON in *text*.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    if not is_text(text):
        raise ValueError("not a text")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_object(text: Any) -> dict[str, Any] | None:
    """Return the JSON object in *text*; None if it is none."""
    try:
        value = parsed(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def service(row: Sequence[Any]) -> bool:
    """Judge (service, raw): the declaration is that of the service."""
    raw = json_object(row[1])
    return is_text(row[0]) and raw is not None and raw.get("id", row[0]) == row[0]


def state(row: Sequence[Any]) -> bool:
    """Judge (service, state); what is damaged within a state, `Tally.restore` passes over."""
    return is_text(row[0]) and json_object(row[1]) is not None


def bucket(row: Sequence[Any]) -> bool:
    """Judge a row of the history, or of its spans."""
    service, start, ok, bad, worst, total, longest, levels = row
    counts = is_time(start) and isinstance(start, int) and is_count(ok) and is_count(bad)
    times = is_time(total) and is_time(longest) and isinstance(levels, bytes)
    return is_text(service) and counts and worst in _REASONS and times


def failure(row: Sequence[Any]) -> bool:
    """Judge (service, at, spell, until, text); `results.writing` reads the text."""
    service, *times, text = row
    return is_text(service) and all(map(is_time, times)) and json_object(text) is not None


def audit_entry(row: Sequence[Any]) -> bool:
    """Judge (at, who, action, service, fingerprint)."""
    return is_time(row[0]) and all(map(is_text, row[1:]))


def timeline_entry(row: Sequence[Any]) -> bool:
    """Judge (incident, at, kind, by, note)."""
    incident, at, kind, by, note = row
    return is_time(at) and kind in _KINDS and all(map(is_text, (incident, by, note)))


def action(row: Sequence[Any]) -> bool:
    return all(map(is_text, row))


def contact(row: Sequence[Any]) -> bool:
    """Judge (what, at)."""
    return is_text(row[0]) and is_time(row[1])


def notification(row: Sequence[Any]) -> bool:
    """Judge (entry, group_key, id, at, alerts, unsure)."""
    entry, group_key, id_, at, alerts, unsure = row
    plain = is_time(at) and all(map(is_text, (entry, group_key, id_)))
    return plain and _is_json_list(alerts) and _is_json_list(unsure)


def told(row: Sequence[Any]) -> bool:
    """Judge (entry, fingerprint, alert, at, sent_at, ended_at)."""
    entry, fingerprint, alert, at, sent_at, ended_at = row
    plain = is_text(entry) and is_text(fingerprint) and json_object(alert) is not None
    return plain and is_time(at) and is_time(sent_at) and _is_time_or_none(ended_at)


def run(row: Sequence[Any]) -> bool:
    """Judge (since, until): a run of the exporter, Unix times."""
    return all(map(is_time, row)) and row[0] <= row[1]


def watched_span(row: Sequence[Any]) -> bool:
    """Judge (since, until) of a watched service: minutes, the second one None while it lasts."""
    since, until = row
    return is_count(since) and (until is None or (is_count(until) and since <= until))


def _is_json_list(text: Any) -> bool:
    try:
        return isinstance(parsed(text), list)
    except ValueError:
        return False


def meta(row: Sequence[Any]) -> bool:
    """Judge (name, value); the installation's bytes make the fingerprints."""
    known = row[0] != "installation" or (isinstance(row[1], bytes) and len(row[1]) == 32)
    return is_text(row[0]) and known


def past_sum(row: Sequence[Any]) -> bool:
    """Judge (service, environment, provider, what, value)."""
    *names, what, value = row
    if not all(map(is_text, names)):
        return False
    try:
        found = parsed(value)
    except ValueError:
        return False
    if what not in _SUMS:
        return what in SEVERITIES and is_count(found)
    match found:
        case {"buckets": list(buckets), "count": count, "sum": total}:
            counts = (*buckets, count)
            right = len(found) == 3 and len(buckets) == _SUMS[what] and is_time(total)
            return right and all(map(is_count, counts))
    return False


def sums(row: Sequence[Any]) -> bool:
    """Judge (service, environment, provider, value)."""
    found = json_object(row[3])
    return found is not None and all(map(is_text, row[:3])) and _are_numbers(found)


def counted(row: Sequence[Any]) -> bool:
    """Judge (id, text)."""
    match json_object(row[1]):
        case {"counted": list(names), "kept": dict(numbers)}:
            return is_text(row[0]) and all(map(is_text, names)) and _are_numbers(numbers)
    return False


def _are_numbers(found: Mapping[str, Any]) -> bool:
    return all(map(is_text, found)) and all(
        isinstance(value, (int, float)) and abs(value) < _MOST for value in found.values()
    )


def incident(row: Sequence[Any]) -> bool:
    """Judge a row of `INCIDENT_COLUMNS`."""
    try:
        incident_of(row)
    except ValueError:
        return False
    return True


def incident_of(row: Sequence[Any]) -> Incident:
    """Return the incident of a row of `INCIDENT_COLUMNS`.

    Raises:
        ValueError: the row is not sound.
    """
    values: dict[str, Any] = dict(zip(INCIDENT_COLUMNS, row, strict=True))
    for name in _JSON:
        found = parsed(values[name])
        if not isinstance(found, list):
            raise ValueError(f"{name} is no list")
        values[name] = tuple(found)
    ends = [values[name] for name in ("acknowledged_at", "resolved_at")]
    sound = (
        all(is_text(values[name]) for name in _TEXTS)
        and all(map(is_text, values["receivers"]))
        and bool(values["reached"])
        and all(one in SEVERITIES for one in (values["severity"], *values["reached"]))
        and is_time(values["started_at"])
        and all(end is None or is_time(end) for end in ends)
        and is_count(values["reopened"])
        and all(values[name] in (0, 1) for name in _FLAGS)
    )
    if not sound:
        raise ValueError("a value is out of its range")
    for name in _FLAGS:
        values[name] = bool(values[name])
    values["alerts"] = tuple(_alert_state(kept) for kept in values["alerts"])
    values["past"] = tuple(_spell(kept) for kept in values["past"])
    return Incident(**values)


def _alert_state(kept: Any) -> AlertState:
    """Return an alert's state; older versions kept fewer fields, newer ones may keep more."""
    if not isinstance(kept, Mapping):
        raise ValueError("no state of an alert")
    found: dict[str, Any] = {k: value for k, value in kept.items() if k in _STATE_FIELDS}
    held_by, told = found.get("held_by", ()), found.get("told")
    sound = (
        all(is_text(found.get(name)) for name in ("fingerprint", "severity"))
        and is_text(found.get("suppressed", ""))
        and isinstance(found.get("firing"), bool)
        and is_time(found.get("starts_at"))
        and all(_is_time_or_none(found.get(name)) for name in _STATE_TIMES)
        and isinstance(held_by, (list, tuple))
        and all(map(is_text, held_by))
        and (told is None or isinstance(told, list))
    )
    if not sound:
        raise ValueError("a value of an alert is out of its range")
    found["held_by"] = tuple(held_by)
    if told is not None:
        found["told"] = tuple(map(_told, told))
    return AlertState(**found)


def _spell(kept: Any) -> Spell:
    match kept:
        case [start, end, str(severity)] if is_time(start) and (is_time(end) or end == math.inf):
            return start, end, severity
    raise ValueError("no time of an alert")


def _told(kept: Any) -> Told:
    if not isinstance(kept, Mapping):
        raise ValueError("nothing of a receiver")
    sound = (
        all(is_text(kept.get(name)) for name in ("receiver", "integration"))
        and all(is_text(kept.get(name, "")) for name in ("why", "by"))
        and all(_is_time_or_none(kept.get(name)) for name in ("at", "until"))
    )
    if not sound:
        raise ValueError("a value of a receiver is out of its range")
    known = {f.name for f in fields(Told)}
    found = {name: value for name, value in kept.items() if name in known}
    return Told(**found | {"state": ToldState(kept.get("state", ""))})


def _is_time_or_none(value: Any) -> bool:
    return value is None or is_time(value)


Test = Callable[[Sequence[Any]], bool]
TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Test]] = {
    "meta": (("name",), ("name", "value"), meta),
    "services": (("service",), ("service", "raw"), service),
    "states": (("service",), ("service", "state"), state),
    "incidents": (("id",), INCIDENT_COLUMNS, incident),
    "incident_sums": (
        ("service", "environment", "provider"),
        ("service", "environment", "provider", "value"),
        sums,
    ),
    "incident_counted": (("id",), ("id", "text"), counted),
    "incidents_to_count": (("id",), ("id",), action),
    "absorbed": (("id",), ("id", "incident"), action),
    "timeline": (("id",), ("incident", "at", "kind", "by", "note"), timeline_entry),
    "actions": (("incident", "rule"), ("incident", "rule"), action),
    "heard": (("what",), ("what", "at"), contact),
    "past_sums": (
        ("service", "environment", "provider", "what"),
        ("service", "environment", "provider", "what", "value"),
        past_sum,
    ),
    "notifications": (
        ("entry", "group_key"),
        ("entry", "group_key", "id", "at", "alerts", "unsure"),
        notification,
    ),
    "told": (
        ("entry", "fingerprint"),
        ("entry", "fingerprint", "alert", "at", "sent_at", "ended_at"),
        told,
    ),
}
"""Tables that are looked through at the start: key, columns, and the test of a row of columns."""
