"""Find the secrets of a foreign file, by name or by looks. When in doubt, a value is a secret.

A value wrongly treated as a secret becomes a variable, which the user can undo in a minute; a
missed one would stay in the new file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from exporter.importers.report import substituted, without_variables
from exporter.secret import looks_like_key

_SECRET_WORDS = frozenset(
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
_SECRET_ENDINGS = ("key", "token", "secret", "password", "passwd", "auth")
# words with the ending of a secret's name
_HARMLESS = frozenset({"monkey", "turkey", "hotkey", "donkey"})
_SPLIT = re.compile(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])")
_RUN = re.compile(r"[A-Za-z0-9_+=.~:-]{12,}")
_ASSIGNED = re.compile(
    r"""(["']?)([A-Za-z][A-Za-z0-9_.-]{1,40})\1(\s*[:=]\s*["']?)([^\s"'&<>,;]{3,})"""
)
_ELEMENT = re.compile(r"<([A-Za-z][A-Za-z0-9_.:-]{1,40})([^<>]*)>([^<>]{3,})</\1>")
_WORD = re.compile(r"[A-Za-z0-9_-]{3,}")
_HARMLESS_VALUE = re.compile(r"(?:true|false|null|none|[0-9]{1,3})?", re.I)
SENSITIVE_OPERAND = "compares with what may be a secret; not imported, so that it is not written"
Hide = Callable[[str, str], str]
"""Takes a secret and its purpose, returns the variable that replaces it."""


def is_secret_name(name: str) -> bool:
    """Return whether a field called *name* holds a secret."""
    words = [word.lower() for word in _SPLIT.split(name) if word]
    return any(
        word in _SECRET_WORDS or (word.endswith(_SECRET_ENDINGS) and word not in _HARMLESS)
        for word in words
    )


def holds_key(text: str) -> bool:
    """Return whether some part of *text* looks like a key."""
    plain = without_variables(text)
    return any(looks_like_key(run) for run in _RUN.findall(plain))


def may_hold_secret(text: str) -> bool:
    """Return whether *text*, a pattern or a keyword, looks as if it had a secret in it.

    That is what looks like a key, or a word that is given to a secret's name: `token=hunter2`.
    """
    return holds_key(text) or any(
        is_secret_name(name) and _WORD.fullmatch(value) and not _HARMLESS_VALUE.fullmatch(value)
        for _, name, _, value in _ASSIGNED.findall(without_variables(text))
    )


def is_secret_operand(name: str, operand: str) -> bool:
    """Return whether *operand*, with which the field *name* is compared, may be its secret."""
    return is_secret_name(name) and not _HARMLESS_VALUE.fullmatch(operand)


def without_keys(text: str, hide: Hide, purpose: str) -> str:
    """Return *text* with every part that looks like a key hidden."""

    def change(part: str) -> str:
        def hidden(match: re.Match[str]) -> str:
            return hide(match.group(), purpose) if looks_like_key(match.group()) else match.group()

        return _RUN.sub(hidden, part)

    return substituted(text, change)


def named_value(name: str, value: str, hide: Hide) -> str:
    """Return *value*, the value of a field called *name*, with its secrets hidden."""
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
        if cleaned == data:  # dumping it anew would change spaces and digits
            return text
        return json.dumps(cleaned, ensure_ascii=False, indent=2 if "\n" in text else None)

    def assigned(match: re.Match[str]) -> str:
        quote, name, between, value = match.groups()
        if not is_secret_name(name):
            return match.group()
        return f"{quote}{name}{quote}{between}{hide(value, name)}"

    def element(match: re.Match[str]) -> str:
        name, attributes, value = match.groups()
        if not is_secret_name(name):
            return match.group()
        return f"<{name}{attributes}>{hide(value, name)}</{name}>"

    text = substituted(text, lambda part: _ELEMENT.sub(element, part))
    text = substituted(text, lambda part: _ASSIGNED.sub(assigned, part))
    return without_keys(text, hide, "body")


def data_without_secrets(data: Any, hide: Hide, name: str = "") -> Any:
    """Return JSON *data*, the value of a field called *name*, with its secrets hidden."""
    if isinstance(data, dict):
        return {k: data_without_secrets(v, hide, k) for k, v in data.items()}
    if isinstance(data, list):
        return [data_without_secrets(v, hide, name) for v in data]
    return named_value(name or "body", data, hide) if isinstance(data, str) else data
