"""Split a foreign URL into our base_url and endpoint, with its secrets replaced."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from exporter.characters import CONTROL
from exporter.importers.credentials import (
    Hide,
    holds_key,
    is_secret_name,
    without_keys,
)
from exporter.importers.report import names_in, substituted, without_variables
from exporter.secret import looks_like_key

_UNSAFE = re.compile(rf"[{CONTROL} \\]")
_FLAG = re.compile(r"[A-Za-z_.-]{0,20}|[A-Za-z0-9_.-]{1,4}")
# Telegram has its token in the path: /bot<token>/getMe
_TELEGRAM = re.compile(r"bot([0-9]+:.+)")
_PRIVATE_SUFFIXES = (
    ".local",
    ".localhost",
    ".internal",
    ".intern",
    ".lan",
    ".home",
    ".corp",
    ".svc",
    ".private",
    ".home.arpa",
)


class AddressError(ValueError):
    """The URL cannot be probed; the message is a fixed phrase, without the URL."""


@dataclass(slots=True, kw_only=True)
class Address:
    """Where a request goes. `query` is name and value of the parameter that becomes the key."""

    base: str
    endpoint: str
    host: str
    user: str = ""
    password: str = ""
    query: tuple[str, str] | None = None
    private: bool = False


def scheme_of(url: str) -> str:
    """Return the scheme of *url* in lower case, empty without one."""
    scheme, colon, _ = url.partition("://")
    return scheme.lower() if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else ""


def split_url(url: str, hide: Hide) -> Address:
    """Return the address that *url* names; secrets in its path and query go through *hide*.

    Raises:
        AddressError: *url* cannot be probed.
    """
    # a fragment is never sent to a server (RFC 3986, 3.5)
    url = url.strip().partition("#")[0]
    unsplittable = bool(names_in(url)) and not scheme_of(url)
    if not unsplittable and scheme_of(url) not in ("http", "https"):
        raise AddressError("is not an http:// or https:// URL")
    head, mark, query = url.partition("?")
    if unsplittable:
        base, path, login, host = head, "", "", ""
    else:
        base, path, login, host = _origin(head)
    rest, key = _query(query, hide)
    path = _path(path, hide)
    endpoint = f"{path or '/'}?{rest}" if rest else path
    if unsplittable:  # what the variable holds is unknown: scheme, host and path
        base, endpoint = (f"{base}?{rest}" if mark and rest else base), ""
    elif endpoint == "/":
        endpoint = ""
    user, _, password = login.partition(":")
    return Address(
        base=base,
        endpoint=_percent_encoded(endpoint),
        host=host,
        user=unquote(user),
        password=unquote(password),
        query=key,
        private=is_private(host),
    )


def is_private(host: str) -> bool:
    """Return whether *host* is not a public address, or a name that only a private network has."""
    host = host.rstrip(".").lower()
    if not host or names_in(host):
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)


def _origin(head: str) -> tuple[str, str, str, str]:
    """Return origin, path, login and host of a URL without its query."""
    scheme, _, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    login, _, host_port = authority.rpartition("@")
    base = f"{scheme.lower()}://{host_port}"
    try:
        parts = urlsplit(without_variables(base) if not names_in(host_port) else base)
        host = parts.hostname or ""
        if not names_in(host_port):
            # raises ValueError if it is not a port
            _ = parts.port
    except ValueError:
        raise AddressError("is not a valid URL: check its host and port") from None
    if not host_port or _UNSAFE.search(host_port) or (not host and not names_in(host_port)):
        raise AddressError("is not a valid URL: check its host and port")
    return base, slash + path, login, host


def _percent_encoded(text: str) -> str:
    """Return *text* with the characters that a URL must not contain as %XX."""
    return substituted(text, lambda part: _UNSAFE.sub(lambda m: quote(m.group(), safe=""), part))


def _path(path: str, hide: Hide) -> str:
    parts = path.split("/")
    for index, part in enumerate(parts):
        if match := _TELEGRAM.fullmatch(part):
            parts[index] = "bot" + hide(match.group(1), "bot_token")
        elif looks_like_key(unquote(part)) or _follows_secret_name(parts[index - 1 : index], part):
            parts[index] = hide(part, "path")
        else:
            first, *parameters = part.split(";")
            shown = [_without_secret(parameter, hide) for parameter in parameters]
            parts[index] = ";".join((without_keys(first, hide, "path"), *shown))
    return "/".join(parts)


def _follows_secret_name(before: list[str], part: str) -> bool:
    """Return whether *part* comes after a segment such as /token/."""
    return len(part) >= 16 and any(map(is_secret_name, before))


def _query(query: str, hide: Hide) -> tuple[str, tuple[str, str] | None]:
    """Return the query without its first secret parameter, and that parameter."""
    kept: list[str] = []
    key = None
    for text in filter(None, query.split("&")):
        if key is None and (found := _parameter(text)) and _is_secret(*found):
            key = (unquote_plus(found[0]), unquote_plus(found[1]))
        else:
            kept.append(";".join(_without_secret(part, hide) for part in text.split(";")))
    return "&".join(kept), key


def _parameter(text: str) -> tuple[str, str] | None:
    """Return name and value of the only parameter in *text*, None if it is something else."""
    name, equals, value = text.partition("=")
    return (name, value) if equals and ";" not in text else None


def _is_secret(name: str, value: str) -> bool:
    return bool(value) and (is_secret_name(unquote_plus(name)) or holds_key(unquote_plus(value)))


def _without_secret(part: str, hide: Hide) -> str:
    """Return a part of a query or of a path's parameters; a variable in place of its secret."""
    name, equals, value = part.partition("=")
    if equals:
        return f"{name}={hide(value, unquote_plus(name))}" if _is_secret(name, value) else part
    # Without a name nothing says what it is. A flag such as ?wsdl is a word, and a key is not.
    return part if _FLAG.fullmatch(part) or names_in(part) else hide(part, "query")
