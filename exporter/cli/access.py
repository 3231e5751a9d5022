"""How a command gets past the password and TLS of an exporter with `--web.config.file`.

The file that SERVICE_REGISTRY_HTTP_CONFIG_FILE names has the form that promtool and amtool take for
`--http.config.file`. Nothing of it can be an option: others could read a password there.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from exporter.cli.remote_arguments import ACCESS_VARIABLE
from exporter.cli.usage import UsageError
from exporter.files import named, read_bytes
from exporter.secret import Secret, SecretError, read_key_file
from exporter.settings import SettingsError, build, examine, object_schema, option


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """One of the exporter's `basic_auth_users`."""

    username: str = option(doc="Name of the user.")
    password: Secret | None = option(None, "The password.")
    password_file: str | None = option(None, "File with the password, instead of password.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsClient:
    """Whom to trust, and who we are."""

    ca_file: str | None = option(None, "PEM file: the authorities of the exporter's certificate.")
    cert_file: str | None = option(None, "PEM file: our certificate, if the exporter asks for one.")
    key_file: str | None = option(None, "PEM file: its key, without a password.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """The whole file."""

    basic_auth: BasicAuth | None = option(None, "User and password.")
    tls_config: TlsClient | None = option(None, "Certificates.")


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs."""

    user: str = ""
    password: Secret | None = None
    context: ssl.SSLContext | None = None


def read_access(path: Path) -> Access:
    """Return what the file at *path* says; relative paths in it start at its folder.

    Raises:
        UsageError: the file cannot be read, or one that it names cannot be used.
        SettingsError: with every mistake in it, each with its line.
    """
    shown = named(path, ACCESS_VARIABLE)
    try:
        text = read_bytes(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{shown}: cannot be read ({reason})") from None
    loaded, refused = examine(text, shown, object_schema(HttpConfig))
    if refused:
        raise SettingsError([problem for _, problem in refused])
    file: HttpConfig = build(HttpConfig, loaded.data)
    user, password = _password(file.basic_auth, path.parent, shown)
    return Access(user, password, _context(file.tls_config, path.parent, shown))


def _password(auth: BasicAuth | None, folder: Path, shown: str) -> tuple[str, Secret | None]:
    if auth is None:
        return "", None
    if (auth.password is None) == (auth.password_file is None):
        raise UsageError(f"{shown}: basic_auth needs either password or password_file")
    if auth.password_file is None:
        return auth.username, auth.password
    try:
        return auth.username, read_key_file(folder / auth.password_file)
    except SecretError as error:
        reason = str(error).replace("the key file", "the file")
        raise UsageError(f"{shown}: basic_auth.password_file: {reason}") from None


def _context(tls: TlsClient | None, folder: Path, shown: str) -> ssl.SSLContext | None:
    if tls is None:
        return None
    if tls.key_file and not tls.cert_file:
        raise UsageError(f"{shown}: tls_config.key_file needs cert_file")
    field = "ca_file"
    try:
        context = ssl.create_default_context(cafile=tls.ca_file and folder / tls.ca_file)
        if tls.cert_file:
            field = "cert_file"
            key = tls.key_file and folder / tls.key_file
            # Without an answer OpenSSL would ask for the key's password on the terminal.
            context.load_cert_chain(folder / tls.cert_file, key, password=lambda: "")
    except OSError as error:  # of which ssl.SSLError is a kind
        reason = "it is no PEM file of the right kind"
        if not isinstance(error, ssl.SSLError):
            reason = error.strerror or "it cannot be read"
        raise UsageError(f"{shown}: tls_config.{field} cannot be used: {reason}") from None
    return context
