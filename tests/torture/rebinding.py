"""Names that lead inside: the exporter as a real process, a real name server, and who was asked.

Public are addresses of ranges that are public, on a cable of our own. Inside, on the same ports,
listen the addresses that the policy refuses; services that may do so show that they can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.dns import Alias, NameServer, Odd, turning
from tests.test_process import Process, eventually, serving
from tests.torture.places import Place, cable
from tests.vendor import Vendor, answer, redirect

TITLE = "Names and redirects that lead inside"
PUBLIC, PUBLIC6, NAMES = "11.0.0.1", "2600::1", "11.0.0.53"
INSIDE = ("10.0.0.1", "169.254.169.254", "192.168.0.1", "100.64.0.1", "fd00::1")
LOOPBACK = ("127.0.0.1", "::1")
V4 = "11.0.0.{}/24", "10.0.0.{}/24", "169.254.169.{}/24", "192.168.0.{}/24", "100.64.0.{}/24"
OURS = tuple(block.format(2) for block in (*V4, "2600::{}/64", "fd00::{}/64"))
THEIRS = tuple(f"{one}/{64 if ':' in one else 24}" for one in (PUBLIC, PUBLIC6, NAMES, *INSIDE))
PORT, OPEN_PORT = 80, 81
"""Of what must not be asked inside, and of what may be."""

ADDRESSES: Mapping[str, tuple[object, set[str]]] = {
    "good": ([PUBLIC], {"ok"}),
    "good6": ([PUBLIC6], {"ok"}),
    "mixed": (["10.0.0.1", PUBLIC, "127.0.0.1", "fd00::1", PUBLIC6, "::1"], {"ok"}),
    "thousand": ([*(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(999)), PUBLIC], {"ok"}),
    "chain": (Alias("chain2.test"), {"ok"}),
    "flip": (turning([PUBLIC], ["10.0.0.1"], over_again=True), {"ok", "address_refused"}),
    "first": (turning([PUBLIC], ["127.0.0.1"]), {"ok", "address_refused"}),
    "flip6": (turning([PUBLIC6], ["fd00::1"], over_again=True), {"ok", "address_refused"}),
    "alias": (Alias("inside.test"), {"address_refused"}),
    "inside": (["10.0.0.1"], {"address_refused"}),
    "loopback": (["127.0.0.1", "::1"], {"address_refused"}),
    "zero": (["0.0.0.0", "::"], {"address_refused"}),
    "metadata": (["169.254.169.254"], {"address_refused"}),
    "shared": (["100.64.0.1"], {"address_refused"}),
    "mapped": (["::ffff:10.0.0.1"], {"address_refused"}),
    "nat64": (["64:ff9b::a00:1"], {"address_refused"}),
    "circle": (Alias("circle2.test"), {"dns"}),
    "liar": (Odd([PUBLIC], wrong_id=True), {"dns"}),
}
"""By the first label of a name: what the name server says, and how probes may end."""
REDIRECTS: Mapping[str, tuple[str, set[str]]] = {
    "to-address": ("http://10.0.0.1/", {"address_refused"}),
    "to-mapped": ("http://[::ffff:10.0.0.1]/", {"address_refused"}),
    "to-number": ("http://167772161/", {"dns"}),
    "to-inside": ("http://inside.test/", {"address_refused"}),
    "to-flip": ("http://flip2.test/", {"ok", "address_refused"}),
    "to-itself": ("/landed", {"address_refused"}),
    "to-good": ("http://good.test/", {"ok"}),
}
"""By service, which is also its name: where it redirects to, and how probes may end."""
LABELS = "service", "reason"
CANARY = "exporter_network_up{canary="
HELD = 'exporter_probe_shortages_total{what="loop"}'
MODULES = "modules: {any: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4}}}\n"
ONCE_A_SECOND = {"interval": "1s", "timeout": "1s"}


def _names(server: NameServer) -> None:
    for label, (known, _) in ADDRESSES.items():
        server.names[f"{label}.test"] = known
    server.names |= {
        "chain2.test": Alias("good.test"),
        "circle2.test": Alias("circle.test"),
        "flip2.test": turning(["10.0.0.1"], [PUBLIC], over_again=True),
        "kept.test": turning(["10.0.0.1"], [PUBLIC], over_again=True),
    }
    for label in REDIRECTS:
        server.names[f"{label}.test"] = [PUBLIC]
    # Asked once for the redirect, once for where it leads: each time the other address.
    server.names["to-itself.test"] = turning([PUBLIC], ["127.0.0.1"], over_again=True)


def _configuration() -> str:
    """Return the configuration as JSON, which is YAML too."""
    services: list[dict[str, Any]] = [
        {"id": name, "base_url": f"http://{name}.test"} for name in ADDRESSES
    ]
    for name in REDIRECTS:
        check = {"endpoint": f"/{name}", "follow_redirects": 3, "allow_cross_origin": True}
        services.append({"id": name, "base_url": f"http://{name}.test", "health_check": check})
    for number, address in enumerate((*INSIDE, *LOOPBACK)):
        url = f"http://{f'[{address}]' if ':' in address else address}:{OPEN_PORT}"
        check = {"allow_private_addresses": True}
        services.append({"id": f"open{number}", "base_url": url, "health_check": check})
    page = {"url": "http://inside.test", "adapter": "statuspage"}
    services.append({"id": "page", "base_url": "http://good.test", "status_page": page})
    canaries = [{"url": f"http://{name}.test/", **ONCE_A_SECOND} for name in ("good", "inside")]
    check = {**ONCE_A_SECOND, "retries": 0}
    return json.dumps(
        {"defaults": {"health_check": check}, "canaries": canaries, "services": services}
    )


@dataclass(frozen=True, slots=True)
class _Scene:
    inside: Vendor
    allowed: Vendor
    public: Vendor
    names: NameServer


@contextlib.asynccontextmanager
async def _scene(here: Place, there: Place) -> AsyncIterator[_Scene]:
    def listening(port: int) -> list[socket.socket]:
        own = [here.bound(one, port) for one in LOOPBACK]
        return own + [there.bound(one, port) for one in INSIDE]

    outside = [there.bound(one, PORT) for one in (PUBLIC, PUBLIC6)]
    datagrams = there.bound(NAMES, 53, socket.SOCK_DGRAM)
    async with (
        Vendor(sockets=listening(PORT)) as inside,
        Vendor(sockets=listening(OPEN_PORT)) as allowed,
        Vendor(sockets=outside) as public,
        NameServer(datagrams, there.bound(NAMES, 53)) as names,
    ):
        for one in (inside, allowed, public):
            one.on("/", answer())
            one.on("/landed", answer())
        for name, (location, _) in REDIRECTS.items():
            public.on(f"/{name}", redirect(location))
        _names(names)
        yield _Scene(inside, allowed, public, names)


async def rebinding(folder: Path, rounds: int = 3) -> dict[str, str | float]:
    """Return how often who was asked, after *rounds* probes of each service.

    Raises:
        AssertionError: a connection went inside, or a probe ended as it must not.
    """
    config, resolv, modules = folder / "services.yaml", folder / "resolv", folder / "modules.yaml"
    config.write_text(_configuration())
    resolv.write_text(f"nameserver {NAMES}\n")
    modules.write_text(MODULES)
    expected = {name: ends for table in (ADDRESSES, REDIRECTS) for name, (_, ends) in table.items()}
    expected |= {"page": {"ok"}} | {f"open{i}": {"ok"} for i in range(len(INSIDE + LOOPBACK))}
    with Place() as here, Place() as there:
        cable(here, there, "way", OURS, THEIRS)
        async with (
            _scene(here, there) as scene,
            serving(
                config,
                "--probe.enable",
                "--probe.config.file",
                str(modules),
                prefix=here.command(resolv=resolv),
                connector=here.connector(),
                log_level="info",
            ) as running,
        ):
            assert running.process.returncode is None, running.log.decode()
            with contextlib.suppress(TimeoutError):  # what is missing is told below
                await eventually(lambda: _complete(running, expected, rounds), 8 + 2 * rounds)
            seen = _without_ours(await _reasons(running), await running.sample(HELD) or 0)
            asked = await _probed(running)
            canaries = await _canaries(running)
    assert canaries == [1, 0], canaries
    _judge(seen, expected, scene)
    return {
        "connections inside": scene.inside.connections,
        "connections outside": scene.public.connections,
        "connections inside of those who may": scene.allowed.connections,
        "questions to the name server": len(scene.names.asked),
        "connections to it over TCP": scene.names.over_tcp,
        "probes": sum(sum(counts.values()) for counts in seen.values()),
        "/probe": asked,
        "names and redirects": len(ADDRESSES) + len(REDIRECTS),
    }


async def _probed(running: Process) -> int:
    """Ask `/probe` for every name and redirect; return how many answers there were."""
    targets = [f"http://{name}.test/" for name in ADDRESSES]
    targets += [f"http://{name}.test/{name}" for name in REDIRECTS]
    pages = await asyncio.gather(
        *(running.get("/probe", params={"module": "any", "target": one}) for one in targets * 2)
    )
    return sum("probe_success" in page for page in pages)


async def _reasons(running: Process) -> dict[str, Counter[str]]:
    """Return how often each service's probes ended how."""
    found: dict[str, Counter[str]] = {}
    for line in (await running.get("/metrics")).splitlines():
        if line.startswith("probe_results_total{") and not line.endswith(" 0"):
            service, reason = (line.partition(f'{n}="')[2].partition('"')[0] for n in LABELS)
            found.setdefault(service, Counter())[reason] = int(float(line.rsplit(" ", 1)[1]))
    return found


async def _canaries(running: Process) -> list[float | None]:
    """Return whether the good canary answers and the one inside; None before one is known."""
    return [await running.sample(f'{CANARY}"{name}.test"') for name in ("good", "inside")]


async def _complete(running: Process, expected: Mapping[str, set[str]], rounds: int) -> bool:
    if await _canaries(running) != [1, 0]:
        return False
    seen = await _reasons(running)
    return all(
        sum(seen.get(name, Counter()).values()) >= rounds and ends <= seen[name].keys()
        for name, ends in expected.items()
    )


def _without_ours(seen: Mapping[str, Counter[str]], held: float) -> dict[str, Counter[str]]:
    """Return *seen* without the probes that say of themselves that they show nothing.

    Where other work takes the cores, *held* of them were spoiled by a loop that waited for one.
    """
    internal = {name: counts["internal"] for name, counts in seen.items()}
    if sum(internal.values()) > held:
        return dict(seen)  # another shortage, or a defect
    return {
        name: Counter({reason: n for reason, n in counts.items() if reason != "internal"})
        for name, counts in seen.items()
    }


def _judge(
    seen: Mapping[str, Counter[str]], expected: Mapping[str, set[str]], scene: _Scene
) -> None:
    assert scene.inside.connections == 0, [one.target for one in scene.inside.seen]
    ended = {name: set(seen.get(name, ())) for name in expected}
    wrong = {name: ended[name] for name, ends in expected.items() if ended[name] != ends}
    assert not wrong, wrong
    assert scene.public.connections > 0
    assert scene.allowed.connections >= len(INSIDE + LOOPBACK)


def run() -> dict[str, str | float]:
    """Return the figures of many probes; see `rebinding`."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(rebinding(Path(folder), rounds=20))
