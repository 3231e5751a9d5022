"""blackbox_exporter, driven as Prometheus does: /probe over kept connections, gzip asked for."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp

from tests.bench.subjects import SUBJECT
from tests.programs import free_port, program, running

_MODULES = """
modules:
  plain: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4}}}}
  tls:
    prober: http
    timeout: 5s
    http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: '{ca}'}}}}
"""
_VALUE = re.compile(r"^(probe_\S+?)(\{phase=\"(\w+)\"\})? ([0-9.e+-]+)$", re.MULTILINE)


def executable() -> str:
    """Return the newest that is here: what install.sh built, or else Debian's."""
    return program("blackbox_exporter", "prometheus-blackbox-exporter")


def version() -> str:
    """Return what it says of itself, such as "0.23.0, go1.19.8"."""
    done = subprocess.run([executable(), "--version"], capture_output=True, text=True, check=True)
    text = done.stdout + done.stderr
    found = [re.search(pattern, text) for pattern in (r"version (\S+)", r"go version:\s+(\S+)")]
    return ", ".join(one[1].strip(",") for one in found if one is not None)


@contextlib.contextmanager
def blackbox(folder: Path, ca: Path | str = "", core: int = SUBJECT) -> Iterator[tuple[int, str]]:
    """Run blackbox_exporter on one core; yield its pid and URL. Its module `tls` trusts *ca*."""
    (folder / "blackbox.yml").write_text(_MODULES.format(ca=ca))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [
        executable(),
        f"--config.file={folder / 'blackbox.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, core, base + "/-/healthy", env={"GOMAXPROCS": "1"}) as pid:
        yield pid, base


async def drive(
    base: str, module: str, url: str, rate: float, seconds: float
) -> dict[str, dict[str, float]]:
    """Ask for *rate* probes a second, open loop; return what the page of each path says.

    The paths are "s0", "s1" and so on, behind *url*.
    """
    loop = asyncio.get_running_loop()
    pages: dict[str, dict[str, float]] = {}
    connector = aiohttp.TCPConnector(limit=1000)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as session:

        async def one(number: int) -> None:
            target = quote(f"{url}s{number}", safe="")
            async with session.get(f"{base}/probe?module={module}&target={target}") as response:
                pages[f"s{number}"] = _page(await response.text())

        begun, tasks = loop.time(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)
    return pages


def _page(text: str) -> dict[str, float]:
    return {
        name + (f":{phase}" if phase else ""): float(v)
        for name, _, phase, v in _VALUE.findall(text)
    }
