"""Immutable values that a probe makes many of: mypy refuses to change one, and a new one is cheap.

A dataclass that is `frozen` at run time sets each field with `object.__setattr__`, at eight times
the price: three such values took a tenth of a probe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make *kind* a dataclass with slots whose fields are given by name and never set again.

    Values are equal by their fields, and have a hash if these have.

        @frozen
        class Point:
            x: float
            y: float = 0.0
    """
    # Nothing but mypy keeps a field from being set, so `dataclass` calls the hash unsafe.
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(kind)
