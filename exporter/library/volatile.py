"""Storage in memory, for a registry without a data directory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from exporter.secret import Secret

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _StoredKey:
    secret: Secret
    rotated_at: float


class Volatile:
    """Keeps services and keys in memory; the program that registered them has the originals."""

    keeps_keys = True

    def __init__(self) -> None:
        self._services: dict[str, Json] = {}
        self._keys: dict[str, list[_StoredKey]] = {}

    def atomic(self) -> AbstractContextManager[None]:
        return nullcontext()

    def services(self) -> Mapping[str, Json]:
        return dict(self._services)

    def put_service(self, service: str, raw: Json) -> None:
        self._services[service] = raw

    def delete_service(self, service: str) -> None:
        self._services.pop(service, None)

    def keys(self) -> Mapping[str, _StoredKey]:
        return {service: kept[-1] for service, kept in self._keys.items()}

    def put_key(
        self, service: str, key: Secret, *, at: float, declared: Secret | None = None
    ) -> None:
        # The new key and the one before it, which `rollback` returns to.
        before = self._keys.get(service) or ([_StoredKey(declared, at)] if declared else [])
        self._keys[service] = [*before, _StoredKey(key, at)][-2:]

    def rollback(self, service: str) -> Secret | None:
        kept = self._keys.get(service, [])
        if len(kept) < 2:
            return None
        kept.pop()
        return kept[-1].secret

    def delete_key(self, service: str) -> None:
        self._keys.pop(service, None)

    def fingerprint(self, secret: Secret) -> str:
        return ""

    def audit(self, at: float, who: str, action: str, service: str, fingerprint: str = "") -> None:
        """Do nothing: the change is in the log already, and there is no table to write it to."""
