"""Which targets exist now; tells its listeners what was added, changed and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.config import Target


class UnknownServiceError(LookupError):
    """There is no service of that id."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one step changed; a target is in one list only, unchanged ones in none."""

    added: tuple[Target, ...] = ()
    changed: tuple[Target, ...] = ()
    removed: tuple[Target, ...] = ()


Listener = Callable[[Change], None]


class Registry:
    """The targets by id, in the order of the files."""

    def __init__(self) -> None:
        self._targets: dict[str, Target] = {}
        self._listeners: list[Listener] = []

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets.values())

    def __len__(self) -> int:
        return len(self._targets)

    def __contains__(self, service: str) -> bool:
        return service in self._targets

    def get(self, service: str) -> Target:
        """Return the target of *service*.

        Raises:
            UnknownServiceError: it is not registered.
        """
        try:
            return self._targets[service]
        except KeyError:
            raise UnknownServiceError(service) from None

    def subscribe(self, listener: Listener) -> None:
        """Call *listener* with every change from now on."""
        self._listeners.append(listener)

    def replace(self, targets: Iterable[Target]) -> Change:
        """Make *targets* the whole registry; equal ones stay as they are."""
        fresh = {target.id: target for target in targets}
        known = self._targets
        change = Change(
            added=tuple(t for t in fresh.values() if t.id not in known),
            changed=tuple(t for t in fresh.values() if t.id in known and known[t.id] != t),
            removed=tuple(t for t in known.values() if t.id not in fresh),
        )
        self._targets = {
            name: known[name] if known.get(name) == t else t for name, t in fresh.items()
        }
        self._tell(change)
        return change

    def put(self, target: Target) -> None:
        """Add *target*, or put it in the place of the one with its id."""
        known = self._targets.get(target.id)
        if known == target:
            return
        self._targets[target.id] = target
        self._tell(Change(added=(target,)) if known is None else Change(changed=(target,)))

    def remove(self, service: str) -> None:
        """Take *service* out.

        Raises:
            UnknownServiceError: it is not registered.
        """
        target = self.get(service)
        del self._targets[service]
        self._tell(Change(removed=(target,)))

    def _tell(self, change: Change) -> None:
        if change.added or change.changed or change.removed:
            for listener in self._listeners:
                listener(change)
