"""One event per line, key=value or JSON, on standard error; known secrets are replaced by "…".

State changes are logged at INFO, repeats at DEBUG. The redaction is the second line of defence:
the first is that no message is made from a header, a body or a URL's query.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from exporter.secret import HIDDEN, Secret

Format = Literal["logfmt", "json"]
_FIELDS = "fields"
_SHORTEST, _TELLING = 8, 16
_SHORT, _MOST_SEARCHED = 512, 4096
"""The names in a certificate are searched after each probe: so many short texts are remembered."""


class Redaction:
    """Replaces every known secret in a text."""

    def __init__(self) -> None:
        self._values: list[str] = []
        self._search = _search({})
        self._sources: list[Callable[[], Iterable[Secret]]] = []

    def watch(self, *sources: Callable[[], Iterable[Secret]]) -> None:
        """Add *sources*, which every `refresh` asks for their secrets."""
        self._sources += sources

    def refresh(self) -> None:
        """Redact exactly the secrets that the sources have now."""
        self.replace([secret for source in self._sources for secret in source()])

    def replace(self, secrets: list[Secret]) -> None:
        """Redact exactly *secrets* from now on, except those shorter than 8 characters.

        A short one would also replace parts of common words.
        """
        values = {secret.reveal() for secret in secrets}
        # The longest first: a shorter one may be its beginning, and the rest would be logged.
        self._values = sorted((v for v in values if len(v) >= _SHORTEST), key=len, reverse=True)
        beginnings: dict[str, list[str]] = {}
        for value in (word for v in self._values for word in v.split() if len(word) >= _SHORTEST):
            beginnings.setdefault(value[:_SHORTEST], []).append(value[:_TELLING])
        self._search = _search(beginnings)  # which remembers nothing of the former secrets

    def __call__(self, text: str) -> str:
        for value in self._values:
            if value in text:
                text = text.replace(value, HIDDEN)
        return text

    def holds(self, text: str) -> bool:
        """Return whether a known secret, or the first 16 characters of one, is in *text*.

        The time depends on the length of *text* only, not on how many secrets are known: a
        request id of each answer is checked, and there may be thousands of services.
        """
        return (self._search if len(text) <= _SHORT else self._search.__wrapped__)(text)


def _search(beginnings: Mapping[str, list[str]]) -> functools._lru_cache_wrapper[bool]:
    """Return what finds one of *beginnings*, given by their first characters, in a text."""

    @functools.lru_cache(maxsize=_MOST_SEARCHED)
    def search(text: str) -> bool:
        places = range(len(text) - _SHORTEST + 1)
        if beginnings.keys().isdisjoint([text[i : i + _SHORTEST] for i in places]):
            return False
        return any(
            text.startswith(value, i)
            for i in places
            for value in beginnings.get(text[i : i + _SHORTEST], ())
        )

    return search


class _Formatter(logging.Formatter):
    def __init__(self, style: Format, redaction: Redaction) -> None:
        super().__init__()
        self._output, self._redaction = style, redaction

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "ts": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            fields["error"] = places_of(record.exc_info)
        # Redact before quoting: quoting would change a secret that holds a quote and so hide it.
        shown = {name: self._redacted(value) for name, value in fields.items()}
        if self._output == "json":
            return json.dumps(shown)
        return " ".join(f"{name}={_quoted(value)}" for name, value in shown.items())

    def _redacted(self, value: Any) -> str | int | float | None:
        text = str(value)
        redacted = self._redaction(text)
        plain = value is None or isinstance(value, int)
        plain = plain or (isinstance(value, float) and math.isfinite(value))
        return value if plain and redacted == text else redacted


def places_of(info: Any) -> str:
    """Return type and code locations of an exception, for `sys.exc_info()`.

    Its message is left out: it may quote a secret or an answer.
    """
    kind, _, trace = info
    if kind is None:
        return "none"
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/exporter/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{kind.__name__} at {' > '.join(places)}"


def _quoted(value: Any) -> str:
    text = str(value)
    plain = text and text.isprintable() and not any(c in ' "=\\' for c in text)
    return text if plain else json.dumps(text)


def event(
    logger: logging.Logger, message: str, *, level: int = logging.INFO, **fields: Any
) -> None:
    """Log *message* with *fields*. No field may hold text taken from a response.

    Example:

        event(_log, "probe state changed", service=target.id, reason=outcome.reason)
    """
    logger.log(level, message, extra={_FIELDS: fields})


def configure(style: Format = "logfmt", level: int = logging.INFO) -> Redaction:
    """Send every logger's events to standard error in *style*.

    Return the redaction in use; the caller keeps its secrets up to date.
    """
    redaction = Redaction()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(style, redaction))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    return redaction
