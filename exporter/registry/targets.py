"""Which targets exist now; its followers get what was added, changed and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.config import Target
    from exporter.secret import Secret
    from exporter.statuspages import StatusPage


class UnknownServiceError(LookupError):
    """There is no service of that id."""


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What one step changed; a target is in one list only, unchanged ones in none."""

    added: tuple[Target, ...] = ()
    changed: tuple[Target, ...] = ()
    removed: tuple[Target, ...] = ()

    @property
    def current(self) -> tuple[Target, ...]:
        """Those that are new or different."""
        return (*self.added, *self.changed)


Follower = Callable[[RegistryChange], None]


class Registry:
    """The targets by id, in the order of the files."""

    def __init__(self) -> None:
        self._targets: dict[str, Target] = {}
        self._followers: list[Follower] = []

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

    def subscribe(self, follower: Follower) -> None:
        """Call *follower* with every change from now on, in the order of subscription."""
        self._followers.append(follower)

    def secrets(self) -> Iterator[Secret]:
        """Yield what no line of a log may show."""
        for target in self._targets.values():
            yield from target.secrets()

    def status_pages(self) -> set[StatusPage]:
        """Return the status pages of the providers in use."""
        return {t.status_page for t in self._targets.values() if t.status_page and t.enabled}

    def replace(self, targets: Iterable[Target]) -> RegistryChange:
        """Make *targets* the whole registry; equal ones stay as they are."""
        known = self._targets
        now: dict[str, Target] = {}
        added: list[Target] = []
        changed: list[Target] = []
        for target in {target.id: target for target in targets}.values():
            before = known.get(target.id)
            if before is None:
                added.append(target)
            elif before != target:  # asked once: it compares some hundred values
                changed.append(target)
            else:
                target = before  # noqa: PLW2901, an equal one stays the object that it was
            now[target.id] = target
        removed = tuple(t for t in known.values() if t.id not in now)
        change = RegistryChange(added=tuple(added), changed=tuple(changed), removed=removed)
        self._targets = now
        self._notify(change)
        return change

    def put(self, target: Target) -> None:
        """Add *target*, or put it in the place of the one with its id."""
        known = self._targets.get(target.id)
        if known == target:
            return
        self._targets[target.id] = target
        new = RegistryChange(added=(target,))
        self._notify(new if known is None else RegistryChange(changed=(target,)))

    def remove(self, service: str) -> None:
        """Take *service* out.

        Raises:
            UnknownServiceError: it is not registered.
        """
        target = self.get(service)
        del self._targets[service]
        self._notify(RegistryChange(removed=(target,)))

    def _notify(self, change: RegistryChange) -> None:
        if change.added or change.changed or change.removed:
            for follower in self._followers:
                follower(change)
