"""From an answer to a reason: pure, and the same for every provider.

Order: rules that look into the answer, then the expected statuses with their assertions, then rules
on the status alone, then what the status means by RFC 9110. Details are our own words and
never quote the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.checks import AnswerRule, Assertion, operator_of
from exporter.matching import UnsearchableError, found, json_values
from exporter.model import Reason
from exporter.probers import Answer, Expectations
from exporter.settings import shown_expression

_GENERIC = {
    401: Reason.AUTH_INVALID,
    402: Reason.QUOTA_EXHAUSTED,
    403: Reason.PERMISSION,
    429: Reason.RATE_LIMITED,
    451: Reason.REGION_BLOCKED,
    503: Reason.OVERLOADED,
    529: Reason.OVERLOADED,
}
Json = Callable[[], Any]


def judge(answer: Answer, expect: Expectations, json: Json) -> tuple[Reason, str]:
    """Return the reason of *answer* and one line for a person; *json* parses the body once."""
    if answer.failure is not None:
        return answer.failure, answer.detail
    status = answer.status
    rules = [rule for rule in expect.rules if rule.status == status]
    for rule in rules:
        if _conditional(rule) and _applies(rule, answer, json):
            return rule.reason, f"status {status}, as the provider documents it"
    if status in expect.statuses:
        return _assert(answer, expect, json)
    if expect.lenient and status in (401, 403):
        return Reason.OK, f"status {status}: it answers and asks for a key"
    for rule in rules:
        if not _conditional(rule):
            return rule.reason, f"status {status}"
    return _generic(status), f"status {status} instead of {_listed(expect.statuses)}"


def _conditional(rule: AnswerRule) -> bool:
    return rule.when is not None or rule.header_absent is not None


def _applies(rule: AnswerRule, answer: Answer, json: Json) -> bool:
    if rule.header_absent is not None and rule.header_absent.lower() in answer.headers:
        return False
    return rule.when is None or not failed_assertion(rule.when, answer, json)


def _listed(statuses: frozenset[int]) -> str:
    return " or ".join(str(status) for status in sorted(statuses))


def _generic(status: int) -> Reason:
    if status in _GENERIC:
        return _GENERIC[status]
    if status >= 500:
        return Reason.SERVER_ERROR
    if status >= 400:
        return Reason.CLIENT_ERROR
    if status >= 300:
        return Reason.REDIRECT_REFUSED
    return Reason.BAD_BODY if status >= 200 else Reason.PROTOCOL


def _assert(answer: Answer, expect: Expectations, json: Json) -> tuple[Reason, str]:
    for number, assertion in enumerate(expect.assertions):
        if why := failed_assertion(assertion, answer, json):
            if answer.truncated and assertion.json:
                why = "the body is larger than 64 KiB, so its JSON cannot be read"
            return Reason.BAD_BODY, f"assertion {number + 1}: {why}"
    return Reason.OK, f"status {answer.status}"


def failed_assertion(assertion: Assertion, answer: Answer, json: Json) -> str:
    """Return why *assertion* does not hold, or an empty text."""
    operator, operand = operator_of(assertion)
    if assertion.json is not None:
        where = shown_expression(assertion.json)
        try:
            values = json_values(assertion.json, json())
        except UnsearchableError as error:
            # Also for `exists: false`: what cannot be searched proves nothing.
            return f"{where}: {error}"
    elif assertion.header is not None:
        where = f"header {assertion.header}"
        value = answer.headers.get(assertion.header.lower())
        values = [] if value is None else [value]
    else:
        where, values = "body", [answer.body.decode("utf-8", "replace")]
    if operator == "exists":
        return "" if bool(values) is operand else f"{where} {_EXISTS[bool(operand)]}"
    if not values:
        # what is not there matches nothing, equals nothing and is in no list
        return "" if operator in ("not_equals", "not_matches") else f"{where} is not there"
    negative = operator in ("not_equals", "not_matches")
    holds = (all if negative else any)(_OPERATORS[operator](value, operand) for value in values)
    return "" if holds else f"{where} {_SAID[operator]}"


def _equal(value: Any, operand: Any) -> bool:
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    if isinstance(value, str) and isinstance(operand, (int, float)):
        return value == str(operand)
    return bool(value == operand)


def _matches(value: Any, operand: Any) -> bool:
    if isinstance(value, (dict, list)) or value is None:
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return found(operand, text)


def _compared(value: Any, operand: float, sign: int) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return (float(value) - operand) * sign > 0
    except (TypeError, ValueError, OverflowError):
        return False


_JSON_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": _equal,
    "not_equals": lambda v, operand: not _equal(v, operand),
    "in": lambda v, operand: any(_equal(v, one) for one in operand),
    "matches": _matches,
    "not_matches": lambda v, operand: not _matches(v, operand),
    "min_items": lambda v, operand: isinstance(v, (list, dict)) and len(v) >= operand,
    "less_than": lambda v, operand: _compared(v, operand, -1),
    "greater_than": lambda v, operand: _compared(v, operand, 1),
    "type": lambda v, operand: _JSON_TYPES[operand](v),
}
_SAID = {
    "equals": "is not the expected value",
    "not_equals": "has a value it must not have",
    "in": "is none of the expected values",
    "matches": "does not match",
    "not_matches": "matches what it must not",
    "min_items": "has too few items",
    "less_than": "is not below the limit",
    "greater_than": "is not above the limit",
    "type": "has the wrong type",
}
_EXISTS = {True: "is not there", False: "is there and must not be"}
