"""A real process that is stopped and goes on: nothing of that is held against the provider."""

from __future__ import annotations

import asyncio
import resource
import signal
from pathlib import Path

from tests.test_process import Process, eventually, serving
from tests.vendor import Peer, Seen, Vendor, answer

SERVICES = 40
PROBING = (
    "defaults: {health_check: {interval: 4s, timeout: 2s, retries: 0,"
    " allow_private_addresses: true}}\nservices:\n"
)


async def _slow(peer: Peer, seen: Seen) -> None:
    """Answer after 0.8 s, so that some probe is always under way."""
    await asyncio.sleep(0.8)
    await answer()(peer, seen)


def _write(path: Path, vendor: Vendor, services: int = SERVICES) -> Path:
    lines = [f"  - {{id: s{i}, base_url: '{vendor.url('/')}'}}\n" for i in range(services)]
    path.write_text(PROBING + "".join(lines))
    return path


async def _totals(running: Process) -> dict[str, float]:
    """Return the results of all services by reason, and how many were slower than 2.5 s."""
    totals: dict[str, float] = {"slow": 0.0}
    for line in (await running.get("/metrics")).splitlines():
        if line.startswith("probe_results_total{"):
            reason = line.partition('reason="')[2].partition('"')[0]
            totals[reason] = totals.get(reason, 0.0) + float(line.rsplit(" ", 1)[1])
        if line.startswith("probe_latency_seconds_count"):
            totals["slow"] += float(line.rsplit(" ", 1)[1])
        if line.startswith("probe_latency_seconds_bucket") and 'le="2.5"' in line:
            totals["slow"] -= float(line.rsplit(" ", 1)[1])
    return totals


async def test_a_process_that_was_stopped_blames_nobody_and_does_not_burst(
    tmp_path: Path, vendor: Vendor
) -> None:
    vendor.on("/", _slow)
    async with serving(_write(tmp_path / "services.yaml", vendor)) as running:

        async def works() -> bool:
            return (await _totals(running)).get("ok", 0) >= 2 * SERVICES

        await eventually(works, 30)

        earlier = sum((await _totals(running)).values())
        running.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(5.0)  # the length of the stop: nothing can be asked meanwhile
        before = len(vendor.seen)
        running.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.5)  # the time over which a burst is counted
        burst = len(vendor.seen) - before

        async def all_again() -> bool:
            now = await _totals(running)
            return now.get("internal", 0) >= 1 and sum(now.values()) >= earlier + 2 * SERVICES

        await eventually(all_again, 30)
        totals = await _totals(running)
        held = await running.sample('exporter_probe_shortages_total{what="loop"}')

    assert held
    assert totals["internal"] >= 1
    assert {reason for reason, count in totals.items() if count} == {"ok", "internal"}
    # 40 were due in the stop; a tenth of them is due in half a second of a quiet time
    assert burst < SERVICES / 2


async def test_a_process_without_descriptors_blames_itself_and_recovers(
    tmp_path: Path, vendor: Vendor
) -> None:
    vendor.on("/", answer())
    async with serving(_write(tmp_path / "services.yaml", vendor, 8)) as running:

        async def works() -> bool:
            return (await _totals(running)).get("ok", 0) >= 8

        await eventually(works)
        await running.get("/metrics")  # keeps its connection: another one would need a descriptor
        pid = running.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # What is open stays open; no number below 3 is free for anything new.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))

        async def lacks() -> bool:
            what = 'exporter_probe_shortages_total{what="descriptors"}'
            return (await running.sample(what) or 0) >= 8

        await eventually(lacks, 20)
        verdicts = await running.get("/metrics")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))

        async def recovered() -> bool:
            return (await running.get("/metrics")).count("probe_success{") == 8 and all(
                line.endswith(" 1")
                for line in (await running.get("/metrics")).splitlines()
                if line.startswith("probe_success{")
            )

        await eventually(recovered, 20)
        totals = await _totals(running)

    assert {reason for reason, count in totals.items() if count} == {"ok", "internal"}
    for line in verdicts.splitlines():
        if line.startswith("probe_consecutive_failures{"):
            assert line.endswith(" 0"), line
    assert running.log.count(b"a shortage of our own spoils probes") == 1
