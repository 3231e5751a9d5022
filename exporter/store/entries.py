"""What the store returns of a key and of the audit."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key given by the API; until `rollback_until` the one before it can come back."""

    secret: Secret
    rotated_at: float
    rollback_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, when; of a key only its fingerprint."""

    at: float
    who: str
    action: str
    service: str
    fingerprint: str
