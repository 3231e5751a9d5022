"""The files of keys that a configuration names, looked at as `check-config` does.

A running exporter takes a missing key as a state that may end: the file is read again when it
appears. Whoever checks a configuration wants to know of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.config.declarations import Service
from exporter.config.mistakes import Found, service_mistakes, warnings_of
from exporter.config.notify import MEDIA, entries_of
from exporter.secret import Secret, SecretError, read_key_file
from exporter.settings import FieldPath, Loaded, Problem

_SERVICE_FIELDS = ("api_key_file", "api_key_next_file")
_DENIED = "Permission denied"
_NEXT_STEP = "write the key to it, or name another"


def mistakes_with_files(raw: dict[str, Any]) -> Found:
    """Yield what makes the service unusable, and each of its key files that holds no key."""
    yield from service_mistakes(raw)
    yield from _of_service(raw, denied=False)


def warnings_with_files(raw: dict[str, Any]) -> Found:
    """Yield what is probably not meant, and each key file that only others may read."""
    yield from warnings_of(raw)
    yield from _of_service(raw, denied=True)


def notify_files(file: Loaded, *, denied: bool) -> Iterator[Problem]:
    """Yield the files of secrets in `notify:` that hold none, or those that only others may read.

    Which of the two is asked with *denied*: who checks may be somebody else than who serves.
    """
    for index, raw in enumerate(entries_of(file.data)):
        for medium in MEDIA if isinstance(raw, dict) else ():
            within = raw.get(medium)
            for name in sorted(within) if isinstance(within, dict) else ():
                if name.endswith("_file") and (what := _wrong(within, name, denied)):
                    yield file.problem(("notify", index, medium, name), what)


def _of_service(raw: Mapping[str, Any], *, denied: bool) -> Found:
    # A service that is switched off may wait for its key.
    if raw.get("enabled", True) is not True:
        return
    for name in _SERVICE_FIELDS:
        if what := _wrong(raw, name, denied):
            place: FieldPath = (name,)
            yield place, what


def _wrong(raw: Mapping[str, Any], name: str, denied: bool) -> str:
    path = raw.get(name)
    if not isinstance(path, str) or not path:
        return ""
    try:
        read_key_file(Path(path))
    except SecretError as error:
        why = str(error)
        if (_DENIED in why) is not denied:
            return ""
        if denied:
            return f"{why}: check as the user that serves"
        return f"{why}; {_NEXT_STEP}"
    return ""


def following_key(service: Service) -> Secret | None:
    """Return the key that will replace the present one; an unreadable file is none."""
    if service.api_key_next_file:
        try:
            return read_key_file(Path(service.api_key_next_file))
        except SecretError:
            return None
    return service.api_key_next
