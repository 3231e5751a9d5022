"""A certificate chain as libcurl reports it, reduced to names and the earliest expiry.

libcurl reports what the server sent, which may hold more than the chain that verified: an expired
cross-signature harms nobody. So the expiry is that of the chain that verified, found again from
the trusted authorities; of all that was sent only where nothing verified.
"""

from __future__ import annotations

import errno
import functools
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime

from exporter.characters import printable
from exporter.model import Certificate
from exporter.probers.curl.trust import TrustFile
from exporter.probers.x509 import Cert, chain_expiry, parse

_FORMATS = ("%b %d %H:%M:%S %Y GMT", "%Y-%m-%d %H:%M:%S GMT")
MAX_CHAIN = 16
Entries = list[tuple[tuple[str, str], ...]] | None


def earliest(chain: Entries, *, verified: bool) -> Certificate | None:
    """Return the leaf's names with the earliest expiry of *chain*; None without a chain."""
    leaf: dict[str, str] = {}
    expiries = []
    for i, entry in enumerate(chain or ()):
        for pair in entry:
            if pair[0] == "Expire date" and (at := _time(pair[1])) is not None:
                expiries.append(at)
            elif i == 0 and pair[0] in ("Subject", "Issuer"):
                leaf[pair[0]] = pair[1]
    if not expiries:
        return None
    return Certificate(
        expiry=min(expiries),
        subject=_plain(leaf.get("Subject", "")),
        issuer=_plain(leaf.get("Issuer", "")),
        verified=verified,
    )


def chain_of(entries: Entries) -> tuple[bytes, ...]:
    """Return the certificates as DER, leaf first; none if one of them cannot be read."""
    texts = (
        pair[1] for entry in (entries or ())[:MAX_CHAIN] for pair in entry if pair[0] == "Cert"
    )
    try:
        return tuple(_der(text) for text in texts)
    except ValueError:
        return ()


@functools.lru_cache(maxsize=1024)
def verified_expiry(chain: tuple[bytes, ...], trust: TrustFile) -> float | None:
    """Return when the verified one of the chains in *chain* expires; None if it is not found.

    *trust* as for `authorities`, which should have been read before: it blocks.
    """
    sent = _parsed(chain)
    # The chain has just verified, so none of its certificates has expired: of all the chains that
    # names allow it lasts longest, or as long.
    return chain_expiry(sent, authorities(trust), 0.0)


@functools.lru_cache(maxsize=64)
def authorities(trust: TrustFile) -> tuple[Cert, ...]:
    """Return the authorities in the file *trust*; blocks while it reads them.

    Raises:
        OSError: we have no descriptor or memory left to read it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(trust.path)
    except OSError as error:  # ssl.SSLError is one
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise  # of the moment: not to be remembered
        return ()
    return _parsed(context.get_ca_certs(binary_form=True))


def _parsed(ders: Iterable[bytes]) -> tuple[Cert, ...]:
    return tuple(cert for der in ders if (cert := parse(der)) is not None)


@functools.lru_cache(maxsize=4096)
def _der(text: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(text)


@functools.lru_cache(maxsize=4096)
def _time(text: str) -> float | None:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    return None


@functools.lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    return printable(text, "?")[:128]
