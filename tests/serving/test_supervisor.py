"""What systemd is told, on a real datagram socket; and by the real process."""

from __future__ import annotations

import asyncio
import configparser
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.serving import Supervisor
from tests.fakes import FakeClock

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "config" / "systemd" / "service-registry.service"


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.settimeout(30)
        yield found


def variables(to: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": to.getsockname(), **more}


def test_ready_and_stopping_are_told(listening: socket.socket) -> None:
    supervisor = Supervisor(variables(listening))
    supervisor.ready()
    supervisor.stopping()
    assert [listening.recv(100), listening.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_an_abstract_address_is_understood() -> None:
    name = f"service-registry-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind("\0" + name)
        Supervisor({"NOTIFY_SOCKET": "@" + name}).ready()
        assert found.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/no/such/socket", "vsock:2:1"])
def test_without_somebody_who_listens_nothing_happens(address: str) -> None:
    Supervisor({"NOTIFY_SOCKET": address}).ready()


async def test_the_loop_gives_a_sign_of_life_at_half_of_the_time(listening: socket.socket) -> None:
    clock = FakeClock()
    supervisor = Supervisor(variables(listening, WATCHDOG_USEC="60000000"), clock)
    beating = asyncio.create_task(supervisor.beat())
    await clock.advance(30.0)
    assert [listening.recv(100), listening.recv(100)] == [b"WATCHDOG=1", b"WATCHDOG=1"]
    listening.setblocking(False)
    await clock.advance(29.0)
    with pytest.raises(BlockingIOError):
        listening.recv(100)
    beating.cancel()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "often"},
        {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"},
    ],
)
async def test_without_a_watchdog_no_sign_is_given(
    listening: socket.socket, given: dict[str, str]
) -> None:
    await Supervisor(variables(listening, **given)).beat()
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.recv(100)


def test_the_real_process_tells_all_three(listening: socket.socket, tmp_path: Path) -> None:
    config = tmp_path / "services.yaml"
    config.write_text("services: []\n")
    command = [sys.executable, "-m", "exporter", "serve", "--config", str(config)]
    told = {**os.environ, **variables(listening, WATCHDOG_USEC="200000")}
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], env=told, cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        try:
            assert until(listening, b"READY=1")
            assert until(listening, b"WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            assert until(listening, b"STOPPING=1")
            assert process.wait(30) == 0
        finally:
            process.kill()


def until(listening: socket.socket, text: bytes) -> bool:
    while listening.recv(100) != text:
        pass
    return True


def test_the_unit_that_is_shipped_waits_for_what_is_told() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) > 2 * 5  # the log names the place first
    assert float(service["TimeoutStopSec"]) > 10  # as long as the process gives itself
    options = subprocess.run(
        [sys.executable, "-m", "exporter", "serve", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    given = [word for word in service["ExecStart"].split() if word.startswith("--")]
    assert given
    assert all(option in options for option in given)
