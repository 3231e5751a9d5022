"""What in a foreign file is a secret: by its name, or by how it looks. Better one too many.

A value that is taken for one is written as a variable, which costs its owner a minute; one that
is missed stands in a file for good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from exporter.importers.report import substituted, without_variables
from exporter.secret import looks_like_key

_WORDS = frozenset(
    {
        "key",
        "apikey",
        "appkey",
        "token",
        "secret",
        "password",
        "passwd",
        "pwd",
        "pass",
        "auth",
        "authorization",
        "authentication",
        "cookie",
        "session",
        "sessionid",
        "sid",
        "signature",
        "sig",
        "credential",
        "credentials",
        "jwt",
        "bearer",
        "appid",
        "hmac",
        "pin",
        "license",
        "licence",
        "passphrase",
        "otp",
        "code",
        "webhook",
        "hash",
    }
)
_ENDS = ("key", "token", "secret", "password", "passwd", "auth")
_HARMLESS = frozenset({"monkey", "turkey", "hotkey", "donkey"})
_SPLIT = re.compile(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])")
_RUN = re.compile(r"[A-Za-z0-9_+=.~:-]{12,}")
_ASSIGNED = re.compile(
    r"""(["']?)([A-Za-z][A-Za-z0-9_.-]{1,40})\1(\s*[:=]\s*["']?)([^\s"'&<>,;]{3,})"""
)
_ELEMENT = re.compile(r"<([A-Za-z][A-Za-z0-9_.:-]{1,40})([^<>]*)>([^<>]{3,})</\1>")
Hide = Callable[[str, str], str]
"""Takes a secret and what it is for, returns what stands for it."""


def is_secret_name(name: str) -> bool:
    """Return whether a field called *name* holds a secret."""
    words = [word.lower() for word in _SPLIT.split(name) if word]
    return any(word in _WORDS or (word.endswith(_ENDS) and word not in _HARMLESS) for word in words)


def holds_key(text: str) -> bool:
    """Return whether some part of *text* looks like a key."""
    plain = without_variables(text)
    return any(looks_like_key(run) for run in _RUN.findall(plain))


def without_keys(text: str, hide: Hide, purpose: str) -> str:
    """Return *text* with what looks like a key hidden."""

    def change(part: str) -> str:
        def one(found: re.Match[str]) -> str:
            return hide(found.group(), purpose) if looks_like_key(found.group()) else found.group()

        return _RUN.sub(one, part)

    return substituted(text, change)


def named_value(name: str, value: str, hide: Hide) -> str:
    """Return *value* with its secrets hidden, knowing that it is called *name*."""
    if is_secret_name(name) and value.strip():
        return hide(value, name)
    return without_keys(value, hide, name)


def body_without_secrets(text: str, hide: Hide) -> str:
    """Return the request body *text* with its secrets hidden, whatever its format."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, (dict, list)):
        cleaned = data_without_secrets(data, hide)
        if cleaned == data:
            return text
        return json.dumps(cleaned, ensure_ascii=False, indent=2 if "\n" in text else None)

    def assigned(found: re.Match[str]) -> str:
        quote, name, between, value = found.groups()
        if not is_secret_name(name):
            return found.group()
        return f"{quote}{name}{quote}{between}{hide(value, name)}"

    def element(found: re.Match[str]) -> str:
        name, attributes, value = found.groups()
        if not is_secret_name(name):
            return found.group()
        return f"<{name}{attributes}>{hide(value, name)}</{name}>"

    text = substituted(text, lambda part: _ELEMENT.sub(element, part))
    text = substituted(text, lambda part: _ASSIGNED.sub(assigned, part))
    return without_keys(text, hide, "body")


def data_without_secrets(data: Any, hide: Hide, name: str = "") -> Any:
    """Return JSON *data* with its secrets hidden, knowing that it is called *name*."""
    if isinstance(data, dict):
        return {k: data_without_secrets(v, hide, k) for k, v in data.items()}
    if isinstance(data, list):
        return [data_without_secrets(v, hide, name) for v in data]
    return named_value(name or "body", data, hide) if isinstance(data, str) else data
