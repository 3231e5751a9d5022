"""Counts what a function does, so that a test of a bound needs no clock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def steps_of(function: Callable[[], Any]) -> int:
    """Return how many calls, of Python and of C functions, *function* makes.

    An exception of *function* passes through: a bound that is tested by its refusal is caught
    inside it.
    """
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
