"""Faults of a real network around one exporter: what it says of each, and of the rest.

Three cables lead from the exporter's namespace: `way`, on which the faults are, `slow`, which
carries 64 kbit/s, and `calm`, which nothing happens to. Then our name server falls silent, and then
the cable `way` is pulled, on our side and on the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from tests.dns import NameServer
from tests.test_process import Process, serving
from tests.torture.places import Place, cable
from tests.vendor import Vendor, answer

TITLE = "Faults of a real network around one exporter"
FLEET, FLEET_SIZE = "11.0.0.1", 50
SILENT, WALL, LOSSY, NAMES = "11.0.0.2", "11.0.0.4", "11.0.0.5", "11.0.0.53"
BLACKHOLE, PROHIBIT, UNREACHABLE = "11.0.1.1", "11.0.1.2", "11.0.1.3"
CALM, SLOW = "12.0.0.1", "13.0.0.1"
DELAY_SECONDS = 0.05
"""Of every answer on the cable `calm`."""
LONG, TOO_LONG = b"x" * 6_000, b"x" * 60_000
"""Bodies that 64 kbit/s carry in 0.75 s and in 7.5 s; the time limit is 3 s."""
LOSS_PERCENT = 30
_LOSS = f"numgen random mod 100 < {LOSS_PERCENT}"
_FROM_US = f"ip daddr {LOSSY} {_LOSS}"
_NO_NAMES = "udp dport 53"
_NO_NEIGHBOUR = f"neigh replace {SILENT} lladdr 02:00:00:00:00:99 dev way nud permanent"
HEALTHY = "fleet", "named", "calm"
"""What answers before the faults begin."""
OURS = *HEALTHY, "slow", "prohibit", "blackhole"
"""Of what happens to these nothing is the provider's fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Services `name0` and on at *url*: how their probes may end, and with which verdicts."""

    url: str
    reasons: frozenset[str]
    verdicts: frozenset[str]
    count: int = 2
    seconds: int = 1
    """Interval and time limit."""


def _fault(url: str, ends: str, count: int = 2, seconds: int = 1) -> Fault:
    """Return a fault from *ends*: "ok timeout, ok provider" are reasons and verdicts."""
    reasons, verdicts = (frozenset(side.split()) for side in ends.split(","))
    return Fault(url, reasons, verdicts, count, seconds)


FAULTS: Mapping[str, Fault] = {
    "fleet": _fault(f"http://{FLEET}/", "ok, ok", FLEET_SIZE),
    "named": _fault("http://api.test/", "ok, ok", 4),
    "calm": _fault(f"http://{CALM}/", "ok, ok", 4),
    "refused": _fault(f"http://{FLEET}:9/", "connect, provider"),
    "silent": _fault(f"http://{SILENT}/", "timeout, provider"),
    "unreachable": _fault(f"http://{UNREACHABLE}/", "connect, provider"),
    "prohibit": _fault(f"http://{PROHIBIT}/", "connect, network"),
    "blackhole": _fault(f"http://{BLACKHOLE}/", "connect, network"),
    "wall": _fault(f"http://{WALL}/long", "timeout, provider"),
    "lossy": _fault(f"http://{LOSSY}/", "ok timeout, ok provider", 10, 3),
    "slow": _fault(f"http://{SLOW}/long", "ok, ok", 1, 3),
    "crawling": _fault(f"http://{SLOW}/too-long", "timeout, provider", 1, 3),
}
DNS_DROPPED = {"named": _fault("", "dns, network", 4)}
"""What is different while our name server is silent."""
OFFLINE = {
    name: _fault("", f"{reasons}, network", FAULTS[name].count)
    for name, reasons in (
        ("fleet", "connect timeout"),
        ("named", "dns"),
        ("refused", "connect timeout"),
        ("silent", "connect timeout"),
        ("wall", "connect timeout"),
        ("unreachable", "connect"),
    )
}
"""What is different while the cable `way` is pulled."""


def _configuration() -> str:
    services = []
    for name, fault in FAULTS.items():
        time = f"{fault.seconds}s"
        check = {"interval": time, "timeout": time, "body_limit": 100_000}
        services += [
            {"id": f"{name}{i}", "base_url": fault.url, "health_check": check}
            for i in range(fault.count)
        ]
    canary = {"url": f"http://{FLEET}/canary", "interval": "1s", "timeout": "1s"}
    return json.dumps(
        {
            "defaults": {"health_check": {"retries": 0}},
            "canaries": [{**canary, "expected_status_codes": [200]}],
            "services": services,
        }
    )


# -- the network -----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _network(here: Place, there: Place) -> AsyncIterator[NameServer]:
    theirs = (FLEET, WALL, LOSSY, NAMES)
    cable(here, there, "way", ["11.0.0.100/24"], [f"{one}/24" for one in theirs])
    cable(here, there, "calm", ["12.0.0.100/24"], [f"{CALM}/24"])
    cable(here, there, "slow", ["13.0.0.100/24"], [f"{SLOW}/24"])
    here.ip(
        f"route add blackhole {BLACKHOLE}",
        f"route add prohibit {PROHIBIT}",
        f"route add unreachable {UNREACHABLE}",
    )
    there.tc("qdisc add dev slow root tbf rate 64kbit burst 2kb latency 2s")
    listening = [there.bound(one, 80) for one in (FLEET, WALL, LOSSY, SLOW)]
    async with (
        Vendor(sockets=listening) as vendor,
        Vendor(sockets=[there.bound(CALM, 80)]) as calm,
        NameServer(there.bound(NAMES, 53, socket.SOCK_DGRAM)) as names,
    ):
        calm.on("/", answer(head_delay=DELAY_SECONDS))
        names.names["api.test"] = [FLEET]
        for path, body in (("/", b""), ("/canary", b""), ("/long", LONG), ("/too-long", TOO_LONG)):
            vendor.on(path, answer(body=body))
        yield names


def _break(here: Place, there: Place) -> None:
    """Begin the faults of addresses."""
    here.ip(_NO_NEIGHBOUR)
    here.drop(f"ip saddr {WALL} ip length > 300", f"ip saddr {LOSSY} {_LOSS}")
    there.drop(_FROM_US)


# -- what the exporter says ------------------------------------------------------------------


@dataclass(slots=True)
class Said:
    """Of each service: results by reason, the verdict now, bad events, and its probes' time."""

    results: dict[str, Counter[str]] = field(default_factory=dict)
    verdict: dict[str, str] = field(default_factory=dict)
    bad: dict[str, float] = field(default_factory=dict)
    latency: dict[str, list[float]] = field(default_factory=dict)
    """Sum of seconds and number of the good ones."""


def _label(line: str, name: str) -> str:
    return line.partition(f'{name}="')[2].partition('"')[0]


async def said(running: Process) -> Said:
    """Return what the metrics say."""
    found = Said()
    for line in (await running.get("/metrics")).splitlines():
        family, service = line.partition("{")[0], _label(line, "service")
        if not service or line.startswith("#"):
            continue
        value = float(line.rsplit(" ", 1)[1])
        if family == "probe_results_total":
            found.results.setdefault(service, Counter())[_label(line, "reason")] = int(value)
        elif family == "service_verdict" and value:
            found.verdict[service] = _label(line, "verdict")
        elif family == "service_sli_bad_events_total" and _label(line, "slo") == "availability":
            found.bad[service] = value
        elif family == "probe_latency_seconds_sum":
            found.latency.setdefault(service, [0.0, 0.0])[0] = value
        elif family == "probe_latency_seconds_count":
            found.latency.setdefault(service, [0.0, 0.0])[1] = value
    return found


def _mean(before: Said, after: Said, name: str) -> float:
    """Return the mean seconds of the good probes of *name* between the two."""
    pairs = [(before.latency.get(one, [0.0, 0.0]), after.latency[one]) for one in _ids(name)]
    seconds, number = (sum(new[i] - old[i] for old, new in pairs) for i in (0, 1))
    return seconds / number


def _ids(name: str) -> list[str]:
    return [f"{name}{i}" for i in range(FAULTS[name].count)]


def _wrong(before: Said, now: Said, faults: Mapping[str, Fault]) -> dict[str, Any]:
    """Return which services did not end as they must since *before*, or have a wrong verdict."""
    wrong: dict[str, Any] = {}
    for name, fault in faults.items():
        for service in _ids(name):
            new = now.results[service] - before.results[service]
            # A machine too busy to run the exporter shows nothing; that is asked for in the end.
            reasons, verdict = frozenset(new) - {"internal"}, now.verdict.get(service, "")
            if not reasons or not reasons <= fault.reasons or verdict not in fault.verdicts:
                wrong[service] = dict(new), verdict
    return wrong


def _bad(before: Said, now: Said, name: str) -> float:
    """Return how many bad events were counted against the providers of *name* since *before*."""
    return sum(now.bad.get(one, 0.0) - before.bad.get(one, 0.0) for one in _ids(name))


async def _until(running: Process, true: Callable[[Said], bool], seconds: float = 20.0) -> Said:
    """Return the first that is *true*, or the last one."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not true(now := await said(running)) and loop.time() < end:
        await asyncio.sleep(0.2)
    return now


async def _phase(running: Process, faults: Mapping[str, Fault]) -> tuple[Said, Said]:
    """Wait until the verdicts are those of *faults* and then for a new result of each service.

    Raises:
        AssertionError: a reason or a verdict is another.
    """
    before = await _until(running, lambda now: _verdicts_are(now, faults))
    after = await _until(running, lambda now: not _wrong(before, now, faults))
    wrong = _wrong(before, after, faults)
    assert not wrong, wrong
    return before, after


def _verdicts_are(now: Said, faults: Mapping[str, Fault]) -> bool:
    return all(
        now.verdict.get(service, "") in fault.verdicts
        for name, fault in faults.items()
        for service in _ids(name)
    )


async def network(folder: Path, *, full: bool = False) -> dict[str, str | float]:
    """Return what the faults of a network did to the probes; *full* goes through more of them.

    Raises:
        AssertionError: a fault has another reason or verdict than it must have, a provider was
            blamed for ours, or a service that nothing happened to is slower.
    """
    config, resolv = folder / "services.yaml", folder / "resolv"
    config.write_text(_configuration())
    resolv.write_text(f"nameserver {NAMES}\n")
    healthy = {name: _fault("", "ok, ok", FAULTS[name].count) for name in HEALTHY}
    with Place() as here, Place() as there:
        async with (
            _network(here, there),
            serving(
                config,
                prefix=here.command(resolv=resolv),
                connector=here.connector(),
                log_level="info",
            ) as running,
        ):
            assert running.process.returncode is None, running.log.decode()
            start, quiet = await _phase(running, healthy)
            figures = await _faults(running, here, there, full=full)
            end = await said(running)
            held = await running.sample('exporter_probe_shortages_total{what="loop"}') or 0.0
    assert sum(counts["internal"] for counts in end.results.values()) <= held
    slow, true = (_mean(one, other, "calm") for one, other in ((quiet, end), (start, quiet)))
    assert slow - DELAY_SECONDS < max(0.02, 5 * (true - DELAY_SECONDS)), (slow, true)
    blamed = sum(_bad(start, end, name) for name in OURS)
    assert blamed == 0, {name: _bad(start, end, name) for name in OURS}
    return figures | {
        "seconds of an untouched service, true": DELAY_SECONDS,
        "without faults": round(true, 4),
        "with faults": round(slow, 4),
        "probes that a busy machine held": held,
        "events counted against providers for faults of ours": blamed,
    }


async def _faults(
    running: Process, here: Place, there: Place, *, full: bool
) -> dict[str, str | float]:
    """Go through the faults one after the other."""
    _break(here, there)
    _, broken = await _phase(running, FAULTS)
    quick = {name: fault for name, fault in FAULTS.items() if fault.seconds == 1}
    there.drop(_NO_NAMES, _FROM_US)
    await _phase(running, {**quick, **DNS_DROPPED})
    there.drop(_FROM_US)
    if full:
        await _phase(running, quick)
    here.ip("link set way down")
    _, pulled = await _phase(running, {**quick, **OFFLINE})
    here.ip("link set way up", _NO_NEIGHBOUR)  # forgotten with the cable
    await _phase(running, quick)
    if full:
        there.ip("link set way down")
        _, pulled = await _phase(running, {**quick, **OFFLINE})
    lossy = sum((broken.results[service] for service in _ids("lossy")), Counter[str]())
    verdicts = Counter(pulled.verdict[service] for service in _ids("fleet"))
    return {
        "kinds of fault": len(FAULTS) + 2,
        f"answers of {LOSS_PERCENT} % loss": lossy["ok"] / lossy.total(),
        "fleet of 50 with the cable pulled, verdict network": verdicts["network"],
        "verdict provider": verdicts["provider"],
    }


def run() -> dict[str, str | float]:
    """Return the figures; see `network`."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(network(Path(folder), full=True))
