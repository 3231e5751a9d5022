"""What we lack ourselves: a request that fails for it is not the other side's failure."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiodns
import pycurl
import pytest

from exporter.clock import SystemClock
from exporter.model import FACTS, Reason, Shortage, Verdict
from exporter.probers.curl import CurlTransport, certificates, engine, handles, transfer
from exporter.probers.curl.resolver import ResolveError, Resolver
from exporter.probers.curl.shortages import (
    DETAILS,
    lacks_descriptors,
    shortage_behind,
    shortage_of,
)
from exporter.probers.curl.trust import TrustFiles
from exporter.probers.kinds.http import HttpProber
from tests.conftest import Authority
from tests.dns import NameServer
from tests.fakes import make_endpoint, make_request
from tests.vendor import Vendor, answer


@contextlib.contextmanager
def descriptors_left(left: int) -> Iterator[None]:
    """Let this process open *left* descriptors more, and no others.

    With none left, one that is given back meanwhile helps nobody.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(one.name) for one in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 4 if left else 3, hard))
    taken: list[int] = []
    try:
        while True:
            try:
                taken.append(os.dup(0))
            except OSError:
                break
        for _ in range(left):
            os.close(taken.pop())
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def all_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine, transfer):
        monkeypatch.setattr(module, "is_public", lambda address: True)


@pytest.fixture
def no_traceback(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail if pycurl printed what a callback of ours raised."""
    yield
    assert capfd.readouterr().err == ""


@pytest.fixture
def servers(vendor: Vendor, tls_vendor: Vendor) -> dict[str, Vendor]:
    return {"http": vendor, "https": tls_vendor}


# Left, whether the address policy opens the socket (two descriptors then), and the scheme: https
# reads the file of authorities after it has its socket.
STARVED = [
    (0, False, "http"),
    (0, True, "http"),
    (1, True, "http"),
    (0, False, "https"),
    (1, False, "https"),
    (0, True, "https"),
    (2, True, "https"),
]


@pytest.mark.parametrize(("left", "policy", "scheme"), STARVED)
@pytest.mark.usefixtures("all_is_public", "no_traceback")
async def test_without_descriptors_a_probe_is_our_failure_and_the_next_one_works(
    left: int,
    policy: bool,
    scheme: str,
    servers: dict[str, Vendor],
    authority: Authority,
) -> None:
    server = servers[scheme]
    server.on("/", answer())
    transport = CurlTransport()
    request = make_request(server.url(), tls=authority.trusted(), allow_private=not policy)
    await transport.fetch(make_request("http://127.0.0.1:1/"))

    with descriptors_left(left):
        lacking = await transport.fetch(request)
    after = await transport.fetch(request)
    await transport.close()

    assert (lacking.failure, lacking.shortage) == (Reason.INTERNAL, Shortage.DESCRIPTORS)
    assert lacking.detail == DETAILS[Shortage.DESCRIPTORS]
    assert (after.status, after.shortage) == (200, None)


async def test_an_engine_that_cannot_start_for_want_of_descriptors_starts_later(
    vendor: Vendor,
) -> None:
    vendor.on("/", answer())
    transport = CurlTransport()

    with descriptors_left(0):
        lacking = await transport.fetch(make_request(vendor.url()))
    after = await transport.fetch(make_request(vendor.url()))
    await transport.close()

    assert (lacking.failure, lacking.shortage) == (Reason.INTERNAL, Shortage.DESCRIPTORS)
    assert after.status == 200


@pytest.mark.parametrize(("started", "left"), [(True, 0), (False, 0), (False, 2)])
async def test_a_resolver_without_descriptors_blames_no_name_server(
    started: bool, left: int, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.on("/", answer())
    async with NameServer() as dns:
        dns.names |= {"api.test": ["127.0.0.1"], "first.test": ["127.0.0.1"]}
        transport = CurlTransport(Resolver(servers=[dns.address]))
        await transport.fetch(make_request("http://127.0.0.1:1/"))
        if started:
            await transport.fetch(make_request(vendor.url(name="first.test")))

        with descriptors_left(left):
            lacking = await transport.fetch(make_request(vendor.url(name="api.test")))
        after = await transport.fetch(make_request(vendor.url(name="api.test")))
        await transport.close()

    assert (lacking.failure, lacking.shortage) == (Reason.INTERNAL, Shortage.DESCRIPTORS)
    assert after.status == 200
    assert caplog.records == []  # aiodns would warn of each channel that it got by halves


async def test_the_outcome_of_a_probe_is_monitoring_and_asks_for_a_further_attempt(
    transport: CurlTransport,
) -> None:
    prober = HttpProber(transport, SystemClock())
    await transport.fetch(make_request("http://127.0.0.1:1/"))

    with descriptors_left(0):
        outcome = await prober.probe(make_endpoint("http://127.0.0.1:1/"))

    assert FACTS[outcome.reason].verdict is Verdict.MONITORING
    assert (outcome.shortage, outcome.may_retry) == (Shortage.DESCRIPTORS, True)


async def test_with_enough_descriptors_a_refused_connection_is_the_other_side(
    transport: CurlTransport,
) -> None:
    got = await transport.fetch(make_request("http://127.0.0.1:1/"))

    assert (got.failure, got.shortage) == (Reason.CONNECT, None)


async def test_a_file_of_authorities_that_is_wrong_stays_a_mistake_of_the_configuration(
    tls_vendor: Vendor, transport: CurlTransport
) -> None:
    tls = Authority(None, "/nonexistent.pem").trusted()  # type: ignore[arg-type]

    got = await transport.fetch(make_request(tls_vendor.url(), tls=tls))

    assert (got.failure, got.detail) == (Reason.TLS, "tls.ca_file cannot be read")
    assert got.shortage is None


async def test_authorities_that_could_not_be_read_for_a_moment_are_read_again(
    ca_file: str,
) -> None:
    certificates.authorities.cache_clear()
    trust = await TrustFiles().of(ca_file, 0.0)

    with descriptors_left(0), pytest.raises(OSError) as caught:
        certificates.authorities(trust)

    assert shortage_of(caught.value) is Shortage.DESCRIPTORS
    assert len(certificates.authorities(trust)) == 1


async def test_an_answer_counts_although_no_thread_can_read_the_authorities(
    tls_vendor: Vendor, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    tls_vendor.on("/", answer())
    transport = CurlTransport()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        got = await transport.fetch(make_request(tls_vendor.url(), tls=authority.trusted()))
    await transport.close()

    assert (got.status, got.failure) == (200, None)
    assert got.certificate is not None


class _NoThread(Resolver):
    def _channel(self) -> Any:
        raise RuntimeError("can't start new thread")


async def test_a_resolver_that_cannot_start_a_thread_is_our_failure() -> None:
    transport = CurlTransport(_NoThread())

    got = await transport.fetch(make_request("http://api.test/"))
    await transport.close()

    assert (got.failure, got.shortage) == (Reason.INTERNAL, Shortage.THREADS)


async def test_a_channel_that_cannot_be_made_is_our_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(**given: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(aiodns, "DNSResolver", no_thread)

    with pytest.raises(ResolveError) as caught:
        await Resolver(servers=["127.0.0.1:1"]).addresses("api.test")

    assert caught.value.shortage is Shortage.THREADS


async def test_no_memory_is_our_failure(
    transport: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*given: object) -> None:
        raise pycurl.error(pycurl.E_OUT_OF_MEMORY, "")

    monkeypatch.setattr(handles, "set_options", no_memory)

    got = await transport.fetch(make_request("http://127.0.0.1:1/"))

    assert (got.failure, got.shortage) == (Reason.INTERNAL, Shortage.MEMORY)


def test_a_bug_is_no_shortage() -> None:
    bugs = [RuntimeError("bug"), OSError(errno.ECONNRESET, ""), pycurl.error(43, "")]

    assert [shortage_of(bug) for bug in bugs] == [None, None, None]
    assert not lacks_descriptors()


@pytest.mark.parametrize(
    ("code", "number", "shortage"),
    [
        (pycurl.E_OUT_OF_MEMORY, 0, Shortage.MEMORY),
        (pycurl.E_COULDNT_CONNECT, errno.ENOBUFS, Shortage.MEMORY),
        (pycurl.E_COULDNT_CONNECT, errno.ENOMEM, Shortage.MEMORY),
        (pycurl.E_COULDNT_CONNECT, errno.EPERM, Shortage.FIREWALL),
        (pycurl.E_COULDNT_CONNECT, errno.EINVAL, Shortage.FIREWALL),
        (pycurl.E_COULDNT_CONNECT, errno.ECONNREFUSED, None),
        (pycurl.E_COULDNT_CONNECT, errno.ENETUNREACH, None),
        # no source for an IPv6 address, while there are local ports
        (pycurl.E_COULDNT_CONNECT, errno.EADDRNOTAVAIL, None),
        (pycurl.E_RECV_ERROR, errno.ECONNRESET, None),
        (pycurl.E_OPERATION_TIMEDOUT, errno.EACCES, None),
    ],
)
def test_only_what_can_be_ours_alone_is_ours(
    code: int, number: int, shortage: Shortage | None
) -> None:
    assert shortage_behind(code, number) is shortage


async def test_a_forbidden_route_and_missing_ports_are_ours_and_a_refusal_is_not() -> None:
    process = await asyncio.create_subprocess_exec(
        "unshare",
        "-rn",
        sys.executable,
        "-m",
        "tests.probers.own_network",
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    seen = json.loads(out)

    assert seen["forbidden"] == [["connect", "firewall"]] * 2
    assert seen["refused"] == ["connect", None]
    assert seen["crowd"] == [["internal", "ports"]] * 2 + [[None, None]] * 2


def test_every_shortage_of_the_engine_has_words() -> None:
    assert set(Shortage) - set(DETAILS) == {Shortage.LOOP}
