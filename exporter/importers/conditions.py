"""Gatus' conditions as expected statuses, assertions and alert thresholds of ours.

Semantics from TwiN/gatus, config/endpoint/condition.go and placeholder.go (2026-08): values are
compared as text or whole numbers, every condition must hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.importers.credentials import SENSITIVE_OPERAND, holds_key
from exporter.importers.fields import seconds
from exporter.importers.patterns import (
    MAX_PATTERN_LENGTH,
    NoPatternError,
    compared,
    glob,
    json_path,
    number,
    operand,
)
from exporter.importers.report import names_in
from exporter.importers.statuses import chosen

# in the order in which Gatus looks for them: <= must be found before <
_OPERATORS = ("==", "!=", "<=", ">=", ">", "<")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_PLACEHOLDER = re.compile(r"(?:(len|has|age)\()?(\[[A-Z_]+\])(.*)", re.S)
_NOT_CHECKED = {
    "[IP]": "the resolved address is not checked here; watch DNS with blackbox_exporter",
    "[DOMAIN_EXPIRATION]": "the registration of domains is not watched here; use a whois exporter",
    "[DNS_RCODE]": "DNS is not probed here; use blackbox_exporter's dns prober",
    "[CONTEXT]": "suites are not supported here, so there is no context",
}
_UNKNOWN_FORM = (
    "this form of condition cannot be expressed; see health_check.assertions for what can be"
)


class LostConditionError(ValueError):
    """The condition has no equivalent; the message says why."""


class ImpossibleError(LostConditionError):
    """The service would be healthy while it fails, or could never be healthy."""


@dataclass(slots=True)
class Conditions:
    """What the conditions of one endpoint demand; times are in seconds."""

    status_tests: list[Callable[[int], bool]] = field(default_factory=list)
    named_statuses: set[int] = field(default_factory=set)
    assertions: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    latency: float | None = None
    certificate: float | None = None

    def add(self, text: str) -> None:
        """Add one condition.

        Raises:
            LostConditionError: it has no equivalent.
        """
        left, operator, right = _split(text)
        if not _PLACEHOLDER.fullmatch(left) and _PLACEHOLDER.fullmatch(right):
            left, operator, right = right, _MIRRORED[operator], left
        match = _PLACEHOLDER.fullmatch(left)
        if not match or (_PLACEHOLDER.fullmatch(right) and not right.startswith("[BODY")):
            raise LostConditionError(_UNKNOWN_FORM)
        function, name, rest = match.groups()
        if name in _NOT_CHECKED:
            raise LostConditionError(_NOT_CHECKED[name])
        if function:
            if function == "age" or not rest.endswith(")"):
                raise LostConditionError(_UNKNOWN_FORM)
            rest = rest.removesuffix(")")
        try:
            self._add_comparison(function or "", name, rest, operator, right)
        except NoPatternError:
            raise LostConditionError(_UNKNOWN_FORM) from None

    def statuses(self) -> list[int]:
        """Return the statuses that meet every condition on them."""
        return chosen(lambda s: all(test(s) for test in self.status_tests), self.named_statuses)

    def _add_comparison(
        self, function: str, name: str, rest: str, operator: str, right: str
    ) -> None:
        if name == "[STATUS]" and not function and not rest:
            self._limit_statuses(operator, right)
        elif name == "[RESPONSE_TIME]" and not function and not rest:
            self.latency = min(_upper_limit(operator, right), self.latency or math.inf)
        elif name == "[CERTIFICATE_EXPIRATION]" and not function and not rest:
            if operator not in (">", ">="):
                raise LostConditionError(_UNKNOWN_FORM)
            self.certificate = max(_seconds(right), self.certificate or 0)
        elif name == "[CONNECTED]" and not function and not rest:
            # nothing to add otherwise: without a connection our check fails anyway
            if (operator, right.lower()) not in (("==", "true"), ("!=", "false")):
                message = "a service that is healthy while it cannot be reached; not imported"
                raise ImpossibleError(message)
        elif name == "[HEADER]" and rest.startswith("."):
            self._compare_value({"header": rest[1:]}, function, operator, right)
        elif name == "[BODY]" and not rest:
            self._check_body(function, operator, right)
        elif name == "[BODY]":
            self._compare_value({"json": json_path(_relative(rest))}, function, operator, right)
        else:
            raise LostConditionError(_UNKNOWN_FORM)

    def _limit_statuses(self, operator: str, right: str) -> None:
        options = _options(right)
        exact = {int(text) for text in options or [right] if re.fullmatch(r"[0-9]{3}", text)}
        if right.startswith("pat("):
            wanted = re.compile(glob(right[4:-1]))
            self.status_tests.append(lambda s: bool(wanted.search(str(s))) is (operator == "=="))
        elif operator in ("==", "!="):
            if len(exact) != len(options or [right]):
                raise NoPatternError
            self.status_tests.append(lambda s: (s in exact) is (operator == "=="))
            if operator == "==":
                self.named_statuses |= exact
        else:
            limit = number(right)
            tests: dict[str, Callable[[int], bool]] = {
                "<": lambda s: s < limit,
                "<=": lambda s: s <= limit,
                ">": lambda s: s > limit,
                ">=": lambda s: s >= limit,
            }
            self.status_tests.append(tests[operator])

    def _check_body(self, function: str, operator: str, right: str) -> None:
        """Add a condition on the whole body."""
        if function == "has":
            if _wants_true(operator, right) is not True:
                raise LostConditionError(_UNKNOWN_FORM)
            self._add_assertion({"body": True, "matches": r"\S"})
        elif function == "len":
            raise LostConditionError(
                "the length of the whole body is not checked here; give a path in it"
            )
        else:
            self._compare_value({"body": True}, "", operator, right)

    def _compare_value(
        self, source: dict[str, Any], function: str, operator: str, right: str
    ) -> None:
        if function == "has":
            self._add_assertion({**source, "exists": _wants_true(operator, right)})
        elif function == "len":
            self._limit_length(source, operator, right)
        elif operator in ("==", "!="):
            for assertion in _equality(operator == "==", right, typed="json" in source):
                self._add_assertion({**source, **assertion})
        else:
            self.notes[len(self.assertions)] = f"{operator} {number(right):g}"
            self._add_assertion({**source, **compared(operator, number(right))})

    def _limit_length(self, source: dict[str, Any], operator: str, right: str) -> None:
        count = number(right)
        if "json" not in source or not isinstance(count, int) or count < 0:
            raise NoPatternError
        min_items = {">": count + 1, ">=": count, "==": count}.get(operator)
        absent_index = {"<": count - 1, "<=": count, "==": count}.get(operator)
        if operator == "!=":
            if count:
                raise NoPatternError
            min_items = 1
        if absent_index is not None and absent_index < 0:
            raise NoPatternError
        if min_items is not None:
            self._add_assertion({**source, "min_items": min_items})
        if absent_index is not None:
            self.notes[len(self.assertions)] = f"number of items {operator} {count}"
            # there is no max_items: a list is short enough if it has no element further on
            self._add_assertion({"json": f"{source['json']}[{absent_index}]", "exists": False})

    def _add_assertion(self, assertion: dict[str, Any]) -> None:
        for value in assertion.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and holds_key(text):
                    raise LostConditionError(SENSITIVE_OPERAND)
                if isinstance(text, str) and len(text) > MAX_PATTERN_LENGTH:
                    raise NoPatternError
        self.assertions.append(assertion)


def _split(text: str) -> tuple[str, str, str]:
    for operator in _OPERATORS:
        left, separator, right = text.partition(f" {operator} ")
        if separator:
            return left.strip(), operator, right.strip()
    raise LostConditionError("is not a condition of the form VALUE OPERATOR VALUE; not imported")


def _options(text: str) -> list[str]:
    if text.startswith("any(") and text.endswith(")"):
        return [option.strip() for option in text[4:-1].split(",")]
    return []


def _relative(path: str) -> str:
    if "[*]" in path:
        message = "`[*]` means every element, but one match is enough for an assertion"
        raise LostConditionError(message)
    return path.removeprefix(".")


def _wants_true(operator: str, right: str) -> bool:
    if operator not in ("==", "!=") or right not in ("true", "false"):
        raise NoPatternError
    return (right == "true") is (operator == "==")


def _seconds(text: str) -> float:
    """Return the seconds of a duration; a bare number is milliseconds, as for Gatus."""
    try:
        return float(number(text)) / 1000
    except NoPatternError:
        pass
    try:
        return seconds(text)
    except ValueError:
        raise NoPatternError from None


def _upper_limit(operator: str, right: str) -> float:
    if operator not in ("<", "<="):
        raise NoPatternError
    return max(_seconds(right), 0.001)


def _equality(equal: bool, right: str, *, typed: bool) -> list[dict[str, Any]]:
    """Return the assertions that a value is, or is not, *right*; `in` has no negation."""
    if right.startswith("pat(") and right.endswith(")"):
        return [{"matches" if equal else "not_matches": glob(right[4:-1])}]
    options = _options(right) or [right]
    if any(option.startswith(("[", "map[")) for option in options):
        raise NoPatternError
    values = [operand(option) if typed else option for option in options]
    if names_in(right):
        values = list(options)
    if not equal:
        return [{"not_equals": value} for value in values]
    if len(values) > 1:
        return [{"in": values}]
    if not typed and right == "":
        return [{"matches": "^$"}]
    return [{"equals": values[0]}]
