"""Alertmanager's configuration for a stack: only the media that somebody has set up.

A receiver without its secret would fail every notification, so a medium whose secret is missing,
or whose address is still a placeholder, is left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.programs import (
    EXPORTER_URL,
    SECRETS,
    read_config,
    shipped,
    with_texts,
    write_templates,
)
from exporter.stack.secrets import is_set

Json = dict[str, Any]
_PLACEHOLDER = re.compile(r"[\w.-]*\bexample\.(?:org|com)\b")
_NOT_FOR_PEOPLE = {"nobody", "incident-log", "deadman"}
# The settings under `global` that a medium takes where an entry has none of its own.
_GLOBAL_SECRETS = {
    "slack": ("slack_api_url_file", "slack_app_token_file"),
    "email": ("smtp_auth_password_file",),
}
_GLOBAL_ADDRESSES = {"email": ("smtp_smarthost", "smtp_from")}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Routes:
    """What Alertmanager is given."""

    config: Json = field(repr=False)
    left_out: tuple[str, ...] = ()
    """Each medium that is not used, with the reason."""
    silent: tuple[str, ...] = ()
    """Receivers for people that routes lead to and that have no medium left."""

    @property
    def nobody(self) -> bool:
        """Whether no person is notified of anything."""
        return not any(_media(receiver) for receiver in self.config["receivers"])


def full_routes(source: Path, *, secrets: Path, token: Path, exporter: str, to: Path) -> Routes:
    """Return the routes of the alertmanager.yml *source*, with the media that are set up.

    *secrets* is the folder of its secrets and *token* the file of the one for the exporter, whose
    URL is *exporter*; templates that are changed are written to the folder *to*.

    Raises:
        OSError: a file cannot be read or written.
        DocumentError: *source* is not YAML.
        ValueError: it is YAML, but not a configuration of Alertmanager.
    """
    config = _located(source, secrets, token, exporter)
    patterns = config.get("templates", [])
    config["templates"] = write_templates(to, source.parent, patterns, exporter)
    templates = [Path(path).read_text() for path in config["templates"]]
    left_out: dict[str, None] = {}
    silent = []
    used = set(_receivers(config.get("route") or {}))
    for receiver in config["receivers"]:
        had = _media(receiver)
        reasons = _reduce(receiver, config.get("global", {}), templates)
        left_out |= dict.fromkeys(reasons)
        if had and not _media(receiver) and receiver["name"] in used:
            silent.append(receiver["name"])
    return Routes(config, tuple(left_out), tuple(silent))


def _receivers(route: Json) -> Iterator[str]:
    """Yield the receivers of *route* and of its children."""
    yield route.get("receiver", "")
    for child in route.get("routes", ()):
        yield from _receivers(child)


def _reduce(receiver: Json, shared: Json, templates: list[str]) -> list[str]:
    """Take from *receiver* what cannot work; return what that is, with the reasons."""
    left_out = []
    for key in [key for key in receiver if key.endswith("_configs")]:
        medium = key.removesuffix("_configs")
        kept = []
        for entry in receiver[key]:
            if why := _unset(medium, entry, shared, templates):
                name = receiver["name"] if receiver["name"] in _NOT_FOR_PEOPLE else medium
                left_out.append(f"{name} ({why})")
            else:
                kept.append(entry)
        if kept:
            receiver[key] = kept
        else:
            del receiver[key]
    return left_out


def _media(receiver: Json) -> list[str]:
    """Return the media by which *receiver* reaches people."""
    return [name for name in receiver if receiver["name"] not in _NOT_FOR_PEOPLE and name != "name"]


def _located(source: Path, secrets: Path, token: Path, exporter: str) -> Json:
    """Return *source* with its secrets in *secrets* and the exporter at its URL."""

    def replaced(value: str) -> str | None:
        if value == f"{SECRETS}exporter_token":
            return str(token)
        for placeholder, real in ((SECRETS, f"{secrets}/"), (EXPORTER_URL, exporter)):
            if value.startswith(placeholder):
                return real + value.removeprefix(placeholder)
        return None

    # Anchors of YAML make two receivers share one list; `with_texts` makes every one anew.
    config = with_texts(read_config(source), replaced)
    if not isinstance(config, dict) or not isinstance(config.get("receivers"), list):
        raise ValueError("is not a configuration of Alertmanager")
    return config


def _unset(medium: str, entry: Json, shared: Json, templates: list[str]) -> str | None:
    """Return why *entry* of *medium* cannot work, None if it can."""
    addresses = [entry.get("url")]
    for name in _GLOBAL_ADDRESSES.get(medium, ()):
        addresses.append(entry.get(name.removeprefix("smtp_"), shared.get(name)))
    for address in addresses:
        if found := _PLACEHOLDER.search(str(address)):
            return f"{found[0]} is a placeholder"
    files = list(_files(entry))
    for name in _GLOBAL_SECRETS.get(medium, ()):
        own = name.removeprefix("slack_").removeprefix("smtp_").removesuffix("_file")
        if name in shared and not {own, f"{own}_file"} & entry.keys():
            files.append(shared[name])
    for file in files:
        if not is_set(Path(file)):
            return f"no {Path(file).name}"
    if medium == "email":
        return _unaddressed(entry, templates)
    return None


def _files(entry: Any) -> Iterator[str]:
    """Yield the files that *entry* names."""
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from _files(value)
        elif name.endswith("_file"):
            yield value


def _unaddressed(entry: Json, templates: list[str]) -> str | None:
    """Return what is wrong if the mail goes to a placeholder, also one in a template."""
    recipient = str(entry.get("to", ""))
    names = re.findall(r'template "([\w.]+)"', recipient)
    texts = [recipient]
    for text in templates:
        for name in names:
            _, found, rest = text.partition(f'define "{name}"')
            texts.append(rest.partition("{{ define")[0] if found else "")
    if match := _PLACEHOLDER.search("\n".join(texts)):
        return f"{match[0]} is a placeholder in templates/addresses.tmpl"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimal:
    """The one medium of the minimal file: a webhook's URL, or a mail address with its server."""

    webhook: str = field(default="", repr=False)
    mail: str = ""
    smtp: str = ""
    """HOST:PORT"""
    username: str = ""
    password: str = field(default="", repr=False)


def minimal_routes(medium: Minimal, *, token: Path, exporter: str, to: Path) -> Routes:
    """Return the routes of the shipped alertmanager.minimal.yml with *medium*.

    The other arguments are those of `full_routes`.
    """
    folder = shipped("alertmanager")
    config = _located(folder / "alertmanager.minimal.yml", to, token, exporter)
    config["templates"] = write_templates(to, folder, config["templates"], exporter)
    chosen = "webhook" if medium.webhook else "email"
    kept = {*_NOT_FOR_PEOPLE, chosen}
    config["receivers"] = [one for one in config["receivers"] if one["name"] in kept]
    config["route"]["receiver"] = chosen
    entry = config["receivers"][-1][f"{chosen}_configs"][0]
    if medium.webhook:
        entry["url"] = medium.webhook
        return Routes(config)
    host = medium.smtp.rpartition(":")[0].strip("[]")
    entry |= {
        "to": medium.mail,
        "from": medium.username if "@" in medium.username else medium.mail,
        "smarthost": medium.smtp,
        "require_tls": host not in _LOOPBACK,
    }
    for name in ("auth_username", "auth_password", "auth_password_file"):
        entry.pop(name, None)
    if medium.username:
        entry |= {"auth_username": medium.username, "auth_password": medium.password}
    return Routes(config)
