"""Sums over incidents, kept as they change: one row for each service, whatever the incidents.

What only grows (counters, histograms) counts an incident once and never loses it, whatever becomes
of the incident. What describes the incidents that are kept goes up and down with them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from exporter.incidents.acknowledgement import Acknowledgements, figures
from exporter.incidents.model import (
    ACKNOWLEDGE_BUCKETS,
    RESOLVE_BUCKETS,
    SEVERITIES,
    Counts,
    Incident,
    IncidentStatus,
    Row,
    Stats,
    Times,
)

AT_ONCE = 1000
"""Incidents that are counted or removed in one write: others wait for it some milliseconds."""
Numbers = dict[str, float]
_HISTOGRAMS = {"resolve": RESOLVE_BUCKETS, "acknowledge": ACKNOWLEDGE_BUCKETS}
_OPEN, _TOTAL, _WORST = "open ", "total ", "worst "
_LASTING = (_TOTAL, "resolve ", "acknowledge ")
_KEPT = (
    *(f"state {status}" for status in IncidentStatus),
    *(_WORST + severity for severity in SEVERITIES),
    *("acknowledged", "acknowledged seconds", "resolved seconds"),
)


def kept_of(incident: Incident) -> Numbers:
    """Return what *incident* adds to the figures of the incidents that are kept."""
    found: Numbers = {f"state {incident.status}": 1, _WORST + incident.severity: 1}
    if incident.resolved_at is not None:
        found["resolved seconds"] = incident.resolved_at - incident.started_at
    if incident.acknowledged_at is not None:
        found["acknowledged"] = 1
        found["acknowledged seconds"] = incident.acknowledged_at - incident.started_at
    if incident.resolved_at is None:
        found[_OPEN + incident.severity] = 1
        found |= figures(incident)
    return found


def _lasting(incident: Incident, counted: set[str]) -> Numbers:
    """Return what *incident* adds to what only grows, and note in *counted* that it is counted."""
    found: Numbers = {}
    for severity in incident.reached:
        if severity not in counted:
            counted.add(severity)
            found[_TOTAL + severity] = 1
    if incident.acknowledged_at is not None and "acknowledge" not in counted:
        counted.add("acknowledge")
        found |= _observed("acknowledge", incident.acknowledged_at - incident.started_at)
    return found


def _observed(what: str, seconds: float) -> Numbers:
    found = {f"{what} {bound}": 1.0 for bound in _HISTOGRAMS[what] if seconds <= bound}
    return found | {f"{what} count": 1, f"{what} sum": seconds}


class Sums:
    """The sums of one database; those of rows that did not change are in memory."""

    def __init__(self) -> None:
        self._rows: dict[Row, Numbers] | None = None
        self._changed: set[Row] = set()
        self._number = 0
        """Incidents that are kept."""
        self._counts, self._acknowledged = Counts(), Acknowledgements()

    # -- writing, each within one write ------------------------------------------------------

    def note(self, db: sqlite3.Connection, incident: Incident, counted: Iterable[str] = ()) -> None:
        """Count *incident* as it is about to be kept; *counted*: what was counted of its parts."""
        known, changes = self._without(db, incident.id)
        known |= set(counted)
        row = incident.service, incident.environment, incident.provider
        kept = kept_of(incident)
        changes[row] = _plus(changes.get(row, {}), kept, _lasting(incident, known))
        self._add(db, changes)
        text = json.dumps({"counted": sorted(known), "kept": kept})
        db.execute("INSERT OR REPLACE INTO incident_counted VALUES (?, ?)", (incident.id, text))

    def forget(self, db: sqlite3.Connection, id_: str) -> set[str]:
        """Take an incident out of the figures of what is kept; return what was counted of it."""
        counted, changes = self._without(db, id_)
        self._add(db, changes)
        db.execute("DELETE FROM incident_counted WHERE id = ?", (id_,))
        return counted

    def _without(self, db: sqlite3.Connection, id_: str) -> tuple[set[str], dict[Row, Numbers]]:
        """Return what is counted of an incident, and the change that takes it out."""
        asked = (
            "SELECT text, service, environment, provider FROM incident_counted"
            " JOIN incidents USING (id) WHERE id = ?"
        )
        found = db.execute(asked, (id_,)).fetchone()
        if found is None:
            return set(), {}
        text, service, environment, provider = found
        read = json.loads(text)
        minus = {name: -value for name, value in read["kept"].items()}
        return set(read["counted"]), {(service, environment, provider): minus}

    def settle(self, db: sqlite3.Connection, before: float) -> int:
        """Count the times to resolve of some incidents that ended by *before*; return how many.

        An incident is counted once, when it cannot be reopened any more.
        """
        asked = (
            "SELECT id, service, environment, provider, resolved_at - started_at FROM incidents"
            " WHERE settled = 0 AND resolved_at <= ? ORDER BY resolved_at LIMIT ?"
        )
        found = db.execute(asked, (before, AT_ONCE)).fetchall()
        changes: dict[Row, Numbers] = {}
        for _, service, environment, provider, seconds in found:
            row = service, environment, provider
            changes[row] = _plus(changes.get(row, {}), _observed("resolve", seconds))
        self._add(db, changes)
        ids = [(one[0],) for one in found]
        db.executemany("UPDATE incidents SET settled = 1 WHERE id = ?", ids)
        return len(found)

    def _add(self, db: sqlite3.Connection, changes: Mapping[Row, Numbers]) -> None:
        for row, numbers in changes.items():
            if not any(numbers.values()):
                continue
            self._changed.add(row)
            text = json.dumps(_plus(_read(db, row), numbers))
            db.execute("INSERT OR REPLACE INTO incident_sums VALUES (?, ?, ?, ?)", (*row, text))

    def recount(self, db: sqlite3.Connection, incidents: Iterable[Incident]) -> None:
        """Count anew what is kept: some of *incidents*, or of their figures, were damaged.

        What only grows stays as it is.
        """
        rows = dict[Row, Numbers]()
        for *row, value in db.execute("SELECT * FROM incident_sums").fetchall():
            lasting = {n: v for n, v in json.loads(value).items() if n.startswith(_LASTING)}
            rows[row[0], row[1], row[2]] = lasting
        for one in incidents:
            key, kept = (one.service, one.environment, one.provider), kept_of(one)
            rows[key] = _plus(rows.get(key, {}), kept)
            counted, _ = self._without(db, one.id)
            text = json.dumps({"counted": sorted(counted), "kept": kept})
            db.execute("INSERT OR REPLACE INTO incident_counted VALUES (?, ?)", (one.id, text))
        texts = [(*row, json.dumps(numbers)) for row, numbers in rows.items()]
        db.executemany("INSERT OR REPLACE INTO incident_sums VALUES (?, ?, ?, ?)", texts)
        db.execute("DELETE FROM incident_counted WHERE id NOT IN (SELECT id FROM incidents)")
        self._rows = None

    # -- reading -----------------------------------------------------------------------------

    def counts(self, db: sqlite3.Connection) -> Counts:
        """Return the figures of the metrics; only rows that changed are read."""
        rows, changed = self._refreshed(db), self._changed
        if changed:
            taken = self._acknowledged.after(rows, changed)
            self._counts = _counts(self._counts, rows, changed, taken)
            self._changed = set()
        return self._counts

    def kept(self, db: sqlite3.Connection) -> int:
        """Return how many incidents are kept."""
        self._refreshed(db)
        return self._number

    def stats(self, db: sqlite3.Connection) -> Stats:
        """Return the sums over what is kept: as much work as there are services."""
        rows = self._refreshed(db)
        all_: Numbers = {}
        by_service: dict[str, int] = {}
        for (service, _, _), numbers in rows.items():
            kept = _states(numbers)
            if service and kept:
                by_service[service] = by_service.get(service, 0) + kept
            for name in _KEPT:
                all_[name] = all_.get(name, 0) + numbers.get(name, 0)
        number = {status: int(all_.get(f"state {status}", 0)) for status in IncidentStatus}
        taken = int(all_.get("acknowledged", 0))
        return Stats(
            total=sum(number.values()),
            open=number[IncidentStatus.OPEN],
            acknowledged=number[IncidentStatus.ACKNOWLEDGED],
            resolved=number[IncidentStatus.RESOLVED],
            mttr_seconds=_mean(all_.get("resolved seconds", 0), number[IncidentStatus.RESOLVED]),
            mtta_seconds=_mean(all_.get("acknowledged seconds", 0), taken),
            by_severity={
                n.removeprefix(_WORST): int(v)
                for n, v in all_.items()
                if n.startswith(_WORST) and v
            },
            by_service=by_service,
        )

    def _refreshed(self, db: sqlite3.Connection) -> dict[Row, Numbers]:
        if self._rows is None:
            found = db.execute("SELECT service, environment, provider, value FROM incident_sums")
            self._rows = {(s, e, p): json.loads(value) for s, e, p, value in found}
            self._changed.update(self._rows)
            self._number = sum(map(_states, self._rows.values()))
        for row in self._changed:
            former, now = self._rows.get(row, {}), _read(db, row)
            self._number += _states(now) - _states(former)
            self._rows[row] = now
        return self._rows


def _read(db: sqlite3.Connection, row: Row) -> Numbers:
    asked = "SELECT value FROM incident_sums WHERE (service, environment, provider) = (?, ?, ?)"
    found = db.execute(asked, row).fetchone()
    return {} if found is None else dict(json.loads(found[0]))


def _plus(*all_: Mapping[str, float]) -> Numbers:
    found: Numbers = {}
    for numbers in all_:
        for name, value in numbers.items():
            found[name] = found.get(name, 0) + value
    return {name: value for name, value in found.items() if value}


def _states(numbers: Numbers) -> int:
    return int(sum(numbers.get(f"state {status}", 0) for status in IncidentStatus))


def _counts(
    former: Counts, rows: Mapping[Row, Numbers], changed: set[Row], taken: Mapping[Row, bool]
) -> Counts:
    """Return *former* with the figures of the rows that *changed*."""
    open_, total = dict(former.open), dict(former.total)
    times: dict[str, dict[Row, Times]] = {
        "resolve": dict(former.resolve),
        "acknowledge": dict(former.acknowledge),
    }
    for row in changed:
        numbers = rows[row]
        for prefix, found in ((_OPEN, open_), (_TOTAL, total)):
            for severity in SEVERITIES:
                if value := numbers.get(prefix + severity, 0):
                    found[row, severity] = int(value)
                else:
                    found.pop((row, severity), None)
        for what, by_row in times.items():
            if f"{what} count" in numbers:
                by_row[row] = _times(what, numbers)
    # An acknowledged outage of a provider, or of our network, changes rows of other services.
    both = former.acknowledged.keys() | taken.keys()
    covered = {row for row in both if former.acknowledged.get(row) != taken.get(row)}
    return Counts(
        open=open_,
        total=total,
        acknowledged=taken,
        changed=frozenset(changed | covered),
        **times,
    )


def _times(what: str, numbers: Numbers) -> Times:
    return Times(
        buckets=tuple(int(numbers.get(f"{what} {bound}", 0)) for bound in _HISTOGRAMS[what]),
        count=int(numbers[f"{what} count"]),
        sum=numbers.get(f"{what} sum", 0.0),
    )


def _mean(total: float, number: int) -> float | None:
    return total / number if number else None


def adopt(db: sqlite3.Connection, text: Any) -> None:
    """Take over what an older version kept of one row of incidents that are gone."""
    service, environment, provider, what, value = text
    read = json.loads(value)
    if what in _HISTOGRAMS:
        numbers = {
            f"{what} {bound}": n
            for bound, n in zip(_HISTOGRAMS[what], read["buckets"], strict=True)
        } | {f"{what} count": read["count"], f"{what} sum": read["sum"]}
    else:
        numbers = {_TOTAL + what: read}
    row = service, environment, provider
    total = json.dumps(_plus(_read(db, row), numbers))
    db.execute("INSERT OR REPLACE INTO incident_sums VALUES (?, ?, ?, ?)", (*row, total))
