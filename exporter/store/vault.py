"""Keys at rest: encrypted with a secret key that is not in the store, bound to their service.

The first line of the secret key file encrypts, every line can read: put a new one on top, call
`Store.rotate`, remove the old one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from exporter.files import read_bytes
from exporter.secret import HIDDEN, MAX_KEY_BYTES, Secret
from exporter.store.errors import VaultError

VARIABLE = "SERVICE_REGISTRY_SECRET_KEY_FILE"
HOW = "`service-registry make-secrets DIR` writes one: DIR/secret_key"
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def new_secret_key() -> str:
    """Return a fresh secret key, the content of a secret key file."""
    return Fernet.generate_key().decode()


class Vault:
    """Encrypts and reads keys; shows neither them nor its own."""

    __slots__ = ("_fernet",)

    def __init__(self, keys: str) -> None:
        """Take *keys*, one a line, the newest first.

        Raises:
            VaultError: a line is not a key, or there is none.
        """
        lines = [(n, line.strip()) for n, line in enumerate(keys.splitlines(), 1) if line.strip()]
        if not lines:
            raise VaultError(f"the secret key file holds no key; {HOW}")
        for number, line in lines:
            if not _KEY.fullmatch(line):
                what = "is not 32 bytes in URL-safe base64"
                raise VaultError(f"the secret key file, line {number}: {what}; {HOW}")
        self._fernet = MultiFernet([Fernet(line) for _, line in lines])

    @classmethod
    def from_file(cls, path: Path) -> Vault:
        """Return the vault of the keys in *path*; no message shows the path: it may be a key.

        Raises:
            VaultError: it cannot be read or holds something else.
        """
        try:
            raw = read_bytes(path, MAX_KEY_BYTES + 1)
        except OSError as error:
            what = f"the file that {VARIABLE} names cannot be read ({error.strerror})"
            raise VaultError(f"{what}; {HOW}") from None
        if len(raw) > MAX_KEY_BYTES or not raw.isascii():
            raise VaultError(f"the file that {VARIABLE} names holds no keys; {HOW}")
        return cls(raw.decode("ascii"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Vault | None:
        """Return the vault that the environment names, or None if it names none."""
        name = environment.get(VARIABLE)
        return cls.from_file(Path(name)) if name else None

    def __repr__(self) -> str:
        return f"Vault({HIDDEN})"

    def encrypt(self, service: str, secret: Secret) -> bytes:
        return self._fernet.encrypt(json.dumps([service, secret.reveal()]).encode("ascii"))

    def decrypt(self, service: str, token: bytes) -> Secret:
        """Return what `encrypt` was given.

        Raises:
            VaultError: *token* was made with another secret key, changed, or is another service's.
        """
        try:
            plain = json.loads(self._fernet.decrypt(token))
        except (InvalidToken, TypeError, ValueError):
            what = "cannot be read: its secret key is not in the file, or the row was changed"
            raise VaultError(f"the stored key of {service} {what}") from None
        match plain:
            case [owner, str(value)] if owner == service:
                return Secret(value)
        raise VaultError(f"the stored key of {service} is another service's: the row was changed")

    def holds(self, service: str, token: bytes, secret: Secret) -> bool:
        """Return whether *token* is *secret*; one that cannot be read is not."""
        try:
            return self.decrypt(service, token) == secret
        except VaultError:
            return False  # a new key is the way out of a lost secret key

    def rotate(self, service: str, token: bytes) -> bytes:
        """Return *token* encrypted anew with the first key of the file."""
        return self.encrypt(service, self.decrypt(service, token))


def fingerprint(secret: Secret, installation: bytes) -> str:
    """Return 8 characters by which to recognise *secret*, different in every installation."""
    text = secret.reveal().encode(errors="surrogatepass")
    return hmac.new(installation, text, hashlib.sha256).hexdigest()[:8]
