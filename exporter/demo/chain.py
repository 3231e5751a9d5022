"""The real Prometheus and Alertmanager as child processes on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

PROGRAMS = {
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),  # the second is Debian's name
}
HOW = "apt-get install prometheus prometheus-alertmanager, or https://prometheus.io/download/"
_READY_SECONDS = 30.0


class ChainError(Exception):
    """A program did not start; the message says which and what it said."""


def found(name: str) -> str | None:
    """Return the path of one of `PROGRAMS`, None if it is not installed."""
    return next((path for one in PROGRAMS[name] if (path := shutil.which(one))), None)


def missing() -> list[str]:
    """Return the names of the programs that are not installed."""
    return [name for name in PROGRAMS if found(name) is None]


def free_address() -> str:
    """Return HOST:PORT of a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.asynccontextmanager
async def prometheus(config: Path, address: str) -> AsyncIterator[str]:
    """Run Prometheus with *config* on *address*; yield its URL."""
    arguments = (
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'tsdb'}",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
    )
    async with _running("prometheus", arguments, f"http://{address}") as url:
        yield url


@contextlib.asynccontextmanager
async def alertmanager(config: Path, address: str) -> AsyncIterator[str]:
    """Run Alertmanager with *config* on *address*; yield its URL."""
    arguments = (
        f"--config.file={config}",
        f"--storage.path={config.parent / 'alertmanager'}",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        "--cluster.listen-address=",
        "--log.level=warn",
    )
    async with _running("alertmanager", arguments, f"http://{address}") as url:
        yield url


@contextlib.asynccontextmanager
async def _running(name: str, arguments: tuple[str, ...], url: str) -> AsyncIterator[str]:
    path = found(name)
    if path is None:
        raise ChainError(f"{name} is not installed")
    process = await asyncio.create_subprocess_exec(
        path, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    said: list[bytes] = []
    reading = asyncio.create_task(_collect(process, said))
    try:
        await _ready(name, process, url, said)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10.0)
            except TimeoutError:
                process.kill()
                await process.wait()
        await reading


async def _collect(process: asyncio.subprocess.Process, said: list[bytes]) -> None:
    """Keep the last lines: a full pipe would stop the program."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        said.append(line)
        del said[:-20]


async def _ready(
    name: str, process: asyncio.subprocess.Process, url: str, said: list[bytes]
) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(_READY_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url + "/-/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    text = b"".join(said).decode("utf-8", "replace").strip()
    raise ChainError(f"{name} ended at once: {text[-500:]}")
