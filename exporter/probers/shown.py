"""An endpoint as the curl command that a person would type, with everything secret masked."""

from __future__ import annotations

import base64
import shlex

from exporter.probers import Endpoint
from exporter.secret import HIDDEN


def curl_line(endpoint: Endpoint) -> str:
    """Return the equivalent curl command; keys show 3 and 4 characters at most, the body none."""
    words = ["curl", "-sS", "-i", "--max-time", f"{endpoint.timeout:g}"]
    if endpoint.method == "HEAD":
        words.append("--head")
    elif endpoint.method != ("GET" if endpoint.body is None else "POST"):
        words += ["-X", endpoint.method]
    for name, value in endpoint.headers:
        words += ["-H", f"{name}: {value}"]
    for name, secret in endpoint.credentials:
        words += ["-H", f"{name}: {secret.masked_header()}"]
    if endpoint.body is not None:
        words += ["--data-binary", HIDDEN]
    if endpoint.proxy:
        words += ["--proxy", HIDDEN]
    for option, path in (
        ("--cacert", endpoint.tls.ca_file),
        ("--cert", endpoint.tls.cert_file),
        ("--key", endpoint.tls.key_file),
    ):
        if path:
            words += [option, path]
    if endpoint.tls.insecure_skip_verify:
        words.append("--insecure")
    query = "&".join(f"{name}={secret.masked()}" for name, secret in endpoint.query)
    return shlex.join([*words, endpoint.shown + (f"?{query}" if query else "")])


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
