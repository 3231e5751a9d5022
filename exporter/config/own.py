"""What a service has for itself, whatever it has in common with others: its names, its address."""

from __future__ import annotations

import re
from typing import Any, TypedDict
from urllib.parse import parse_qsl, urlsplit

from exporter.config.files import Declared
from exporter.config.shown import shown_tags
from exporter.probers import Endpoint
from exporter.probers.urls import normalized
from exporter.secret import HIDDEN, Secret, looks_like_key
from exporter.settings import shown_address, shown_prose

_PLAIN_HOST = re.compile(r"https?://([a-z0-9.:-]+)(?:/|$)")
"""In most addresses of 10,000 services; there is more to the others."""


class Place(TypedDict):
    """Where an `Endpoint` is: two of its fields."""

    url: str
    shown: str


def about(declared: Declared) -> dict[str, Any]:
    """Return the fields of a target that people read and nothing else depends on."""
    raw = declared.raw
    metadata = raw.get("metadata", {})
    return {
        "id": raw["id"],
        "name": raw.get("name") or raw["id"],
        "owner": shown_prose(metadata.get("owner", "")),
        "runbook": shown_prose(metadata.get("runbook", "")),
        "tags": shown_tags(declared),
    }


def is_whole(endpoint: str) -> bool:
    """Return whether *endpoint* is an address by itself, not a path below `base_url`."""
    return bool(endpoint) and not endpoint.startswith("/")


def address(base: str, endpoint: str, *, hides_path: bool) -> Place:
    """Return where *endpoint* of the API at *base* is.

    With *hides_path* a variable is part of it: people are shown no path.
    """
    below = endpoint and not is_whole(endpoint)
    url = base.rstrip("/") + endpoint if below else endpoint or base
    if not hides_path:
        return {"url": normalized(url), "shown": shown_address(url)}
    parts = urlsplit(url)
    return {"url": normalized(url), "shown": f"{parts.scheme}://{parts.netloc}/{HIDDEN}"}


def host_of(url: str) -> str:
    """Return host and port of *url* as they are written."""
    plain = _PLAIN_HOST.match(url)
    return plain[1] if plain else urlsplit(url).netloc


def secrets_in_addresses(*endpoints: Endpoint | None) -> tuple[Secret, ...]:
    """Return what looks like a key in the addresses of *endpoints*, each of them once.

    The rest of a path may be a word such as "production", which must stay readable in a log.
    """
    words: list[str] = []
    for endpoint in endpoints:
        if endpoint is not None:
            place, _, query = endpoint.url.partition("#")[0].partition("?")
            words += place.partition("://")[2].split("/")[1:]
            words += [value for _, value in parse_qsl(query)] if query else []
    return tuple(Secret(word) for word in dict.fromkeys(words) if looks_like_key(word))
