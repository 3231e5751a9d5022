"""Fixtures of every test: scripted vendors, a fake clock, the engine, a guard of the loop."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from blockbuster import blockbuster_ctx
from hypothesis import settings

from exporter.checks import TlsSettings
from exporter.probers.curl import CurlTransport
from exporter.probers.curl.options import default_authorities
from exporter.probers.kinds.http import HttpProber
from exporter.store.database import Database
from tests.fakes import FakeClock
from tests.order import ahead, in_order
from tests.programs import heed_interrupts
from tests.vendor import Proxy, Vendor

# A busy machine is no defect of what is tested.
settings.register_profile("project", deadline=None)
# For --hypothesis-profile=torture; those tests that name a number themselves keep to it.
_MANY = int(os.environ.get("TORTURE_EXAMPLES", "2500"))
settings.register_profile("torture", deadline=None, max_examples=_MANY)
settings.load_profile("project")


def pytest_configure() -> None:
    """Let Ctrl-C end what the tests start, also where they run behind `nohup` or `&`."""
    heed_interrupts()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; pytest-randomly has shuffled them before."""
    items[:] = in_order(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let what has to keep to real time have the cores, with the fixtures of its module."""
    with ahead(item):
        return (yield)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on uvloop, as the product does; tests of the engine run on both loops."""
    loops: dict[str, Callable[[], Any]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name.startswith(("test_curl", "test_hostile", "test_http")):
        loops["asyncio"] = asyncio.new_event_loop
    return loops


_OPENED: list[Database] = []
"""The databases that the test under way has opened."""


@pytest.fixture(autouse=True)
def _all_as_before(_databases_are_noted: None) -> Iterator[None]:
    """Undo what a command that ran in this process did to it, and close what the test left open.

    That is the mode of new files, the root logger, whose stream ends with its test, and databases:
    from 3.13 on Python warns of an SQLite connection left open. One fixture, as every test has it.
    What a module shares was opened before, and stays open.
    """
    _OPENED.clear()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
    root.handlers[:] = handlers
    root.setLevel(level)
    while _OPENED:
        _OPENED.pop().close()


@pytest.fixture(scope="session")
def _databases_are_noted() -> Iterator[None]:
    begin = Database.__init__

    def noted(self: Database, *given: Any) -> None:
        begin(self, *given)
        _OPENED.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "__init__", noted)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_blocking_calls() -> Iterator[None]:
    """Fail a test whose event loop is blocked by a call of ours (libcurl's are not Python's).

    Put in place once: for each test anew it took a quarter of what a small test takes.
    """
    default_authorities()  # looks for the system's file once
    with blockbuster_ctx("exporter.probers"):
        yield


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority made for one test run, with its PEM file."""

    ca: trustme.CA
    file: str

    def trusted(self, **more: Any) -> TlsSettings:
        """Return settings that accept this authority."""
        return TlsSettings(ca_file=self.file, **more)

    def server(self, *names: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for *names*."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return Authority(ca, str(path))


@pytest.fixture
def ca_file(authority: Authority) -> str:
    return authority.file


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as server:
        yield server


@pytest.fixture
async def other() -> AsyncIterator[Vendor]:
    """A second origin."""
    async with Vendor() as server:
        yield server


@pytest.fixture
async def tls_vendor(authority: Authority) -> AsyncIterator[Vendor]:
    async with Vendor(authority.server()) as server:
        yield server


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with Proxy() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def transport() -> AsyncIterator[CurlTransport]:
    engine = CurlTransport()
    yield engine
    await engine.close()


@pytest.fixture
def prober(transport: CurlTransport, clock: FakeClock) -> HttpProber:
    return HttpProber(transport, clock)


@pytest.fixture
def own_networks() -> None:
    """Skip where networks of our own cannot be made."""
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("only root can make networks; CI is root, so there it must run")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where mounting is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("only root can mount a small disk; CI is root, so there it must run")
    subprocess.run(mount, capture_output=True, check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
