"""Who gets a connection when there are more clients than slots."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.api.addresses import network_of
from exporter.serving.slots import RESERVED, Slot, Slots

HOME, STRANGER = "127.0.0.1", "203.0.113.9"


class Crowd:
    """Slots, what was cut, and why."""

    def __init__(self, general: int) -> None:
        self.whys: Counter[str] = Counter()
        self.slots = Slots(general, lambda why: self.whys.update([why]))
        self.closed: list[Slot] = []

    def take(self, address: str, *, busy: bool = False) -> Slot | None:
        slot = self.slots.take(address)
        if slot is not None:
            slot.close = lambda: self.closed.append(slot)
            if busy:
                self.slots.set_busy(slot)
        return slot


def test_the_connection_that_is_idle_for_the_longest_time_makes_room() -> None:
    crowd = Crowd(3)
    first, second, _ = (crowd.take(HOME) for _ in range(3))
    assert first is not None
    crowd.slots.set_busy(first)
    crowd.slots.set_idle(first)

    new = crowd.take(HOME)

    assert crowd.closed == [second]
    assert new is not None
    assert not new.reserved
    assert crowd.whys == {"made_room": 1}


def test_the_address_with_the_most_connections_makes_room() -> None:
    crowd = Crowd(4)
    scraper = crowd.take("198.51.100.1")
    strangers = [crowd.take(HOME) for _ in range(3)]

    for _ in range(5):
        crowd.take(HOME)

    assert scraper not in crowd.closed
    assert crowd.closed[:3] == strangers


def test_a_strange_address_gets_half_of_the_slots_and_loopback_all() -> None:
    crowd = Crowd(8)
    strangers = [crowd.take(STRANGER, busy=True) for _ in range(6)]
    others = [crowd.take(HOME, busy=True) for _ in range(4)]

    assert [slot is not None for slot in strangers] == [True] * 4 + [False] * 2
    assert all(slot is not None and not slot.reserved for slot in others)


def test_a_strange_address_at_its_limit_loses_its_own_idle_connection() -> None:
    crowd = Crowd(8)
    home = crowd.take(HOME)
    strangers = [crowd.take(STRANGER) for _ in range(5)]

    assert crowd.closed == [strangers[0]]
    assert home not in crowd.closed


def test_when_all_are_busy_the_reserve_is_used_and_then_there_is_no_slot() -> None:
    crowd = Crowd(2)
    for _ in range(2):
        crowd.take(HOME, busy=True)

    reserved = [crowd.take(HOME, busy=True) for _ in range(RESERVED - 1)]
    not_yet = crowd.slots.full
    reserved.append(crowd.take(HOME, busy=True))
    beyond = crowd.take(HOME)

    assert all(slot is not None and slot.reserved for slot in reserved)
    assert beyond is None
    assert (not_yet, crowd.slots.full) == (False, True)
    assert crowd.whys == {}


def test_idle_clients_do_not_keep_the_reserve() -> None:
    crowd = Crowd(1)
    crowd.take(HOME, busy=True)
    idle = [crowd.take(HOME) for _ in range(RESERVED)]

    scrape = crowd.take(HOME)

    assert scrape is not None
    assert crowd.closed == [idle[0]]


def test_a_freed_slot_is_a_general_one_again() -> None:
    crowd = Crowd(1)
    busy = crowd.take(HOME, busy=True)
    assert busy is not None

    crowd.slots.release(busy)
    crowd.slots.release(busy)
    slot = crowd.take(HOME)

    assert slot is not None
    assert not slot.reserved
    assert not crowd.closed


@pytest.mark.parametrize(
    ("address", "network", "strange"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", False),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("2001:db8::1", "2001:db8::/64", True),
        ("2001:db8::ffff:1", "2001:db8::/64", True),
        ("fe80::1%eth0", "fe80::/64", True),
        ("", "", True),
    ],
)
def test_an_address_is_counted_under_its_network(address: str, network: str, strange: bool) -> None:
    assert network_of(address) == (network, strange)


def test_who_has_asked_and_was_not_read_yet_is_kept_and_the_next_one_makes_room() -> None:
    crowd = Crowd(3)
    asked, idle, _ = (crowd.take(HOME) for _ in range(3))
    assert asked is not None
    asked.has_unread = lambda: True

    assert crowd.take(HOME) is not None
    assert crowd.closed == [idle]
