"""The few fields of an X.509 certificate that are needed here, read from its DER (RFC 5280).

libcurl reports them as text in which a comma inside a name looks like a separator, so the names are
read from the certificate itself. Nothing is verified here: libcurl has done that, and does not tell
by which chain; `chain_expiry` finds it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.characters import printable

_VERSION, _EXTENSIONS, _DNS = 0xA0, 0xA3, 0x82
_UTC_TIME, _UTF16, _UTF32 = 0x17, 0x1E, 0x1C
_ALTERNATIVE, _KEY_ID, _SIGNER_ID = (bytes.fromhex(f"551d{oid}") for oid in ("11", "0e", "23"))
_KEY_IDENTIFIER = 0x80
# The order in which Go's pkix.Name.String() writes the attributes it knows (2.5.4.x).
_ATTRIBUTES = {
    5: "SERIALNUMBER",
    3: "CN",
    17: "POSTALCODE",
    9: "STREET",
    8: "ST",
    7: "L",
    11: "OU",
    10: "O",
    6: "C",
}
_ESCAPED = frozenset(',+"\\<>;')
MAX_TEXT_CHARACTERS = 1024
_LONGEST_OID = 64
"""Bytes: its numbers are integers of any size, and to make a long one is more than linear."""


@dataclass(frozen=True, slots=True)
class Cert:
    """One certificate; `expiry` is a Unix time. Names are as Go writes them: `CN=a,O=Acme`.

    `key_id` names its key and `signer_id` the key that signed it; both may be empty.
    """

    der: bytes
    issuer_der: bytes
    subject_der: bytes
    issuer: str
    subject: str
    expiry: float
    names: tuple[str, ...]
    key_id: bytes = b""
    signer_id: bytes = b""

    def may_have_signed(self, other: Cert) -> bool:
        """Return whether the names of the keys allow that this certificate's key signed *other*."""
        return not self.key_id or not other.signer_id or self.key_id == other.signer_id

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()


def parse(der: bytes) -> Cert | None:
    """Return the certificate in *der*, or None if *der* is not a certificate."""
    try:
        return _parse(der)
    except (ValueError, IndexError, StopIteration, RuntimeError, OverflowError):
        return None


def _parse(der: bytes) -> Cert:
    (_, whole) = next(_items(der))
    (_, body) = next(_items(whole))
    parts = list(_items(body))
    if parts[0][0] == _VERSION:
        parts = parts[1:]
    (_, _), (_, _), (_, issuer), (_, validity), (_, subject), *rest = parts
    extensions = next((dict(_extensions(v)) for tag, v in rest if tag == _EXTENSIONS), {})
    signer = _items(next(_items(extensions.get(_SIGNER_ID, b"0\0")))[1])
    expiry = _time(*list(_items(validity))[1])
    return Cert(
        der,
        issuer,
        subject,
        distinguished_name(issuer),
        distinguished_name(subject),
        expiry,
        tuple(_dns_names(extensions.get(_ALTERNATIVE, b"0\0"))),
        next(_items(extensions.get(_KEY_ID, b"\4\0")))[1],
        next((value for tag, value in signer if tag == _KEY_IDENTIFIER), b""),
    )


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each DER value in *data*.

    Raises:
        ValueError, IndexError: a value is cut short.
    """
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count])
            at += count
        if at + length > len(data):
            raise ValueError("cut short")
        yield tag, data[at : at + length]
        at += length


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # two digits of a year from 1950 to 2049
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _extensions(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the identifier and the value, itself in DER, of each extension."""
    (_, sequence) = next(_items(data))
    for _, extension in _items(sequence):
        parts = list(_items(extension))
        yield parts[0][1], parts[-1][1]


def _dns_names(alternative: bytes) -> Iterator[str]:
    (_, names) = next(_items(alternative))
    yield from (visible(value.decode("latin-1")) for tag, value in _items(names) if tag == _DNS)


def distinguished_name(name: bytes) -> str:
    """Return a distinguished name as Go's `pkix.Name.String()` does."""
    known: dict[int, list[str]] = {}
    others: list[str] = []
    for _, group in _items(name):
        for _, pair in _items(group):
            (_, oid), (tag, value) = _items(pair)
            if len(oid) == 3 and oid[:2] == b"\x55\x04" and oid[2] in _ATTRIBUTES:
                known.setdefault(oid[2], []).append(_escaped(_text(tag, value)))
            else:
                others.append(f"{_dotted(oid)}=#{_value(tag, value).hex()}")
    groups = [
        "+".join(f"{_ATTRIBUTES[k]}={v}" for v in known[k]) for k in _ATTRIBUTES if k in known
    ]
    return ",".join((*groups, *reversed(others)))[:MAX_TEXT_CHARACTERS]


def _text(tag: int, value: bytes) -> str:
    coding = {_UTF16: "utf-16-be", _UTF32: "utf-32-be"}.get(tag, "utf-8")
    return visible(value.decode(coding, "replace"))


def visible(text: str) -> str:
    """Return *text*, at most 1,024 characters, with every unprintable one replaced by `?`."""
    return printable(text, "?")[:MAX_TEXT_CHARACTERS]


def _escaped(text: str) -> str:
    last = len(text) - 1
    return "".join(
        f"\\{c}" if c in _ESCAPED or (c == " " and i in (0, last)) or (c == "#" and i == 0) else c
        for i, c in enumerate(text)
    )


def _dotted(oid: bytes) -> str:
    if len(oid) > _LONGEST_OID:
        raise ValueError("an object identifier that is too long")
    numbers, number = [], 0
    for byte in oid:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _value(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + value


def chain_expiry(sent: tuple[Cert, ...], anchors: Iterable[Cert], now: float) -> float | None:
    """Return the expiry of the chain that lasts longest, as a Unix time; None without a chain.

    libcurl reports that a chain verified, but not which one. So every path by the names of issuers
    and of their keys is followed, from the leaf through the certificates that were *sent* to one of
    the *anchors*, as Go does; a path with a certificate that has expired at *now* does not count.
    """
    trusted: dict[bytes, list[Cert]] = {}
    above: dict[bytes, list[Cert]] = {}
    for cert in anchors:
        trusted.setdefault(cert.subject_der, []).append(cert)
    for cert in sent[1:]:
        above.setdefault(cert.subject_der, []).append(cert)
    ends: list[float] = []
    reached: dict[bytes, float] = {}
    waiting = [(sent[0], sent[0].expiry)] if sent else []
    while waiting:
        cert, expiry = waiting.pop()
        # A certificate is visited again only on a path that lasts longer: the server chooses the
        # names, and could make the number of paths grow without bound.
        if expiry < now or reached.get(cert.der, now - 1) >= expiry:
            continue
        reached[cert.der] = expiry
        if any(cert.der == anchor.der for anchor in trusted.get(cert.subject_der, ())):
            ends.append(expiry)
        ends += [
            min(expiry, anchor.expiry)
            for anchor in trusted.get(cert.issuer_der, ())
            if anchor.may_have_signed(cert)
        ]
        waiting += [
            (above_it, min(expiry, above_it.expiry))
            for above_it in above.get(cert.issuer_der, ())
            if above_it.may_have_signed(cert)
        ]
    return max((end for end in ends if end >= now), default=None)
