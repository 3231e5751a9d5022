"""The file of --web.config.file: TLS, passwords, headers and a rate limit.

Its format is that of Prometheus' exporter-toolkit. This module reads the file, reports every
mistake at once by file and line, makes the TLS context, and activates a changed file or
certificate while running. A file that is not valid changes nothing and is logged once.
`webauth.py` checks the requests.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

from exporter.clock import Clock
from exporter.files import named, read_bytes
from exporter.log import event
from exporter.secret import Secret, file_signature
from exporter.serving.web_config_mistakes import (
    ANY_TYPES,
    CURVES,
    DURATION_PART,
    REQUIRING_TYPES,
    SUITES,
    VERIFYING_TYPES,
    Mistakes,
    interval_seconds,
)
from exporter.settings import Problem, SettingsError, build, examine, object_schema, option

_log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""Time between two looks at the files, and for which a file must be unchanged before it is read."""
MAX_BYTES = 1024 * 1024
_OPTION = "--web.config.file"
_Signatures = dict[Path, tuple[int, int, int] | None]
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_VERSION = {"pattern": r"^TLS1[23]$", "hint": "must be TLS12 or TLS13; older ones are not offered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """How connections are encrypted, and which clients may make one."""

    cert_file: str | None = option(None, "PEM file: our certificate, then its intermediates.")
    key_file: str | None = option(None, "PEM file: the certificate's key, without a password.")
    cert: str | None = option(None, "The certificate itself, instead of cert_file.")
    key: Secret | None = option(None, "The key itself, instead of key_file.")
    client_ca_file: str | None = option(None, "PEM file: the authorities of client certificates.")
    client_ca: str | None = option(None, "The authorities themselves, instead of client_ca_file.")
    client_auth_type: Literal[
        "NoClientCert",
        "RequestClientCert",
        "RequireAnyClientCert",
        "RequireClientCert",
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert",
    ] = option("NoClientCert", "Whether clients must present a certificate.")
    client_allowed_sans: tuple[str, ...] | None = option(
        None, "The client's certificate must name one of these exactly: DNS, IP, URI or e-mail."
    )
    min_version: str = option("TLS12", "Oldest version.", **_VERSION)
    max_version: str = option("TLS13", "Newest version.", **_VERSION)
    cipher_suites: tuple[str, ...] = option((), "Go's names of the suites of TLS 1.2.")
    prefer_server_cipher_suites: bool = option(True, "The server's order of suites wins.")
    curve_preferences: tuple[str, ...] = option((), "One curve, or all four.")

    @property
    def requires_certificate(self) -> bool:
        """Whether a client must present a certificate."""
        return self.client_auth_type in REQUIRING_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """How answers are sent."""

    http2: bool | None = option(None, "Without effect: answers are HTTP/1.1.")
    headers: dict[str, str] = option(doc="Headers of every answer.", factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A token bucket of `burst` requests, refilled by one each `interval`."""

    interval: int | str = option(
        0,
        "Time for one further request; 0 is no limit.",
        pattern=rf"^(?:0|(?:{DURATION_PART.pattern})+)$",
        hint="must be a duration such as 1s or 100ms",
    )
    burst: int = option(0, "Requests at once.", minimum=0)

    @property
    def seconds(self) -> float:
        """The interval; 0 means no limit."""
        return interval_seconds(self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The whole file."""

    tls_server_config: TlsServer | None = option(None, "TLS; plain HTTP without it.")
    http_server_config: HttpServer | None = option(None, "How answers are sent.")
    basic_auth_users: dict[str, Secret] | None = option(
        None, "The bcrypt hash of each user's password."
    )
    rate_limit: RateLimit | None = option(None, "Limit of all requests together.")


@dataclass(frozen=True, slots=True)
class Web:
    """The settings of one reading of the file; `context` is None without TLS."""

    settings: WebSettings = WebSettings()
    context: ssl.SSLContext | None = None
    warnings: tuple[str, ...] = ()

    @property
    def users(self) -> dict[str, Secret]:
        """The bcrypt hash of each user; if there is none, no password is needed."""
        return self.settings.basic_auth_users or {}


class _UnusableError(Exception):
    """A certificate, key or authority cannot be used; `name` is its field in the file."""

    def __init__(self, name: str, mistake: str) -> None:
        super().__init__(mistake)
        self.name, self.mistake = name, mistake


def read_web(
    text: str,
    source: str,
    folder: Path,
    about_to_read: Callable[[Iterable[Path]], None] = lambda files: None,
) -> Web:
    """Return the settings in *text*; relative paths in it start at *folder*.

    *about_to_read* is called with the files that are named, before they are read.

    Raises:
        SettingsError: with every mistake, each with its line.
    """
    loaded, refused = examine(text, source, object_schema(WebSettings))
    mistakes = Mistakes(loaded, {path for path, _ in refused}, folder)
    about_to_read(mistakes.files.values())
    if problems := [*(problem for _, problem in refused), *mistakes]:
        raise SettingsError(problems)
    settings: WebSettings = build(WebSettings, loaded.data)
    tls = settings.tls_server_config
    try:
        context = make_context(tls, mistakes.files) if tls else None
    except _UnusableError as error:
        path = ("tls_server_config", error.name)
        raise SettingsError([loaded.problem(path, error.mistake)]) from None
    return Web(settings, context, tuple(_warnings(settings)))


def _warnings(settings: WebSettings) -> Iterator[str]:
    if settings.http_server_config and settings.http_server_config.http2:
        yield "http_server_config.http2 has no effect: answers are HTTP/1.1"
    kind = settings.tls_server_config.client_auth_type if settings.tls_server_config else ""
    if kind == "RequestClientCert":
        yield "client_auth_type RequestClientCert verifies nothing, so no certificate is asked for"
    if kind in ANY_TYPES:
        yield f"client_auth_type {kind}: the certificate is verified; not just any is accepted"


def make_context(tls: TlsServer, files: dict[str, Path]) -> ssl.SSLContext:
    """Return the context of new connections; *files* are those that *tls* names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if suites := [suite for name in tls.cipher_suites if (suite := SUITES[name])]:
        context.set_ciphers(":".join(suites))
    if len(set(tls.curve_preferences)) == 1:
        context.set_ecdh_curve(CURVES[tls.curve_preferences[0]])
    _load_certificate(context, tls, files)
    if tls.client_auth_type in VERIFYING_TYPES:
        context.verify_mode = ssl.CERT_REQUIRED if tls.requires_certificate else ssl.CERT_OPTIONAL
        # A listed intermediate is trusted without its root, as in Go.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _load_authorities(context, tls, files)
    return context


def _load_certificate(context: ssl.SSLContext, tls: TlsServer, files: dict[str, Path]) -> None:
    field = "cert_file" if "cert_file" in files else "cert"
    try:
        with ExitStack() as stack:

            def pem_file(name: str, text: str) -> Path:
                """Return the file in the field *name*, or a temporary one with *text*."""
                if name in files:
                    return files[name]
                # load_cert_chain takes files only; this one has mode 0600 and is deleted after.
                file = stack.enter_context(NamedTemporaryFile("w", encoding="utf-8"))
                file.write(text)
                file.flush()
                return Path(file.name)

            cert = pem_file("cert_file", tls.cert or "")
            key = pem_file("key_file", tls.key.reveal() if tls.key else "")
            # Without `password` OpenSSL would ask for one on the terminal.
            context.load_cert_chain(cert, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _UnusableError(field, "certificate and key do not belong together") from None
        if error.reason == "EE_KEY_TOO_SMALL":
            raise _UnusableError(field, "the certificate's key is too short to be safe") from None
        mistake = "certificate or key is not usable PEM; the key must have no password"
        raise _UnusableError(field, mistake) from None
    except OSError as error:
        raise _UnusableError(
            field, f"certificate or key cannot be read: {error.strerror}"
        ) from None


def _load_authorities(context: ssl.SSLContext, tls: TlsServer, files: dict[str, Path]) -> None:
    file = files.get("client_ca_file")
    try:
        if file is not None:
            context.load_verify_locations(cafile=file)
        else:
            context.load_verify_locations(cadata=tls.client_ca)
    except (OSError, ValueError, TypeError):
        name = "client_ca_file" if file else "client_ca"
        raise _UnusableError(name, "contains no certificate in PEM form") from None


class WebFile:
    """The active settings, re-read when their files change; looks at most once a second."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._web = Web()
        self._signatures: _Signatures = {}
        self._seen: _Signatures = {}
        self._last_look = 0.0

    def load(self) -> None:
        """Read the file for the first time.

        Raises:
            SettingsError: the file is wrong.
        """
        if self._path is not None:
            self._web = self._read(self._path)
            self._log_loaded()

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted; only a restart changes that."""
        return self._web.context is not None

    def secrets(self) -> list[Secret]:
        """Return the values that must not appear in the log."""
        tls = self._web.settings.tls_server_config
        return [*self._web.users.values(), *([tls.key] if tls and tls.key else [])]

    def current(self) -> Web:
        """Return the active settings, after a look at the files if one is due."""
        now = self._clock.tick()
        if self._path is not None and now - self._last_look >= LOOK_SECONDS:
            self._last_look = now
            signatures = {path: file_signature(path) for path in self._signatures}
            if signatures != self._signatures and not self._just_written(signatures):
                self._reload(self._path)
            self._seen = signatures
        return self._web

    def warn_if_open(self, addresses: list[str]) -> None:
        """Log a warning if an address is not loopback and neither TLS nor a password is needed."""
        if self.tls or self._web.users:
            return
        if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
            event(
                _log,
                "everyone who can reach this address can read everything",
                level=logging.WARNING,
                instead="--web.config.file FILE for TLS and passwords, or --listen 127.0.0.1:PORT",
            )

    def context(self) -> ssl.SSLContext | None:
        """Return the context to listen with, which always uses the active one; None without TLS."""
        return _ActiveContext(self) if self.tls else None

    def _just_written(self, signatures: _Signatures) -> bool:
        """Return whether a changed file may still be incomplete: half of it may lack passwords.

        One whose time is not past, for the clock was set, is complete once it is the same at two
        looks.
        """
        times = (
            signature[0] / 1e9  # nanoseconds
            for path, signature in signatures.items()
            if signature and signature != self._signatures[path]
        )
        is_fresh = any(self._clock.now() - at < LOOK_SECONDS for at in times)
        return is_fresh and signatures != self._seen

    def _reload(self, path: Path) -> None:
        before = self._web
        try:
            web = self._read(path)
        except SettingsError as error:
            for problem in error.problems:
                event(_log, "web configuration refused", level=logging.ERROR, problem=problem)
            return
        if (web.context is None) != (before.context is None):
            # The listening socket keeps the kind that it was opened with.
            settings = replace(web.settings, tls_server_config=before.settings.tls_server_config)
            web = replace(web, settings=settings, context=before.context)
            wanted = "off" if self.tls else "on"
            event(_log, "restart to switch TLS", level=logging.WARNING, to=wanted)
        self._web = web
        self._log_loaded()

    def _read(self, path: Path) -> Web:
        # Taken before reading, so that a change during the reading is found at the next look.
        own: _Signatures = {path: file_signature(path)}
        others = {p: s for p, s in self._signatures.items() if p != path}
        self._signatures = others | own

        def about_to_read(files: Iterable[Path]) -> None:
            self._signatures = own | {file: file_signature(file) for file in files}

        return read_web(_text(path), named(path, _OPTION), path.parent, about_to_read)

    def _log_loaded(self) -> None:
        for warning in self._web.warnings:
            event(_log, "web configuration warning", level=logging.WARNING, problem=warning)
        event(_log, "web configuration loaded", tls=self.tls, users=len(self._web.users))


def _text(path: Path) -> str:
    try:
        raw = read_bytes(path, MAX_BYTES + 1)
        if len(raw) <= MAX_BYTES:
            return raw.decode()
        mistake = "is larger than 1 MiB"
    except OSError as error:
        mistake = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        mistake = "is not UTF-8 text"
    raise SettingsError([Problem(named(path, _OPTION), 1, "(file)", mistake)])


class _ActiveContext(ssl.SSLContext):
    """Gives every new connection the context that is active at that moment.

    asyncio calls `wrap_bio` of the listening context once for each connection.
    """

    def __new__(cls, file: WebFile) -> _ActiveContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, file: WebFile) -> None:
        self._file = file

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        context = self._file.current().context
        assert context is not None
        return context.wrap_bio(*args, **kwargs)
