"""Whether a client certificate's key can be used without anybody at the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from exporter.files import read_bytes

MAX_BYTES = 1024 * 1024
# PKCS #8 (RFC 7468, 11) and the older form of OpenSSL (RFC 1421, 4.6.1.1).
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type:\s*4,\s*ENCRYPTED")
_MESSAGE = "holds a key with a passphrase, which nobody could type; give a key without one"


def key_mistakes_of(tls: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Yield the setting of *tls* whose file has a key with a passphrase, and a message.

    Without `key_file` the key is in `cert_file`. A file that cannot be read is no mistake here.
    """
    setting = "key_file" if tls.get("key_file") else "cert_file"
    if not (path := tls.get(setting)):
        return
    try:
        text = read_bytes(Path(path), MAX_BYTES)
    except OSError:
        return
    if _ENCRYPTED.search(text):
        yield setting, _MESSAGE
