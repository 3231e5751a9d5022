"""Gatus' conditions as expected statuses, assertions and alert thresholds of ours.

Semantics from TwiN/gatus, config/endpoint/condition.go and placeholder.go (2026-08): every
condition must hold. Placeholders are read in any case, functions are not. Values are compared as
text, without the spaces around a body; `<` and `>` compare whole numbers, with decimals cut off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.importers.credentials import (
    SENSITIVE_OPERAND,
    Hide,
    holds_key,
    is_secret_operand,
    may_hold_secret,
)
from exporter.importers.fields import seconds
from exporter.importers.patterns import (
    MAX_PATTERN_LENGTH,
    NoPatternError,
    compared,
    glob,
    json_path,
    literal,
    number,
    operand,
)
from exporter.importers.report import CLOSE, OPEN, names_in, substituted
from exporter.importers.statuses import chosen

# in the order in which Gatus looks for them: <= must be found before <
_OPERATORS = ("==", "!=", "<=", ">=", ">", "<")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_PLACEHOLDER = re.compile(
    r"(?:(len|has|age)\()?(?i:(\[(?:STATUS|IP|RESPONSE_TIME|DNS_RCODE|CONNECTED|BODY|HEADER|CONTEXT"
    r"|CERTIFICATE_EXPIRATION|DOMAIN_EXPIRATION)\]))(.*)",
    re.S,
)
_GO_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")
_OCTAL = re.compile(r"[+-]?0[0-7]+")
# 15 digits at most: a double holds each of them exactly
_MAX_WHOLE = 10**15
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

    def add(self, text: str, hide: Hide) -> None:
        """Add one condition; a secret with which it compares goes through *hide*.

        Raises:
            LostConditionError: it has no equivalent.
        """
        left, operator, right = _split(text)
        if not _PLACEHOLDER.fullmatch(left) and _PLACEHOLDER.fullmatch(right):
            left, operator, right = right, _MIRRORED[operator], left
        match = _PLACEHOLDER.fullmatch(left)
        if not match or _PLACEHOLDER.fullmatch(right):
            raise LostConditionError(_UNKNOWN_FORM)
        function, name, rest = match.group(1), match.group(2).upper(), match.group(3)
        if not function and operator in ("==", "!="):
            right = _without_secret(rest, right, hide)
        if may_hold_secret(right):
            raise LostConditionError(SENSITIVE_OPERAND)
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
            if (operator, right) in (("==", "false"), ("!=", "true")):
                message = "a service that is healthy while it cannot be reached; not imported"
                raise ImpossibleError(message)
            if (operator, right) not in (("==", "true"), ("!=", "false")):
                raise NoPatternError
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
            limit = _whole(right)
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
            blank = not _wants_true(operator, right)
            self._add_assertion({"body": True, "matches": r"^\s*$" if blank else r"\S"})
        elif function == "len":
            if (operator, _whole(right)) not in ((">", 0), (">=", 1), ("!=", 0)):
                # of a list its items count, else the characters: which one is not known here
                message = "the length of the whole body is not checked here; give a path in it"
                raise LostConditionError(message)
            self._add_assertion({"body": True, "matches": "(?s)."})
            self._add_assertion({"body": True, "not_matches": r"^\[\s*\]$"})
        else:
            self._compare_value({"body": True}, "", operator, right)

    def _compare_value(
        self, source: dict[str, Any], function: str, operator: str, right: str
    ) -> None:
        if function == "has":
            self._check_existence(source, _wants_true(operator, right))
        elif function == "len":
            self._limit_length(source, operator, right)
        elif operator in ("==", "!="):
            equality = _json_equality if "json" in source else _text_equality
            for assertion in equality(operator == "==", right, "body" in source):
                self._add_assertion({**source, **assertion})
        else:
            limit = _whole(right)
            self.notes[len(self.assertions)] = f"{operator} {limit}, with decimals cut off"
            self._add_assertion({**source, **_compared_cut(operator, limit)})

    def _check_existence(self, source: dict[str, Any], wanted: bool) -> None:
        if path := source.get("json"):
            self.notes[len(self.assertions)] = "null counts as missing"
            source = {"json": f"$[?{path} && {path} != null]"}
        self._add_assertion({**source, "exists": wanted})

    def _limit_length(self, source: dict[str, Any], operator: str, right: str) -> None:
        count, path = _whole(right), source.get("json")
        if path is None or count < 0:
            raise NoPatternError
        # Gatus counts an object's characters as JSON, which are more than its members: what asks
        # for few must not accept one by its members.
        short = "" if operator in (">", ">=") else f" && (!{path}.* || {path}[0])"
        self.notes[len(self.assertions)] = f"items of a list or characters {operator} {count}"
        condition = f"length({path}) {operator} {count}{short}"
        self._add_assertion({"json": f"$[?{condition}]", "exists": True})

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
        # Gatus ignores what comes after a second operator of the same kind.
        left, *right = text.split(f" {operator} ")
        if right:
            return left.strip(), operator, right[0].strip()
    raise LostConditionError("is not a condition of the form VALUE OPERATOR VALUE; not imported")


def _options(text: str) -> list[str]:
    if text.startswith("any(") and text.endswith(")"):
        return [option.strip() for option in text[4:-1].split(",")]
    return []


def _without_secret(path: str, right: str, hide: Hide) -> str:
    """Return *right* with variables in place of what the field at *path* must not be seen to be.

    Raises:
        LostConditionError: it is a glob, in which the secret cannot be told from its wildcards.
    """
    name = (re.findall(r"[A-Za-z][A-Za-z0-9_-]*", path) or [""])[-1]
    if holds_key(name):
        return right
    if right.startswith("pat("):
        if is_secret_operand(name, right[4:-1].strip("*?")):
            raise LostConditionError(SENSITIVE_OPERAND)
        return right
    options = _options(right)
    shown = [hide(o, name) if is_secret_operand(name, o) else o for o in options or [right]]
    return f"any({', '.join(shown)})" if options else shown[0]


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


def _whole(text: str) -> int:
    """Return *text* as Gatus' whole number: a duration in milliseconds, decimals are cut off."""
    if _GO_DURATION.fullmatch(text):
        return int(_seconds(text) * 1000)
    if (found := _integer(text)) is not None:
        return found
    return math.trunc(number(text))


def _integer(text: str) -> int | None:
    """Return the integer that Go reads in *text*, such as 5, 007 or 0x1f; None if it is none."""
    if not text.isascii() or text != text.strip():
        return None
    try:
        found = int(text, 8 if _OCTAL.fullmatch(text) else 0)
    except ValueError:
        return None
    return found if abs(found) < _MAX_WHOLE else None


def _compared_cut(operator: str, limit: int) -> dict[str, float]:
    """Return our operator for a comparison of whole numbers: 5.9 is not above 5, -0.5 not below 0.

    Cutting decimals off moves a number towards zero, so the side of zero decides.
    """
    if operator in ("<", "<="):
        most = limit if operator == "<=" else limit - 1
        return compared("<", most + 1) if most >= 0 else compared("<=", most)
    least = limit if operator == ">=" else limit + 1
    return compared(">=", least) if least > 0 else compared(">", least - 1)


def _text_pattern(right: str, *, trimmed: bool) -> str:
    """Return the pattern of a text that is *right*, or one of its options, with nothing beside."""
    options = "|".join(substituted(option, literal) for option in _options(right) or [right])
    space, inside = r"\s*" if trimmed else "", f"(?:{options})" if "|" in options else options
    return _quoted(f"^{space}{inside}{space}$")


def _quoted(pattern: str) -> str:
    """Return *pattern* with its variables quoted: their value is a text and no pattern."""
    return re.sub(f"({OPEN}[^{CLOSE}]*{CLOSE})", r"\\Q\1\\E", pattern)


def _pattern_of(right: str, *, trimmed: bool = False) -> str | None:
    """Return the pattern of `pat(…)`, None if *right* is something else."""
    if not (right.startswith("pat(") and right.endswith(")")):
        return None
    # Gatus takes the slashes out of pattern and text before it compares them.
    found = _quoted(glob(right[4:-1])).replace("/", "/*")
    if trimmed:
        found = re.sub(r"^(\(\?s\))?\^(?=.)", r"\1^\\s*", found)
        found = re.sub(r"(?<!\\)\$$", r"\\s*$", found)
    return found


def _text_equality(equal: bool, right: str, trimmed: bool) -> list[dict[str, Any]]:
    """Return the assertion that a header, or a body with spaces around it, is (not) *right*."""
    pattern = _pattern_of(right, trimmed=trimmed)
    if pattern is None and (trimmed or _options(right) or not right):
        pattern = _text_pattern(right, trimmed=trimmed)
    if pattern is None:
        return [{"equals" if equal else "not_equals": right}]
    return [{"matches" if equal else "not_matches": pattern}]


def _json_equality(equal: bool, right: str, _: bool) -> list[dict[str, Any]]:
    """Return the assertions that a JSON value is, or is not, *right*; `in` has no negation."""
    pattern = _pattern_of(right)
    if pattern is None and names_in(right):
        pattern = _text_pattern(right, trimmed=False)
    if pattern is not None:
        return [{"matches" if equal else "not_matches": pattern}]
    options = _options(right)
    if any(option.startswith(("[", "map[", "{")) for option in options or [right]):
        raise NoPatternError
    values = [value for option in options for value in _json_values(option)]
    values = values or _json_values(right, as_integer=True)
    if not equal:
        return [{"not_equals": value} for value in values]
    return [{"equals": values[0]} if len(values) == 1 else {"in": values}]


def _json_values(text: str, *, as_integer: bool = False) -> list[Any]:
    """Return the JSON values that Gatus finds equal to *text*, the likeliest first."""
    if text in ("true", "false"):
        return [text == "true", text]
    whole = _integer(text) if as_integer else None
    if whole is not None and str(whole) != text:
        return [whole, text]
    return [operand(text)]
