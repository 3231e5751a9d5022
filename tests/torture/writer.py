"""A small program that keeps things in the real store, step by step, and says which step is done.

`work` runs in a process of its own, to be disturbed by faults; `steps` and `snapshot` are also used
by who looks at what is left afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from exporter.incidents import IncidentLog, Query
from exporter.model import Outcome, Reason, Result, Verdict
from exporter.results import Bucket
from exporter.results.failures import Moment, Row
from exporter.results.writing import text_of
from exporter.secret import Secret
from exporter.store import Store, StoreError, Vault
from exporter.store.directory import DATABASE
from exporter.store.schema import STEPS, migrate
from tests.fakes import FakeClock
from tests.incidents.saying import NOW, alert, message

SECRET_KEY = "c2l4dGVlbi1ieXRlcy1tYWRlLXVwLWZvci10ZXN0cyE="
KEYS = tuple(f"sk-SENTINEL-{number}-q7W9xZ2mK4vT8nB1" for number in range(4))
TRIES = 3
"""Of a step, before it is given up."""

Step = Callable[[Store], object]


class Inline(ThreadPoolExecutor):
    """Runs what it is given at once, in this thread: strace counts the calls of each by itself."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


def opened(directory: Path) -> Store:
    return Store.open(directory, FakeClock(NOW), Vault(SECRET_KEY))


def _register(name: str, number: int) -> Step:
    def step(store: Store) -> None:
        with store.atomic():
            store.put_service(name, {"id": name, "base_url": "https://api.example.org"})
            store.put_key(name, Secret(KEYS[number]), at=NOW)
            store.audit(NOW, "ann", "register", name, "f" * 8)

    return step


def _counted(store: Store) -> None:
    with store.atomic():
        store.save_states({f"s{number}": {"n": number, "text": "x" * 300} for number in range(40)})
        rows = [Bucket("a", int(NOW), 3, 1, Reason.TIMEOUT, 0.6, 0.3, b"abc")]
        store.record_history(rows)


def _failed(service: str, *seconds: int) -> Step:
    def step(store: Store) -> None:
        rows = []
        for after in seconds:
            at = NOW + after
            outcome = Outcome(reason=Reason.SERVER_ERROR, request_id=f"req-{after}", status=500)
            made = Result(service=service, at=at, outcome=outcome, verdict=Verdict.PROVIDER)
            rows.append(Row(service, Moment(at, NOW, at + 180), text_of(made)))
        store.failures.put(rows)

    return step


def _said(*alerts: dict[str, Any]) -> Step:
    def step(store: Store) -> None:
        _with_log(store, lambda log: log.receive(message(*alerts)))

    return step


def _acknowledged(store: Store) -> None:
    async def act(log: IncidentLog) -> None:
        found = [one for one in await log.find(Query()) if one.service == "other"]
        if not found[0].acknowledged_by:
            await log.acknowledge(found[0].id, "ann", "looking")

    _with_log(store, act)


def _with_log(store: Store, act: Callable[[IncidentLog], Any]) -> None:
    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(Inline())
        await act(IncidentLog(store.incidents, FakeClock(NOW + 60)))

    asyncio.run(run())


def _removed(store: Store) -> None:
    with store.atomic():
        store.delete_service("b")
        store.delete_key("b")
        store.keep_only({"a"})
        store.failures.keep_only({"a"})


STEPS_OF_WORK: tuple[Step, ...] = (
    _register("a", 0),
    _register("b", 1),
    lambda store: store.put_key("a", Secret(KEYS[2]), at=NOW + 1),
    _counted,
    _failed("a", 0, 60),
    _failed("b", 0),
    _said(alert(NOW), alert(NOW, service="other", severity="high")),
    _acknowledged,
    _said(alert(NOW, NOW + 50)),
    lambda store: store.rotate(),
    lambda store: store.rollback("a"),
    _removed,
    lambda store: store.prune_history(NOW - 900),
)


def snapshot(store: Store) -> str:
    """Return all that is kept, in the same words whichever run it is of."""
    found = store.incidents.find(Query())
    told = [
        (
            one.service,
            str(one.status),
            one.severity,
            one.started_at,
            one.resolved_at,
            one.acknowledged_by,
            [(str(e.kind), e.by) for e in one.timeline],
        )
        for one in found
    ]
    counts = store.incidents.counts(NOW + 10**6)
    return json.dumps(
        {
            "services": store.services(),
            "keys": {name: key.secret.reveal() for name, key in store.keys().items()},
            "audit": [(entry.action, entry.service) for entry in store.audit_entries()],
            "states": store.states(),
            "history": [(*row[:-1], row.levels.hex()) for row in store.history()],
            "failures": [store.failures.texts(name, NOW * 2, 99) for name in ("a", "b")],
            "incidents": sorted(told, key=str),
            "stats": sorted(str(store.incidents.stats())),
            "counts": str((sorted(counts.open.items()), sorted(counts.total.items()))),
        },
        sort_keys=True,
    )


# -- what is there at the beginning ----------------------------------------------------------


def nothing(directory: Path) -> None:
    """Leave the directory missing."""


def an_older_version(directory: Path) -> None:
    """Make the tables of an older version, with something in each that a step changes later."""
    directory.mkdir(mode=0o700)
    db = sqlite3.connect(directory / DATABASE, isolation_level=None)
    migrate(db, STEPS[:4])
    store = opened(directory.with_name("newer"))
    for step in (_register("old", 3), _said(alert(NOW - 9000, NOW - 8000))):
        step(store)
    store.close()
    db.execute("ATTACH ? AS newer", (str(directory.with_name("newer") / DATABASE),))
    for table in ("services", "keys", "audit", "incidents", "timeline"):
        columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
        db.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
    db.close()


def a_damaged_file(directory: Path) -> None:
    """Make a database with many rows, of which a page in the middle is garbage."""
    store = opened(directory)
    for number in range(30):
        store.put_service(f"old{number}", {"id": f"old{number}", "text": "x" * 900})
    store.put_key("old1", Secret(KEYS[3]), at=NOW)
    _said(alert(NOW - 9000, NOW - 8000))(store)
    store.close()
    path = directory / DATABASE
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit_by_service'")
        page = found.fetchone()[0]
    db.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def removed(directory: Path) -> None:
    """Leave it missing; it is removed once more in the middle of the work."""


BEGINNINGS = {one.__name__: one for one in (nothing, an_older_version, a_damaged_file, removed)}
REMOVED_BEFORE = 5
"""The step before which the directory is removed under the open store, if that is wanted."""


# -- the program -----------------------------------------------------------------------------


def work(directory: Path, connection: Connection, remove: bool) -> None:
    """Take every step once allowed to begin; send what was done, what failed and in which words.

    With *remove* somebody removes the directory while it is in use.
    """
    connection.send(("ready",))
    connection.recv()

    def tried(what: str, act: Callable[[], Any]) -> Any:
        for _ in range(TRIES):
            try:
                made = act()
            except StoreError as error:
                connection.send(("failed", what, str(error)))
            else:
                connection.send(("done", what))
                return made
        connection.send(("given up", what))
        raise SystemExit(0)

    try:
        store = tried("open", lambda: opened(directory))
        for number, step in enumerate(STEPS_OF_WORK):
            if remove and number == REMOVED_BEFORE:
                # By a name that strace does not watch: this must not fail.
                os.chdir(directory.parent)
                Path(directory.name).rename(f"{directory.name}.removed")
            tried(str(number), lambda step=step: step(store))  # type: ignore[misc]
        store.close()
        connection.send(("end",))
    except Exception as error:
        connection.send(("broken", repr(error)))
        raise
