"""How we are served: TLS, passwords, headers and a rate limit, in exporter-toolkit's file format.

Reads the file, says every mistake at once by file and line, makes the TLS context, and takes over
a changed file or certificate while running. A bad new file changes nothing and is logged once.
What each request must show is `api/webauth.py`.
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
from exporter.log import event
from exporter.secret import Secret, file_signature
from exporter.serving.web_config_mistakes import (
    ANY,
    CURVES,
    PART,
    REQUIRE,
    SUITES,
    VERIFY,
    Mistakes,
    seconds,
)
from exporter.settings import Problem, SettingsError, build, examine, object_schema, option

_log = logging.getLogger(__name__)
LOOK = 1.0
"""Seconds between two looks at the files, and how long one must lie still before it counts."""
MAX_BYTES = 1024 * 1024
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
    client_ca_file: str | None = option(None, "PEM file: who may issue client certificates.")
    client_ca: str | None = option(None, "The same in the file itself.")
    client_auth_type: Literal[
        "NoClientCert",
        "RequestClientCert",
        "RequireAnyClientCert",
        "RequireClientCert",
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert",
    ] = option("NoClientCert", "Whether clients show a certificate.")
    client_allowed_sans: tuple[str, ...] | None = option(
        None, "The client's certificate names one of these exactly: DNS, IP, URI or e-mail."
    )
    min_version: str = option("TLS12", "Oldest version.", **_VERSION)
    max_version: str = option("TLS13", "Newest version.", **_VERSION)
    cipher_suites: tuple[str, ...] = option((), "Go's names of the suites of TLS 1.2.")
    prefer_server_cipher_suites: bool = option(True, "Our order of suites wins.")
    curve_preferences: tuple[str, ...] = option((), "One curve, or all four.")

    @property
    def requires_certificate(self) -> bool:
        """Whether a client must show a certificate."""
        return self.client_auth_type in REQUIRE


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """How answers are sent."""

    http2: bool | None = option(None, "Without effect: answers are HTTP/1.1.")
    headers: dict[str, str] = option(doc="Headers of every answer.", factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A bucket of `burst` requests that gets one more each `interval`."""

    interval: int | str = option(
        0,
        "Time for one further request; 0 is no limit.",
        pattern=rf"^(?:0|(?:{PART.pattern})+)$",
        hint="must be a duration such as 1s or 100ms",
    )
    burst: int = option(0, "Requests at once.", minimum=0)

    @property
    def seconds(self) -> float:
        """The interval; 0 means no limit."""
        return seconds(self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The whole file."""

    tls_server_config: TlsServer | None = option(None, "TLS; plain HTTP without it.")
    http_server_config: HttpServer | None = option(None, "Answers.")
    basic_auth_users: dict[str, Secret] | None = option(None, "bcrypt hash by user.")
    rate_limit: RateLimit | None = option(None, "Limit of all requests together.")


@dataclass(frozen=True, slots=True)
class Web:
    """What one reading of the file says; the context is there if TLS is."""

    settings: WebSettings = WebSettings()
    context: ssl.SSLContext | None = None
    warnings: tuple[str, ...] = ()

    @property
    def users(self) -> dict[str, Secret]:
        """The bcrypt hashes by user; nobody is asked for a password without one."""
        return self.settings.basic_auth_users or {}


class _UnusableError(Exception):
    """A field of `tls_server_config` and what is wrong with what it names."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.name, self.what = name, what


def read_web(
    text: str,
    source: str,
    folder: Path,
    about_to_read: Callable[[Iterable[Path]], None] = lambda files: None,
) -> Web:
    """Return what *text* says; relative paths in it start at *folder*.

    Raises:
        SettingsError: with every mistake, each with its line.
    """
    loaded, found = examine(text, source, object_schema(WebSettings))
    mistakes = Mistakes(loaded, {place for place, _ in found}, folder)
    about_to_read(mistakes.files.values())
    if problems := [*(problem for _, problem in found), *mistakes]:
        raise SettingsError(problems)
    settings: WebSettings = build(WebSettings, loaded.data)
    tls = settings.tls_server_config
    try:
        context = make_context(tls, mistakes.files) if tls else None
    except _UnusableError as error:
        place = ("tls_server_config", error.name)
        raise SettingsError([loaded.problem(place, error.what)]) from None
    return Web(settings, context, tuple(_warnings(settings)))


def _warnings(settings: WebSettings) -> Iterator[str]:
    if settings.http_server_config and settings.http_server_config.http2:
        yield "http_server_config.http2 has no effect: answers are HTTP/1.1"
    kind = settings.tls_server_config.client_auth_type if settings.tls_server_config else ""
    if kind == "RequestClientCert":
        yield "client_auth_type RequestClientCert verifies nothing, so no certificate is asked for"
    if kind in ANY:
        yield f"client_auth_type {kind}: the certificate is verified, not just any is accepted"


def make_context(tls: TlsServer, files: dict[str, Path]) -> ssl.SSLContext:
    """Return the context of new connections; *files* are those that *tls* names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if suites := [found for name in tls.cipher_suites if (found := SUITES[name])]:
        context.set_ciphers(":".join(suites))
    if len(set(tls.curve_preferences)) == 1:
        context.set_ecdh_curve(CURVES[tls.curve_preferences[0]])
    _load_certificate(context, tls, files)
    if tls.client_auth_type in VERIFY:
        context.verify_mode = ssl.CERT_REQUIRED if tls.requires_certificate else ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what is listed is trusted, as in Go
        _load_authorities(context, tls, files)
    return context


def _load_certificate(context: ssl.SSLContext, tls: TlsServer, files: dict[str, Path]) -> None:
    own = "cert_file" if "cert_file" in files else "cert"
    try:
        with ExitStack() as stack:

            def place(name: str, text: str) -> Path:
                """Return the file of that field; a text gets one for a moment, for us alone."""
                if name in files:
                    return files[name]
                file = stack.enter_context(NamedTemporaryFile("w", encoding="utf-8"))
                file.write(text)
                file.flush()
                return Path(file.name)

            cert = place("cert_file", tls.cert or "")
            key = place("key_file", tls.key.reveal() if tls.key else "")
            # Without `password` OpenSSL would ask for one on the terminal.
            context.load_cert_chain(cert, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _UnusableError(own, "certificate and key do not belong together") from None
        if error.reason == "EE_KEY_TOO_SMALL":
            raise _UnusableError(own, "the certificate's key is too short to be safe") from None
        what = "certificate or key is no PEM that can be used; a key has no password here"
        raise _UnusableError(own, what) from None
    except OSError as error:
        raise _UnusableError(own, f"certificate or key cannot be read: {error.strerror}") from None


def _load_authorities(context: ssl.SSLContext, tls: TlsServer, files: dict[str, Path]) -> None:
    file = files.get("client_ca_file")
    try:
        if file is not None:
            context.load_verify_locations(cafile=file)
        else:
            context.load_verify_locations(cadata=tls.client_ca)
    except (OSError, ValueError, TypeError):
        name = "client_ca_file" if file else "client_ca"
        raise _UnusableError(name, "holds no certificate in PEM form") from None


class WebFile:
    """The settings in place, looked at anew at most once a second."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._web = Web()
        self._seen: _Signatures = {}
        self._looked = 0.0

    def load(self) -> None:
        """Read the file for the first time.

        Raises:
            SettingsError: the file is wrong.
        """
        if self._path is not None:
            self._web = self._read(self._path)
            self._tell()

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted; that stays as it was at the start."""
        return self._web.context is not None

    def secrets(self) -> list[Secret]:
        """Return what no line of a log may show."""
        tls = self._web.settings.tls_server_config
        return [*self._web.users.values(), *([tls.key] if tls and tls.key else [])]

    def current(self) -> Web:
        """Return what holds now."""
        now = self._clock.tick()
        if self._path is not None and now - self._looked >= LOOK:
            self._looked = now
            found = {path: file_signature(path) for path in self._seen}
            if found != self._seen and not self._just_written(found):
                self._reload(self._path)
        return self._web

    def warn_if_open(self, addresses: list[str]) -> None:
        """Warn once if others reach one of these *addresses* without TLS and without a password."""
        if self.tls or self._web.users:
            return
        if not all(ipaddress.ip_address(one).is_loopback for one in addresses):
            event(
                _log,
                "whoever reaches this address can read everything",
                level=logging.WARNING,
                instead="--web.config.file FILE for TLS and passwords, or --listen 127.0.0.1:PORT",
            )

    def context(self) -> ssl.SSLContext | None:
        """Return the context to listen with, which always stands for the newest; None is HTTP."""
        return _Newest(self) if self.tls else None

    def _just_written(self, found: _Signatures) -> bool:
        """Whether somebody may still be writing: half a file can be one without passwords."""
        times = (one[0] / 1e9 for path, one in found.items() if one and one != self._seen[path])
        return any(0 <= self._clock.now() - at < LOOK for at in times)

    def _reload(self, path: Path) -> None:
        before = self._web
        try:
            found = self._read(path)
        except SettingsError as error:
            for problem in error.problems:
                event(_log, "web configuration refused", level=logging.ERROR, problem=problem)
            return
        if (found.context is None) != (before.context is None):
            kept = replace(found.settings, tls_server_config=before.settings.tls_server_config)
            found = replace(found, settings=kept, context=before.context)
            wanted = "off" if self.tls else "on"
            event(_log, "restart to switch TLS", level=logging.WARNING, to=wanted)
        self._web = found
        self._tell()

    def _read(self, path: Path) -> Web:
        # Before anything is read: what changes meanwhile is read again at the next look.
        seen: _Signatures = {path: file_signature(path)}
        kept = {p: s for p, s in self._seen.items() if p != path}
        self._seen = kept | seen

        def about_to_read(files: Iterable[Path]) -> None:
            self._seen = seen | {file: file_signature(file) for file in files}

        return read_web(_text(path), str(path), path.parent, about_to_read)

    def _tell(self) -> None:
        for warning in self._web.warnings:
            event(_log, "web configuration warning", level=logging.WARNING, problem=warning)
        event(_log, "web configuration loaded", tls=self.tls, users=len(self._web.users))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) <= MAX_BYTES:
            return raw.decode()
        what = "is larger than 1 MiB"
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        what = "is not UTF-8 text"
    raise SettingsError([Problem(str(path), 1, "(file)", what)])


class _Newest(ssl.SSLContext):
    """Makes every new connection with the context in place at that moment."""

    def __new__(cls, file: WebFile) -> _Newest:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, file: WebFile) -> None:
        self._file = file

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        context = self._file.current().context
        assert context is not None
        return context.wrap_bio(*args, **kwargs)
