"""Detects a secret of ours in a text that the server sent, so that the caller drops the text."""

from __future__ import annotations

import base64

from exporter.probers.endpoint import Endpoint


def holds_secret(endpoint: Endpoint, text: str) -> bool:
    """Return whether *text* contains eight characters in a row of a secret of *endpoint*.

    A word shorter than that is not looked for: it would be found by chance.
    """
    secrets = (secret.reveal() for _, secret in (*endpoint.credentials, *endpoint.query))
    words = [word for secret in secrets for word in _with_decoded_pair(secret).split()]
    return any(word[i : i + 8] in text for word in words for i in range(max(0, len(word) - 7)))


def _with_decoded_pair(secret: str) -> str:
    """Return *secret*; for Basic credentials also the user and the password, decoded."""
    scheme, _, token = secret.partition(" ")
    if scheme.lower() != "basic":
        return secret
    try:
        return f"{token} {base64.b64decode(token).decode(errors='replace').replace(':', ' ')}"
    except ValueError:
        return secret
