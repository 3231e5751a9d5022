"""Files of authorities: each is read once, also among others, and again when it was renewed."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from exporter.checks import TlsSettings
from exporter.model import Reason
from exporter.probers import Answer
from exporter.probers.curl import CurlTransport
from exporter.probers.curl.multi import MOST_MULTIS
from exporter.probers.curl.trust import TrustFile, TrustFiles
from tests.conftest import Authority
from tests.fakes import make_request
from tests.mischief import hang
from tests.vendor import Vendor, answer


@pytest.fixture
async def lasting() -> AsyncIterator[CurlTransport]:
    """A transport that looks at each file once."""
    transport = CurlTransport(trust=TrustFiles(math.inf))
    yield transport
    await transport.close()


async def ask(transport: CurlTransport, vendor: Vendor, file: Path) -> Answer:
    return await transport.fetch(make_request(vendor.url(), tls=TlsSettings(ca_file=str(file))))


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_files_that_are_used_in_turn_are_read_once(
    lasting: CurlTransport, authority: Authority, tls_vendor: Vendor, tmp_path: Path
) -> None:
    tls_vendor.on("/", answer())
    files = [Path(shutil.copy(authority.file, tmp_path / name)) for name in ("a.pem", "b.pem")]
    for file in files:
        assert (await ask(lasting, tls_vendor, file)).failure is None
        file.unlink()

    got = [await ask(lasting, tls_vendor, file) for file in files * 2]

    assert [one.failure for one in got] == [None] * 4


async def test_a_file_that_was_renewed_counts(
    authority: Authority, tls_vendor: Vendor, tmp_path: Path
) -> None:
    transport, file = CurlTransport(trust=TrustFiles(0.0)), tmp_path / "ca.pem"
    tls_vendor.on("/", answer())
    trustme.CA().cert_pem.write_to_path(str(file))
    before = await ask(transport, tls_vendor, file)

    shutil.copy(authority.file, tmp_path / "new.pem")
    (tmp_path / "new.pem").replace(file)
    after = await ask(transport, tls_vendor, file)
    trustme.CA().cert_pem.write_to_path(str(file))
    again = await ask(transport, tls_vendor, file)

    await transport.close()
    assert [one.failure for one in (before, after, again)] == [Reason.TLS, None, Reason.TLS]
    assert after.certificate is not None
    assert after.certificate.verified


async def test_of_many_files_the_idle_ones_are_let_go(
    lasting: CurlTransport, authority: Authority, tls_vendor: Vendor, tmp_path: Path
) -> None:
    tls_vendor.on("/", answer())
    tls_vendor.on("/slow", hang)
    files = [
        Path(shutil.copy(authority.file, tmp_path / f"{n}.pem")) for n in range(3 * MOST_MULTIS)
    ]
    request = make_request(
        tls_vendor.url("/slow"), tls=TlsSettings(ca_file=str(files[0])), timeout=600
    )
    slow = asyncio.create_task(lasting.fetch(request))
    while not tls_vendor.seen:
        await asyncio.sleep(0)
    before = descriptors()

    got = [await ask(lasting, tls_vendor, file) for file in files[1:]]

    assert [one.failure for one in got] == [None] * len(got)
    # three for each: the multi's own two, and that of epoll
    assert descriptors() - before <= 3 * MOST_MULTIS
    assert not slow.done()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


async def test_a_file_is_looked_at_every_ten_seconds(tmp_path: Path) -> None:
    files, file = TrustFiles(), tmp_path / "ca.pem"

    missing = await files.of(str(file), 0.0)
    file.write_text("x")

    assert missing == TrustFile(str(file), None)
    assert await files.of(str(file), 9.9) is missing
    there = await files.of(str(file), 10.0)
    assert there.version is not None
    assert await files.of(str(file), 20.0) == there
    assert (await files.of("a\0b", 0.0)).version is None
