"""From the configuration's source to the registry: at start, on reload, and when a key changes.

A reload is atomic: everything is read and built aside, off the loop, and only then put in place.
A bad file changes nothing; every mistake is logged and returned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.clock import Clock
from exporter.collection import no_collection
from exporter.config import Configuration, Declared, Monitoring, Target, make_target, make_targets
from exporter.log import event
from exporter.registry.overlay import Overlay
from exporter.registry.targets import Registry
from exporter.secret import Secret, file_signature
from exporter.settings import SettingsError

_log = logging.getLogger(__name__)
KEY_POLL_SECONDS = 2.0
_KEY_FILES = ("api_key_file", "api_key_next_file")
_Signature = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Read:
    configuration: Configuration
    declared: dict[str, Declared]
    targets: list[Target]
    signatures: dict[str, _Signature]


class Loader:
    """Reads the source and keeps the registry in step with it."""

    def __init__(
        self,
        source: Callable[[], Configuration],
        registry: Registry,
        environment: Mapping[str, str],
        clock: Clock,
        overlay: Overlay | None = None,
    ) -> None:
        self.overlay = overlay or Overlay()
        self._source, self._registry, self._environment = source, registry, environment
        self._clock = clock
        self._listeners: list[Callable[[Configuration], None]] = []
        self._declared: dict[str, Declared] = {}
        self._signatures: dict[str, _Signature] = {}
        self.monitoring = Monitoring()
        """The switches of the configuration in force."""
        self.loaded_at: float | None = None
        """When the configuration in force was loaded, as a Unix time."""
        self.refused_at: float | None = None
        """Since when an older configuration is in force than the one that should be."""
        self.lock = asyncio.Lock()
        """Held by whatever changes services or keys: a reload must not undo it."""

    def subscribe(self, listener: Callable[[Configuration], None]) -> None:
        """Call *listener* with every configuration, before its services are registered."""
        self._listeners.append(listener)

    @no_collection()
    def load(self) -> None:
        """Load for the first time.

        Raises:
            SettingsError: the configuration is wrong.
        """
        self._activate(self._read())

    async def reload(self) -> SettingsError | None:
        """Load again; return what is wrong, in which case everything stays as it was."""
        async with self.lock:
            try:
                found = await asyncio.to_thread(self._read)
            except SettingsError as error:
                self._refuse()
                for problem in error.problems:
                    event(_log, "configuration refused", level=logging.ERROR, problem=problem)
                return error
            except Exception:
                self._refuse()
                raise
            self._activate(found)
            return None

    def _refuse(self) -> None:
        self.refused_at = self.refused_at or self._clock.now()

    def declared(self, service: str) -> Declared | None:
        """Return how *service* is declared, in a file or at run time."""
        return self._declared.get(service)

    def target(self, declared: Declared, key: Secret | None = None) -> Target:
        """Return the target of *declared*, with *key* or the one it has now."""
        replacing = key or self.overlay.key(declared.raw["id"])
        return self._switched(make_target(declared, self._environment, replacing))

    def declared_key(self, declared: Declared) -> Secret | None:
        """Return the key of *declared* itself, whatever replaces it now."""
        return make_target(declared, self._environment).key

    def put(self, declared: Declared) -> None:
        """Register *declared*, which was added or changed at run time."""
        self._declared[declared.raw["id"]] = declared
        self._registry.put(self.target(declared))

    def drop(self, service: str) -> None:
        """Take out *service*, which was added at run time."""
        self._declared.pop(service, None)
        self._registry.remove(service)

    async def watch_keys(self) -> None:
        """Look at the key files every two seconds until cancelled."""
        while True:
            await self._clock.sleep(KEY_POLL_SECONDS)
            for path, before in list(self._signatures.items()):
                if (now := _signature(path)) != before:
                    self._signatures[path] = now
                    self._read_key(path)

    @no_collection()
    def _read(self) -> _Read:
        configuration = self._source()
        files = {
            declared.raw[field]
            for declared in configuration.services
            for field in _KEY_FILES
            if field in declared.raw
        }
        # Before the keys are read: a file that changes meanwhile is read again by `watch_keys`.
        signatures = {path: _signature(path) for path in files}
        declared = {d.raw["id"]: d for d in (*self.overlay.services(), *configuration.services)}
        targets = make_targets(declared.values(), self._environment, self.overlay.key)
        return _Read(configuration, declared, targets, signatures)

    def _activate(self, read: _Read) -> None:
        configuration, targets = read.configuration, read.targets
        for warning in configuration.warnings:
            event(_log, "configuration warning", level=logging.WARNING, problem=warning)
        self.monitoring = configuration.monitoring
        self._declared = read.declared
        self._signatures = read.signatures
        for listener in self._listeners:
            listener(configuration)
        change = self._registry.replace(self._switched(target) for target in targets)
        self.loaded_at, self.refused_at = self._clock.now(), None
        event(
            _log,
            "configuration loaded",
            services=len(self._registry),
            added=len(change.added),
            changed=len(change.changed),
            removed=len(change.removed),
        )
        for target in (*change.added, *change.changed):
            if target.unprobed:
                event(_log, "service limited", service=target.id, why=target.unprobed)

    def _switched(self, target: Target) -> Target:
        target = self.overlay.hold(target.id).applied(target)
        return target if self.monitoring.enabled else replace(target, enabled=False)

    def _read_key(self, path: str) -> None:
        for declared in list(self._declared.values()):
            if path in (declared.raw.get(field) for field in _KEY_FILES):
                target = self.target(declared)
                event(_log, "key file changed", service=target.id, configured=bool(target.key))
                self._registry.put(target)


def _signature(path: str) -> _Signature:
    try:
        return file_signature(Path(path))
    except ValueError:  # a NUL in the path
        return None
