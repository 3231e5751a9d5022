"""Values that must not appear in a log or an answer; and the process environment.

A `Secret` returns its text only from `reveal()`. It refuses to be pickled or put in JSON, so that
a key cannot leave by accident. Beside `files` no other module of the exporter imports `os`.
"""

from __future__ import annotations

import ctypes
import hmac
import os
import re
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from exporter.characters import has_control
from exporter.files import read_bytes

HIDDEN = "…"
"""Shown instead of a secret, or of its middle."""
MAX_KEY_BYTES = 65_536
MAX_NESTED = 16


_SCHEME = re.compile(r"(?:bearer|token) ", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s:=](?=[^\s:=])")


class SecretError(ValueError):
    """A secret could not be read. The message names the cause and never the content."""


class Secret:
    """A string that only `reveal()` returns; `str`, `repr` and `format` show an ellipsis.

    >>> str(Secret("sk-0123456789abcdef")), Secret("sk-0123456789abcdef").masked()
    ('…', 'sk-…cdef')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text; the convention tests list the modules that may call this."""
        return self._value

    def masked(self) -> str:
        """Return the first 3 and last 4 characters; nothing of a value shorter than 12."""
        value = self._value
        return f"{value[:3]}{HIDDEN}{value[-4:]}" if len(value) >= 12 else HIDDEN

    def masked_header(self) -> str:
        """Return a header's value masked behind its scheme; nothing of a Basic user and password.

        >>> Secret("Bearer sk-0123456789abcdef").masked_header()
        'Bearer sk-…cdef'
        """
        if self._value[:6].lower() == "basic ":
            return f"Basic {HIDDEN}"
        known = _SCHEME.match(self._value)
        scheme = known.group() if known else ""
        # Only the last part is masked as a key: with the text before it a short key would count as
        # a long one and be shown in part.
        parts = _SEPARATOR.split(self._value.removeprefix(scheme))
        return scheme + (f"{HIDDEN} " if len(parts) > 1 else "") + Secret(parts[-1]).masked()

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (s._value.encode(errors="surrogatepass") for s in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class MissingVariableError(LookupError):
    """A `${NAME}` without a default names a variable that is not set."""

    def __init__(self, name: str) -> None:
        self.name = name if _SHOWABLE_NAME.fullmatch(name) else "(its name is not shown)"
        super().__init__(self.name)


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Capitals, or words with at most two digits at their end. A name such as `sk_live_51H8…` is a
# key that somebody pasted between the braces, so it must not be shown.
_SHOWABLE_NAME = re.compile(
    r"[A-Z_][A-Z0-9_]{0,63}|_*[A-Za-z]{1,20}[0-9]{0,2}(?:_+[A-Za-z]{1,20}[0-9]{0,2})*"
)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Return *text* with `${NAME}` and `${NAME:-default}` replaced; defaults may nest.

    The value of a variable is never expanded again. An empty variable counts as unset.
    `$${` gives a plain `${`.

    Raises:
        MissingVariableError: a variable is not set and has no default.
        ValueError: a `${` is not closed or has no name, or defaults nest too deep.

    >>> expand("${HOST:-localhost}:${PORT}", {"PORT": "9"})
    'localhost:9'
    """
    out, at = [], 0
    while (start := text.find("${", at)) >= 0:
        if start and text[start - 1] == "$":
            out.append(text[at : start - 1] + "${")
            at = start + 2
            continue
        end = _closing(text, start + 2)
        out.append(text[at:start] + _value(text[start + 2 : end], environment))
        at = end + 1
    return "".join(out) + text[at:]


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            if depth > MAX_NESTED:
                raise ValueError(f"defaults nested deeper than {MAX_NESTED} levels")
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise ValueError("a ${ is not closed by a }")


def _value(inside: str, environment: Mapping[str, str]) -> str:
    match = _NAME.match(inside)
    rest = inside[match.end() :] if match else inside
    if match is None or (rest and not rest.startswith(":-")):
        raise ValueError("a ${ that is not ${NAME} or ${NAME:-default}")
    if value := environment.get(match.group()):
        return value
    if rest:
        return expand(rest[2:], environment)
    raise MissingVariableError(match.group())


def environment() -> Mapping[str, str]:
    """Return the process environment itself, not a copy."""
    return os.environ


DEBUG_VARIABLE = "SERVICE_REGISTRY_ALLOW_DEBUGGER"
_PR_SET_DUMPABLE = 4  # prctl(2)


def protect_process() -> None:
    """Keep this process' memory and files for its owner alone: it holds every key.

    What it writes from now on is readable for its user only (umask), it leaves no core file, and on
    Linux no other process of the same user can attach a debugger or read its memory and its
    environment in /proc; only root can. A variable for developers allows debuggers.
    """
    os.umask(0o077)
    if os.environ.get(DEBUG_VARIABLE):
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def read_key_file(path: Path) -> Secret:
    """Return the key in the file at *path*, without white space at its ends.

    Raises:
        SecretError: the file cannot be read, is empty, over 64 KiB, or not one line of UTF-8.
    """
    try:
        raw = read_bytes(path, MAX_KEY_BYTES + 1)
    except OSError as error:
        raise SecretError(f"the key file cannot be read ({error.strerror})") from None
    if len(raw) > MAX_KEY_BYTES:
        raise SecretError("the key file is larger than 64 KiB")
    try:
        text = raw.decode().strip("\r\n \t")
    except UnicodeDecodeError:
        raise SecretError("the key file is not UTF-8 text") from None
    if not text:
        raise SecretError("the key file is empty")
    if has_control(text):
        raise SecretError("the key file holds a control character or more than one line")
    return Secret(text)


def file_signature(path: Path) -> tuple[int, int, int] | None:
    """Return mtime, inode and size of the file at *path*, or None if there is no file.

    The inode shows a replacement of the same size within the resolution of mtime.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_ino, status.st_size)


_PREFIXED = re.compile(
    r"(?:sk|pk|rk|whsec|gh[opsru]|github_pat|glpat|xox[abeprs]|xapp|hf|shpat|dop_v1|npm|pypi|sntrys"
    r"|sntryu|re|phc|phx|ya29|key|pat|sq0[a-z]{3}|cfat|cfut|kit|pplx|gsk|r8|lin_api|rnd|nvapi)"
    r"[-_.][A-Za-z0-9_.-]{8,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}|SG\.[\w.-]{12,}"
    r"|eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*|[0-9]{6,}:[A-Za-z0-9_-]{20,}"
)
_SHORTEST_KEY = 11
"""Characters of the shortest that `_PREFIXED` takes, such as `re_` and eight."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def looks_like_key(text: str) -> bool:
    """Return whether *text*, one word without spaces, looks like a key or a token.

    A guess: a known prefix, or a long mix of letters and digits that is not a UUID.
    """
    if len(text) < _SHORTEST_KEY:
        return False
    if _PREFIXED.fullmatch(text):
        return bool(re.search(r"[0-9]", text)) or len(text) >= 32
    if len(text) < 20 or _UUID.fullmatch(text):
        return False
    digits = len(re.findall(r"[0-9]", text))
    upper, lower = re.search(r"[A-Z]", text), re.search(r"[a-z]", text)
    if upper and lower and digits >= 3:
        return True
    letters = len(re.findall(r"[A-Za-z]", text))
    return digits >= 5 and letters >= 4 and not re.search(r"[-_.:+~]", text)


_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)?(?![a-z])|secret|token(?!s)|credential|signature|webhook"
    r"|(?:api|access|private|auth)[_-]?key|(?<![a-z])(?:auth|pwd|sig|key)(?![a-z])",
    re.IGNORECASE,
)


def names_secret(name: str) -> bool:
    """Return whether *name*, of a field or a parameter, is one that people give to a secret.

    >>> names_secret("db_password"), names_secret("apiKey"), names_secret("passenger")
    (True, True, False)
    """
    return _SECRET_NAME.search(name) is not None
