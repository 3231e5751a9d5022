"""Certificate chains that are wrong in one way each; trustme makes the good ones."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def context_of(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, folder: Path
) -> ssl.SSLContext:
    """Return a server's context with *certificate*."""
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def self_signed(folder: Path, common_name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return a server that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return context_of(built, key, folder)


def issued(ca: trustme.CA, *names: str, **validity: datetime) -> ssl.SSLContext:
    """Return a server with a certificate of *ca* for *names*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **validity).configure_cert(context)
    return context


@dataclass(frozen=True, slots=True)
class Party:
    """A name with a key, which signs and is signed."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def signed_by(self, issuer: Party, days: float, *hosts: str) -> x509.Certificate:
        """Return a certificate that ends in *days*: for *hosts*, or of an authority."""
        now, key = datetime.now(UTC), self.key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key
        signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            identifier(issuer.key.public_key())
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer.name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=900))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
            .add_extension(identifier(key), critical=False)
            .add_extension(signer, critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(issuer.key, hashes.SHA256())


def pem_of(*certificates: x509.Certificate) -> bytes:
    """Return *certificates* as PEM text, one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def context_of_chain(leaf: Party, folder: Path, *chain: x509.Certificate) -> ssl.SSLContext:
    """Return a server's context that sends *chain*, whose first certificate is that of *leaf*."""
    context = context_of(chain[0], leaf.key, folder)
    file = folder / "chain.pem"
    private = (folder / "server.pem").read_bytes().partition(b"-----BEGIN CERT")[0]
    file.write_bytes(private + pem_of(*chain))
    context.load_cert_chain(file)
    return context
