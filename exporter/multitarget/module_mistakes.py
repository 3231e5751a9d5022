"""Checks of the modules of `/probe` that a schema cannot express; no message quotes a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporter.checks import control_mistake, header_mistake
from exporter.files import is_file
from exporter.matching import pattern_mistake
from exporter.multitarget.allowed import mistakes_of_targets
from exporter.multitarget.left_out import LeftOut, left_out
from exporter.probers.client_keys import key_mistakes_of
from exporter.settings import FieldPath, Problem, examine

_SIZE = re.compile(r"([0-9]+)(?:([KMG])i?)?B?")
_FACTORS = {None: 1, "K": 1024, "M": 1024**2, "G": 1024**3}
MAX_BODY_LIMIT_BYTES = 10 * 1024 * 1024
Mistakes = Iterator[tuple[FieldPath, str]]


class Document:
    """The parts of the file that fit the schema, and the problems of the others.

    What the schema refuses is removed, so that the further checks can rely on the types of the
    rest and report their mistakes at the same time.
    """

    def __init__(self, text: str, source: str, rules: dict[str, Any]) -> None:
        self._loaded, refused = examine(text, source, rules)
        self._refused = refused
        modules = self._loaded.data.get("modules") if isinstance(self._loaded.data, dict) else None
        self.modules: dict[str, Any] = modules if isinstance(modules, dict) else {}
        for path, _ in refused:
            self._remove(path)

    @property
    def problems(self) -> list[Problem]:
        """What the schema refuses, in modules that are not taken out."""
        return [problem for _, problem in self._refused]

    def take_out(self) -> dict[str, LeftOut]:
        """Take the modules that are left out of `modules`, with what the schema refuses in them."""
        taken = left_out(self.modules, (path for path, _ in self._refused))
        self._refused = [
            (path, why) for path, why in self._refused if len(path) < 2 or path[1] not in taken
        ]
        self.modules = {name: raw for name, raw in self.modules.items() if name not in taken}
        return taken

    def problem(self, path: FieldPath, message: str) -> Problem:
        """Return a problem at *path* of the file."""
        return self._loaded.problem(path, message)

    def _remove(self, path: FieldPath) -> None:
        # An item of a list takes the whole list with it: the indices after it would be wrong.
        lists = (i for i, step in enumerate(path) if isinstance(step, int))
        path = path[: next(lists, len(path))]
        here: Any = self._loaded.data
        for step in path[:-1]:
            if not isinstance(here, dict):
                return
            here = here.get(step)
        if path and isinstance(here, dict):
            here.pop(path[-1], None)


def size(value: int | str) -> int:
    """Return the bytes of a checked size; KB and KiB are both 1,024 bytes, as in blackbox.

    >>> size("10MB"), size(5)
    (10485760, 5)
    """
    match = _SIZE.fullmatch(str(value))
    assert match is not None
    return int(match.group(1)) * _FACTORS[match.group(2)]


def mistakes_of(document: Document) -> Iterator[Problem]:
    """Yield each mistake of the modules that a schema cannot express."""
    for name, raw in document.modules.items():
        if isinstance(raw, dict) and isinstance(raw.get("http"), dict):
            for path, message in _http_mistakes(raw["http"]):
                yield document.problem(("modules", name, "http", *path), message)


def _http_mistakes(raw: dict[str, Any]) -> Mistakes:
    for index, status in enumerate(raw.get("valid_status_codes", ())):
        if not 100 <= status <= 599:
            yield ("valid_status_codes", index), "must be an HTTP status from 100 to 599"
    yield from _pattern_mistakes(raw)
    yield from _header_mistakes(raw)
    yield from _authorization_mistakes(raw)
    yield from _body_mistakes(raw)
    yield from _file_mistakes(raw)
    yield from mistakes_of_targets(raw)


def _pattern_mistakes(raw: dict[str, Any]) -> Mistakes:
    for name in ("fail_if_body_matches_regexp", "fail_if_body_not_matches_regexp"):
        for index, pattern in enumerate(raw.get(name, ())):
            if mistake := pattern_mistake(pattern):
                yield (name, index), mistake
    for name in ("fail_if_header_matches", "fail_if_header_not_matches"):
        for index, rule in enumerate(raw.get(name, ())):
            if mistake := pattern_mistake(rule["regexp"]):
                yield (name, index, "regexp"), mistake


def _header_mistakes(raw: dict[str, Any]) -> Mistakes:
    headers = raw.get("headers", {})
    earlier: set[str] = set()
    for name, value in headers.items():
        if mistake := header_mistake(name, value):
            yield ("headers", name), mistake
        elif name.lower() in earlier:
            yield ("headers", name), "is given twice in different spelling"
        earlier.add(name.lower())
    accepted = next((v for n, v in headers.items() if n.lower() == "accept-encoding"), None)
    wanted = raw.get("compression", "")
    if accepted is not None and wanted not in ("", "identity"):
        refused = re.compile(r"\s*;\s*q=0(\.0*)?\s*$")
        codings = [text for text in accepted.split(",") if not refused.search(text)]
        if not {wanted, "*"} & {text.partition(";")[0].strip().lower() for text in codings}:
            yield ("compression",), "is not accepted by headers.Accept-Encoding"


def _authorization_mistakes(raw: dict[str, Any]) -> Mistakes:
    used = [
        name
        for name in ("basic_auth", "authorization", "bearer_token", "bearer_token_file")
        if raw.get(name) is not None
    ]
    if len(used) > 1:
        yield (used[1],), f"only one of {', '.join(used)} may be given"
    basic, own = raw.get("basic_auth") or {}, raw.get("authorization") or {}
    if basic.get("password") is not None and basic.get("password_file") is not None:
        yield ("basic_auth", "password_file"), "give password or password_file, not both"
    if own.get("credentials") is not None and own.get("credentials_file") is not None:
        yield ("authorization", "credentials_file"), "give credentials or the file, not both"
    if "authorization" in used and not (own.get("credentials") or own.get("credentials_file")):
        yield ("authorization",), "needs credentials or credentials_file"
    if str(own.get("type", "")).lower() == "basic":
        yield ("authorization", "type"), "must not be basic; use basic_auth"
    for path, text in (
        (("bearer_token",), raw.get("bearer_token")),
        (("authorization", "credentials"), own.get("credentials")),
    ):
        if text is not None and (mistake := control_mistake(text)):
            yield path, mistake


def _body_mistakes(raw: dict[str, Any]) -> Mistakes:
    if raw.get("body") is not None and raw.get("body_file") is not None:
        yield ("body_file",), "give body or body_file, not both"
    if size(raw.get("body_size_limit", 0)) > MAX_BODY_LIMIT_BYTES:
        yield ("body_size_limit",), "must be at most 10MB: the body is held in memory"


def _file_mistakes(raw: dict[str, Any]) -> Mistakes:
    tls = raw.get("tls_config", {})
    if bool(tls.get("key_file")) != bool(tls.get("cert_file")):
        yield ("tls_config",), "needs both cert_file and key_file, or none"
    for name, what in key_mistakes_of(tls):
        yield ("tls_config", name), what
    for parent, name in (
        *((("tls_config",), n) for n in ("ca_file", "cert_file", "key_file")),
        (("basic_auth",), "password_file"),
        (("authorization",), "credentials_file"),
        ((), "bearer_token_file"),
        ((), "body_file"),
    ):
        section = raw.get(parent[0]) or {} if parent else raw
        if section.get(name) and not is_file(Path(section[name])):
            yield (*parent, name), "there is no such file"
