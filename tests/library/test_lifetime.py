"""Start, stop and start again: one loop, nothing left behind, several registries side by side."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter import ServiceRegistry
from exporter.library import SettingsError, UnknownServiceError
from tests.fakes import KEY
from tests.patience import patient, within
from tests.programs import free_port
from tests.vendor import Peer, Seen, Vendor, answer

ROOT = Path(__file__).parent.parent.parent


def config(vendor: Vendor, *names: str, **more: Any) -> dict[str, Any]:
    check = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
    url = vendor.url("").rstrip("/")
    services = [{"id": n, "base_url": f"{url}/{n}", "api_key": KEY} for n in names or ("api",)]
    return {"services": services, "defaults": {"health_check": check}} | more


@pytest.fixture
async def registry(vendor: Vendor) -> AsyncIterator[ServiceRegistry]:
    vendor.on("/api", answer())
    made = ServiceRegistry(config(vendor), variables={})
    yield made
    await made.stop()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def until_probed(registry: ServiceRegistry, name: str = "api") -> dict[str, Any]:
    async with patient(10):
        while (health := registry.get_service_health(name))["last_probe"] is None:
            await asyncio.sleep(0.02)
    return health


# -- dashboard -------------------------------------------------------------------------------


async def test_monitoring_with_a_dashboard(registry: ServiceRegistry) -> None:
    before = registry.dashboard_url

    await registry.start_all_monitoring(dashboard_port=0)
    await until_probed(registry)
    url = registry.dashboard_url
    page, health, metrics = [await get(f"{url}{p}") for p in ("/", "/api/health", "/metrics")]
    await registry.stop()

    assert before is registry.dashboard_url is None
    assert url is not None
    assert url.startswith("http://127.0.0.1:")
    assert (page[0], health[0], metrics[0]) == (200, 200, 200)
    assert '"api"' in health[1]
    assert 'probe_success{service="api"' in metrics[1]
    assert "api" in page[1]
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(url)


async def test_a_dashboard_alone_asks_nobody(vendor: Vendor, registry: ServiceRegistry) -> None:
    url = await registry.start_dashboard(port=0)
    status, health = await get(f"{url}/api/health")
    await asyncio.sleep(1.5)  # longer than an interval; nothing shall come, so nothing says when

    assert (status, '"unknown": 1' in health) == (200, True)
    assert vendor.seen == []


async def test_a_dashboard_stops_and_starts_again(registry: ServiceRegistry) -> None:
    first = await registry.start_dashboard(port=0)
    with pytest.raises(RuntimeError, match=f"the dashboard is at {first} already"):
        await registry.start_dashboard(port=0)
    await registry.stop_dashboard()
    await registry.stop_dashboard()
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(first)

    second = await registry.start_dashboard(port=0)

    assert (await get(f"{second}/"))[0] == 200


async def test_a_dashboard_that_is_switched_off_leaves_the_api(vendor: Vendor) -> None:
    given = config(vendor, monitoring={"dashboard_enabled": False})
    async with ServiceRegistry(given, variables={}) as registry:
        url = await registry.start_dashboard(port=0)
        page, api, metrics = [await get(f"{url}{p}") for p in ("/", "/api/health", "/metrics")]

    assert page[0] == 404
    assert "monitoring.dashboard_enabled is false" in page[1]
    assert (api[0], metrics[0]) == (200, 200)


async def test_a_dashboard_changes_nothing(registry: ServiceRegistry) -> None:
    url = await registry.start_dashboard(port=0)

    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/api/services", json={"id": "x"}) as response:
            status = response.status
        async with session.get(f"{url}/api/health", headers={"Host": "evil.example"}) as foreign:
            refused = foreign.status

    assert (status, refused) == (403, 421)


@pytest.mark.parametrize("kept", [True, False])
async def test_the_dashboard_has_a_page_for_outsiders_where_it_is_asked_for(
    vendor: Vendor, registry: ServiceRegistry, tmp_path: Path, kept: bool
) -> None:
    vendor.on("/api", answer())
    data = tmp_path if kept else None
    without = await registry.start_dashboard(port=0)
    async with ServiceRegistry(
        config(vendor), data_dir=data, variables={}, public_page=True
    ) as other:
        await until_probed(other)
        url = await other.start_dashboard(port=0)
        shown, feed = [await get(f"{url}/public{tail}") for tail in ("", "/feed.atom")]
    absent = await get(f"{without}/public")

    assert (shown[0], feed[0], absent[0]) == (200, 200, 404)
    assert "Operational" in shown[1]
    assert "public_page=True" in absent[1]


async def test_a_port_that_is_taken_starts_nothing(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    with pytest.raises(OSError, match="in use"):
        await registry.start_all_monitoring(dashboard_port=vendor.port)

    await asyncio.sleep(1.5)  # longer than an interval; nothing shall come, so nothing says when
    assert (registry.dashboard_url, vendor.seen) == (None, [])
    await registry.start_all_monitoring(dashboard_port=free_port())
    await until_probed(registry)


async def test_an_open_page_does_not_hold_up_the_stop(registry: ServiceRegistry) -> None:
    url = await registry.start_dashboard(port=0)
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/events") as stream:
        await stream.content.readany()

        await within(10, registry.stop())


# -- the health monitor ----------------------------------------------------------------------


async def test_the_health_monitor_stops_and_starts_again(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    await registry.health_monitor.start()
    await until_probed(registry)
    await registry.health_monitor.stop()
    before = len(vendor.seen)
    await asyncio.sleep(1.5)  # longer than an interval; nothing shall come, so nothing says when
    stopped = len(vendor.seen)

    checked = await registry.health_monitor.check_service_health("api")
    await registry.health_monitor.start()
    await vendor.until(lambda v: len(v.seen) >= before + 3)

    assert (stopped, checked["success"]) == (before, True)


async def test_a_stop_at_once_after_the_start_holds(
    vendor: Vendor, registry: ServiceRegistry
) -> None:
    await registry.start_all_monitoring()
    await registry.health_monitor.stop()
    await registry.health_monitor.stop()

    await asyncio.sleep(1.5)  # longer than an interval; nothing shall come, so nothing says when

    assert vendor.seen == []


async def test_starting_twice_probes_once(vendor: Vendor, registry: ServiceRegistry) -> None:
    most = open_now = 0

    async def slow(peer: Peer, seen: Seen) -> None:
        nonlocal most, open_now
        open_now += 1
        most = max(most, open_now)
        await answer(head_delay=0.3)(peer, seen)
        open_now -= 1

    vendor.on("/api", slow)
    await registry.start_all_monitoring()
    await registry.start_all_monitoring()
    await registry.health_monitor.start()

    await vendor.until(lambda v: len(v.seen) >= 3)

    assert most == 1


# -- one loop, several registries ------------------------------------------------------------


async def test_services_of_each_environment_are_kept_apart(vendor: Vendor) -> None:
    vendor.on("/production", answer())
    vendor.on("/staging", answer(500))
    given = config(vendor, "production", "staging")
    for service in given["services"]:
        service |= {"environment": service["id"], "name": "Billing"}

    async with ServiceRegistry(given, variables={}) as registry:
        good = await until_probed(registry, "production")
        bad = await until_probed(registry, "staging")
        page = await registry.metrics()

    assert (good["status"], good["environment"]) == ("healthy", "production")
    assert (bad["reason"], bad["environment"]) == ("server_error", "staging")
    assert 'probe_success{service="staging",environment="staging",provider="custom"} 0' in page


async def test_registries_on_one_loop_share_nothing(vendor: Vendor, tmp_path: Path) -> None:
    for name in ("one", "two"):
        vendor.on(f"/{name}", answer(200 if name == "one" else 500))

    async with (
        ServiceRegistry(config(vendor, "one"), variables={}, data_dir=tmp_path / "1") as one,
        ServiceRegistry(config(vendor, "two"), variables={}) as two,
    ):
        urls = [await r.start_dashboard(port=0) for r in (one, two)]
        first, second = await until_probed(one, "one"), await until_probed(two, "two")
        await one.incidents.create_incident("only here", severity="low")
        found = [len(await r.incidents.get_incidents()) for r in (one, two)]
        pages = [await r.metrics() for r in (one, two)]
        await one.stop()
        still = await two.test_service("two")

    assert urls[0] != urls[1]
    assert (first["reason"], second["reason"], still["reason"]) == (
        ("ok", "server_error", "server_error")
    )
    assert found == [1, 0]
    assert ('service="two"' in pages[0], 'service="one"' in pages[1]) == (False, False)
    with pytest.raises(UnknownServiceError):
        one.get_service_health("two")


def test_another_loop_is_refused_in_words(tmp_path: Path) -> None:
    registry = ServiceRegistry({}, variables={})
    first = asyncio.new_event_loop()
    first.run_until_complete(registry.start_all_monitoring())

    with pytest.raises(RuntimeError, match="works on another event loop"):
        asyncio.run(registry.start_all_monitoring())
    with pytest.raises(RuntimeError, match="works on another event loop"):
        asyncio.run(registry.stop())
    with pytest.raises(RuntimeError, match="works on another event loop"):
        asyncio.run(registry.incidents.get_incidents())

    assert registry.get_all_service_health() == []  # reading needs no loop
    first.run_until_complete(registry.stop())
    first.close()


def test_it_works_in_a_loop_of_any_thread() -> None:
    async def life() -> bool:
        async with ServiceRegistry({}, variables={}) as registry:
            return await registry.start_dashboard(port=0) == registry.dashboard_url

    async def both() -> list[bool]:
        there = asyncio.to_thread(asyncio.run, life())
        return list(await asyncio.gather(life(), there))

    assert asyncio.run(both()) == [True, True]


# -- the end ---------------------------------------------------------------------------------


async def test_stopping_twice_or_at_once_is_no_error(vendor: Vendor) -> None:
    vendor.on("/api", answer())
    registry = ServiceRegistry(config(vendor), variables={})
    await registry.start_all_monitoring(dashboard_port=0)

    await asyncio.gather(registry.stop(), registry.stop())
    await registry.stop()


async def test_a_stopped_registry_says_so(vendor: Vendor) -> None:
    registry = ServiceRegistry(config(vendor), variables={})
    health = registry.get_all_service_health()
    await registry.stop()

    for call in (
        registry.start_all_monitoring,
        registry.start_dashboard,
        registry.start_incident_response,
        registry.health_monitor.start,
        registry.metrics,
        lambda: registry.test_service("api"),
        lambda: registry.remove_service("api"),
        lambda: registry.incidents.create_incident("x"),
        registry.get_incident_response().get_incidents,
    ):
        with pytest.raises(RuntimeError, match="was stopped and does not start again"):
            await call()
    await registry.stop_dashboard()
    await registry.health_monitor.stop()
    assert registry.get_all_service_health() == health


async def test_a_block_that_cannot_be_entered_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("services: [{id: NO}]")

    for _ in range(2):  # the second would find the directory locked
        with pytest.raises(SettingsError):
            async with ServiceRegistry(path, data_dir=tmp_path / "data", variables={}):
                pass


async def test_a_fault_of_the_monitoring_is_reported_at_once(
    vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    registry = ServiceRegistry(config(vendor), variables={})
    registry._app.aging.run = _fails  # type: ignore[method-assign]

    await registry.start_all_monitoring()
    async with patient(10):
        while "monitoring has ended by itself" not in caplog.text:
            await asyncio.sleep(0.02)

    with pytest.raises(ZeroDivisionError):
        await registry.stop()
    await registry.stop()


async def _fails() -> None:
    raise ZeroDivisionError


LIFE = """
import asyncio, gc, logging, os, resource, signal, sys, threading
from exporter import ServiceRegistry
URL, DATA = sys.argv[1:]
CHECK = {"interval": "1s", "timeout": "1s", "allow_private_addresses": True}
CONFIG = {
    "defaults": {"health_check": CHECK},
    "services": [{"id": "api", "base_url": URL}, {"id": "b", "base_url": "http://nowhere.invalid"}],
    "canaries": [{"url": URL + "/canary", "interval": "1s", "allow_private_addresses": True}],
}

def state():
    gc.collect()
    return (
        len(os.listdir("/proc/self/fd")),
        sorted(t.name for t in threading.enumerate() if not t.name.startswith("asyncio_") and
               "_run_safe_shutdown_loop" not in t.name),  # of pycares, one for the process
        [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)],
        logging.getLogger().handlers, os.umask(0o22),
        [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
    )

async def life(data):
    incidents = {"webhook_url": URL + "/hook"}
    async with ServiceRegistry(CONFIG, data_dir=data, variables={}) as registry:
        await registry.start_all_monitoring(0, incidents)
        while registry.get_service_health("api")["last_probe"] is None:
            await asyncio.sleep(0.02)
        await registry.get_incident_response().create_incident("api", "critical", "x")
        async with registry.session("api") as session, session.get("/") as response:
            await response.read()
        await registry.health_monitor.stop()
        await registry.health_monitor.start()
        if data is None:  # a directory would need a secret key for it
            await registry.rotate_api_key("api", "new-key-0123456789", force=True)
    unused = ServiceRegistry(CONFIG, variables={})
    await unused.stop()

async def main():
    await life(DATA)
    await asyncio.sleep(0.05)
    before = state(), {t for t in asyncio.all_tasks()}
    for _ in range(3):
        await life(DATA)
        await life(None)
    await asyncio.sleep(0.05)
    after = state(), {t for t in asyncio.all_tasks()}
    assert before == after, (before, after)

resource.setrlimit(resource.RLIMIT_NOFILE, (900, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
start = state()
asyncio.run(main())
end = state()
assert start == end, (start, end)
"""


async def test_nothing_is_left_behind_and_nothing_of_the_process_is_changed(
    vendor: Vendor, tmp_path: Path
) -> None:
    for path in ("/", "/canary", "/hook"):
        vendor.on(path, answer())
    clean = {name: value for name, value in os.environ.items() if "_API_KEY" not in name}

    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-W", "error", "-c", LIFE),
        *(vendor.url("").rstrip("/"), str(tmp_path / "data")),
        env=clean | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await within(120, running.communicate())

    # The debug mode of asyncio reports what is slow, which it makes slow itself.
    wrong = [line for line in err.decode().splitlines() if "Executing <" not in line]
    assert (running.returncode, out.decode(), wrong) == (0, "", [])


async def test_a_signal_is_the_programs_own(registry: ServiceRegistry) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    await registry.start_all_monitoring(dashboard_port=0)

    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
