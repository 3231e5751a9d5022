"""Immutable values: what mypy is told of them, and that making one costs no setter a field."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from exporter.frozen import changed, frozen
from exporter.model import Limit, Outcome, Result
from exporter.probers import Request


@frozen
class Point:
    x: float
    y: float = 0.0


def test_mypy_is_told_that_its_fields_are_never_set() -> None:
    told = frozen.__dataclass_transform__  # type: ignore[attr-defined]

    assert told["kwargs"]["frozen_default"] is told["kw_only_default"] is True


def test_values_are_equal_by_their_fields_and_have_names_only() -> None:
    assert Point(x=1.0) == Point(x=1.0, y=0.0) != Point(x=1.0, y=2.0)
    with pytest.raises(TypeError):
        Point(1.0)  # type: ignore[misc]
    assert hash(Point(x=1.0)) == hash(Point(x=1.0, y=0.0)) != hash(Point(x=1.0, y=2.0))
    with pytest.raises(AttributeError):
        Point(x=1.0).z = 3.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Limit, Outcome, Request, Result])
def test_what_a_probe_makes_is_set_field_by_field_without_a_call(kind: type) -> None:
    assert kind.__setattr__ is object.__setattr__


def test_a_changed_value_is_another_one() -> None:
    before = Point(x=1.0, y=2.0)

    after = changed(before, y=3.0)

    assert after == Point(x=1.0, y=3.0)
    assert before == Point(x=1.0, y=2.0)


def test_a_field_that_there_is_not_is_not_changed_unseen() -> None:
    with pytest.raises(AttributeError):
        changed(Point(x=1.0), z=3.0)


def test_a_changed_value_is_copied_without_a_call_for_each_field() -> None:
    before, looked_up = Point(x=1.0, y=2.0), 0
    changed(before)  # what copies a Point is made by the first

    def count(frame: Any, event: str, function: Any) -> None:
        nonlocal looked_up
        looked_up += event == "c_call" and function in (getattr, object.__setattr__)

    sys.setprofile(count)
    try:
        changed(before, y=3.0)
    finally:
        sys.setprofile(None)

    assert looked_up <= 1
