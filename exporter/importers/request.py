"""The fields of a request and its check, the same for every foreign tool: set on a draft.

The first credential becomes the service's key. A further one becomes a variable in its header or
URL, or is reported. None is written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from exporter.characters import has_control, without_control
from exporter.checks import Method, header_mistake
from exporter.config.declarations import LABEL
from exporter.files import is_file
from exporter.importers.address import AddressError, split_url
from exporter.importers.credentials import (
    Hide,
    body_without_secrets,
    data_without_secrets,
    holds_key,
    is_secret_name,
    named_value,
)
from exporter.importers.fields import duration
from exporter.importers.report import OPEN, Draft, Ledger, names_in
from exporter.settings import FieldPath

MAX_INTERVAL_SECONDS, MAX_TIMEOUT_SECONDS, MAX_REDIRECTS = 86400.0, 300.0, 10
_SCHEME = re.compile(
    r"(Bearer|Token|Basic|ApiKey|Api-Key|Key|DeepL-Auth-Key|Bot|SSWS) +(?=\S)", re.I
)
_PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_LABELS = {
    "environment": "environment",
    "env": "environment",
    "stage": "environment",
    "team": "team",
}
ROUTING = frozenset(_LABELS)
"""Names of labels by which messages are routed, in lower case."""


class Builder:
    """Fills one draft; every loss is reported at its path in the foreign file."""

    def __init__(self, ledger: Ledger, draft: Draft) -> None:
        self.ledger, self.draft = ledger, draft

    def hider(self, path: FieldPath) -> Hide:
        """Return the function that hides a secret found at *path*."""
        return lambda value, purpose: self.ledger.hide(value, purpose, self.draft, path)

    def disable(self, why: str) -> None:
        """Disable the service: it could only fail, or be good where the foreign check is not."""
        self.draft.raw["enabled"] = False
        before = self.draft.comments.get(("enabled",))
        self.draft.comments[("enabled",)] = f"{before}; {why}" if before else f"off: {why}"

    def address(self, url: str, path: FieldPath) -> bool:
        """Set where the request goes; return whether the URL can be probed."""
        try:
            address = split_url(url, self.hider(path))
        except AddressError as error:
            self.ledger.lost(path, f"{error}; not imported: correct it, or add the service by hand")
            return False
        if len(address.endpoint) > 2048:
            self.ledger.lost(
                path, "is longer than 2048 characters, which endpoint must not be; not imported"
            )
            return False
        draft = self.draft
        draft.raw["base_url"], draft.host = address.base, address.host
        if address.endpoint:
            draft.check["endpoint"] = address.endpoint
        if address.private:
            self.private(path)
        if address.user or address.password:
            self.basic(address.user, address.password, path)
        if address.query:
            self._set_query_key(*address.query, path)
        return True

    def private(self, path: FieldPath) -> None:
        """Allow private addresses, and report it."""
        self.draft.check["allow_private_addresses"] = True
        self.draft.comments["health_check", "allow_private_addresses"] = "a host of your network"
        message = (
            "is a private host, so allow_private_addresses is set; keep it if that is intended"
        )
        self.ledger.lost(path, message)

    def method(self, text: str, path: FieldPath) -> bool:
        """Set the request method; return whether the exporter can send it."""
        method = (text or "GET").upper()
        if method not in get_args(Method):
            self.ledger.lost(
                path, f"is not a method that is sent here ({', '.join(get_args(Method))})"
            )
            return False
        if method != "GET":
            self.draft.check["method"] = method
        return True

    def headers(self, headers: dict[str, str], path: FieldPath, *, of_all: bool = False) -> None:
        """Set the request headers; the one that holds a credential becomes the key.

        With *of_all* they are those of every request to the service, not of the check alone.
        """
        kept: dict[str, str] = {}
        # Authorization first, since the first credential becomes the key
        for name, value in sorted(headers.items(), key=lambda h: h[0].lower() != "authorization"):
            header_path = (*path, name)
            if message := header_mistake(name, value):
                self.ledger.lost(header_path, f"{message}; not imported")
            elif not value.strip():
                self.ledger.lost(header_path, "is empty, which a header must not be; not imported")
            # the key is in this header already: report it
            elif name.lower() == self._key_header_name():
                self._may_set_key(header_path)
            elif not self._becomes_key(name, value.strip(), header_path):
                kept[name] = named_value(name, value, self.hider(header_path))
        if kept and of_all:
            self.draft.raw.setdefault("additional_headers", {}).update(kept)
        elif kept:
            self.draft.check.setdefault("headers", {}).update(kept)

    def basic(self, user: str, password: str, path: FieldPath, file: str = "") -> None:
        """Send user and password."""
        known = user if user and not self._is_secret_user(user, password or file) else ""
        auth = {"kind": "basic"} | ({"username": known} if known else {})
        if file and not known:
            self.ledger.lost(
                path, "has a password file but no user name that may be written; set both"
            )
            self.disable("its user is missing")
        elif self._may_set_key(path):
            self.draft.raw["auth"] = auth
            self._set_key(password if known else f"{user}:{password}", path, file)
            if not known:
                self.draft.comments[("api_key",)] = "user:password in one value"

    def bearer(self, token: str, path: FieldPath, file: str = "", scheme: str = "Bearer") -> None:
        """Send a token in Authorization."""
        if self._may_set_key(path):
            if scheme != "Bearer":
                self.draft.raw["api_key_prefix"] = f"{scheme} "
            self._set_key(token, path, file)

    def body(self, text: str, path: FieldPath, content_type: str = "") -> None:
        """Set the request body, and *content_type* as its header."""
        if not text:
            return
        if content_type == "application/json":
            try:
                data = json.loads(text)
            except (ValueError, RecursionError):
                data = None
            if isinstance(data, (dict, list)) and data and _survives_yaml(data):
                self.draft.check["body"] = data_without_secrets(data, self.hider(path))
                return
        self.draft.check["body"] = body_without_secrets(text, self.hider(path))
        headers = self.draft.check.get("headers", {})
        if content_type and not any(name.lower() == "content-type" for name in headers):
            self.draft.check.setdefault("headers", {})["Content-Type"] = content_type

    def times(
        self,
        interval: float,
        timeout: float,
        interval_at: FieldPath | None,
        timeout_at: FieldPath | None,
    ) -> None:
        """Set interval and timeout, both in seconds, within our limits.

        A path is None if the foreign file does not have the field: a default of the foreign tool
        is changed without a warning, which would be about something that nobody wrote.
        """
        self.timeout(timeout, timeout_at, self.interval(interval, interval_at))

    def interval(self, interval: float, path: FieldPath | None) -> float:
        """Set the interval, in seconds, within our limits; return what is set."""
        fitting = min(max(interval, 1.0), MAX_INTERVAL_SECONDS)
        if fitting != interval and path is not None:
            self.ledger.lost(path, "must be from 1s to 1d; the nearest limit is used")
        self.draft.check["interval"] = duration(fitting)
        return fitting

    def timeout(self, timeout: float, path: FieldPath | None, interval: float) -> None:
        """Set the timeout, in seconds, not longer than *interval*."""
        if timeout > min(interval, MAX_TIMEOUT_SECONDS):
            timeout = min(interval, MAX_TIMEOUT_SECONDS)
            if path is not None:
                message = "must not be longer than the interval or 5m; it is shortened"
                self.ledger.lost(path, message)
        self.draft.check["timeout"] = duration(max(timeout, 0.01))

    def redirects(self, hops: int, path: FieldPath) -> None:
        """Follow redirects as the foreign tool does: to any origin."""
        if hops > MAX_REDIRECTS:
            self.ledger.lost(
                path, f"is more than the {MAX_REDIRECTS} redirects that are followed here"
            )
        self.draft.check["follow_redirects"] = min(max(hops, 0), MAX_REDIRECTS)
        self.draft.check["allow_cross_origin"] = hops > 0

    def tls_file(self, name: str, file: str, path: FieldPath) -> bool:
        """Set a file of the TLS settings; return whether it exists."""
        file = self.ledger.file(file)
        if names_in(file) or not is_file(Path(file)):
            message = f"is not a file on this machine; set health_check.tls.{name} where it is"
            self.ledger.lost(path, message)
            return False
        self.draft.check.setdefault("tls", {})[name] = file
        return True

    def insecure(self, path: FieldPath) -> None:
        """Accept any certificate."""
        self.draft.check.setdefault("tls", {})["insecure_skip_verify"] = True

    def proxy(self, url: str, path: FieldPath) -> None:
        """Send through a proxy; user and password in its URL are hidden.

        A variable passes through: as the whole URL, or as any part of it.
        """
        scheme, mark, rest = url.strip().rpartition("://")
        login, at, host_port = rest.rpartition("@")
        known = scheme.lower() in _PROXY_SCHEMES
        # the scheme may be in the variable
        if not (known or url.strip().startswith(OPEN)) or not host_port or " " in rest:
            self.ledger.lost(path, "is not an http, https, socks5 or socks5h proxy; not imported")
            self.disable("its proxy has no equivalent")
            return
        hidden = self.hider(path)(login, "proxy_login") + at if at else ""
        self.draft.check["proxy"] = (
            f"{scheme.lower() if known else scheme}{mark}{hidden}{host_port}"
        )

    def labels(
        self,
        labels: dict[str, str],
        path: FieldPath,
        *,
        keyed: bool = True,
        fields: Mapping[str, str] = _LABELS,
    ) -> None:
        """Turn labels or tags into environment, team and metadata, as *fields* has their names.

        If the names are not keys of the foreign file (*keyed* is false), no message has them.
        """
        for name, text in labels.items():
            value = without_control(text, " ").strip()
            label_path = (*path, name) if keyed else path
            if not value:
                continue
            if is_secret_name(name) or holds_key(value) or holds_key(name):
                self.hider(label_path)(value, name)
                self.ledger.lost(
                    label_path, "looks like a secret, which must not be a label; not imported"
                )
            elif name.lower() == "runbook" and not re.match(r"https?://[^\s@]+$", value):
                self.ledger.lost(label_path, "a runbook must be an http or https URL; not imported")
            elif (ours := fields.get(name.lower())) and re.fullmatch(LABEL, value):
                self.draft.raw[ours] = value
            elif len(value) > 512 or len(name) > 64 or has_control(name):
                message = (
                    "a name of metadata has at most 64 characters, without control characters, "
                    "and a value at most 512; not imported"
                )
                self.ledger.lost(label_path, message)
            else:
                self.draft.raw.setdefault("metadata", {})[name] = value

    def down_after(self, failures: int) -> None:
        """Alert after so many failures in a row."""
        failures = max(1, failures)
        alerts = self.draft.raw.setdefault("alerts", {})
        alerts["down_after"] = failures
        if failures >= 5:  # the default of critical_after, which must be more than down_after
            alerts["critical_after"] = failures + 2

    # -- the key -----------------------------------------------------------------------------

    def _is_secret_user(self, user: str, password: str) -> bool:
        """Return whether the user name is the secret: without password, or by its looks."""
        return not password or holds_key(user) or ":" in user or has_control(user)

    def _may_set_key(self, path: FieldPath) -> bool:
        """Return whether the service has no key yet; report a second one and disable it."""
        raw = self.draft.raw
        if "api_key" in raw or "api_key_file" in raw:
            self.ledger.lost(
                path, "is a second credential, but a service has one key; add it by hand"
            )
            self.disable("its second credential is missing")
            return False
        return True

    def _key_header_name(self) -> str:
        """Return the header that carries the key, in lower case; empty without one."""
        raw = self.draft.raw
        if not ("api_key" in raw or "api_key_file" in raw) or raw.get("auth", {}).get("name"):
            return ""
        return str(raw.get("api_key_header", "Authorization")).lower()

    def _set_key(self, value: str, path: FieldPath, file: str = "") -> None:
        if file:
            self.draft.raw["api_key_file"] = self.ledger.file(file)
        elif value:
            self.draft.raw["api_key"] = self.hider(path)(value, "key")

    def _set_query_key(self, name: str, value: str, path: FieldPath) -> None:
        if self.draft.raw.get("api_key") == self.hider(path)(value, "key"):
            self.ledger.lost(path, "has the service's key a second time; it is sent once")
        elif self._may_set_key(path):
            self.draft.raw["auth"] = {"kind": "query", "name": name}
            self._set_key(value, path)

    def _becomes_key(self, name: str, value: str, path: FieldPath) -> bool:
        """Set the header as the service's key if it can be one; return whether it is."""
        raw = self.draft.raw
        if "api_key" in raw or "api_key_file" in raw or not is_secret_name(name):
            return False
        # A cookie can hold several values: its secrets become variables inside it.
        if name.lower() == "cookie" or has_control(value):
            return False
        authorization = name.lower() == "authorization"
        scheme = _SCHEME.match(value)
        rest = value[scheme.end() :] if scheme else value
        if authorization and scheme and scheme.group(1).lower() == "basic":
            self._set_basic_header(rest, path)
            return True
        if not authorization:
            raw["api_key_header"] = name
        prefix = scheme.group() if scheme else ""
        # "Bearer " is the default, so an empty prefix must be written
        if prefix != "Bearer ":
            raw["api_key_prefix"] = prefix
        self._set_key(rest, path)
        return True

    def _set_basic_header(self, encoded: str, path: FieldPath) -> None:
        try:
            plain = "" if names_in(encoded) else base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            plain = ""
        user, colon, password = plain.partition(":")
        self.hider(path)(encoded, "encoded")  # a known secret is struck out of names too
        if colon:
            self.basic(user, password, path)
            return
        self.draft.raw["api_key_prefix"] = "Basic "
        self._set_key(encoded, path)


def _survives_yaml(data: object) -> bool:
    """Return whether JSON *data* is the same as YAML: no floats, whose digits could change."""
    if isinstance(data, dict):
        return all(isinstance(k, str) and k for k in data) and all(
            map(_survives_yaml, data.values())
        )
    if isinstance(data, list):
        return all(map(_survives_yaml, data))
    return not isinstance(data, float)
