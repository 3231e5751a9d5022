"""Kill -9 at every write of what checks of models cost; no cap may be passed by a cent.

A month of checks on a clock of our own, in one process after the other: strace kills each at the
N-th call that writes the store, or it is killed when the vendor is asked or has been paid. What the
vendor really took is in a file that nothing of ours reads. After each kill a copy of the store is
opened as a restart does it, and the next process goes on with what was left, half done as it is.

The processes and who starts them run under one strace, which counts the calls of each by itself
but kills all at the same number: a process first makes harmless calls, as many as bring the one
that shall be its last to that number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from exporter.config import UNITS, Configuration, Target, make_target, read_text
from exporter.model import Outcome, Reason
from exporter.models import CheckRefusedError, ModelChecks, ModelStates
from exporter.probers import Endpoint
from exporter.probers.streaming import Streamed
from exporter.registry import RegistryChange
from exporter.store import Store
from exporter.store.directory import DATABASE, PARTS
from exporter.streams import Reading, StreamProtocol, Usage, protocol
from tests.fakes import FakeClock
from tests.programs import program
from tests.torture.storage import MEMORY
from tests.torture.writer import Inline

TITLE = "kill -9 while checks of models are paid"
MONTH_BEGINS = 1_798_761_600.0
"""2027-01-01T00:00:00Z."""
MONTH_SECONDS = 31 * 86_400.0
BETWEEN_SECONDS = 14_400.0
_INTO_THE_NEXT = 2 * 86_400.0
"""A month begins with nothing spent."""
_CHECKS = 2
"""Of a process whose last call never comes."""
_MOST_TRIES = 3
"""Processes for each kill: some end before the call that shall be their last."""
_WRITES = ("pwrite64", "fdatasync")
_STEPS = ("asked", "paid")
"""Moments that are no write: the vendor is asked, the vendor took its money."""
_CONFIG = """
budgets: {model_checks: {day: 0.0007, month: 0.012}}
services:
  - id: shop
    provider: openai
    api_key: sk-0123456789012345678901234567890123456789
    models:
      - {id: gpt-4o, price: {input: 1, output: 2}, budget: {day: 0.0005, month: 0.008}}
      - {id: gpt-4.1, price: {input: 1, output: 2}, budget: {day: 0.0005}}
"""
"""One check costs at most 0.000123: every cap is met."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a process is killed: at the *number*-th of *what*."""

    what: str
    number: int
    last: int = 0
    """The number of the call at which strace kills; 0 where the process does it itself."""


@dataclass(slots=True)
class Result:
    """What a run found; money in units."""

    kills: int = 0
    by: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    """That the vendor was paid for."""
    refused: int = 0
    """That no budget had room for."""
    months: int = 0
    """That came to their end."""
    wrong: list[str] = field(default_factory=list)


# -- a process that is killed ------------------------------------------------------------------


class _Vendor:
    """Takes money: what it took is in a file, by the day on which it was asked."""

    def __init__(self, folder: Path, clock: FakeClock, end: End, seed: int) -> None:
        self._clock, self._end, self._random = clock, end, random.Random(seed)
        self._book = os.open(folder / "taken", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._asked = 0

    async def ask(self, endpoint: Endpoint, spoken: StreamProtocol) -> Streamed:
        self._asked += 1
        self._dies("asked")
        model = json.loads(endpoint.body or b"{}")["model"]
        usage = Usage(input=self._random.randint(1, 91), output=self._random.randint(1, 16))
        taken = ((usage.input or 0) + 2 * (usage.output or 0)) * UNITS // 1_000_000
        self.note("took", model, taken)
        self._dies("paid")
        counted = usage if self._random.random() < 0.8 else Usage()
        return Streamed(
            outcome=Outcome(reason=Reason.OK, status=200),
            reading=Reading(first_text=0.5, last_text=0.5, usage=counted, events=1),
        )

    def note(self, what: str, model: str, units: int) -> None:
        line = f"{what} {self._clock.now():.0f} {model} {units}\n"
        os.write(self._book, line.encode())

    def _dies(self, moment: str) -> None:
        if (self._end.what, self._end.number) == (moment, self._asked):
            os.kill(os.getpid(), signal.SIGKILL)


async def _live(folder: Path, now: float, end: End, seed: int) -> None:
    """Make checks from the Unix time *now* on, as a process that begins does, until *end*."""
    asyncio.get_running_loop().set_default_executor(Inline())
    clock, states = FakeClock(now), ModelStates()
    vendor = _Vendor(folder, clock, end, seed)
    _approach(folder / "data" / DATABASE, end)
    store = Store.open(folder / "data", clock, None)
    configuration, target = _configured()
    checks = ModelChecks(
        vendor,
        store.model_spend,
        states,
        clock,
        last=lambda service: None,
        network=_Network(),
        spread=lambda name: 0.0,
        remembers=True,
        figures=store.models,
    )
    checks.follow_configuration(configuration)
    checks.restore()
    checks.follow(RegistryChange(added=(target,)))
    for _ in range(_CHECKS):
        for state in states:
            try:
                await checks.check(state, "interval")
            except CheckRefusedError as refused:
                vendor.note(str(refused.skip), state.model.id, 0)
        await clock.advance(BETWEEN_SECONDS)
        vendor.note("passed", "-", 0)
    store.close()


@cache
def _configured() -> tuple[Configuration, Target]:
    configuration = read_text(_CONFIG, "torture.yaml", {})
    (declared,) = configuration.services
    return configuration, make_target(declared, {})


class _Network:
    async def confirm(self, since: float) -> bool:
        return True


def _approach(database: Path, end: End) -> None:
    """Make as many harmless calls as are missing between the number of *end* and its last."""
    with database.open("ab") as file:
        for _ in range(end.last - end.number):
            if end.what == "pwrite64":
                os.pwrite(file.fileno(), b"", 0)
            else:
                os.fdatasync(file.fileno())


# -- who starts the processes ------------------------------------------------------------------


@dataclass(slots=True)
class _Taken:
    """What the vendor knows."""

    at: float = MONTH_BEGINS
    """The Unix time of the last thing that it, or the process, noted."""
    sums: Counter[str] = field(default_factory=Counter)
    """By the name of an account."""
    checks: int = 0
    refused: int = 0


def _taken(folder: Path) -> _Taken:
    found = _Taken()
    lines = (folder / "taken").read_text().splitlines() if (folder / "taken").exists() else []
    for line in lines:
        what, at, model, number = line.split()
        found.at = max(found.at, float(at))
        found.refused += what.startswith("budget")
        if what == "took":
            found.checks += 1
            found.sums.update(dict.fromkeys(_accounts(float(at), model), int(number)))
    return found


def _accounts(at: float, model: str) -> Iterator[str]:
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    for period in (day, day[:7]):
        yield f"{period} USD *"
        yield f"{period} USD shop {model}"
    yield f"total USD shop {model}"


_CAPS = {
    (10, "*"): 0.0007,
    (7, "*"): 0.012,
    (10, "gpt-4o"): 0.0005,
    (7, "gpt-4o"): 0.008,
    (10, "gpt-4.1"): 0.0005,
}
"""Those of the configuration, by the length of the period's name and by whose it is."""


def _cap(account: str) -> int | None:
    period, *_, whose = account.split()
    amount = _CAPS.get((len(period), whose))
    return None if amount is None else int(amount * UNITS)


def _judge(folder: Path, taken: _Taken) -> Iterator[str]:
    """Yield what is wrong with what a restart finds."""
    copy = folder / "copy"
    shutil.copytree(folder / "data", copy)
    Store.open(copy, FakeClock(taken.at), None).close()
    with contextlib.closing(sqlite3.connect(copy / DATABASE)) as db:
        rows: dict[str, int] = dict(db.execute("SELECT account, units FROM model_spend"))
        (reserved,) = db.execute("SELECT count(*) FROM model_reservations").fetchone()
    shutil.rmtree(copy)
    if reserved:
        yield f"{reserved} reserved for ever"
    for account, units in rows.items():
        cap = _cap(account)
        if cap is not None and units > cap:
            yield f"{account}: {units} is more than {cap}"
    for account, units in taken.sums.items():
        is_counted = account.startswith("total") or _cap(account) is not None
        if is_counted and units > rows.get(account, 0):
            yield f"{account}: the vendor took {units}, {rows.get(account, 0)} are counted"
    yield from _differences(rows)


def _differences(rows: dict[str, int]) -> Iterator[str]:
    """Yield whether the days, the months and the totals are not the same sum."""
    sums = Counter[str]()
    for account, units in rows.items():
        period, _, whose = account.partition(" ")
        if period == "total":
            sums["totals"] += units
        elif whose == "USD *":
            sums["days" if len(period) == 10 else "months"] += units
    if len({sums["days"], sums["months"], sums["totals"]}) != 1:
        yield f"the sums differ: {dict(sums)}"


def _ends(writes: dict[str, int], seed: int) -> Iterator[End]:
    """Yield every moment at which a process may end, in rounds, each in another order."""
    last = max(writes.values())
    every = [End(call, n, last) for call, most in writes.items() for n in range(1, most + 1)]
    every += [End(step, n) for step in _STEPS for n in range(1, _CHECKS + 1)]
    order = random.Random(seed)
    while True:
        yield from order.sample(every, len(every))


def _process(folder: Path, now: float, end: End, seed: int) -> int:
    """Run a process until it ends; return how, as `os.waitstatus_to_exitcode` has it."""
    if (pid := os.fork()) == 0:
        try:
            asyncio.run(_live(folder, now, end, seed))
        except BaseException as error:
            print(f"{end}: {error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class _Months:
    """Processes one after the other, through whole months."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.result = folder, Result()
        for model in _configured()[1].models:
            protocol(model.protocol)  # read once, here, for every process
        Store.open(folder / "fresh", FakeClock(MONTH_BEGINS), None).close()
        self._begin()

    def _begin(self) -> None:
        self._now = MONTH_BEGINS
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        shutil.copytree(self._folder / "fresh", self._folder / "data")
        (self._folder / "taken").unlink(missing_ok=True)

    def process(self, end: End, seed: int) -> None:
        """Let a process go on from where the last one was, until *end*."""
        result, how = self.result, _process(self._folder, self._now, end, seed)
        if how == -signal.SIGKILL:
            result.kills += 1
            result.by[end.what] = result.by.get(end.what, 0) + 1
        elif how:
            result.wrong.append(f"{end}: a process ended with {how}")
        taken = _taken(self._folder)
        result.wrong += [f"{end}: {what}" for what in _judge(self._folder, taken)]
        # Where every process ends early the month passes as well.
        self._now = max(taken.at, self._now + BETWEEN_SECONDS / 3)
        if self._now > MONTH_BEGINS + MONTH_SECONDS + _INTO_THE_NEXT:
            result.months += 1
            result.checks += taken.checks
            result.refused += taken.refused
            self._begin()


def drive(folder: Path, writes: dict[str, int], kills: int, seed: int) -> Result:
    """Go through months until *kills* processes were killed and one month is over."""
    months = _Months(folder)
    result = months.result
    for number, end in enumerate(_ends(writes, seed)):
        if result.wrong or (result.kills >= kills and result.months):
            break
        if number > _MOST_TRIES * kills:
            result.wrong.append(f"only {result.kills} of {number} processes were killed")
        months.process(end, seed + number)
    return result


# -- strace ------------------------------------------------------------------------------------


def _traced(folder: Path, output: Path | str, what: Sequence[str], *arguments: str) -> str:
    """Run this module under strace; return what it printed."""
    paths = [word for part in PARTS for word in ("-P", str(folder / "data" / f"{DATABASE}{part}"))]
    tracing = ("-f", "-qq", "-o", str(output), *paths, *what)
    command = [program("strace"), *tracing, sys.executable, "-m", __name__, str(folder)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"strace: {done.stderr[-4000:]}")
    return done.stdout


def _calls(folder: Path) -> dict[str, int]:
    """Return how often an undisturbed process makes each of the calls."""
    folder.mkdir()
    _traced(folder, folder / "calls", ("-e", f"trace={','.join(_WRITES)}"), "{}", "0", "0")
    log = (folder / "calls").read_text()
    return {call: len(re.findall(rf"^\d+ +{call}\(", log, re.MULTILINE)) for call in _WRITES}


def totals(kills: int, seed: int) -> Result:
    """Kill *kills* processes; return what was found."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name)
        writes = _calls(folder / "once")
        calls = ",".join(writes)
        kill = f"inject={calls}:signal=KILL:when={max(writes.values())}"
        (folder / "months").mkdir()
        said = _traced(
            folder / "months",
            "/dev/null",
            ("-e", f"trace={calls}", "-e", kill),
            *(json.dumps(writes), str(kills), str(seed)),
        )
    return Result(**json.loads(said))


def run(kills: int = 1000, seed: int = 1) -> dict[str, float]:
    """Return figures of *kills* kills.

    Raises:
        AssertionError: a cap was passed, or something is reserved for ever.
    """
    found = totals(kills, seed)
    assert not found.wrong, found.wrong
    return {
        "times killed": found.kills,
        **{f"of them at {what}": number for what, number in found.by.items()},
        "months": found.months,
        "checks that were paid for": found.checks,
        "checks that no budget had room for": found.refused,
        "caps passed": 0,
    }


def _main(folder: Path, writes: dict[str, int], kills: int, seed: int) -> None:
    if writes:
        print(json.dumps(asdict(drive(folder, writes, kills, seed))))
        return
    _Months(folder).process(End("", 0), seed)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
