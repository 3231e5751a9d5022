"""What checks of models may cost: reserved before one is sent, settled when its price is known.

A check that a crash, a cut or a missing count leaves open has cost its whole reserve: that is more
than it can have cost, so the sum of what was really spent never passes a cap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil
from typing import Protocol

from exporter.config import UNITS, Budget, ModelTarget
from exporter.model import Reason
from exporter.probers.streaming import Streamed
from exporter.streams import Usage

BELIEVED = 100
"""Sixty times the tokens that a check was limited to were seen on a bill."""

_BEFORE_THE_MODEL = frozenset(
    {
        Reason.DNS,
        Reason.CONNECT,
        Reason.TLS,
        Reason.ADDRESS_REFUSED,
        Reason.REDIRECT_REFUSED,
        Reason.INTERCEPTED,
        Reason.AUTH_INVALID,
        Reason.AUTH_EXPIRED,
        Reason.PERMISSION,
        Reason.ACCOUNT_DISABLED,
        Reason.IP_BLOCKED,
        Reason.REGION_BLOCKED,
        Reason.QUOTA_EXHAUSTED,
        Reason.RATE_LIMITED,
        Reason.RETIRED,
    }
)
"""With these no model has worked: nothing is billed for what was refused before any output."""


class Scope(StrEnum):
    """Whose budget it is."""

    MODEL = "budget_model"
    ALL = "budget_all"


@dataclass(frozen=True, slots=True)
class Account:
    """A sum of money that is counted, and the most that it may become; in `UNITS`."""

    name: str
    most: int | None
    scope: Scope


class Ledger(Protocol):
    """The accounts on the disk; every method is one write, all or nothing, and waits for it.

    What an earlier process left open is settled at its full reserve when the store is opened.
    """

    def reserve(self, accounts: Mapping[str, int | None], units: int, total: str) -> int | str:
        """Add *units* to every account of *accounts*, if none gets larger than its most.

        Return the number of the reservation, or the name of an account that would.
        """

    def settle(
        self, reservation: int, units: int, beside: Callable[[], None] = lambda: None
    ) -> None:
        """Let the reservation have cost *units*, and add them to its total.

        What *beside* writes to the same store is part of the same write.
        """

    def spent(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return the sums of the accounts that there are."""


def total_of(service: str, model: ModelTarget) -> str:
    """Return the account of everything that a model's checks have cost, ever."""
    return f"total {model.currency} {service} {model.id}"


def accounts_of(
    service: str, model: ModelTarget, together: Budget, now: float
) -> tuple[Account, ...]:
    """Return the accounts that a check of *model* counts against at the Unix time *now*.

    One in another currency than *together* counts against its own budget only.
    """
    day = _day(now)
    own, found = f"{model.currency} {service} {model.id}", list[Account]()
    for scope, name, budget in (
        (Scope.MODEL, own, model.budget),
        (Scope.ALL, f"{model.currency} *", together),
    ):
        if budget is None or budget.currency != model.currency:
            continue
        for period, most in ((day, budget.day), (day[:7], budget.month)):
            if most is not None:
                found.append(Account(f"{period} {name}", int(most * UNITS), scope))
    return tuple(found)


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


class Spending:
    """Reserves, settles and reads in the accounts of a ledger, each in a thread.

    `learn` and `remaining` are of one thread and wait for nothing: what is left is shown between
    two checks too, and a new day or month begins with nothing spent.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, int] = {}
        """What was spent of the accounts of `_day` and of its month, as last read."""
        self._day = ""

    def reserve(
        self, service: str, model: ModelTarget, together: Budget, now: float, last: int = 0
    ) -> int | Scope:
        """Return the number of a reservation for one check, or whose budget has no room for it.

        *last* is what the check before cost on this day: an API that counted more than the reserve
        will do so again. On the next day it is tried anew, as that may have been a mistake.
        """
        accounts = accounts_of(service, model, together, now)
        most = {one.name: one.most for one in accounts}
        units = max(model.reserve, last)
        got = self._ledger.reserve(most, units, total_of(service, model))
        if isinstance(got, int):
            return got
        return next(one.scope for one in accounts if one.name == got)

    def settle(
        self, reservation: int, units: int, beside: Callable[[], None] = lambda: None
    ) -> None:
        """Let a check have cost *units*, and write what *beside* writes with it."""
        self._ledger.settle(reservation, units, beside)

    def read(
        self, service: str, model: ModelTarget, together: Budget, now: float
    ) -> tuple[int, Mapping[str, int]]:
        """Return what the checks of a model have cost, ever, and the accounts to `learn`."""
        names = [one.name for one in accounts_of(service, model, together, now)]
        found = dict(self._ledger.spent((*names, total := total_of(service, model))))
        return found.pop(total, 0), found

    def learn(self, spent: Mapping[str, int], now: float) -> None:
        """Take over the accounts that were `read`, for every model that counts against them."""
        if (day := _day(now)) != self._day:
            of_now = (day, f"{day[:7]} ")
            self._day = day
            self._known = {name: n for name, n in self._known.items() if name.startswith(of_now)}
        self._known.update(spent)

    def remaining(
        self, service: str, model: ModelTarget, together: Budget, now: float
    ) -> float | None:
        """Return the share of its tightest budget that is left at *now*, None without any.

        An account of which nothing was learnt has nothing spent: its day or month has just begun.
        """
        shares = [
            max(0.0, 1 - self._known.get(one.name, 0) / one.most) if one.most else 0.0
            for one in accounts_of(service, model, together, now)
            if one.most is not None
        ]
        return min(shares, default=None)


def cost_of(model: ModelTarget, usage: Usage) -> int:
    """Return what an answer cost by its own words, else by its count of tokens, else the reserve.

    A prompt of no tokens is no count. An API may count more than was asked for, which is believed
    up to a limit: a mistake of one API must not use up the budget of all.
    """
    if model.says_cost and usage.cost is not None:
        return min(ceil(usage.cost * UNITS), max(BELIEVED * model.reserve, UNITS))
    if not usage.input or usage.output is None:
        return model.reserve
    return min(model.cost(usage.input, usage.output), BELIEVED * model.reserve)


def cost_of_check(model: ModelTarget, seen: Streamed) -> int:
    """Return what one check has cost: nothing of what is free, the reserve of what broke off.

    Of a stream that broke off a count says nothing about the end.
    """
    if is_free(seen):
        return 0
    return cost_of(model, seen.reading.usage if seen.reading.is_complete else Usage())


def is_free(seen: Streamed) -> bool:
    """Return whether nothing is billed: the model did not begin to work."""
    outcome = seen.outcome
    # With another status than 200 what was read as an event is the body of the refusal.
    begun = outcome.status == 200 and seen.reading.events > 0
    return outcome.reason in _BEFORE_THE_MODEL and not begun
