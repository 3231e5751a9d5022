"""What is read from a certificate for the labels of /probe, and which chain lasts longest."""

from __future__ import annotations

import hashlib
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from exporter.probers.x509 import Cert, chain_expiry, parse

KEY = ec.generate_private_key(ec.SECP256R1())
OU, O, CN = NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME  # noqa: E741
NOW = 1_800_000_000.0


def builder_of(subject: x509.Name, year: int = 2040) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(CN, "above")]))
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC))
    )


def der_of(subject: x509.Name, *names: x509.GeneralName, year: int = 2040) -> bytes:
    builder = builder_of(subject, year)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def cert(subject: str, issuer: str, expiry: float, der: str = "") -> Cert:
    """Return a certificate by names alone."""
    names = (issuer.encode(), subject.encode(), issuer, subject)
    return Cert((der or f"{subject}/{issuer}/{expiry}").encode(), *names, expiry, ())


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(CN, "a")], "CN=a"),
        ([(O, "Acme Co"), (CN, "a")], "CN=a,O=Acme Co"),
        ([(NameOID.COUNTRY_NAME, "DE"), (O, "Acme, Inc."), (CN, "a")], "CN=a,O=Acme\\, Inc.,C=DE"),
        ([(OU, "one"), (OU, "two"), (CN, "a")], "CN=a,OU=one+OU=two"),
        ([(CN, "#a ")], "CN=\\#a\\ "),
        ([(CN, 'q"+<>;\\')], 'CN=q\\"\\+\\<\\>\\;\\\\'),
        ([(CN, "Zürich")], "CN=Zürich"),
        ([(CN, "a"), (NameOID.EMAIL_ADDRESS, "x@y")], "CN=a,1.2.840.113549.1.9.1=#1603784079"),
    ],
)
def test_a_name_is_written_as_go_writes_it(
    pairs: list[tuple[x509.ObjectIdentifier, str]], expected: str
) -> None:
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in pairs])

    found = parse(der_of(name))

    assert found is not None
    assert found.subject == expected
    assert found.issuer == "CN=above"


@pytest.mark.parametrize("year", [2040, 2049, 2050, 9999])
def test_the_end_is_read_in_both_forms_of_time(year: int) -> None:
    der = der_of(x509.Name([]), year=year)

    found = parse(der)

    assert found is not None
    assert found.expiry == datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert found.fingerprint == hashlib.sha256(der).hexdigest()


def test_only_the_dns_names_are_taken() -> None:
    names = (x509.DNSName("a.example"), x509.RFC822Name("x@y"), x509.DNSName("*.b.example"))

    found = parse(der_of(x509.Name([]), *names))

    assert found is not None
    assert found.names == ("a.example", "*.b.example")


@given(st.binary(max_size=64))
def test_what_is_no_certificate_is_none(data: bytes) -> None:
    assert parse(data) is None


@given(st.data())
def test_a_spoilt_certificate_raises_nothing(data: st.DataObject) -> None:
    der = bytearray(SPOILT)
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] = data.draw(st.integers(0, 255))

    assert isinstance(parse(bytes(der)), Cert | None)


SPOILT = der_of(x509.Name([x509.NameAttribute(CN, "a")]), x509.DNSName("a.example"))


def test_every_trusted_root_of_the_system_is_read() -> None:
    context = ssl.create_default_context()

    roots = [parse(der) for der in context.get_ca_certs(binary_form=True)]

    assert None not in roots


def test_the_chain_ends_with_its_first_certificate_to_end() -> None:
    sent = (cert("leaf", "mid", NOW + 30), cert("mid", "root", NOW + 20))

    assert chain_expiry(sent, [cert("root", "root", NOW + 90)], NOW) == NOW + 20


def test_an_expired_cross_signature_does_not_count_beside_a_root_that_lasts() -> None:
    sent = (
        cert("leaf", "mid", NOW + 30),
        cert("mid", "new root", NOW + 60),
        cert("new root", "old root", NOW - 5),
    )
    anchors = [cert("new root", "new root", NOW + 90), cert("old root", "old root", NOW - 5)]

    assert chain_expiry(sent, anchors, NOW) == NOW + 30


def test_a_certificate_of_the_same_name_with_another_key_has_not_signed() -> None:
    leaf = replace(cert("leaf", "mid", NOW + 30), signer_id=b"2")
    first = replace(cert("mid", "root", NOW + 20), key_id=b"1")
    second = replace(cert("mid", "root", NOW + 10), key_id=b"2", signer_id=b"r")
    others = [replace(cert("root", "root", NOW + 90), key_id=b"x")]
    root = replace(cert("root", "root", NOW + 5), key_id=b"r")

    assert chain_expiry((leaf, first, second), [*others, root], NOW) == NOW + 5
    assert chain_expiry((leaf, first, second), others, NOW) is None


def test_the_names_of_the_keys_are_read() -> None:
    key = x509.SubjectKeyIdentifier(b"own")
    signer = x509.AuthorityKeyIdentifier(b"signer", None, None)
    builder = builder_of(x509.Name([])).add_extension(key, False).add_extension(signer, False)

    found = parse(builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER))

    assert found is not None
    assert (found.key_id, found.signer_id, found.names) == (b"own", b"signer", ())
    plain = parse(der_of(x509.Name([])))
    assert plain is not None
    assert (plain.key_id, plain.signer_id) == (b"", b"")


def test_a_trusted_certificate_that_signs_itself_is_its_own_chain() -> None:
    own = cert("a", "a", NOW + 10)

    assert chain_expiry((own,), [own], NOW) == NOW + 10


def test_without_a_way_to_an_authority_there_is_no_expiry() -> None:
    assert chain_expiry((cert("leaf", "mid", NOW + 10),), [], NOW) is None
    assert chain_expiry((), [], NOW) is None


def test_a_peer_cannot_make_paths_without_number() -> None:
    many = (cert("x", "x", NOW + 50 + i, str(i)) for i in range(16))
    sent = (cert("leaf", "x", NOW + 90), *many)
    begun = time.thread_time()

    found = chain_expiry(sent, [cert("x", "x", NOW + 80)], NOW)

    assert found == NOW + 80
    assert time.thread_time() - begun < 0.1


def test_a_long_name_is_cut() -> None:
    many = x509.Name([x509.NameAttribute(OU, f"{n:064}") for n in range(40)])

    found = parse(der_of(many))

    assert found is not None
    assert len(found.subject) == 1024
