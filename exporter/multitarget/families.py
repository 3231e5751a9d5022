"""The families of `/probe`: names, types, help texts and order of blackbox_exporter 0.23.

Dashboards and alerts for it are in use everywhere, so nothing may differ, not even that `subject`
and `issuer` of the certificate are labels; `probe_tls_cipher_info` is the one of 0.26.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime

from exporter.model import PHASES, Phase, Reason
from exporter.multitarget.prober import Observation
from exporter.textformat import head, labelled

Samples = Iterable[tuple[str, float]]
_UNSENT = frozenset({Reason.DNS, Reason.ADDRESS_REFUSED, Reason.CLIENT_ERROR})


def exposition(observation: Observation) -> str:
    """Return the families of one probe as Prometheus text."""
    return "".join(_lines(observation))


def _lines(observation: Observation) -> Iterator[str]:
    for name, text, samples in FAMILIES:
        if lines := list(samples(observation)):
            yield head(name, "gauge", text)
            yield from (f"{name}{labels} {_number(value)}\n" for labels, value in lines)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(**labels: str) -> str:
    """Return *labels* in braces, sorted as Go's client sorts them."""
    return "{" + labelled(**dict(sorted(labels.items()))) + "}"


def address_hash(address: str) -> int:
    """Return the 32-bit FNV-1a hash of an IP address's bytes; 0 for no address."""
    if not address:
        return 0
    digest = 0x811C9DC5
    for byte in ipaddress.ip_address(address.partition("%")[0]).packed:
        digest = (digest ^ byte) * 0x01000193 & 0xFFFFFFFF
    return digest


def _unless_proxied(value: Callable[[Observation], float]) -> Callable[[Observation], Samples]:
    """Return a family that is left out with a proxy: then the proxy resolves the name."""
    return lambda observation: () if observation.proxied else (("", value(observation)),)


def _single(value: Callable[[Observation], float]) -> Callable[[Observation], Samples]:
    """Return a family with one sample and no labels."""
    return lambda observation: (("", value(observation)),)


def _if_answered(value: Callable[[Observation], float]) -> Callable[[Observation], Samples]:
    """Return a family that is 0 without an answer."""
    return lambda observation: (("", value(observation) if observation.answer.status else 0.0),)


def _phases(observation: Observation) -> Samples:
    """Yield all phases of a request; if none was sent only the look-up, as blackbox does."""
    unsent = observation.redirects == 0 and observation.answer.failure in _UNSENT
    for phase, seconds in sorted(zip(PHASES, observation.answer.phases, strict=True)):
        if phase is Phase.RESOLVE or not unsent:
            yield _labels(phase=phase), seconds


def _protocol(observation: Observation) -> float:
    return 0 if not observation.address else 6 if ":" in observation.address else 4


def _last_modified(observation: Observation) -> Samples:
    try:
        at = parsedate_to_datetime(observation.answer.headers["last-modified"])
    except (KeyError, ValueError, TypeError):
        return
    if at.tzinfo is not None and observation.answer.status:
        yield "", at.timestamp()


def _earliest_expiry(observation: Observation) -> Samples:
    if observation.chain is not None:
        yield "", observation.chain.earliest_expiry


def _chain_expiry(observation: Observation) -> Samples:
    if observation.chain is not None and observation.chain.verified_expiry is not None:
        yield "", observation.chain.verified_expiry


def _chain_info(observation: Observation) -> Samples:
    if observation.chain is not None:
        leaf = observation.chain.leaf
        yield (
            _labels(
                fingerprint_sha256=leaf.fingerprint,
                subject=leaf.subject,
                issuer=leaf.issuer,
                subjectalternative=",".join(leaf.names),
            ),
            1,
        )


def _tls_version(observation: Observation) -> Samples:
    version = observation.answer.session[0].replace("TLSv1", "TLS 1")
    if observation.secure and version:
        yield _labels(version=version if "." in version else f"{version}.0"), 1


def _tls_cipher(observation: Observation) -> Samples:
    cipher = observation.answer.session[1]
    name = cipher if cipher.startswith("TLS_") else CIPHERS.get(cipher)
    if observation.secure and name:
        yield _labels(cipher=name), 1


def _iana(key: str, cipher: str) -> str:
    return f"TLS_{key.replace('-', '_')}_WITH_{cipher}"


# OpenSSL's names of the TLS 1.2 suites that are still in use, and IANA's, which Go uses. For any
# other suite the family is left out.
CIPHERS = {
    f"{key}-{openssl}": _iana(key, iana)
    for key in ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA")
    for openssl, iana in (
        ("AES128-GCM-SHA256", "AES_128_GCM_SHA256"),
        ("AES256-GCM-SHA384", "AES_256_GCM_SHA384"),
        ("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"),
        ("AES128-SHA256", "AES_128_CBC_SHA256"),
        ("AES128-SHA", "AES_128_CBC_SHA"),
        ("AES256-SHA", "AES_256_CBC_SHA"),
    )
} | {
    "AES128-GCM-SHA256": "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "AES256-GCM-SHA384": "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "AES128-SHA": "TLS_RSA_WITH_AES_128_CBC_SHA",
    "AES256-SHA": "TLS_RSA_WITH_AES_256_CBC_SHA",
}
FAMILIES: tuple[tuple[str, str, Callable[[Observation], Samples]], ...] = (
    (
        "probe_dns_lookup_time_seconds",
        "Returns the time taken for probe dns lookup in seconds",
        _unless_proxied(lambda observation: observation.lookup),
    ),
    (
        "probe_duration_seconds",
        "Returns how long the probe took to complete in seconds",
        _single(lambda observation: observation.duration),
    ),
    (
        "probe_failed_due_to_regex",
        "Indicates if probe failed due to regex",
        _single(lambda observation: observation.failed_by_pattern),
    ),
    (
        "probe_http_content_length",
        "Length of http content response",
        _if_answered(lambda observation: observation.answer.content_length),
    ),
    (
        "probe_http_duration_seconds",
        "Duration of http request by phase, summed over all redirects",
        _phases,
    ),
    (
        "probe_http_last_modified_timestamp_seconds",
        "Returns the Last-Modified HTTP response header in unixtime",
        _last_modified,
    ),
    (
        "probe_http_redirects",
        "The number of redirects",
        _single(lambda observation: observation.redirects),
    ),
    (
        "probe_http_ssl",
        "Indicates if SSL was used for the final redirect",
        _single(lambda observation: observation.secure),
    ),
    (
        "probe_http_status_code",
        "Response HTTP status code",
        _single(lambda observation: observation.answer.status),
    ),
    (
        "probe_http_uncompressed_body_length",
        "Length of uncompressed response body",
        _single(lambda observation: observation.body_length),
    ),
    (
        "probe_http_version",
        "Returns the version of HTTP of the probe response",
        _if_answered(lambda observation: observation.answer.http_version),
    ),
    (
        "probe_ip_addr_hash",
        "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
        _unless_proxied(lambda observation: address_hash(observation.address)),
    ),
    (
        "probe_ip_protocol",
        "Specifies whether probe ip protocol is IP4 or IP6",
        _unless_proxied(_protocol),
    ),
    (
        "probe_ssl_earliest_cert_expiry",
        "Returns last SSL chain expiry in unixtime",
        _earliest_expiry,
    ),
    (
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "Returns last SSL chain expiry in timestamp",
        _chain_expiry,
    ),
    (
        "probe_ssl_last_chain_info",
        "Contains SSL leaf certificate information",
        _chain_info,
    ),
    (
        "probe_success",
        "Displays whether or not the probe was a success",
        _single(lambda observation: observation.success),
    ),
    ("probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake", _tls_cipher),
    (
        "probe_tls_version_info",
        "Returns the TLS version used or NaN when unknown",
        _tls_version,
    ),
)
