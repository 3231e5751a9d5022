"""A program of others as a child process: found, started, waited for, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from exporter.secret import environment

PROGRAMS = {
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),  # the second is Debian's name
}
INSTALL_HINT = (
    "apt-get install prometheus prometheus-alertmanager, or https://prometheus.io/download/"
)
_END_SECONDS = 12.0
_KEPT_LINES = 20
# What a program needs of our environment; the keys of the providers are not its business.
_INHERITED = {"PATH", "HOME", "TMPDIR", "TZ", "LANG", "GOMAXPROCS", "GOMEMLIMIT", "GOGC"} | {
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
}
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


class ProgramError(Exception):
    """A program is not installed or has ended; the message has its name and last output."""


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


class Program:
    """One of `PROGRAMS` with its *arguments*, reached at *url*.

    Every line it writes is given to *show*. It is in a session of its own: a Ctrl-C on the terminal
    reaches only us, and we end it in our order. On Linux it is sent SIGTERM should we be killed.
    """

    def __init__(
        self,
        name: str,
        arguments: tuple[str, ...],
        url: str,
        show: Callable[[str], str] = lambda line: line,
    ) -> None:
        """*show* returns the line as it may be shown later, in the message of an error."""
        self.name, self.url = name, url
        self._arguments, self._show = arguments, show
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_lines: list[str] = []

    async def start(self, seconds: float | None = None) -> None:
        """Start it and return once it is ready, which may take *seconds* (None: any time).

        Raises:
            ProgramError: it is not installed or ends before it is ready.
            TimeoutError: it is not ready in time.
        """
        path = program_path(self.name)
        if path is None:
            raise ProgramError(f"{self.name} is not installed: {INSTALL_HINT}")
        self._process = await asyncio.create_subprocess_exec(
            path,
            *self._arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={name: text for name, text in environment().items() if name in _INHERITED},
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(seconds):
            await self._until_ready()

    async def wait(self) -> None:
        """Wait for its end, which is an error unless `stop` or `kill` caused it.

        Raises:
            ProgramError: it has ended; the message has its last lines.
        """
        assert self._process is not None
        assert self._reading is not None
        code = await self._process.wait()
        await asyncio.wait((self._reading,), timeout=1.0)
        raise ProgramError(f"{self.name} ended ({_cause(code)}){self._last_words()}")

    async def stop(self) -> None:
        """End it cleanly, or after 12 s by force; its data is on the disk either way."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _END_SECONDS)
            except TimeoutError:
                self.kill()
                await self._process.wait()
        if self._reading is not None:
            await self._reading

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    @contextlib.asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[str]:
        """Run it until the block ends; yield its URL. Raises what `start` raises."""
        try:
            await self.start(seconds)
            yield self.url
        finally:
            await self.stop()

    async def _read(self) -> None:
        """Read to the end and keep the last lines: a full pipe would stop the program."""
        assert self._process is not None
        assert self._process.stderr is not None
        while True:
            try:
                line = await self._process.stderr.readline()
            except ValueError:  # longer than the buffer of 64 KiB: it is dropped
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            self._last_lines.append(self._show(text))
            del self._last_lines[:-_KEPT_LINES]

    async def _until_ready(self) -> None:
        assert self._process is not None
        # No proxy of the environment: the program is on this machine.
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:
            while self._process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(self.url + "/-/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.1)
        await self.wait()

    def _last_words(self) -> str:
        text = "\n".join(self._last_lines)[-500:]
        return f": {text}" if text else ""


def prometheus_program(
    config: Path,
    data: Path,
    address: str,
    *more: str,
    show: Callable[[str], str] = lambda line: line,
) -> Program:
    """Return Prometheus with the file *config* on *address* (HOST:PORT), its data in *data*.

    *more* are further flags. Those used here are known to 2.42 and to 3.x.
    """
    arguments = (
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={address}",
        f"--web.external-url={url_of(address)}",
        *more,
    )
    return Program("prometheus", arguments, url_of(address), show)


def alertmanager_program(
    config: Path,
    data: Path,
    address: str,
    *more: str,
    show: Callable[[str], str] = lambda line: line,
) -> Program:
    """Return Alertmanager with the file *config* on *address* (HOST:PORT), its data in *data*.

    *more* are further flags. Those used here are known to 0.25 and to 0.35.
    """
    arguments = (
        f"--config.file={config}",
        f"--storage.path={data}",
        f"--web.listen-address={address}",
        f"--web.external-url={url_of(address)}",
        "--cluster.listen-address=",  # one instance: no port for peers
        *more,
    )
    return Program("alertmanager", arguments, url_of(address), show)


def reached_at(address: str) -> str:
    """Return the HOST:PORT at which this machine reaches what listens on *address*.

    >>> reached_at("0.0.0.0:9090"), reached_at("[::]:9090"), reached_at("127.0.0.1:9093")
    ('127.0.0.1:9090', '[::1]:9090', '127.0.0.1:9093')
    """
    host, _, port = address.rpartition(":")
    everywhere = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104
    return f"{everywhere.get(host, host)}:{port}"


def url_of(address: str) -> str:
    """Return the URL at which this machine reaches what listens on *address*."""
    return f"http://{reached_at(address)}"


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _end_with_parent() -> None:
    """Ask the kernel, in the child, for SIGTERM when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
