"""Who may have a connection: slots in general, a reserve for scrapes, a share per address.

A connection without a request under way, or whose client is behind in reading, is closed when
another needs its slot: that of the address with the most connections, and of those the one that has
been so for the longest time. So idle clients, however many, keep nobody out. When every slot has a
request under way, `RESERVED` more connections are accepted, on which `gate.py` answers only what
monitoring and paging need; when those are taken too, `listening.py` lets who comes wait for a
second before it refuses. Whose request has arrived and was not read yet is not closed: in a burst
all would be closed for each other.

Loopback has no share of its own limit: a reverse proxy on the same machine is the normal case. Any
other address, a proxy's too, has at most half of the slots.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from exporter.api.addresses import network_of

RESERVED = 16
"""Connections beyond the general slots, for the paths of `gate.ESSENTIAL` only."""
_LOOKED_AT = 64
"""Idle connections of one network that are looked at for one that has not asked."""
_SHORT_SHARE = 0.75
"""From this share of taken slots on, idle connections are kept for a shorter time."""


@dataclass(slots=True, eq=False)
class Slot:
    """The place of one connection; `close` ends it."""

    network: str
    reserved: bool
    close: Callable[[], None] = field(default=lambda: None)
    refuse: Callable[[], None] = field(default=lambda: None)
    """Say to a client that has not asked yet that there is no room."""
    has_unread: Callable[[], bool] = field(default=lambda: False)
    """Whether something has arrived that was not read yet."""
    taken: bool = True


class Slots:
    """The connections that there are; closes idle ones to make room."""

    def __init__(self, general: int, count: Callable[[str], None]) -> None:
        """Accept *general* connections and the reserve; *count* is called with why one is cut."""
        self._general, self._count = general, count
        self._slots: dict[bool, int] = {False: 0, True: 0}
        self._idle: dict[tuple[str, bool], dict[Slot, None]] = {}
        """By network and whether reserved; the one that became idle first is first."""
        self._by_network: Counter[str] = Counter()

    @property
    def short(self) -> bool:
        """Whether few slots are left."""
        return self._slots[False] >= self._general * _SHORT_SHARE

    @property
    def full(self) -> bool:
        """Whether every slot is taken, the reserve too."""
        return self._slots[False] >= self._general and self._slots[True] >= RESERVED

    def take(self, address: str) -> Slot | None:
        """Return a slot for a client at *address*, or None: all are busy, or its share is."""
        network, share = network_of(address)
        if share and self._by_network[network] >= max(1, self._general // 2):
            if not self._make_room([(network, True), (network, False)]):
                return None
        elif self._slots[False] >= self._general:
            self._make_room([key for key in self._idle if not key[1]])
        reserved = self._slots[False] >= self._general
        full = reserved and self._slots[True] >= RESERVED
        if full and not self._make_room([key for key in self._idle if key[1]]):
            return None
        slot = Slot(network, reserved)
        self._slots[reserved] += 1
        self._by_network[network] += 1
        self._add_idle(slot)
        return slot

    def release(self, slot: Slot) -> None:
        """Free *slot*; once more changes nothing."""
        if slot.taken:
            slot.taken = False
            self._slots[slot.reserved] -= 1
            self._by_network[slot.network] -= 1
            if not self._by_network[slot.network]:
                del self._by_network[slot.network]
            self._drop_idle(slot)

    def set_busy(self, slot: Slot) -> None:
        """Note that a request is under way: the connection is not closed to make room."""
        self._drop_idle(slot)

    def set_idle(self, slot: Slot) -> None:
        """Note that the answer was sent, or waits for its reader: it may be closed, the last."""
        if slot.taken:
            self._drop_idle(slot)
            self._add_idle(slot)

    def cut(self, slot: Slot, why: str) -> None:
        """Close the connection in *slot*, and count *why*."""
        self.release(slot)
        self._count(why)
        slot.close()

    def _make_room(self, keys: Iterable[tuple[str, bool]]) -> bool:
        """Cut the oldest idle connection under that of *keys* whose network has the most."""
        found = (self._first_idle(key) for key in keys)
        candidates = [slot for slot in found if slot is not None]
        if not candidates:
            return False
        self.cut(max(candidates, key=lambda slot: self._by_network[slot.network]), "made_room")
        return True

    def _first_idle(self, key: tuple[str, bool]) -> Slot | None:
        for slot in itertools.islice(self._idle.get(key, ()), _LOOKED_AT):
            if not slot.has_unread():
                return slot
        return None

    def _add_idle(self, slot: Slot) -> None:
        self._idle.setdefault((slot.network, slot.reserved), {})[slot] = None

    def _drop_idle(self, slot: Slot) -> None:
        key = slot.network, slot.reserved
        if (same := self._idle.get(key)) is not None:
            same.pop(slot, None)
            if not same:
                del self._idle[key]
