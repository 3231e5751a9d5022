"""Decides the reason of an answer: without I/O, and in the same way for every provider.

Order: who answered (see `answerer`), rules with a condition on the answer, the expected statuses
with their assertions, what the words of the error say (see `error_texts`), rules on the status
alone, the usual meaning of the status. Details never quote the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from exporter.checks import AnswerRule, Assertion, Shape, operator_of
from exporter.matching import NO_JSON, UnsearchableError, json_values, number_of, pattern_matches
from exporter.model import Reason
from exporter.probers.answerer import (
    Answerer,
    asks_for_key,
    attribute,
    error_member,
    may_be_a_page,
)
from exporter.probers.endpoint import Expectations
from exporter.probers.error_texts import challenge_text, classified
from exporter.probers.transport import Answer
from exporter.settings import shown_expression

# Where a status has one usual meaning (RFC 9110; 402 to 451 as vendors use them). 408, 425, 499,
# 503 and 529 come from servers, proxies and CDNs that could not finish: waiting helps.
_REASON_BY_STATUS = {
    401: Reason.AUTH_INVALID,
    402: Reason.QUOTA_EXHAUSTED,
    403: Reason.PERMISSION,
    408: Reason.OVERLOADED,
    410: Reason.RETIRED,
    420: Reason.RATE_LIMITED,
    425: Reason.OVERLOADED,
    429: Reason.RATE_LIMITED,  # RFC 6585
    430: Reason.RATE_LIMITED,
    432: Reason.QUOTA_EXHAUSTED,  # docs.tavily.com: of the key or the plan
    433: Reason.QUOTA_EXHAUSTED,  # docs.tavily.com: the own limit on paying as you go
    440: Reason.AUTH_EXPIRED,
    451: Reason.REGION_BLOCKED,  # RFC 7725
    456: Reason.QUOTA_EXHAUSTED,  # DeepL: the characters of the month, or the own cost control
    495: Reason.AUTH_INVALID,  # nginx: our client certificate
    496: Reason.AUTH_INVALID,
    498: Reason.AUTH_INVALID,
    499: Reason.OVERLOADED,
    503: Reason.OVERLOADED,
    509: Reason.QUOTA_EXHAUSTED,
    529: Reason.OVERLOADED,  # not registered; Anthropic documents it as overloaded_error
}
_OK = Reason.OK  # to look into an enumeration takes its metaclass
_MAX_PLAIN_BYTES = 1024
_USUAL_SHAPE = Shape(error=("error", "errors"))
_TEXT_DIGITS = 20
Json = Callable[[], Any]


def judge(answer: Answer, expect: Expectations, json: Json) -> tuple[Reason, str]:
    """Return the reason of *answer*, and one line about it for people.

    *json* returns the parsed body, or `NO_JSON`; it is called only if something needs the body.
    """
    if answer.failure is not None:
        return answer.failure, answer.detail
    status = answer.status
    json = _single(json, answer, expect)
    if status not in expect.statuses or may_be_a_page(answer):
        # An edge's or a proxy's answer says nothing about the key, whatever its status.
        who = attribute(answer, json(), expect.shape, expected=status in expect.statuses)
        if who.answerer is not Answerer.API:
            return who.reason, who.detail
    rules = [rule for rule in expect.rules if rule.status == status]
    for rule in rules:
        if expect.keyless and rule.reason is Reason.AUTH_INVALID:
            continue  # there is no key: such an answer asks for one
        if _conditional(rule) and _applies(rule, answer, json):
            return rule.reason, f"status {status}, as the provider documents it"
    if expect.keyless and status in (401, 403):
        return _judge_keyless(answer, expect, json)
    if status in expect.statuses:
        return _judge_expected(answer, expect, json)
    if (said := _said(answer, json)) is not None:
        return said, f"status {status}, by the words of its error"
    for rule in rules:
        if not _conditional(rule):
            return rule.reason, f"status {status}"
    return _usual_reason(status), f"status {status} instead of {_listed(expect.statuses)}"


def _single(json: Json, answer: Answer, expect: Expectations) -> Json:
    """Return *json* without the list that Google's OpenAI form puts around a single error."""
    if answer.status in expect.statuses or answer.body[:64].lstrip()[:1] != b"[":
        return json
    value = json()
    if isinstance(value, list) and len(value) == 1 and error_member(value[0], expect.shape):
        return lambda: value[0]
    return json


def _said(answer: Answer, json: Json) -> Reason | None:
    """Return the reason that the words of an error name, in its body or else in its challenge."""
    return classified(answer.status, json(), _plain(answer)) or _challenged(answer)


def _challenged(answer: Answer) -> Reason | None:
    """Return the reason that the challenge of an answer names (RFC 6750: with an empty body)."""
    said = challenge_text(", ".join(answer.values_of("www-authenticate")))
    return classified(answer.status, NO_JSON, said) if said else None


def _judge_keyless(answer: Answer, expect: Expectations, json: Json) -> tuple[Reason, str]:
    """Judge the answer to a request without a key: it is ok if it asks for one, and only then."""
    status, body = answer.status, json()
    reason = classified(status, body, _plain(answer))
    if reason in _NOT_FOR_A_KEY:
        return reason, f"status {status}, by the words of its error"
    says_so = bool(expect.assertions) and status in expect.statuses
    if says_so and _check_assertions(answer, expect, json)[0] is Reason.OK:
        return Reason.OK, f"status {status}: the answer that the check expects"
    if asks_for_key(answer, body, expect.shape):
        return Reason.OK, f"status {status}: the API answers and asks for a key"
    fallback = Reason.IP_BLOCKED if status == 403 else Reason.BAD_BODY
    return fallback, f"status {status}, but nothing in the answer asks for a key"


# What such an answer can say besides: then it is not the API that asks for a key.
_NOT_FOR_A_KEY = frozenset(
    {
        Reason.IP_BLOCKED,
        Reason.REGION_BLOCKED,
        Reason.ACCOUNT_DISABLED,
        Reason.RETIRED,
        Reason.RATE_LIMITED,
        Reason.MAINTENANCE,
    }
)


def _judge_expected(answer: Answer, expect: Expectations, json: Json) -> tuple[Reason, str]:
    """Judge an answer of an expected status: assertions, and errors that come with it."""
    reason, detail = _check_assertions(answer, expect, json)
    shape = expect.shape
    if reason is Reason.BAD_BODY and not shape.error:
        shape = _USUAL_SHAPE  # what fails an assertion may say why
    if shape.error and (reason is Reason.BAD_BODY or _may_hold_error(answer)):
        error = error_member(json(), shape)
        if error is not None:
            # An error inside a success, as a 401 would have it: Slack, GraphQL and RPC APIs.
            named = classified(401, error) or classified(429, error) or classified(503, error)
            if named or shape is expect.shape:
                detail = f"status {answer.status} with an error in its body"
            return named or Reason.BAD_BODY, detail
    return reason, detail


def _may_hold_error(answer: Answer) -> bool:
    """Return whether the body is worth parsing: errors are short, and lists of results long."""
    return 0 < len(answer.body) <= _MAX_PLAIN_BYTES * 4 and answer.body[:64].lstrip()[:1] == b"{"


def _plain(answer: Answer) -> str:
    """Return the body as text if it is as short as an error's: "error code: 1015"."""
    return answer.body[:_MAX_PLAIN_BYTES].decode("utf-8", "replace")


def _conditional(rule: AnswerRule) -> bool:
    return rule.when is not None or rule.header_absent is not None


def _applies(rule: AnswerRule, answer: Answer, json: Json) -> bool:
    if rule.header_absent is not None and rule.header_absent.lower() in answer.headers:
        return False
    return rule.when is None or not assertion_failure(rule.when, answer, json)


def _listed(statuses: frozenset[int]) -> str:
    return " or ".join(str(status) for status in sorted(statuses))


def _usual_reason(status: int) -> Reason:
    if status in _REASON_BY_STATUS:
        return _REASON_BY_STATUS[status]
    if status >= 500:
        return Reason.SERVER_ERROR
    if status >= 400:
        return Reason.CLIENT_ERROR
    if status >= 300:
        return Reason.REDIRECT_REFUSED
    return Reason.BAD_BODY if status >= 200 else Reason.PROTOCOL


def _check_assertions(answer: Answer, expect: Expectations, json: Json) -> tuple[Reason, str]:
    for number, assertion in enumerate(expect.assertions):
        if why := assertion_failure(assertion, answer, json):
            if answer.truncated and assertion.header is None:
                # Nobody knows what the rest holds: our limit is too low, the API may be well.
                why = "the body is larger than health_check.body_limit, so this cannot be checked"
                return Reason.CLIENT_ERROR, f"assertion {number + 1}: {why}"
            return Reason.BAD_BODY, f"assertion {number + 1}: {why}"
    return _OK, f"status {answer.status}"


def assertion_failure(assertion: Assertion, answer: Answer, json: Json) -> str:
    """Return why *assertion* does not hold for *answer*; an empty text if it holds."""
    operator, operand = operator_of(assertion)
    where = subject_of(assertion)
    try:
        values = _values(assertion, answer, json)
    except UnsearchableError as error:
        # Also for `exists: false`: a body that cannot be searched may still hold the value.
        return f"{where}: {error}"
    if operator == "exists":
        return "" if bool(values) is operand else f"{where} {_EXISTENCE_FAILURES[bool(operand)]}"
    if not values:
        # A missing value differs from every operand, so only the negative operators hold.
        return "" if operator in ("not_equals", "not_matches") else f"{where} is missing"
    negative = operator in ("not_equals", "not_matches")
    if negative and assertion.body and answer.truncated:
        return f"{where} was not read to its end"  # the rest may hold what must not be there
    holds = (all if negative else any)(_OPERATORS[operator](value, operand) for value in values)
    return "" if holds else f"{where} {_FAILURES[operator]}"


def subject_of(assertion: Assertion) -> str:
    """Return what *assertion* is about: a path, a header or the body."""
    if assertion.json is not None:
        return shown_expression(assertion.json)
    return "body" if assertion.header is None else f"header {assertion.header}"


def found_by(
    expect: Expectations, answer: Answer, json: Json, most: int
) -> Iterator[tuple[Assertion, list[Any]]]:
    """Yield the first *most* assertions that fail for *answer*, each with the values it found.

    None are looked for in a body that was not read to its end, or cannot be searched.
    """
    failed = (one for one in expect.assertions if assertion_failure(one, answer, json))
    for assertion in islice(failed, most):
        if answer.truncated and assertion.header is None:
            continue
        try:
            yield assertion, _values(assertion, answer, json)
        except UnsearchableError:
            continue


def _values(assertion: Assertion, answer: Answer, json: Json) -> list[Any]:
    """Return what *assertion* is about.

    Raises:
        UnsearchableError: the body is no JSON, or too large to search.
    """
    if assertion.json is not None:
        return json_values(assertion.json, json())
    return [*answer.values_of(assertion.header)] if assertion.header else [answer.text()]


def _equal(value: Any, operand: Any) -> bool:
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    if isinstance(value, str) and isinstance(operand, (int, float)):
        return value == str(operand)
    if isinstance(value, int) and isinstance(operand, str):
        # An integer of 20 digits or more is read from a configuration as text.
        return len(operand) >= _TEXT_DIGITS and str(value) == operand
    return bool(value == operand)


def _matches(value: Any, operand: Any) -> bool:
    if isinstance(value, (dict, list)) or value is None:
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return pattern_matches(operand, text)


def _compared(value: Any, operand: float, sign: int) -> bool:
    number = number_of(value)
    return number is not None and (number > operand if sign > 0 else number < operand)


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
    "in": lambda v, operand: any(_equal(v, item) for item in operand),
    "matches": _matches,
    "not_matches": lambda v, operand: not _matches(v, operand),
    "min_items": lambda v, operand: isinstance(v, (list, dict)) and len(v) >= operand,
    "less_than": lambda v, operand: _compared(v, operand, -1),
    "greater_than": lambda v, operand: _compared(v, operand, 1),
    "type": lambda v, operand: _JSON_TYPES[operand](v),
}
_FAILURES = {
    "equals": "is not the expected value",
    "not_equals": "has the value that it must not have",
    "in": "is not one of the expected values",
    "matches": "does not match the pattern",
    "not_matches": "matches the pattern that it must not match",
    "min_items": "has too few items",
    "less_than": "is not below the limit",
    "greater_than": "is not above the limit",
    "type": "has the wrong type",
}
_EXISTENCE_FAILURES = {True: "is missing", False: "is present and must not be"}
