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
INSTALL_HINT = (
    "apt-get install prometheus prometheus-alertmanager, or https://prometheus.io/download/"
)
_READY_SECONDS = 30.0


class ChainError(Exception):
    """A program is not installed or ended at once; the message has its name and last output."""


def program_path(name: str) -> str | None:
    """Return the path of one of `PROGRAMS`, None if it is not installed."""
    return next((path for file in PROGRAMS[name] if (path := shutil.which(file))), None)


def missing_programs() -> list[str]:
    """Return the names of the programs that are not installed."""
    return [name for name in PROGRAMS if program_path(name) is None]


def free_address() -> str:
    """Return HOST:PORT of a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.asynccontextmanager
async def prometheus(config: Path, address: str) -> AsyncIterator[str]:
    """Run Prometheus with the file *config* on *address* (HOST:PORT); yield its URL.

    Raises:
        ChainError: it is not installed or ends at once.
        TimeoutError: it is not ready within 30 s.
    """
    arguments = (
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'tsdb'}",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        # the default of 1m is too slow for these clocks
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
    )
    async with _running("prometheus", arguments, f"http://{address}") as url:
        yield url


@contextlib.asynccontextmanager
async def alertmanager(config: Path, address: str) -> AsyncIterator[str]:
    """Run Alertmanager with the file *config* on *address* (HOST:PORT); yield its URL.

    Raises:
        ChainError: it is not installed or ends at once.
        TimeoutError: it is not ready within 30 s.
    """
    arguments = (
        f"--config.file={config}",
        f"--storage.path={config.parent / 'alertmanager'}",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        "--cluster.listen-address=",  # one instance: no port for peers
        "--log.level=warn",
    )
    async with _running("alertmanager", arguments, f"http://{address}") as url:
        yield url


@contextlib.asynccontextmanager
async def _running(name: str, arguments: tuple[str, ...], url: str) -> AsyncIterator[str]:
    path = program_path(name)
    if path is None:
        raise ChainError(f"{name} is not installed")
    process = await asyncio.create_subprocess_exec(
        path, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    last_lines: list[bytes] = []
    reading = asyncio.create_task(_collect(process, last_lines))
    try:
        await _wait_until_ready(name, process, url, last_lines)
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


async def _collect(process: asyncio.subprocess.Process, last_lines: list[bytes]) -> None:
    """Read to the end and keep the last 20 lines: a full pipe would stop the program."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        last_lines.append(line)
        del last_lines[:-20]


async def _wait_until_ready(
    name: str, process: asyncio.subprocess.Process, url: str, last_lines: list[bytes]
) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(_READY_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url + "/-/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    text = b"".join(last_lines).decode("utf-8", "replace").strip()
    raise ChainError(f"{name} ended at once: {text[-500:]}")
