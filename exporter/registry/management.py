"""What may be changed at run time: services added by the API, keys, and a test on demand.

Services of a file are changed in the file. A rotated key is verified with the provider before it
replaces the old one, which is kept for a day to roll back to. Storage calls run in a thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock
from exporter.config import Declared, Service, Target, check_patch, merged, read_request
from exporter.log import event
from exporter.model import FACTS, Outcome, Reason
from exporter.probers import Prober
from exporter.providers import presets
from exporter.registry.holding import NO_HOLD
from exporter.registry.loading import Loader
from exporter.registry.overlay import HIDDEN, HOLD, SOURCE, Storage
from exporter.registry.targets import Registry
from exporter.secret import Secret
from exporter.settings import split_secrets

_log = logging.getLogger(__name__)


class ManagementError(Exception):
    """A change is refused; the message has the reason and the way out. `code` names the kind."""

    code = "refused"


class InFileError(ManagementError):
    """The service is declared in a configuration file."""

    code = "in_file"


class TakenError(ManagementError):
    """There is a service of that id."""

    code = "taken"


class KeyRefusedError(ManagementError):
    """The provider does not accept the candidate key; `outcome` is what it answered."""

    code = "key_refused"

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class OnlyKeyError(ManagementError):
    """The key is the only one that the service has."""

    code = "only_key"


class UnprovableKeyError(ManagementError):
    """No probe can show whether a new key works."""

    code = "unprovable_key"


class NoStorageError(ManagementError):
    """There is nowhere to keep a change."""

    code = "no_storage"


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a rotation ended: the probe with the new key, and since when the key is used."""

    outcome: Outcome | None
    rotated_at: float
    next_step: str = ""
    """What remains to be done with the old key; empty where nothing is known of the provider."""


class Management:
    """Changes services and keys, in the storage and in the overlay of the files."""

    def __init__(
        self,
        registry: Registry,
        loader: Loader,
        prober: Prober,
        clock: Clock,
        storage: Storage | None,
    ) -> None:
        self._registry, self._loader, self._prober = registry, loader, prober
        self._clock, self._storage = clock, storage
        self._overlay, self._lock = loader.overlay, loader.lock

    def in_file(self, service: str) -> bool:
        """Return whether *service* is declared in a configuration file."""
        declared = self._loader.declared(service)
        return declared is not None and declared.source != SOURCE

    # -- services ----------------------------------------------------------------------------

    async def add(self, raw: Mapping[str, Any], who: str) -> Target:
        """Register the service *raw*; its key, if any, is kept encrypted.

        Raises:
            SettingsError: *raw* is wrong.
            TakenError: there is a service of that id.
            NoStorageError: it, or its key, cannot be kept.
        """
        declared = await asyncio.to_thread(read_request, raw, SOURCE)
        name = declared.raw["id"]
        async with self._lock:
            if name in self._registry:
                where = "in a configuration file; change it there"
                how = where if self.in_file(name) else "already; PATCH changes it"
                raise TakenError(f"there is a service {name} {how}")
            if self._overlay.key(name) is not None:  # left by a service of that id that is gone
                await self._wipe_key(name)
            await self._wipe_hold(name)
            await self._keep(declared, who, "service added")
        return self._registry.get(name)

    async def change(self, service: str, patch: Mapping[str, Any], who: str) -> Target:
        """Merge *patch* into *service*; a null takes a field out (RFC 7396).

        Raises:
            UnknownServiceError: it is not registered.
            InFileError: it is declared in a configuration file.
            SettingsError: the result would be wrong.
            NoStorageError: it cannot be kept.
        """
        async with self._lock:
            before = self._own(service)
            check_patch(patch, SOURCE)
            raw = _patched(before.raw, {**patch, "id": service})
            declared = await asyncio.to_thread(read_request, raw, SOURCE)
            if patch.get("api_key", "") is None:
                await self._wipe_key(service)
            await self._keep(declared, who, "service changed")
        return self._registry.get(service)

    async def remove(self, service: str, who: str) -> None:
        """Forget *service*, its keys and its series.

        Raises:
            UnknownServiceError: it is not registered.
            InFileError: it is declared in a configuration file.
        """
        async with self._lock:
            self._own(service)
            storage = self._need_storage()
            await asyncio.to_thread(storage.delete_service, service)
            if storage.keeps_keys:
                await asyncio.to_thread(storage.delete_key, service + HIDDEN)
            await self._wipe_key(service)
            await self._wipe_hold(service)
            await self._audit(who, "service removed", service, None)
            self._overlay.drop_service(service)
            self._loader.drop(service)

    def _own(self, service: str) -> Declared:
        self._registry.get(service)
        declared = self._overlay.service(service)
        if declared is None or self.in_file(service):
            raise InFileError(f"{service} is in a configuration file; change it there")
        return declared

    async def _keep(self, declared: Declared, who: str, action: str) -> None:
        storage = self._need_storage()
        name, given = declared.raw["id"], declared.raw.get("api_key")
        raw = {field: value for field, value in declared.raw.items() if field != "api_key"}
        key, now = Secret(given) if given else None, self._clock.now()
        await asyncio.to_thread(_write, storage, name, raw, key, now)
        await self._audit(who, action, name, key)
        kept = await asyncio.to_thread(read_request, raw, SOURCE)
        self._overlay.put_service(kept)
        if key is not None:
            self._overlay.set_key(name, key, now)
        self._loader.put(kept)

    # -- keys --------------------------------------------------------------------------------

    async def rotate(
        self,
        service: str,
        key: Secret,
        who: str,
        *,
        force: bool = False,
        allow_limited: bool = False,
    ) -> Rotation:
        """Probe with *key* and use it from now on if the probe is a success.

        A key is proven by the reason `ok` alone, with *allow_limited* by `key_ok_limited` too; with
        *force* it need not be proven.

        Raises:
            UnknownServiceError: the service is not registered.
            KeyRefusedError: the probe ended with another reason.
            UnprovableKeyError: no probe can show whether the key works.
            NoStorageError: the key cannot be kept.
        """
        async with self._lock:
            declared, storage = self._declared(service), self._need_storage()
            candidate, used = self._loader.target(declared, key), self._registry.get(service).key
            outcome = await self._proof(candidate)
            accepted = {Reason.OK, Reason.KEY_OK_LIMITED} if allow_limited else {Reason.OK}
            if not force:
                if outcome is None:
                    raise UnprovableKeyError(
                        "the new key cannot be verified and the old one stays:"
                        f" {candidate.unprobed or 'the check sends no key'}"
                    )
                if outcome.reason not in accepted:
                    raise KeyRefusedError(_refusal(outcome), outcome)
            now = self._clock.now()
            await asyncio.to_thread(storage.put_key, service, key, at=now, declared=used)
            await self._audit(who, "key rotated" + (", forced" if force else ""), service, key)
            self._overlay.set_key(service, key, now)
            self._loader.put(declared)
            return Rotation(outcome, now, _next_step(candidate.provider))

    async def _proof(self, candidate: Target) -> Outcome | None:
        """Return the outcome of a probe that sends the candidate's key; None if none can."""
        endpoint = candidate.endpoint
        if endpoint is None or not endpoint.keyed:
            return None
        return await self._prober.probe(endpoint)

    async def roll_back(self, service: str, who: str) -> Rotation:
        """Use the key before again, if it was replaced less than a day ago.

        Raises:
            UnknownServiceError: the service is not registered.
            ManagementError: there is no key to return to.
        """
        async with self._lock:
            declared, storage = self._declared(service), self._need_storage()
            key = await asyncio.to_thread(storage.rollback, service)
            if key is None:
                what = "there is no key to roll back to: a replaced one is kept for 24 h"
                if self.in_file(service):
                    what += f"; DELETE /api/services/{service}/key returns to the declared key"
                raise ManagementError(what)
            await self._audit(who, "key rolled back", service, key)
            now = self._clock.now()
            if self.in_file(service) and key == self._loader.declared_key(declared):
                await self._wipe_key(service)  # the declared one: changes of its file count again
            else:
                self._overlay.set_key(service, key, now)
            self._loader.put(declared)
            return Rotation(None, now)

    async def forget_key(self, service: str, who: str) -> None:
        """Return to the key that the service is declared with.

        Raises:
            UnknownServiceError: the service is not registered.
            OnlyKeyError: it was registered at run time: there is no other key.
        """
        async with self._lock:
            declared = self._declared(service)
            if not self.in_file(service):
                raise OnlyKeyError(
                    f"{service} has no other key: PUT replaces it, PATCH with null takes it away"
                )
            await self._wipe_key(service)
            await self._audit(who, "key forgotten", service, None)
            self._loader.put(declared)

    async def test(self, service: str) -> Outcome | None:
        """Probe *service* once, now, uncounted; None if it cannot be probed.

        Raises:
            UnknownServiceError: it is not registered.
        """
        target = self._registry.get(service)
        return None if target.endpoint is None else await self._prober.probe(target.endpoint)

    def _declared(self, service: str) -> Declared:
        self._registry.get(service)
        declared = self._loader.declared(service)
        assert declared is not None
        return declared

    async def _wipe_key(self, service: str) -> None:
        storage = self._need_storage()
        if storage.keeps_keys:
            await asyncio.to_thread(storage.delete_key, service)
        self._overlay.drop_key(service)

    async def _wipe_hold(self, service: str) -> None:
        if self._overlay.hold(service) != NO_HOLD:
            await asyncio.to_thread(self._need_storage().delete_service, service + HOLD)
            self._overlay.set_hold(service, NO_HOLD)

    async def _audit(self, who: str, action: str, service: str, key: Secret | None) -> None:
        event(_log, action, service=service, who=who)
        storage = self._need_storage()
        mark = storage.fingerprint(key) if key is not None else ""
        await asyncio.to_thread(storage.audit, self._clock.now(), who, action, service, mark)

    def _need_storage(self) -> Storage:
        if self._storage is None:
            raise NoStorageError("changes are kept in --data-dir DIR; start with one")
        return self._storage


def _patched(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in below.items() if above.get(name, value) is not None}
    given = {name: value for name, value in above.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, dict) and name != "body":  # a body is one value
            inside = kept.pop(name, None)
            given[name] = _patched(inside if isinstance(inside, dict) else {}, value)
    return merged(kept, given)


def _write(
    storage: Storage, name: str, raw: Mapping[str, Any], key: Secret | None, now: float
) -> None:
    """Keep a service, its key and what else is secret in it: all of it or nothing."""
    plain, hidden = split_secrets(Service, raw)
    with storage.atomic():
        if key is not None:
            storage.put_key(name, key, at=now)
        if hidden:
            storage.put_key(name + HIDDEN, Secret(json.dumps(hidden)), at=now)
        elif storage.keeps_keys:
            storage.delete_key(name + HIDDEN)
        storage.put_service(name, plain)


def _next_step(provider: str) -> str:
    preset = presets().get(provider)
    if preset is None or preset.key.parallel is None:
        return ""
    if preset.key.parallel:
        return f"the old key still works at {preset.name}: revoke it there once nothing uses it"
    return f"{preset.name} knows one key at a time: the old one has ended, a rollback cannot help"


def _refusal(outcome: Outcome) -> str:
    if outcome.reason is Reason.KEY_OK_LIMITED:
        return "the new key lacks a permission that the check needs; the old one stays"
    if FACTS[outcome.reason].key_valid is False:
        return "the provider rejects the new key; the old one stays"
    return "the probe with the new key did not succeed; the old one stays"
