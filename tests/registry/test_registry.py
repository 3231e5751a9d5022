"""What is registered, and who is told of changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.config import Target
from exporter.registry import Registry, RegistryChange, UnknownServiceError
from tests.fakes import service_target

A, B, C = (service_target(name) for name in "abc")


def registry(*targets: Target) -> tuple[Registry, list[RegistryChange]]:
    """Return a registry of *targets* and the list of changes from now on."""
    made = Registry()
    changes: list[RegistryChange] = []
    made.replace(targets)
    made.subscribe(changes.append)
    return made, changes


def test_a_step_tells_what_was_added_changed_and_removed() -> None:
    made, changes = registry(A, B)
    other = replace(B, interval=5.0)

    change = made.replace([other, C])

    assert change == RegistryChange(added=(C,), changed=(other,), removed=(A,))
    assert changes == [change]


def test_services_keep_the_order_of_the_files() -> None:
    made, _ = registry(A, B, C)

    made.replace([C, A])

    assert [target.id for target in made] == ["c", "a"]
    assert len(made) == 2
    assert "b" not in made


def test_an_equal_target_stays_the_same_object() -> None:
    made, _ = registry(A, B)

    made.replace([replace(A), replace(B, team="web")])

    assert made.get("a") is A
    assert made.get("b").team == "web"


def test_a_target_is_compared_with_the_former_once(monkeypatch: pytest.MonkeyPatch) -> None:
    services = [service_target(f"s{number}") for number in range(20)]
    made, _ = registry(*services)
    equal, compared = Target.__eq__, 0

    def counted(one: Target, other: object) -> bool:
        nonlocal compared
        compared += 1
        return equal(one, other)

    monkeypatch.setattr(Target, "__eq__", counted)
    made.replace([replace(services[0], name="other"), *map(replace, services[1:])])

    assert compared == 20


def test_a_step_that_changes_nothing_is_told_to_nobody() -> None:
    made, changes = registry(A, B)

    change = made.replace([replace(B), replace(A)])

    assert change == RegistryChange()
    assert changes == []


def test_a_changed_target_takes_the_place_of_the_former() -> None:
    made, changes = registry(A, B)
    other = replace(A, team="web")

    made.put(other)
    made.put(replace(other))

    assert [target for target in made] == [other, B]
    assert changes == [RegistryChange(changed=(other,))]


def test_listeners_see_the_new_state_in_the_order_of_subscription() -> None:
    made = Registry()
    seen: list[tuple[str, int]] = []
    made.subscribe(lambda change: seen.append(("first", len(made))))
    made.subscribe(lambda change: seen.append(("second", len(made))))

    made.replace([A, B])

    assert seen == [("first", 2), ("second", 2)]


def test_a_service_that_is_not_registered_is_an_error_of_its_own() -> None:
    made, _ = registry(A)

    with pytest.raises(UnknownServiceError):
        made.get("nobody")
