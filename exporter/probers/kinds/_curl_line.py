"""An endpoint as the curl command that sends the same request, with every secret masked."""

from __future__ import annotations

import shlex

from exporter.probers import Endpoint
from exporter.secret import HIDDEN


def curl_line(endpoint: Endpoint) -> str:
    """Return the equivalent curl command; of a key 3 and 4 characters at most, of the body none."""
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
