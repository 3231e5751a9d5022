"""Servers' certificates and TLS settings, by the names that the table uses."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.certificates import LONG_AGO, Party, context_of_chain, issued, self_signed

HOST = "127.0.0.1"
YEAR_2090 = datetime(2090, 1, 1, tzinfo=UTC)
Make = Callable[[trustme.CA, Path], ssl.SSLContext]


def _good(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    return issued(ca, HOST, "localhost")


def _speaking(*protocols: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Make:
    def make(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
        context = _good(ca, folder)
        context.set_alpn_protocols([*protocols])
        context.maximum_version = newest
        return context

    return make


def _tls_1_0(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    context = _good(ca, folder)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1
    return context


def _demanding(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    context = _good(ca, folder)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    return context


def _named(count: int) -> Make:
    def make(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
        return issued(ca, *(f"n{i}.example.com" for i in range(count - 1)), HOST)

    return make


def _chained(length: int) -> Make:
    """Return a leaf below so many authorities, of which the last one signs itself."""

    def make(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
        parties = [Party(f"authority {n}") for n in range(length)]
        above = [
            party.signed_by(issuer, 900)
            for party, issuer in zip(parties, [*parties[1:], parties[-1]], strict=True)
        ]
        leaf = Party("leaf")
        return context_of_chain(leaf, folder, leaf.signed_by(parties[0], 60, "localhost"), *above)

    return make


def _expired(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    return issued(ca, HOST, not_before=LONG_AGO, not_after=LONG_AGO + timedelta(days=9))


def _not_yet(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    return issued(ca, HOST, not_before=YEAR_2090, not_after=YEAR_2090 + timedelta(days=9))


def _stranger(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    return issued(trustme.CA(key_type=trustme.KeyType.ECDSA), HOST)


MAKE: dict[str, Make] = {
    "good": _good,
    "h2": _speaking("h2"),
    "http/1.1": _speaking("http/1.1"),
    "nonsense": _speaking("h0st1le", "spdy/9"),
    "tls 1.0": _tls_1_0,
    "tls 1.2": _speaking("http/1.1", newest=ssl.TLSVersion.TLSv1_2),
    "demanding": _demanding,
    "1,000 names": _named(1_000),
    "10,000 names": _named(10_000),
    "chain of 90": _chained(90),
    "chain of 500": _chained(500),
    "expired": _expired,
    "not yet": _not_yet,
    "stranger": _stranger,
    "wrong name": lambda ca, folder: issued(ca, "elsewhere.test"),
    "self-signed": lambda ca, folder: self_signed(folder),
    "hostile names": lambda ca, folder: self_signed(folder, 'a\x1b[2J\n"} 1\u202e' + "x" * 40),
}


def contexts(folder: Path) -> tuple[dict[str, ssl.SSLContext], str]:
    """Return every server's context, and the PEM file of the authority to trust."""
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    file = folder / "ca.pem"
    ca.cert_pem.write_to_path(file)
    made = {}
    for number, (name, make) in enumerate(MAKE.items()):
        place = folder / str(number)
        place.mkdir()
        made[name] = make(ca, place)
    return made, str(file)
