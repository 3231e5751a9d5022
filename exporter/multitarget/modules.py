"""The modules of `/probe`, in blackbox_exporter's own file format, its http prober only.

Reads the file, reports every mistake at once by file and line, and makes a `Check` of a module and
a target. Modules that blackbox alone can use are left out with a warning (`left_out`).
As in blackbox no `${NAME}` is replaced here. A secret belongs in a file of its own (`*_file`),
which is read at each probe, so that a new one is used at once.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from exporter.characters import breaks_url, oversized_url
from exporter.checks import TlsSettings
from exporter.files import named, read_bytes, read_text
from exporter.log import event
from exporter.multitarget.allowed import is_allowed
from exporter.multitarget.declarations import HttpSettings, Module
from exporter.multitarget.left_out import OTHER_PROBERS
from exporter.multitarget.module_mistakes import Document, mistakes_of, size
from exporter.multitarget.prober import MAX_REDIRECTS, Check, Rules
from exporter.probers import Endpoint
from exporter.probers.redirects import HARMLESS_HEADERS, origin
from exporter.probers.urls import normalized
from exporter.secret import Secret, SecretError, read_key_file
from exporter.settings import (
    Problem,
    SettingsError,
    build,
    object_schema,
    secrets_in,
)

_log = logging.getLogger(__name__)
MAX_TIMEOUT = 120.0
_Source = TypeVar("_Source")
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_RULES = {
    "type": "object",
    "properties": {
        "modules": {
            "type": "object",
            "additionalProperties": {
                "if": {"properties": {"prober": {"enum": OTHER_PROBERS}}, "required": ["prober"]},
                "then": {},
                # Sections of other probers are without effect in an http module, as in blackbox.
                "else": object_schema(
                    Module, tcp={}, icmp={}, dns={}, grpc={}, unix={}, websocket={}
                ),
            },
        }
    },
    "required": ["modules"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """What a module file declares: the modules by name, and why others were left out."""

    modules: dict[str, Module]
    left_out: dict[str, str]
    """Why blackbox_exporter alone can use the module, by its name."""
    warnings: tuple[Problem, ...] = ()


def read_modules(text: str, source: str) -> ModuleFile:
    """Return the modules that the YAML in *text* declares; what blackbox alone can use is left out.

    Raises:
        SettingsError: with every mistake, each with its line.
    """
    document = Document(text, source, _RULES)
    left_out = document.take_out()
    problems = [*document.problems, *mistakes_of(document)]
    if problems:
        raise SettingsError(problems)
    fields = ("prober", "timeout", "http")
    modules = {
        name: build(Module, {key: raw[key] for key in fields if raw.get(key) is not None})
        for name, raw in document.modules.items()
    }
    warnings = [
        document.problem(each.path, f"the module is left out: {each.why}")
        for each in left_out.values()
    ]
    return ModuleFile(modules, {n: each.why for n, each in left_out.items()}, tuple(warnings))


class Modules:
    """The modules in use.

    A reload reads the file with `loading_with`; only `activate` puts what was read into use, once
    the rest of the configuration is valid too.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._active = self._loaded = ModuleFile({}, {})

    @property
    def enabled(self) -> bool:
        """Whether there is a modules file; without one `/probe` is off."""
        return self._path is not None

    def get(self, name: str) -> Module | None:
        """Return the module *name*, or None."""
        return self._active.modules.get(name)

    def why_left_out(self, name: str) -> str:
        """Return why the module *name* is in the file and not in use; empty if that is not so."""
        return self._active.left_out.get(name, "")

    def secrets(self) -> list[Secret]:
        """Return every secret in the modules, for the redaction of the log."""
        return [secret for module in self._active.modules.values() for secret in secrets_in(module)]

    def loading_with(self, source: Callable[[], _Source]) -> Callable[[], _Source]:
        """Return *source* extended to read the modules too, raising the mistakes of both."""

        def read() -> _Source:
            problems: list[Problem] = []
            try:
                self._loaded = self._load()
            except SettingsError as error:
                problems += error.problems
            try:
                loaded = source()
            except SettingsError as error:
                raise SettingsError([*problems, *error.problems]) from None
            if problems:
                raise SettingsError(problems)
            return loaded

        return read

    def activate(self) -> None:
        """Put the modules that were read last into use, and log which ones were left out."""
        self._active = self._loaded
        for warning in self._active.warnings:
            event(_log, "configuration warning", level=logging.WARNING, problem=warning)

    def _load(self) -> ModuleFile:
        if self._path is None:
            return ModuleFile({}, {})
        source = named(self._path, "--probe.config.file")
        try:
            return read_modules(read_text(self._path), source)
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            message = "is not UTF-8 text"
        raise SettingsError([Problem(source, 1, "(file)", message)])


class TargetError(ValueError):
    """The target is none of the module's `allowed_targets`."""


class CheckError(ValueError):
    """The target cannot be probed with this module; the message quotes neither of them."""


def make_check(
    module: Module, target: str, *, timeout: float, user_agent: str, hostname: str = ""
) -> Check:
    """Return the check of *target* within *timeout* seconds; reads the module's files.

    *target* is a URL, or a host and path for http. *hostname* replaces the Host header.

    Raises:
        CheckError: the target is not an http(s) URL, or a file of the module cannot be read.
        TargetError: the module may not be used for it.
    """
    http = module.http
    parts, user = _target(target)
    _refuse_others(http, parts, hostname)
    headers = _headers(http, user, hostname)
    no_follow = http.no_follow_redirects
    follows = http.follow_redirects if no_follow is None else not no_follow
    own_agent = any(name.lower() == "user-agent" for name in headers)
    harmless = tuple((n, v) for n, v in headers.items() if n.lower() in HARMLESS_HEADERS)
    return Check(
        endpoint=Endpoint(
            url=urlunsplit(parts),
            shown=f"{parts.scheme}://{parts.netloc}",
            method=http.method,
            headers=(*(() if own_agent else (("User-Agent", user_agent),)), *harmless),
            credentials=tuple((n, Secret(v)) for n, v in headers.items() if (n, v) not in harmless),
            body=_body(http),
            timeout=timeout,
            follow_redirects=MAX_REDIRECTS if follows else 0,
            proxy=http.proxy_url.reveal() if http.proxy_url else None,
            tls=_tls(http, headers),
            allow_private=http.allow_private_addresses,
        ),
        ip_version=4 if http.preferred_ip_protocol == "ip4" else 6,
        ip_fallback=http.ip_protocol_fallback,
        http2=http.enable_http2,
        rules=_rules(http),
    )


def _refuse_others(http: HttpSettings, parts: SplitResult, hostname: str) -> None:
    """Refuse what is not allowed, before a credential of the module is even read.

    *hostname* must be allowed too: servers of many owners (CDNs) go by it and not by the address.
    """
    if not http.allowed_targets:
        return
    port = f":{parts.port}" if parts.port and ":" not in hostname.rpartition("]")[2] else ""
    places = [parts.netloc, *([f"{hostname}{port}"] if hostname else [])]
    urls = (urlunsplit(parts._replace(netloc=place)) for place in places)
    try:
        allowed = all(is_allowed(http.allowed_targets, url) for url in urls)
    except ValueError:  # the port of *hostname* is too large
        allowed = False
    if not allowed:
        raise TargetError


def hostname_mistake(module: Module, hostname: str) -> str:
    """Return why the parameter *hostname* cannot be used with *module*; empty if it can.

    An empty *hostname* means that the parameter is not given.
    """
    if not hostname:
        return ""
    if not _HOST.fullmatch(hostname):
        return "hostname parameter is not a host name"
    hosts = (v.reveal() for n, v in module.http.headers.items() if n.lower() == "host")
    if any(host != hostname for host in hosts):
        return "hostname parameter and the module's Host header differ"
    return ""


def _target(text: str) -> tuple[SplitResult, str]:
    """Return the parts of the URL without user and password, and these as an Authorization."""
    url = text if text.lower().startswith(("http://", "https://")) else f"http://{text}"
    url = normalized(url.partition("#")[0])
    try:
        if oversized_url(url):
            raise ValueError
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        if breaks_url(url) or "://" in url.partition("://")[2].partition("?")[0]:
            raise ValueError
        parts = parts._replace(netloc=host.lower(), path=parts.path or "/")
        if not origin(urlunsplit(parts))[1] or parts.netloc.endswith(":"):
            raise ValueError
    except ValueError:
        raise CheckError("the target is not an http or https URL") from None
    name, _, password = user.partition(":")
    return parts, _basic(unquote(name), unquote(password)) if user else ""


def _headers(http: HttpSettings, user: str, hostname: str) -> dict[str, str]:
    """Return the headers to send: the module's, with Host and Authorization replaced if set."""
    try:
        auth = _authorization(http) or user
    except SecretError as error:
        raise CheckError(str(error)) from None
    replacements = {n: v for n, v in (("Host", hostname), ("Authorization", auth)) if v}
    replaced = {name.lower() for name in replacements}
    kept = {n: v.reveal() for n, v in http.headers.items() if n.lower() not in replaced}
    return kept | replacements


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _authorization(http: HttpSettings) -> str:
    if (basic := http.basic_auth) is not None:
        return _basic(basic.username, _inline_or_file(basic.password, basic.password_file))
    if (own := http.authorization) is not None:
        return f"{own.type} {_inline_or_file(own.credentials, own.credentials_file)}"
    token = _inline_or_file(http.bearer_token, http.bearer_token_file)
    return f"Bearer {token}" if token else ""


def _inline_or_file(value: Secret | None, path: str | None) -> str:
    if path is not None:
        return read_key_file(Path(path)).reveal()
    return value.reveal() if value is not None else ""


def _body(http: HttpSettings) -> bytes | None:
    if http.body_file is None:
        return http.body.reveal().encode() if http.body is not None else None
    try:
        return read_bytes(Path(http.body_file))
    except OSError as error:
        raise CheckError(f"body_file cannot be read ({error.strerror})") from None


def _tls(http: HttpSettings, headers: dict[str, str]) -> TlsSettings:
    """Return the TLS settings; without `server_name` the Host header is the name to verify."""
    host = next((v for n, v in headers.items() if n.lower() == "host"), "")
    tls = http.tls_config
    return TlsSettings(
        ca_file=tls.ca_file,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        server_name=tls.server_name or (host.lower().partition(":")[0] or None),
        insecure_skip_verify=tls.insecure_skip_verify,
    )


def _rules(http: HttpSettings) -> Rules:
    return Rules(
        statuses=frozenset(http.valid_status_codes),
        versions=frozenset(http.valid_http_versions),
        fail_if_ssl=http.fail_if_ssl,
        fail_if_not_ssl=http.fail_if_not_ssl,
        body_matches=http.fail_if_body_matches_regexp,
        body_not_matches=http.fail_if_body_not_matches_regexp,
        header_matches=http.fail_if_header_matches,
        header_not_matches=http.fail_if_header_not_matches,
        compression=http.compression,
        body_limit=size(http.body_size_limit),
    )
