"""A scripted prober and a stage for the tests of everything that runs on a schedule."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from exporter.config import Target
from exporter.model import Outcome, Reason, Result, Shortage
from exporter.probers import Endpoint
from exporter.schedule import Network as AsksNetwork
from exporter.schedule import Observer, Scheduler
from tests.fakes import make_endpoint, service_target, settle

FOREVER = 1e9
Script = Callable[[int], Outcome | Exception]


class QuickClock:
    """A clock moved by `advance` that gives the loop few rounds per sleeper: for whole days."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._start, self._tick = now - 1000.0, 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self._start + self._tick

    def tick(self) -> float:
        return self._tick

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        at = self._tick + max(0.0, seconds)
        heapq.heappush(self._sleepers, (at, next(self._numbers), done))
        await done

    def jump(self, seconds: float) -> None:
        """Let *seconds* pass in which nothing could run."""
        self._tick += seconds

    async def advance(self, seconds: float, rounds: int = 6) -> None:
        """Let *seconds* pass: sleepers wake in the order of their time."""
        end = self._tick + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._tick = max(self._tick, self._sleepers[0][0])
            while self._sleepers and self._sleepers[0][0] <= self._tick:
                done = heapq.heappop(self._sleepers)[2]
                if not done.done():
                    done.set_result(None)
            await settle(rounds)
        self._tick = end
        await settle()


def outcome(reason: Reason = Reason.OK, **more: Any) -> Outcome:
    """Return an outcome of 100 ms."""
    return Outcome(reason=reason, **({"duration": 0.1} | more))


def target(id_: str = "api", **changes: Any) -> Target:
    """Return a target on a host of its own, probed every 30 s."""
    host = changes.pop("host", f"{id_}.example")
    endpoint = make_endpoint(f"https://{host}/{id_}", shown=id_)
    return service_target(id_, **({"endpoint": endpoint, "host": host, "interval": 30.0} | changes))


class ScriptedProber:
    """Answers by script and takes time on the clock; notes the start of every request."""

    def __init__(self, clock: QuickClock) -> None:
        self.clock = clock
        self.script: Script = lambda number: outcome()
        self.takes: Callable[[str], float] = lambda service: 0.0
        self.starts: list[tuple[str, float]] = []
        self.timeouts: list[float] = []
        self.ends: list[float] = []
        self.running: dict[str, int] = {}
        self.most_at_once: dict[str, int] = {}

    async def probe(self, endpoint: Endpoint) -> Outcome:
        service = endpoint.shown
        self.starts.append((service, self.clock.tick()))
        self.timeouts.append(endpoint.timeout)
        number = len(self.starts)
        now = self.running[service] = self.running.get(service, 0) + 1
        self.most_at_once[service] = max(now, self.most_at_once.get(service, 0))
        try:
            if seconds := self.takes(service):
                await self.clock.sleep(seconds)
            answer = self.script(number)
        finally:
            self.running[service] -= 1
            self.ends.append(self.clock.tick())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ticks(self, service: str = "api") -> list[float]:
        """Return when requests of *service* began."""
        return [at for name, at in self.starts if name == service]


class Network:
    """Our own network: up unless told otherwise; notes what it was asked."""

    def __init__(self) -> None:
        self.online = True
        self.asked: list[float] = []
        self.answered = asyncio.Event()
        self.answered.set()

    async def confirm(self, since: float) -> bool:
        self.asked.append(since)
        await self.answered.wait()
        return self.online


@dataclass
class Stage:
    """A running scheduler with everything around it scripted."""

    clock: QuickClock = field(default_factory=QuickClock)
    jitter: float = 0.5

    def __post_init__(self) -> None:
        self.prober = ScriptedProber(self.clock)
        self.network = Network()
        self.results: list[Result] = []
        self.recorded: list[Target] = []
        self.lags: list[float] = []
        self.bug: Exception | None = None
        self.shortages: list[Shortage] = []
        self.scheduler = Scheduler(
            self.prober,
            self.clock,
            self.record,
            self.asked_network(),
            Observer(lag=self.lags.append, shortage=self.shortages.append),
            jitter=lambda: self.jitter,
        )

    def asked_network(self) -> AsksNetwork:
        """Return what the scheduler asks about our own network."""
        return self.network

    def record(self, target: Target, result: Result) -> None:
        if self.bug is not None:
            raise self.bug
        self.recorded.append(target)
        self.results.append(result)

    async def run(self) -> None:
        await self.scheduler.run()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.run())
        await settle()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def put(self, *targets: Target) -> None:
        self.scheduler.put(targets)

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    @property
    def reasons(self) -> list[Reason]:
        return [result.reason for result in self.results]


def reasons(*wanted: Reason, then: Reason = Reason.OK) -> Script:
    """Return a script of *wanted* reasons in turn, and *then* for ever."""
    return lambda number: outcome(wanted[number - 1] if number <= len(wanted) else then)


def gaps(ticks: list[float]) -> list[float]:
    """Return the seconds between neighbours."""
    return [later - earlier for earlier, later in itertools.pairwise(ticks)]


def most_in_window(ticks: list[float], seconds: float) -> int:
    """Return the largest number of *ticks* in any window of *seconds*, its end not included."""
    return max(
        (sum(start <= at < start + seconds for at in ticks[i:]) for i, start in enumerate(ticks)),
        default=0,
    )
