"""A writer killed at any moment has written everything that it said it had."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from exporter.secret import Secret
from exporter.store import Store, Vault
from tests.fakes import FakeClock

KILLS, SECONDS = 30, 20.0

# Says "w <n>" when write n is done. Each write is one of all kinds, the number in each.
_WRITER = """
import sys
from pathlib import Path
from exporter.clock import SystemClock
from exporter.results import Bucket
from exporter.model import Reason
from exporter.secret import Secret
from exporter.store import Store, Vault
store = Store.open(Path(sys.argv[1]), SystemClock(), Vault(sys.argv[2]))
assert store.moved_aside is None
for n in range(int(sys.argv[3]), 10**9):
    name = f"s{n % 7}"
    with store.atomic():
        store.put_service(name, {"n": n})
        store.audit(n, "writer", "put", name)
    store.put_key(name, Secret(f"key-{n}"), at=n)
    store.save_states({f"s{i}": {"n": n} for i in range(50)})
    if n % 10 == 0:
        store.rotate()
    print(n, flush=True)
"""


def acknowledged(place: Path, key: str, first: int) -> int:
    """Run the writer from *first* on, kill it at some moment, return the last it said."""
    command = [sys.executable, "-c", _WRITER, str(place), key, str(first)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, bufsize=0) as writer:
        assert writer.stdout is not None
        opening = random.random() < 0.2
        out = b"" if opening else writer.stdout.readline()
        timer = threading.Timer(random.uniform(0.0, 0.4 if opening else 0.2), writer.kill)
        timer.start()
        rest, errors = writer.communicate()
        timer.join()
    assert errors == b""
    assert writer.returncode == -9
    lines = (out + rest).split(b"\n")[:-1]
    return int(lines[-1]) if lines else first - 1


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_that_it_acknowledged(
    tmp_path: Path, clock: FakeClock
) -> None:
    key = Fernet.generate_key().decode()
    place, last, kills = tmp_path / "data", -1, 0
    until = time.monotonic() + SECONDS

    while kills < KILLS and time.monotonic() < until:
        last = acknowledged(place, key, last + 1)
        kills += 1

        store = Store.open(place, clock, Vault(key))
        services, keys, states = store.services(), store.keys(), store.states()
        audited = {entry.at for entry in store.audit_entries(limit=10**6)}
        store.close()
        assert store.moved_aside is None
        newest = max((raw["n"] for raw in services.values()), default=-1)
        assert last <= newest <= last + 1
        assert audited == set(range(newest + 1))
        for n in range(max(0, last - 6), last + 1):
            assert services[f"s{n % 7}"]["n"] in (n, n + 7)
            assert keys[f"s{n % 7}"].secret in (Secret(f"key-{n}"), Secret(f"key-{n + 7}"))
        assert all(state["n"] in (last, last + 1) for state in states.values())

    assert last > kills / 2 > 2
