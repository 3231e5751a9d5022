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

from exporter.importers.credentials import holds_key
from exporter.importers.fields import seconds
from exporter.importers.patterns import (
    MAX_PATTERN,
    NoPatternError,
    compared,
    glob,
    json_path,
    number,
    operand,
)
from exporter.importers.report import names_in
from exporter.importers.statuses import chosen

# in the order in which Gatus looks for them
_OPERATORS = ("==", "!=", "<=", ">=", ">", "<")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_PLACEHOLDER = re.compile(r"(?:(len|has|age)\()?(\[[A-Z_]+\])(.*)", re.S)
_ELSEWHERE = {
    "[IP]": "the resolved address is not checked here; watch DNS with blackbox_exporter",
    "[DOMAIN_EXPIRATION]": "the registration of domains is not watched here; use a whois exporter",
    "[DNS_RCODE]": "DNS is not probed here; use blackbox_exporter's dns prober",
    "[CONTEXT]": "there are no suites here, and so no context",
}
_CANNOT = "this form of condition has no equivalent; see health_check.assertions for what there is"


class LostConditionError(ValueError):
    """The condition has no equivalent; the message says why and what to do instead."""


class ImpossibleError(LostConditionError):
    """The service would be good when it fails, or could never be good."""


@dataclass(slots=True)
class Conditions:
    """What the conditions of one endpoint come to."""

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
            left, operator, right = right, _TURNED[operator], left
        found = _PLACEHOLDER.fullmatch(left)
        if not found or (_PLACEHOLDER.fullmatch(right) and not right.startswith("[BODY")):
            raise LostConditionError(_CANNOT)
        function, name, rest = found.groups()
        if name in _ELSEWHERE:
            raise LostConditionError(_ELSEWHERE[name])
        if function:
            if function == "age" or not rest.endswith(")"):
                raise LostConditionError(_CANNOT)
            rest = rest.removesuffix(")")
        try:
            self._place(function or "", name, rest, operator, right)
        except NoPatternError:
            raise LostConditionError(_CANNOT) from None

    def statuses(self) -> list[int]:
        """Return the statuses that fit every condition on them."""
        return chosen(lambda s: all(test(s) for test in self.status_tests), self.named_statuses)

    def _place(self, function: str, name: str, rest: str, operator: str, right: str) -> None:
        if name == "[STATUS]" and not function and not rest:
            self._status(operator, right)
        elif name == "[RESPONSE_TIME]" and not function and not rest:
            self.latency = min(_upper(operator, right), self.latency or math.inf)
        elif name == "[CERTIFICATE_EXPIRATION]" and not function and not rest:
            if operator not in (">", ">="):
                raise LostConditionError(_CANNOT)
            self.certificate = max(_time(right), self.certificate or 0)
        elif name == "[CONNECTED]" and not function and not rest:
            if (operator, right.lower()) not in (("==", "true"), ("!=", "false")):
                what = "a service that is good while it cannot be reached; not taken"
                raise ImpossibleError(what)
        elif name == "[HEADER]" and rest.startswith("."):
            self._value({"header": rest[1:]}, function, operator, right)
        elif name == "[BODY]" and not rest:
            self._body(function, operator, right)
        elif name == "[BODY]":
            self._value({"json": json_path(_relative(rest))}, function, operator, right)
        else:
            raise LostConditionError(_CANNOT)

    def _status(self, operator: str, right: str) -> None:
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

    def _body(self, function: str, operator: str, right: str) -> None:
        """Take a condition on the whole body."""
        if function == "has":
            if _holds(operator, right) is not True:
                raise LostConditionError(_CANNOT)
            self._assert({"body": True, "matches": r"\S"})
        elif function == "len":
            raise LostConditionError(
                "the length of the whole body is not checked here; name a path"
            )
        else:
            self._value({"body": True}, "", operator, right)

    def _value(self, source: dict[str, Any], function: str, operator: str, right: str) -> None:
        if function == "has":
            self._assert({**source, "exists": _holds(operator, right)})
        elif function == "len":
            self._length(source, operator, right)
        elif operator in ("==", "!="):
            for assertion in _equality(operator == "==", right, typed="json" in source):
                self._assert({**source, **assertion})
        else:
            self.notes[len(self.assertions)] = f"{operator} {number(right):g}"
            self._assert({**source, **compared(operator, number(right))})

    def _length(self, source: dict[str, Any], operator: str, right: str) -> None:
        count = number(right)
        if "json" not in source or not isinstance(count, int) or count < 0:
            raise NoPatternError
        least = {">": count + 1, ">=": count, "==": count}.get(operator)
        beyond = {"<": count - 1, "<=": count, "==": count}.get(operator)
        if operator == "!=":
            if count:
                raise NoPatternError
            least = 1
        if beyond is not None and beyond < 0:
            raise NoPatternError
        if least is not None:
            self._assert({**source, "min_items": least})
        if beyond is not None:
            self.notes[len(self.assertions)] = f"a list of {operator} {count} items"
            self._assert({"json": f"{source['json']}[{beyond}]", "exists": False})

    def _assert(self, assertion: dict[str, Any]) -> None:
        for value in assertion.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and holds_key(text):
                    what = (
                        "compares with what looks like a secret; not taken, so that none is written"
                    )
                    raise LostConditionError(what)
                if isinstance(text, str) and len(text) > MAX_PATTERN:
                    raise NoPatternError
        self.assertions.append(assertion)


def _split(text: str) -> tuple[str, str, str]:
    for operator in _OPERATORS:
        left, found, right = text.partition(f" {operator} ")
        if found:
            return left.strip(), operator, right.strip()
    raise LostConditionError("is no condition of the form VALUE OPERATOR VALUE; not taken")


def _options(text: str) -> list[str]:
    if text.startswith("any(") and text.endswith(")"):
        return [option.strip() for option in text[4:-1].split(",")]
    return []


def _relative(path: str) -> str:
    if "[*]" in path:
        what = "'every element' has no equivalent: an assertion holds if one match fits"
        raise LostConditionError(what)
    return path.removeprefix(".")


def _holds(operator: str, right: str) -> bool:
    if operator not in ("==", "!=") or right not in ("true", "false"):
        raise NoPatternError
    return (right == "true") is (operator == "==")


def _time(text: str) -> float:
    """Return the seconds of a duration, or of a bare number of milliseconds."""
    try:
        return float(number(text)) / 1000
    except NoPatternError:
        pass
    try:
        return seconds(text)
    except ValueError:
        raise NoPatternError from None


def _upper(operator: str, right: str) -> float:
    if operator not in ("<", "<="):
        raise NoPatternError
    return max(_time(right), 0.001)


def _equality(equal: bool, right: str, *, typed: bool) -> list[dict[str, Any]]:
    """Return what says that a value is, or is not, *right*."""
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
