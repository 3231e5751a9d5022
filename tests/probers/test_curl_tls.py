"""The engine: certificates, good and bad, the peer's and ours."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from exporter.checks import TlsSettings
from exporter.model import Reason
from exporter.probers.curl import CurlTransport
from tests.certificates import (
    LONG_AGO,
    Party,
    context_of_chain,
    issued,
    pem_of,
    self_signed,
)
from tests.conftest import Authority
from tests.fakes import make_request
from tests.mischief import close, raw, reset
from tests.vendor import Vendor, answer

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


async def test_a_good_chain_tells_its_expiry_and_names(
    authority: Authority, transport: CurlTransport
) -> None:
    context = issued(authority.ca, "127.0.0.1", not_after=TOMORROW)
    async with Vendor(context) as vendor:
        vendor.on("/", answer())

        got = await transport.fetch(make_request(vendor.url(), tls=authority.trusted()))

    assert got.certificate is not None
    assert got.certificate.expiry == TOMORROW.timestamp()
    assert got.certificate.verified
    assert "trustme" in got.certificate.issuer


def _chains(folder: Path) -> dict[str, tuple[ssl.SSLContext, bytes, float]]:
    """Return servers that send more than one chain: context, trusted PEM, days to the expiry."""
    old, new, leaf = Party("Old Root"), Party("New Root"), Party("leaf")
    middle, another = Party("Middle"), Party("Middle")
    of_new, of_middle = new.signed_by(new, 3000), middle.signed_by(new, 900)

    def case(
        name: str, trusted: x509.Certificate, days: float, *sent: x509.Certificate
    ) -> tuple[ssl.SSLContext, bytes, float]:
        place = folder / name
        place.mkdir()
        return context_of_chain(leaf, place, *sent), pem_of(trusted), days

    own = leaf.signed_by(middle, 60, "localhost")
    return {
        "expired cross-signature": case(
            "cross", of_new, 60, own, of_middle, new.signed_by(old, -5)
        ),
        "cross-signature that ends first": case(
            "soon", of_new, 60, own, of_middle, new.signed_by(old, 7)
        ),
        "something unrelated": case(
            "unrelated", of_new, 60, own, of_middle, old.signed_by(old, -9)
        ),
        "root that ends before the leaf": case("root", new.signed_by(new, 30), 30, own, of_middle),
        "intermediate that ends first": case("middle", of_new, 40, own, middle.signed_by(new, 40)),
        "another key of the same name": case(
            "key", of_new, 20, own, another.signed_by(new, 900), middle.signed_by(new, 20)
        ),
        "trusted intermediate": case("partial", of_middle, 60, own, of_middle),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "expired cross-signature",
        "cross-signature that ends first",
        "something unrelated",
        "root that ends before the leaf",
        "intermediate that ends first",
        "another key of the same name",
        "trusted intermediate",
    ],
)
async def test_the_expiry_is_that_of_the_chain_that_verified(
    kind: str, transport: CurlTransport, tmp_path: Path
) -> None:
    context, trusted, days = _chains(tmp_path)[kind]
    file = tmp_path / "trusted.pem"
    file.write_bytes(trusted)
    async with Vendor(context) as vendor:
        vendor.on("/", answer(body=b"x" * 100))
        request = make_request(
            vendor.url(name="localhost"), tls=TlsSettings(ca_file=str(file)), max_body=10
        )

        got = [await transport.fetch(request) for _ in (1, 2)]

    for one in got:
        assert (one.failure, one.truncated) == (None, True)
        assert one.certificate is not None
        assert one.certificate.verified
        left = one.certificate.expiry - datetime.now(UTC).timestamp()
        assert left / 86400 == pytest.approx(days, abs=0.01)


async def test_without_verification_everything_that_was_sent_counts(
    transport: CurlTransport, tmp_path: Path
) -> None:
    context, _, _ = _chains(tmp_path)["expired cross-signature"]
    async with Vendor(context) as vendor:
        vendor.on("/", answer())
        tls = TlsSettings(insecure_skip_verify=True)

        got = await transport.fetch(make_request(vendor.url(), tls=tls))

    assert got.certificate is not None
    assert not got.certificate.verified
    assert got.certificate.expiry < datetime.now(UTC).timestamp()


async def test_the_certificate_is_reported_on_each_fresh_connection(
    tls_vendor: Vendor, authority: Authority, transport: CurlTransport
) -> None:
    tls_vendor.on("/", answer())
    request = make_request(tls_vendor.url(), tls=authority.trusted())

    got = [await transport.fetch(request) for _ in range(3)]

    assert all(one.certificate and one.phases[2] > 0 for one in got)


BAD = {
    "expired": (Reason.TLS, "the certificate has expired"),
    "not yet": (Reason.TLS, "the certificate is not yet valid"),
    "self-signed": (Reason.TLS, "the certificate is self-signed"),
    "wrong host": (Reason.TLS, "the certificate is not for this name"),
    "wrong name": (Reason.TLS, "the certificate is not for this name"),
    "unknown authority": (Reason.TLS, "the certificate's authority is not known"),
}


def _bad(kind: str, ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    match kind:
        case "expired":
            return issued(ca, "127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO.replace(month=2))
        case "not yet":
            return issued(
                ca, "127.0.0.1", not_before=TOMORROW, not_after=TOMORROW.replace(year=2090)
            )
        case "self-signed":
            return self_signed(folder)
        case "wrong host":
            return issued(ca, "127.0.0.2")
        case "wrong name":
            return issued(ca, "elsewhere.test")
        case _:
            return issued(trustme.CA(key_type=trustme.KeyType.ECDSA), "127.0.0.1")


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_chain_says_what_is_wrong_and_still_shows_its_expiry(
    kind: str, authority: Authority, transport: CurlTransport, tmp_path: Path
) -> None:
    async with Vendor(_bad(kind, authority.ca, tmp_path)) as vendor:
        vendor.on("/", answer())
        request = make_request(
            vendor.url(), tls=authority.trusted(), headers=(("X-Key", "secret"),)
        )

        got = await transport.fetch(request)

    assert (got.failure, got.detail) == BAD[kind]
    assert got.certificate is not None
    assert not got.certificate.verified
    assert vendor.seen == []


async def test_a_bad_chain_is_accepted_if_so_configured_and_marked(
    transport: CurlTransport, tmp_path: Path
) -> None:
    async with Vendor(self_signed(tmp_path)) as vendor:
        vendor.on("/", answer())
        tls = TlsSettings(insecure_skip_verify=True)

        got = await transport.fetch(make_request(vendor.url(), tls=tls))

    assert got.status == 200
    assert got.certificate is not None
    assert not got.certificate.verified


async def test_texts_of_a_certificate_are_printable_and_bounded(
    transport: CurlTransport, tmp_path: Path
) -> None:
    nasty = "a\x1b[31m\n" + "\u202e" * 18  # OpenSSL writes each of these in nine characters
    async with Vendor(self_signed(tmp_path, nasty)) as vendor:
        got = await transport.fetch(make_request(vendor.url()))

    assert got.certificate is not None
    assert got.certificate.subject.isprintable()
    assert len(got.certificate.subject) == 128


async def test_server_name_is_what_the_certificate_must_be_for(
    authority: Authority, transport: CurlTransport
) -> None:
    async with Vendor(issued(authority.ca, "api.test")) as vendor:
        vendor.on("/a", answer())
        tls = authority.trusted(server_name="api.test")

        got = await transport.fetch(make_request(vendor.url("/a?b=c"), tls=tls))

    assert (got.failure, got.status) == (None, 200)
    assert vendor.seen[0].header("host") == f"127.0.0.1:{vendor.port}"
    assert vendor.seen[0].target == "/a?b=c"


async def test_server_name_works_with_a_name_and_its_resolved_address(
    authority: Authority, transport: CurlTransport
) -> None:
    async with Vendor(issued(authority.ca, "api.test")) as vendor:
        vendor.on("/", answer())
        tls = authority.trusted(server_name="api.test")

        got = await transport.fetch(make_request(vendor.url(name="LocalHost"), tls=tls))

    assert (got.failure, got.status) == (None, 200)


async def test_server_name_that_does_not_fit_is_refused(
    tls_vendor: Vendor, authority: Authority, transport: CurlTransport
) -> None:
    tls = authority.trusted(server_name="elsewhere.test")

    got = await transport.fetch(make_request(tls_vendor.url(), tls=tls))

    assert (got.failure, got.detail) == (Reason.TLS, "the certificate is not for this name")
    assert got.certificate is not None


@pytest.fixture
def client_files(authority: Authority, tmp_path: Path) -> tuple[str, str]:
    cert = authority.ca.issue_cert("client@example.com")
    files = tmp_path / "client.pem", tmp_path / "client.key"
    cert.cert_chain_pems[0].write_to_path(files[0])
    cert.private_key_pem.write_to_path(files[1])
    return str(files[0]), str(files[1])


def _demanding(authority: Authority) -> ssl.SSLContext:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    return context


async def test_a_client_certificate_is_shown_if_given(
    authority: Authority, transport: CurlTransport, client_files: tuple[str, str]
) -> None:
    cert, key = client_files
    async with Vendor(_demanding(authority)) as vendor:
        vendor.on("/", answer())
        tls = authority.trusted(cert_file=cert, key_file=key)

        got = await transport.fetch(make_request(vendor.url(), tls=tls))

    assert (got.failure, got.status) == (None, 200)


async def test_a_missing_client_certificate_is_reported_as_such(
    authority: Authority, transport: CurlTransport
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = asyncio.create_task(
            asyncio.to_thread(_handshake, _demanding(authority), listener)
        )
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"

        got = await transport.fetch(make_request(url, tls=authority.trusted()))
        await refusing

    assert (got.failure, got.detail) == (Reason.TLS, "the server requires a client certificate")


def _handshake(context: ssl.SSLContext, listener: socket.socket) -> None:
    """Refuse one client as real servers do: with an alert, which asyncio leaves unsent.

    What the client sent is read to its end: closing on unread data would reset the connection,
    and the alert would be lost.
    """
    connection, _ = listener.accept()
    secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    with secured:
        with pytest.raises(ssl.SSLError):
            secured.do_handshake()
        plain = socket.socket(fileno=secured.detach())
    with plain:
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4096):
            pass


@pytest.mark.parametrize("field", ["ca_file", "cert_file"])
async def test_a_file_that_cannot_be_read_is_reported_as_such(
    field: str, tls_vendor: Vendor, transport: CurlTransport, tmp_path: Path
) -> None:
    tls = TlsSettings(**{field: str(tmp_path / "missing.pem")})

    got = await transport.fetch(make_request(tls_vendor.url(), tls=tls))

    assert got.failure is Reason.TLS
    assert "cannot be" in got.detail
    assert str(tmp_path) not in got.detail


NO_TLS = {
    "closed": close,
    "reset": reset,
    "plain HTTP": raw(b"HTTP/1.1 400 Bad\r\n\r\n"),
    "an alert": raw(b"\x15\x03\x03\0\x02\x02\x28"),
    "zeros": raw(b"\0" * 99),
}


@pytest.mark.parametrize("greeting", NO_TLS)
async def test_what_is_not_tls_is_reported_as_such(
    greeting: str, vendor: Vendor, transport: CurlTransport
) -> None:
    vendor.greeting = NO_TLS[greeting]

    got = await transport.fetch(make_request(vendor.url().replace("http", "https", 1)))

    assert got.failure is Reason.TLS
    assert sum(got.phases) == pytest.approx(got.duration)
