"""What was changed at run time and lies over the files: services of the API, rotated keys.

Kept in memory as it is in the storage; `management` changes both, the loader reads this.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from exporter.config import Declared, merged, read_request
from exporter.log import event
from exporter.registry.holding import NO_HOLD, Hold, restored
from exporter.secret import Secret

_log = logging.getLogger(__name__)
SOURCE = "(api)"
"""The name of the file of a service that is in none."""
HOLD = "#hold"
"""After a service's id: what was set for it at run time, kept beside the services."""
HIDDEN = "#hidden"
"""After a service's id: the parts of its declaration that may hold secrets, kept as a key is."""


class StoredKey(Protocol):
    """A kept key and the Unix time of its rotation."""

    @property
    def secret(self) -> Secret: ...

    @property
    def rotated_at(self) -> float: ...


class Storage(Protocol):
    """Where changes are kept; implemented by `store`."""

    def services(self) -> Mapping[str, dict[str, Any]]:
        """Return the services by id, without their keys."""

    def put_service(self, service: str, raw: dict[str, Any]) -> None:
        """Keep *raw*; it holds no key."""

    def delete_service(self, service: str) -> None:
        """Forget a service; its key is forgotten with `delete_key`."""

    def keys(self) -> Mapping[str, StoredKey]:
        """Return the current keys by service."""

    def put_key(
        self, service: str, key: Secret, *, at: float, declared: Secret | None = None
    ) -> None:
        """Keep *key*, and for a day the one before it: *declared* if none was kept."""

    def rollback(self, service: str) -> Secret | None:
        """Return to the key before, and return it; None if there is none any more."""

    def delete_key(self, service: str) -> None:
        """Forget the keys of *service*."""

    def atomic(self) -> AbstractContextManager[object]:
        """Make several calls in one thread one write."""

    @property
    def keeps_keys(self) -> bool:
        """Whether keys can be kept at all."""

    def fingerprint(self, secret: Secret) -> str:
        """Return a fingerprint: equal for equal keys, and no way back to the key."""

    def audit(self, at: float, who: str, action: str, service: str, fingerprint: str = "") -> None:
        """Write down who did what."""


class Overlay:
    """Services and keys that no file has, and what people set for a service at run time."""

    def __init__(self) -> None:
        self._services: dict[str, Declared] = {}
        self._keys: dict[str, Secret] = {}
        self._rotated: dict[str, float] = {}
        self._holds: dict[str, Hold] = {}

    def restore(self, storage: Storage) -> None:
        """Take over what is kept; a kept service that no longer fits is logged and left alone."""
        kept = storage.keys() if storage.keeps_keys else {}
        for name, plain in storage.services().items():
            try:
                if name.endswith(HOLD):
                    self.set_hold(name.removesuffix(HOLD), restored(plain))
                else:
                    self._services[name] = _read(name, plain, kept.get(name + HIDDEN))
            except ValueError:
                event(_log, "a kept service is not valid", level=logging.ERROR, service=name)
        for name, key in kept.items():
            if not name.endswith(HIDDEN):
                self.set_key(name, key.secret, key.rotated_at)

    def services(self) -> Collection[Declared]:
        """Return the services that were added at run time."""
        return self._services.values()

    def service(self, service: str) -> Declared | None:
        """Return how *service* was added at run time; None if it was not."""
        return self._services.get(service)

    def put_service(self, declared: Declared) -> None:
        """Add a service, or put it in the place of the one with its id."""
        self._services[declared.raw["id"]] = declared

    def drop_service(self, service: str) -> None:
        self._services.pop(service, None)

    def hold(self, service: str) -> Hold:
        """Return what was set for *service* at run time, whether or not it exists now."""
        return self._holds.get(service, NO_HOLD)

    def set_hold(self, service: str, hold: Hold) -> None:
        self._holds.pop(service, None)
        if hold != NO_HOLD:
            self._holds[service] = hold

    def key(self, service: str) -> Secret | None:
        """Return the key that replaces the declared one of *service*."""
        return self._keys.get(service)

    def rotated_at(self, service: str) -> float | None:
        """Return the Unix time at which the key in use was rotated in; None for a declared one."""
        return self._rotated.get(service)

    def set_key(self, service: str, key: Secret, at: float) -> None:
        """Have *key* replace the declared one of *service* from the Unix time *at* on."""
        self._keys[service] = key
        self._rotated[service] = at

    def drop_key(self, service: str) -> None:
        """Return to the declared key."""
        self._keys.pop(service, None)
        self._rotated.pop(service, None)


def _read(name: str, plain: dict[str, Any], hidden: StoredKey | None) -> Declared:
    """Return the service *name* as it was kept.

    Raises:
        ValueError: it does not fit, or is another service's.
    """
    more = {} if hidden is None else json.loads(hidden.secret.reveal())
    if not isinstance(more, dict):
        raise ValueError("what is hidden is not part of a service")
    declared = read_request(merged(plain, more), SOURCE)
    if declared.raw.get("id") != name:
        raise ValueError("it is another service's")
    return declared
