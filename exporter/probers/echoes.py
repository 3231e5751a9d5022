"""Whether a text of the peer holds one of our secrets: then nothing of it is kept."""

from __future__ import annotations

import base64

from exporter.probers.endpoint import Endpoint


def holds_secret(endpoint: Endpoint, text: str) -> bool:
    """Return whether *text* holds eight characters of a secret of *endpoint*, as if echoed."""
    secrets = (secret.reveal() for _, secret in (*endpoint.credentials, *endpoint.query))
    words = [word for secret in secrets for word in _plain(secret).split()]
    return any(word[i : i + 8] in text for word in words for i in range(max(0, len(word) - 7)))


def _plain(secret: str) -> str:
    """Return *secret* with what a basic pair says in the clear added."""
    scheme, _, token = secret.partition(" ")
    if scheme.lower() != "basic":
        return secret
    try:
        return f"{token} {base64.b64decode(token).decode(errors='replace').replace(':', ' ')}"
    except ValueError:
        return secret
