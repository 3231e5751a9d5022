"""Detects a secret of ours in a text that the server sent, so that the caller drops the text."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from exporter.probers.endpoint import Endpoint
from exporter.retirement import Retirement
from exporter.secret import HIDDEN, looks_like_key

_SHORTEST = 8


def holds_secret(endpoint: Endpoint, text: str) -> bool:
    """Return whether *text* contains eight characters in a row of a secret of *endpoint*.

    Secrets are its credentials, all values of its query, and what its path hides. *text* is also
    read as percent-encoded, and in either case. A word shorter than that is not looked for: it
    would be found by chance.
    """
    words = [word.lower() for secret in _secrets(endpoint) for word in secret.split()]
    texts = {text.lower(), unquote(text).lower()}
    return any(
        word[i : i + _SHORTEST] in read
        for read in texts
        for word in words
        if len(word) >= _SHORTEST
        for i in range(len(word) - _SHORTEST + 1)
    )


def without_echoes(found: Retirement, endpoint: Endpoint) -> Retirement:
    """Return *found* without the links in which the server repeats a secret of *endpoint*."""
    notices = {
        resource: replace(
            notice,
            links=tuple(link for link in notice.links if not holds_secret(endpoint, link[1])),
        )
        if notice.links
        else notice
        for resource, notice in found.notices.items()
    }
    return replace(found, notices=notices)


def _secrets(endpoint: Endpoint) -> Iterator[str]:
    for _, secret in endpoint.credentials:
        yield _with_decoded_pair(secret.reveal())
    for _, secret in endpoint.query:
        yield secret.reveal()
    parts = urlsplit(endpoint.url)
    yield from (value for _, value in parse_qsl(parts.query))
    hides_path = endpoint.shown.endswith(f"/{HIDDEN}")
    for segment in unquote(parts.path).split("/"):
        if hides_path or looks_like_key(segment):
            yield segment
    if endpoint.proxy:
        user, _, _ = urlsplit(endpoint.proxy).netloc.rpartition("@")
        yield unquote(user.replace(":", " "))


def _with_decoded_pair(secret: str) -> str:
    """Return *secret*; for Basic credentials also the user and the password, decoded."""
    scheme, _, token = secret.partition(" ")
    if scheme.lower() != "basic":
        return secret
    try:
        return f"{token} {base64.b64decode(token).decode(errors='replace').replace(':', ' ')}"
    except ValueError:
        return secret
