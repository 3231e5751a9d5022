"""Checks of a `--web.config.file` beyond its JSON Schema; no message contains a value of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporter.files import exists, read_bytes
from exporter.settings import FieldPath, Loaded, Problem

_Found = Iterator[tuple[FieldPath, str]]

SUITES = {
    "TLS_AES_128_GCM_SHA256": "",  # the suites of TLS 1.3 are always on, as in Go
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
ANY_TYPES = ("RequireAnyClientCert", "RequireClientCert")
REQUIRING_TYPES = (*ANY_TYPES, "RequireAndVerifyClientCert")
VERIFYING_TYPES = (*REQUIRING_TYPES, "VerifyClientCertIfGiven")
_HEADERS = {
    "Content-Security-Policy": ("", r"[\x20-\x7e]*"),
    "X-Frame-Options": ("deny or sameorigin", r"(?i:deny|sameorigin)?"),
    "X-Content-Type-Options": ("nosniff", r"(?i:nosniff)?"),
    "X-XSS-Protection": ("", r"[\x20-\x7e]*"),
    "Strict-Transport-Security": ("", r"[\x20-\x7e]*"),
}
_HASH = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-8])\$[./A-Za-z0-9]{53}")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?)(ns|us|µs|ms|s|m|h)")


def interval_seconds(interval: int | str) -> float:
    """Return the seconds of a checked interval, written as Go writes them."""
    return sum(float(n) * _UNITS[unit] for n, unit in DURATION_PART.findall(str(interval)))


class Mistakes:
    """The mistakes of a file, in order; fields that its schema already *refused* are left out."""

    def __init__(self, loaded: Loaded, refused: set[FieldPath], folder: Path) -> None:
        self._loaded, self._folder = loaded, folder
        self._refused = {path[:2] for path in refused}

    @property
    def files(self) -> dict[str, Path]:
        """The files that TLS reads, by field; relative paths start at the folder of the file."""
        raw = self._section("tls_server_config")
        named = {name: raw.get(name) for name in ("cert_file", "key_file", "client_ca_file")}
        return {n: self._folder / v for n, v in named.items() if isinstance(v, str) and v}

    def __iter__(self) -> Iterator[Problem]:
        for section, mistakes in (
            ("tls_server_config", self._tls()),
            ("http_server_config", self._headers()),
            ("basic_auth_users", self._users()),
            ("rate_limit", self._rate()),
        ):
            for path, mistake in mistakes:
                if not path or (section, path[0]) not in self._refused:
                    yield self._loaded.problem((section, *path), mistake)

    def _section(self, name: str) -> dict[str, Any]:
        section = self._loaded.data.get(name) if isinstance(self._loaded.data, dict) else None
        return section if isinstance(section, dict) else {}

    def _tls(self) -> _Found:
        raw = self._section("tls_server_config")
        if not raw and not self._is_empty("tls_server_config"):
            return

        def is_given(*names: str) -> bool:
            return any(raw.get(n) or ("tls_server_config", n) in self._refused for n in names)

        for file, inline in (("cert_file", "cert"), ("key_file", "key")):
            if not is_given(file, inline):
                yield (), f"needs {file} or {inline}; leave tls_server_config out for plain HTTP"
        for inline in ("cert", "key", "client_ca"):
            if raw.get(inline) and raw.get(f"{inline}_file"):
                yield (inline,), f"give {inline} or {inline}_file, not both"
        for name, path in self.files.items():
            if mistake := _file_mistake(path):
                yield (name,), mistake
        yield from _client_mistakes(raw, is_given("client_ca_file", "client_ca"))
        yield from _version_mistakes(raw)
        yield from _curve_mistakes(raw)

    def _is_empty(self, section: str) -> bool:
        data = self._loaded.data
        return isinstance(data, dict) and data.get(section) == {}

    def _headers(self) -> _Found:
        headers = self._section("http_server_config").get("headers")
        for name, value in (headers if isinstance(headers, dict) else {}).items():
            if name not in _HEADERS:
                known = ", ".join(_HEADERS)
                yield ("headers", name), f"this header cannot be set; allowed: {known}"
            elif isinstance(value, str) and not re.fullmatch(_HEADERS[name][1], value):
                allowed = _HEADERS[name][0] or "one line of plain ASCII text"
                yield ("headers", name), f"must be {allowed}"

    def _users(self) -> _Found:
        for name, value in self._section("basic_auth_users").items():
            if not name or ":" in name:
                yield (name,), "a user name must not be empty or contain ':'"
            elif isinstance(value, str) and value and not _HASH.fullmatch(value):
                hint = "`htpasswd -nBC 10 USER` prints one after the colon"
                yield (name,), f"must be a bcrypt hash with a cost from 4 to 18; {hint}"

    def _rate(self) -> _Found:
        raw = self._section("rate_limit")
        interval, burst = raw.get("interval", 0), raw.get("burst", 0)
        if isinstance(interval, int) and not isinstance(interval, bool) and interval != 0:
            yield ("interval",), "must be a duration such as 1s or 100ms; 0 is no limit"
        elif isinstance(interval, str) and burst == 0 and interval_seconds(interval):
            yield ("burst",), "must be at least 1, or every request would be refused"


def _client_mistakes(raw: dict[str, Any], has_ca: bool) -> _Found:
    kind = raw.get("client_auth_type", "NoClientCert")
    if has_ca and kind in ("NoClientCert", "RequestClientCert"):
        hint = "use RequireAndVerifyClientCert or VerifyClientCertIfGiven"
        yield ("client_auth_type",), f"verifies nothing, though there is a client CA: {hint}"
    if kind in VERIFYING_TYPES and not has_ca:
        reason = ": a certificate is always verified here" if kind in ANY_TYPES else ""
        yield ("client_auth_type",), f"needs client_ca_file or client_ca{reason}"
    if raw.get("client_allowed_sans") is not None and kind not in REQUIRING_TYPES:
        yield (
            ("client_allowed_sans",),
            (
                "needs client_auth_type RequireAndVerifyClientCert: otherwise a client without a "
                "certificate would pass"
            ),
        )


def _version_mistakes(raw: dict[str, Any]) -> _Found:
    low, high = raw.get("min_version", "TLS12"), raw.get("max_version", "TLS13")
    if (low, high) == ("TLS13", "TLS12"):
        yield ("max_version",), "is older than min_version"
    suites = raw.get("cipher_suites")
    suites = suites if isinstance(suites, list) else []
    for index, suite in enumerate(suites):
        if str(suite) not in SUITES:
            yield ("cipher_suites", index), f"must be one of {', '.join(SUITES)}"
    if low == "TLS12" and suites and not any(SUITES.get(str(s), "x") for s in suites):
        yield ("cipher_suites",), "has no suite of TLS 1.2; add one, or set min_version: TLS13"


def _curve_mistakes(raw: dict[str, Any]) -> _Found:
    curves = raw.get("curve_preferences")
    curves = curves if isinstance(curves, list) else []
    for index, curve in enumerate(curves):
        if str(curve) not in CURVES:
            yield ("curve_preferences", index), f"must be one of {', '.join(CURVES)}"
    if len(curves) > 1 and set(map(str, curves)) < set(CURVES):
        mistake = "must be one curve, or all four for OpenSSL's own order: Python can set only one"
        yield ("curve_preferences",), mistake


def _file_mistake(path: Path) -> str:
    try:
        if not exists(path):
            return "there is no such file"
        read_bytes(path, 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""
