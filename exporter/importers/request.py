"""The fields of a request and its check, the same for every foreign tool: set on a draft.

A credential becomes the service's key where it can (the first one), and a variable in its place
where it cannot. None is ever written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from pathlib import Path
from typing import get_args

from exporter.characters import has_control, without_control
from exporter.checks import Method, header_mistake
from exporter.config.declarations import LABEL
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
from exporter.importers.report import Draft, Ledger, names_in
from exporter.settings import FieldPath

MAX_INTERVAL, MAX_TIMEOUT, MAX_HOPS = 86400.0, 300.0, 10
_SCHEME = re.compile(
    r"(Bearer|Token|Basic|ApiKey|Api-Key|Key|DeepL-Auth-Key|Bot|SSWS) +(?=\S)", re.I
)
_LABELS = {
    "environment": "environment",
    "env": "environment",
    "stage": "environment",
    "team": "team",
}


class Maker:
    """Sets one draft; every loss is told at its place of the foreign file."""

    def __init__(self, ledger: Ledger, draft: Draft) -> None:
        self.ledger, self.draft = ledger, draft

    def hider(self, path: FieldPath) -> Hide:
        """Return what hides a secret that stands at *path*."""
        return lambda value, purpose: self.ledger.hide(value, purpose, self.draft, path)

    def off(self, why: str) -> None:
        """Switch the service off: as it is it could only fail."""
        self.draft.raw["enabled"] = False
        self.draft.comments[("enabled",)] = f"off: {why}"

    def address(self, url: str, path: FieldPath) -> bool:
        """Set where the request goes; return whether there is such a place."""
        try:
            found = split_url(url, self.hider(path))
        except AddressError as error:
            self.ledger.lost(path, f"{error}; not taken: check it and add the service by hand")
            return False
        if len(found.endpoint) > 2048:
            self.ledger.lost(path, "is longer than the 2048 characters of endpoint; not taken")
            return False
        draft = self.draft
        draft.raw["base_url"], draft.host = found.base, found.host
        if found.endpoint:
            draft.check["endpoint"] = found.endpoint
        if found.private:
            self.private(path)
        if found.user or found.password:
            self.basic(found.user, found.password, path)
        if found.query:
            self._query_key(*found.query, path)
        return True

    def private(self, path: FieldPath) -> None:
        """Allow private addresses, and say so."""
        self.draft.check["allow_private_addresses"] = True
        self.draft.comments["health_check", "allow_private_addresses"] = "a host of your network"
        what = "is a private host, so allow_private_addresses is on for it; keep it if meant"
        self.ledger.lost(path, what)

    def method(self, text: str, path: FieldPath) -> bool:
        """Set the request method; return whether we can send it."""
        method = (text or "GET").upper()
        if method not in get_args(Method):
            self.ledger.lost(
                path, f"is no method that is sent here ({', '.join(get_args(Method))})"
            )
            return False
        if method != "GET":
            self.draft.check["method"] = method
        return True

    def headers(self, headers: dict[str, str], path: FieldPath) -> None:
        """Set the request headers; the one that holds a credential becomes the key."""
        kept: dict[str, str] = {}
        # the usual place of a credential first: what comes first becomes the key
        for name, value in sorted(headers.items(), key=lambda h: h[0].lower() != "authorization"):
            place = (*path, name)
            if what := header_mistake(name, value):
                self.ledger.lost(place, f"{what}; not taken")
            elif not value.strip():
                self.ledger.lost(place, "is empty; an empty header cannot be set here")
            elif name.lower() == self._key_goes_to():
                self._free(place)
            elif not self._key_header(name, value.strip(), place):
                kept[name] = named_value(name, value, self.hider(place))
        if kept:
            self.draft.check.setdefault("headers", {}).update(kept)

    def basic(self, user: str, password: str, path: FieldPath, file: str = "") -> None:
        """Send user and password."""
        known = user if user and not self._secretive(user, password or file) else ""
        auth = {"kind": "basic"} | ({"username": known} if known else {})
        if file and not known:
            self.ledger.lost(path, "has a password file but no user to write beside it; set both")
            self.off("its user is missing")
        elif self._free(path):
            self.draft.raw["auth"] = auth
            self._key(password if known else f"{user}:{password}", path, file)
            if not known:
                self.draft.comments[("api_key",)] = "user:password in one"

    def bearer(self, token: str, path: FieldPath, file: str = "", scheme: str = "Bearer") -> None:
        """Send a token in Authorization."""
        if self._free(path):
            if scheme != "Bearer":
                self.draft.raw["api_key_prefix"] = f"{scheme} "
            self._key(token, path, file)

    def body(self, text: str, path: FieldPath, content_type: str = "") -> None:
        """Set the request body; with *content_type* a header says what it is."""
        if not text:
            return
        if content_type == "application/json":
            try:
                data = json.loads(text)
            except (ValueError, RecursionError):
                data = None
            if isinstance(data, (dict, list)) and data and _is_flat(data):
                self.draft.check["body"] = data_without_secrets(data, self.hider(path))
                return
        self.draft.check["body"] = body_without_secrets(text, self.hider(path))
        headers = self.draft.check.get("headers", {})
        if content_type and not any(name.lower() == "content-type" for name in headers):
            self.draft.check.setdefault("headers", {})["Content-Type"] = content_type

    def times(
        self, interval: float, timeout: float, interval_at: FieldPath, timeout_at: FieldPath
    ) -> None:
        """Set interval and timeout within our limits."""
        fitting = min(max(interval, 1.0), MAX_INTERVAL)
        if fitting != interval:
            self.ledger.lost(interval_at, "lies outside of 1s to 1d; the nearest limit is taken")
        if timeout > min(fitting, MAX_TIMEOUT):
            timeout = min(fitting, MAX_TIMEOUT)
            what = "is longer than the interval or 5m, which cannot be here; it is shortened"
            self.ledger.lost(timeout_at, what)
        self.draft.check["interval"] = duration(fitting)
        self.draft.check["timeout"] = duration(max(timeout, 0.01))

    def redirects(self, hops: int, path: FieldPath) -> None:
        """Follow redirects as the foreign tool does: to any origin."""
        if hops > MAX_HOPS:
            self.ledger.lost(path, f"is more than the {MAX_HOPS} redirects that are followed here")
        self.draft.check["follow_redirects"] = min(max(hops, 0), MAX_HOPS)
        self.draft.check["allow_cross_origin"] = hops > 0

    def tls_file(self, name: str, file: str, path: FieldPath) -> bool:
        """Set a file of the TLS settings; return whether it is there."""
        file = self.ledger.file(file)
        if names_in(file) or not Path(file).is_file():
            what = f"is not a file of this machine; add health_check.tls.{name} where it is"
            self.ledger.lost(path, what)
            return False
        self.draft.check.setdefault("tls", {})[name] = file
        return True

    def insecure(self, path: FieldPath) -> None:
        """Accept any certificate."""
        self.draft.check.setdefault("tls", {})["insecure_skip_verify"] = True

    def proxy(self, url: str, path: FieldPath) -> None:
        """Send through a proxy; user and password in its URL are hidden."""
        scheme, _, rest = url.partition("://")
        user, at, place = rest.rpartition("@")
        if scheme not in ("http", "https", "socks5", "socks5h") or not place or " " in rest:
            self.ledger.lost(path, "is no http, https, socks5 or socks5h proxy; not taken")
            self.off("its proxy has no equivalent")
            return
        hidden = self.hider(path)(user, "proxy_login") + at if at else ""
        self.draft.check["proxy"] = f"{scheme}://{hidden}{place}"

    def labels(self, labels: dict[str, str], path: FieldPath, *, keyed: bool = True) -> None:
        """Turn labels or tags into environment, team and metadata.

        Names that are no keys of the foreign file (not *keyed*) are left out of messages.
        """
        for name, given in labels.items():
            value = without_control(given, " ").strip()
            place = (*path, name) if keyed else path
            if not value:
                continue
            if is_secret_name(name) or holds_key(value) or holds_key(name):
                self.hider(place)(value, name)
                self.ledger.lost(place, "looks like a secret, which is no label; not taken")
            elif name.lower() == "runbook" and not re.match(r"https?://[^\s@]+$", value):
                self.ledger.lost(place, "is no http(s) URL, which a runbook must be; not taken")
            elif (ours := _LABELS.get(name.lower())) and re.fullmatch(LABEL, value):
                self.draft.raw[ours] = value
            elif len(value) > 512 or len(name) > 64 or has_control(name):
                self.ledger.lost(place, "is longer than metadata may be; not taken")
            else:
                self.draft.raw.setdefault("metadata", {})[name] = value

    def down_after(self, failures: int) -> None:
        """Alert after so many failures in a row."""
        failures = max(1, failures)
        alerts = self.draft.raw.setdefault("alerts", {})
        alerts["down_after"] = failures
        if failures >= 5:
            alerts["critical_after"] = failures + 2

    # -- the key -----------------------------------------------------------------------------

    def _secretive(self, user: str, password: str) -> bool:
        """Return whether the user name is the secret: alone, or by its looks."""
        return not password or holds_key(user) or ":" in user or has_control(user)

    def _free(self, path: FieldPath) -> bool:
        raw = self.draft.raw
        if "api_key" in raw or "api_key_file" in raw:
            self.ledger.lost(path, "is a second credential; a service has one key; add it by hand")
            self.off("its second credential is missing")
            return False
        return True

    def _key_goes_to(self) -> str:
        raw = self.draft.raw
        if not ("api_key" in raw or "api_key_file" in raw) or raw.get("auth", {}).get("name"):
            return ""
        return str(raw.get("api_key_header", "Authorization")).lower()

    def _key(self, value: str, path: FieldPath, file: str = "") -> None:
        if file:
            self.draft.raw["api_key_file"] = self.ledger.file(file)
        elif value:
            self.draft.raw["api_key"] = self.hider(path)(value, "key")

    def _query_key(self, name: str, value: str, path: FieldPath) -> None:
        if self._free(path):
            self.draft.raw["auth"] = {"kind": "query", "name": name}
            self._key(value, path)

    def _key_header(self, name: str, value: str, path: FieldPath) -> bool:
        """Return whether the header became the service's key."""
        raw = self.draft.raw
        if "api_key" in raw or "api_key_file" in raw or not is_secret_name(name):
            return False
        if name.lower() == "cookie" or has_control(value):
            return False
        authorization = name.lower() == "authorization"
        scheme = _SCHEME.match(value)
        rest = value[scheme.end() :] if scheme else value
        if authorization and scheme and scheme.group(1).lower() == "basic":
            self._basic_header(rest, path)
            return True
        if not authorization:
            raw["api_key_header"] = name
        prefix = scheme.group() if scheme else ""
        if prefix != "Bearer ":
            raw["api_key_prefix"] = prefix
        self._key(rest, path)
        return True

    def _basic_header(self, encoded: str, path: FieldPath) -> None:
        try:
            plain = "" if names_in(encoded) else base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            plain = ""
        user, colon, password = plain.partition(":")
        self.hider(path)(encoded, "encoded")  # known, so that it is struck out elsewhere too
        if colon:
            self.basic(user, password, path)
            return
        self.draft.raw["api_key_prefix"] = "Basic "
        self._key(encoded, path)


def _is_flat(data: object) -> bool:
    """Return whether JSON *data* reads better as YAML than as it was."""
    if isinstance(data, dict):
        return all(isinstance(k, str) and k for k in data) and all(map(_is_flat, data.values()))
    if isinstance(data, list):
        return all(map(_is_flat, data))
    return not isinstance(data, float)
