"""From an answer to a reason: every operator and source, every order of rules, no quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.checks import AnswerRule, Assertion, Shape
from exporter.matching import NO_JSON, json_of
from exporter.model import Reason
from exporter.probers import Answer, Expectations, Request
from exporter.probers.judging import assertion_failure, judge
from exporter.probers.kinds.http import HttpProber
from exporter.settings import build
from tests.fakes import FakeClock, make_endpoint

URL = "https://api.example/"
SENTINEL = "quoted-from-the-answer"
BODY = {
    "text": "abc",
    "number": 5,
    "half": 0.5,
    "digits": "5",
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [1, 2],
    "empty": [],
    "map": {"a": 1},
    "items": [{"n": 1}, {"n": 2}],
}


def answer(status: int = 200, body: Any = BODY, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body=data, headers=named)


def judged(given_: Answer, **expect: Any) -> tuple[Reason, str]:
    def parsed() -> Any:
        return NO_JSON if given_.truncated else json_of(given_.body)

    return judge(given_, Expectations(**expect), parsed)


def why(assertion: Assertion, given_: Answer | None = None) -> str:
    response = given_ or answer(x_left="7", x_name="Some One")
    return assertion_failure(assertion, response, lambda: json_of(response.body))


@pytest.mark.parametrize(
    ("status", "challenge", "reason"),
    [
        (401, 'Bearer error="invalid_token", error_description="It expired"', Reason.AUTH_INVALID),
        (
            401,
            'Bearer error="invalid_token", error_description="The access token expired"',
            Reason.AUTH_EXPIRED,
        ),
        (403, 'Bearer realm="example", error="insufficient_scope", scope="r"', Reason.PERMISSION),
        (401, 'Bearer realm="example"', Reason.AUTH_INVALID),
    ],
)
def test_an_error_without_a_body_may_be_in_its_challenge(
    status: int, challenge: str, reason: Reason
) -> None:
    """RFC 6750, section 3: the error and its description are attributes of WWW-Authenticate."""
    said = judged(answer(status, b"", www_authenticate=challenge))

    assert said[0] is reason


def test_the_words_of_a_body_come_before_those_of_a_challenge() -> None:
    expired = 'Bearer error="invalid_token", error_description="The access token expired"'
    refused = answer(401, {"error": "Your account was suspended"}, www_authenticate=expired)

    assert judged(refused)[0] is Reason.ACCOUNT_DISABLED


def test_a_single_error_in_a_list_is_that_error() -> None:
    """Google's OpenAI form and its streams: github.com/jackmpcollins/magentic/pull/382."""
    when = Assertion(json="$.error.status", equals="RESOURCE_EXHAUSTED")
    rules = (rule(Reason.RATE_LIMITED, 429, when=when),)
    error = {"error": {"message": "You exceeded your quota", "status": "RESOURCE_EXHAUSTED"}}
    shape = Shape(content="json", error=("error",))

    assert judged(answer(429, [error]), rules=rules, shape=shape)[0] is Reason.RATE_LIMITED
    two = judged(answer(429, [error, error]), rules=rules, shape=shape)
    assert two[0] is Reason.QUOTA_EXHAUSTED  # by its words: nobody knows which the rule means


def test_what_fails_an_assertion_may_say_why() -> None:
    """Errors with status 200, of an API of which no shape is declared."""
    good = (Assertion(json="$.success", equals=True),)
    spent = {"success": False, "error": {"type": "usage_limit_reached"}}
    expired = {"success": False, "errors": [{"message": "Your API key has expired"}]}
    silent = {"success": False, "error": {"type": "of_tomorrow"}}

    assert judged(answer(body=spent), assertions=good)[0] is Reason.QUOTA_EXHAUSTED
    assert judged(answer(body=expired), assertions=good)[0] is Reason.AUTH_EXPIRED
    assert judged(answer(body=silent), assertions=good) == (
        Reason.BAD_BODY,
        "assertion 1: $.success is not the expected value",
    )


@pytest.mark.parametrize(
    ("operator", "operand", "holds"),
    [
        ("matches", "^b=", True),
        ("matches", "^a=1, b", False),
        ("not_matches", "^b=", False),
        ("not_matches", "^c=", True),
        ("equals", "b=2", True),
        ("not_equals", "a=1", False),
        ("in_", ("x", "b=2"), True),
        ("exists", False, False),
    ],
)
def test_an_assertion_tries_each_value_of_a_repeated_header(
    operator: str, operand: Any, holds: bool
) -> None:
    twice = {"set-cookie": ("a=1", "b=2")}
    response = Answer(status=200, headers={"set-cookie": "a=1"}, repeated=twice)

    assert (not why(Assertion(header="Set-Cookie", **{operator: operand}), response)) is holds


# operator, operand, JSON paths whose value passes, paths whose value does not
JSON_CASES: list[tuple[str, Any, str, str]] = [
    ("equals", "abc", "text", "number list map yes nothing absent"),
    ("equals", 5, "number digits", "text half yes list absent"),
    ("equals", "5", "digits", "number"),
    ("equals", True, "yes", "no number text nothing absent"),
    ("equals", False, "no", "yes empty nothing"),
    ("equals", 1, "items[0].n", "yes"),
    ("equals", [1, 2], "list", "empty number"),
    ("equals", {"a": 1}, "map", "list"),
    ("equals", 2, "items[*].n", "items"),
    ("not_equals", "abc", "number list absent nothing", "text"),
    ("not_equals", True, "no number absent", "yes"),
    ("not_equals", 2, "text items[0].n", "items[*].n"),
    ("in_", ("x", "abc"), "text", "number absent nothing"),
    ("in_", (1, True), "yes items[0].n", "no number"),
    ("in_", (), "", "text absent"),
    ("matches", "b", "text", "number list map nothing absent"),
    ("matches", "^5$", "number digits", "half"),
    ("matches", "^true$", "yes", "no text"),
    ("matches", "^2$", "items[*].n", "items"),
    ("not_matches", "b", "number list nothing absent", "text"),
    ("not_matches", "^2$", "items[0].n", "items[*].n"),
    ("exists", True, "text nothing empty no items[*].n", "absent items[*].absent"),
    ("exists", False, "absent text.absent", "text nothing no"),
    ("min_items", 2, "list items", "map empty text number absent"),
    ("min_items", 1, "list map", "empty"),
    ("min_items", 0, "empty list", "text nothing absent"),
    ("less_than", 6, "number digits half", "text yes list nothing absent"),
    ("less_than", 5, "half", "number digits"),
    ("greater_than", 4, "number digits", "half text yes map nothing absent"),
    ("greater_than", 5, "", "number digits"),
    ("type", "string", "text digits", "number yes nothing list map absent"),
    ("type", "integer", "number", "half digits yes"),
    ("type", "number", "number half", "digits yes"),
    ("type", "boolean", "yes no", "number text nothing"),
    ("type", "array", "list empty", "map text"),
    ("type", "object", "map", "list text"),
]


def json_cases() -> Iterator[tuple[str, Any, str, bool]]:
    for operator, operand, good, bad in JSON_CASES:
        for path in good.split():
            yield operator, operand, path, True
        for path in bad.split():
            yield operator, operand, path, False


@pytest.mark.parametrize(("operator", "operand", "path", "holds"), list(json_cases()))
def test_an_operator_on_a_json_value_holds_or_says_where_it_does_not(
    operator: str, operand: Any, path: str, holds: bool
) -> None:
    assertion = Assertion(json=f"$.{path}", **{operator: operand})

    failure = why(assertion)

    assert (failure == "") is holds
    assert holds or failure.startswith(f"$.{path} ")


OTHER_CASES: list[tuple[dict[str, Any], bool]] = [
    ({"header": "X-Left", "equals": "7"}, True),
    ({"header": "x-left", "equals": 7}, True),
    ({"header": "x-left", "equals": 8}, False),
    ({"header": "x-left", "in_": ("6", "7")}, True),
    ({"header": "x-left", "less_than": 10}, True),
    ({"header": "x-left", "greater_than": 10}, False),
    ({"header": "x-name", "greater_than": 0}, False),
    ({"header": "x-name", "matches": "(?i)some"}, True),
    ({"header": "x-name", "not_matches": "^Some"}, False),
    ({"header": "x-name", "exists": True}, True),
    ({"header": "x-none", "exists": True}, False),
    ({"header": "x-none", "exists": False}, True),
    ({"header": "x-name", "exists": False}, False),
    ({"header": "x-none", "not_equals": "7"}, True),
    ({"header": "x-none", "equals": "7"}, False),
    ({"header": "x-name", "type": "string"}, True),
    ({"header": "x-left", "type": "number"}, False),
    ({"header": "x-left", "min_items": 0}, False),
    ({"body": True, "matches": '"text": "abc"'}, True),
    ({"body": True, "matches": "nowhere"}, False),
    ({"body": True, "not_matches": "nowhere"}, True),
    ({"body": True, "not_matches": "abc"}, False),
    ({"body": True, "exists": True}, True),
    ({"body": True, "equals": "abc"}, False),
]


@pytest.mark.parametrize(("fields", "holds"), OTHER_CASES)
def test_an_operator_on_a_header_or_the_body_holds_or_says_where_it_does_not(
    fields: dict[str, Any], holds: bool
) -> None:
    where = f"header {fields['header']}" if "header" in fields else "body"

    failure = why(Assertion(**fields))

    assert (failure == "") is holds
    assert holds or failure.startswith(f"{where} ")


FAILURES = [
    ({"equals": 1}, "$.text is not the expected value"),
    ({"not_equals": "abc"}, "$.text has the value that it must not have"),
    ({"in_": (1, 2)}, "$.text is not one of the expected values"),
    ({"matches": "z"}, "$.text does not match the pattern"),
    ({"not_matches": "a"}, "$.text matches the pattern that it must not match"),
    ({"exists": False}, "$.text is present and must not be"),
    ({"min_items": 1}, "$.text has too few items"),
    ({"less_than": 1}, "$.text is not below the limit"),
    ({"greater_than": 1}, "$.text is not above the limit"),
    ({"type": "array"}, "$.text has the wrong type"),
]


@pytest.mark.parametrize(("operator", "failure"), FAILURES)
def test_what_does_not_hold_is_described_without_quoting_the_answer(
    operator: dict[str, Any], failure: str
) -> None:
    assert why(Assertion(json="$.text", **operator)) == failure


@pytest.mark.parametrize("operator", ["equals", "not_equals", "matches", "type"])
def test_of_a_body_that_is_no_json_nothing_can_be_asserted(operator: str) -> None:
    html = answer(body=b"<html>")
    operand = "string"

    failure = why(Assertion(json="$.a", **{operator: operand}), html)

    assert failure == "$.a: the body is not JSON"
    for exists in (False, True):
        assert why(Assertion(json="$.a", exists=exists), html) == "$.a: the body is not JSON"


CHARSETS = [
    ("prêt", "latin-1", "text/plain; charset=iso-8859-1"),
    ("prêt", "latin-1", "text/plain;CHARSET='ISO_8859-1'"),
    ("prêt €", "iso8859-15", 'text/plain; format=flowed; charset="ISO-8859-15"'),
    ("prêt “oui”", "cp1252", "text/html; charset=latin1"),
    ("готово", "cp1251", "text/html; charset=windows-1251"),
    ("готово", "koi8-r", "text/html; charset=KOI8-R"),
    ("完了", "shift_jis", "text/html; charset=Shift_JIS"),
    ("完成", "gbk", "text/html; charset=GB2312"),
    ("완료", "euc-kr", "text/html; charset=euc-kr"),
    ("prêt", "utf-16-be", "text/plain; charset=utf-16be"),
    ("prêt", "utf-16", "text/plain; charset=utf-8"),
    ("prêt", "utf-8-sig", "text/plain; charset=iso-8859-1"),
    ("prêt", "utf-8-sig", ""),
    ("prêt", "utf-8", "text/plain"),
    ("prêt", "utf-8", "text/plain; charset=klingon"),
    ("prêt", "utf-8", "text/plain; charset=zlib"),
    ("prêt", "utf-8", "text/plain; charset=\x00"),
    ("prêt", "utf-8", "text/plain; charset="),
]


@pytest.mark.parametrize(
    ("text", "codec", "content_type"),
    [
        ("<html><meta charset='iso-8859-1'><p>prêt</p>", "latin-1", "text/html"),
        (
            '<html><meta http-equiv="Content-Type" content="text/html; charset=windows-1251">да',
            "cp1251",
            "text/html",
        ),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>prêt</a>', "latin-1", "application/xml"),
        ("<html><meta charset='utf-16'><p>prêt</p>", "utf-8", "text/html"),
        ("<html><meta charset='latin1'><p>prêt</p>", "utf-8", "text/html; charset=utf-8"),
        ("<html><meta name='a'><p>prêt charset=latin1</p>", "utf-8", "text/html"),
        ("the manual says <meta charset='latin1'>: prêt", "utf-8", "text/plain"),
    ],
)
def test_a_page_may_name_its_charset_in_its_first_lines(
    text: str, codec: str, content_type: str
) -> None:
    page = answer(body=text.encode(codec), content_type=content_type)

    assert not why(Assertion(body=True, equals=text), page)


@pytest.mark.parametrize(("text", "codec", "content_type"), CHARSETS)
def test_a_body_is_text_in_the_charset_it_declares(
    text: str, codec: str, content_type: str
) -> None:
    response = answer(body=text.encode(codec), content_type=content_type)

    assert not why(Assertion(body=True, equals=text), response)
    assert not why(Assertion(body=True, matches=f"^{text}$"), response)
    assert why(Assertion(body=True, not_matches=text), response)


@pytest.mark.parametrize("charset", ["utf-8", "klingon", "ascii", "shift_jis", "utf-16"])
def test_bytes_that_do_not_fit_the_charset_break_nothing(charset: str) -> None:
    response = answer(body=b"ok \xff\xfd\x81", content_type=f"text/plain; charset={charset}")

    assert why(Assertion(body=True, matches="nowhere"), response)


@pytest.mark.parametrize(
    ("codec", "content_type"),
    [
        ("latin-1", "application/json; charset=ISO-8859-1"),
        ("utf-16-le", "application/json; charset=utf-16"),
        ("utf-8-sig", "application/json; charset=iso-8859-1"),
        ("utf-16", "application/json; charset=utf-8"),
        ("utf-8", "application/json; charset=klingon"),
        ("utf-8", "application/json"),
    ],
)
async def test_json_is_read_in_the_charset_it_declares(codec: str, content_type: str) -> None:
    body = '{"state": "prêt"}'.encode(codec)
    assertion = Assertion(json="$.state", equals="prêt")

    class Told:
        async def fetch(self, request: Request) -> Answer:
            return Answer(status=200, body=body, headers={"content-type": content_type})

    expect = Expectations(assertions=(assertion,))
    outcome = await HttpProber(Told(), FakeClock()).probe(make_endpoint(URL, expect=expect))

    assert (outcome.reason, outcome.detail) == (Reason.OK, "status 200")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "operator", [{"type": "number"}, {"greater_than": 5}, {"less_than": 5}, {"exists": True}]
)
def test_a_constant_of_javascript_is_not_json_and_no_number(
    number: str, operator: dict[str, Any]
) -> None:
    response = answer(body=f'{{"n": {number}}}'.encode(), x_n=number)

    assert why(Assertion(json="$.n", **operator), response) == "$.n: the body is not JSON"
    if "exists" not in operator:
        assert why(Assertion(header="x-n", **operator), response)


@pytest.mark.parametrize("digits", ["9007199254740993", "1" * 25, "8" * 5_000])
def test_a_long_integer_is_judged_exactly(digits: str) -> None:
    response = answer(body=b'{"n": ' + digits.encode() + b"}")
    number = json_of(response.body)["n"]
    holding = [
        {"equals": number},
        {"not_equals": number + 1},
        {"greater_than": number - 1},
        {"less_than": number + 1},
        {"matches": f"^{digits}$" if len(digits) < 500 else f"^{digits[:9]}"},
        {"type": "integer"},
    ]
    failing = [{"equals": number - 1}, {"greater_than": number}, {"less_than": number}]

    assert [why(Assertion(json="$.n", **operator), response) for operator in holding] == [""] * 6
    assert all(why(Assertion(json="$.n", **operator), response) for operator in failing)


def test_a_limit_of_a_configuration_is_compared_exactly() -> None:
    limit = build(Assertion, {"json": "$.n", "greater_than": 9007199254740993})

    assert why(limit, answer(body=b'{"n": 9007199254740993}'))
    assert not why(limit, answer(body=b'{"n": 9007199254740994}'))


def test_a_long_integer_of_a_configuration_is_text_and_equals_the_number() -> None:
    response = answer(body=b'{"n": 12345678901234567890123}')

    assert not why(Assertion(json="$.n", equals="12345678901234567890123"), response)
    assert why(Assertion(json="$.n", equals="12345678901234567890124"), response)


@pytest.mark.parametrize("number", ["1e999", "9" * 400])
def test_numbers_beyond_reason_are_compared_without_an_error(number: str) -> None:
    response = answer(body=f'{{"n": {number}, "t": "{number}"}}'.encode())

    for path in ("$.n", "$.t"):
        assert why(Assertion(json=path, less_than=5), response) == f"{path} is not below the limit"


def test_a_failure_on_the_way_is_the_reason_whatever_else_is_expected() -> None:
    failed = Answer(failure=Reason.TLS, detail="handshake", status=200)

    assert judged(failed, statuses=frozenset({200})) == (Reason.TLS, "handshake")


def rule(reason: Reason, status: int = 401, **more: Any) -> AnswerRule:
    return AnswerRule(status=status, reason=reason, confidence="doc", **more)


IF_TEXT = Assertion(json="$.text", equals="abc")
IF_NOT = Assertion(json="$.text", equals="other")
PLAIN = rule(Reason.AUTH_INVALID)
EXPIRED = rule(Reason.AUTH_EXPIRED, when=IF_TEXT)
BLOCKED = rule(Reason.IP_BLOCKED, when=IF_TEXT)
NOT_HERE = rule(Reason.IP_BLOCKED, when=IF_NOT)
WITHOUT = rule(Reason.REGION_BLOCKED, header_absent="X-Here")
DOCUMENTED = "status 401, as the provider documents it"
RULES: list[tuple[str, tuple[AnswerRule, ...], dict[str, Any], Reason, str]] = [
    ("a condition that holds wins", (EXPIRED, PLAIN), {}, Reason.AUTH_EXPIRED, DOCUMENTED),
    ("even after a plain rule", (PLAIN, EXPIRED), {}, Reason.AUTH_EXPIRED, DOCUMENTED),
    ("the first of two", (BLOCKED, EXPIRED), {}, Reason.IP_BLOCKED, DOCUMENTED),
    ("one that does not hold", (NOT_HERE, PLAIN), {}, Reason.AUTH_INVALID, "status 401"),
    ("a header that is absent", (WITHOUT, PLAIN), {}, Reason.REGION_BLOCKED, DOCUMENTED),
    (
        "a condition over the expected",
        (EXPIRED,),
        {"statuses": {401}},
        Reason.AUTH_EXPIRED,
        DOCUMENTED,
    ),
    ("the expected over a plain rule", (PLAIN,), {"statuses": {401}}, Reason.OK, "status 401"),
    (
        "being asked for a key over a plain rule",
        (PLAIN,),
        {"keyless": True},
        Reason.BAD_BODY,
        "status 401, but nothing in the answer asks for a key",
    ),
    ("a condition over keyless", (EXPIRED,), {"keyless": True}, Reason.AUTH_EXPIRED, DOCUMENTED),
    (
        "the first plain rule",
        (PLAIN, rule(Reason.PERMISSION)),
        {},
        Reason.AUTH_INVALID,
        "status 401",
    ),
    (
        "rules of other statuses",
        (rule(Reason.MAINTENANCE, 503),),
        {},
        Reason.AUTH_INVALID,
        "status 401 instead of 200",
    ),
    (
        "no rule",
        (),
        {"statuses": {204, 200}},
        Reason.AUTH_INVALID,
        "status 401 instead of 200 or 204",
    ),
]


@pytest.mark.parametrize(
    ("rules", "expect", "reason", "detail"), [r[1:] for r in RULES], ids=[r[0] for r in RULES]
)
def test_rules_apply_in_their_order(
    rules: tuple[AnswerRule, ...], expect: dict[str, Any], reason: Reason, detail: str
) -> None:
    statuses = frozenset(expect.get("statuses", {200}))

    judgement = judged(answer(401), rules=rules, **(expect | {"statuses": statuses}))

    assert judgement == (reason, detail)


@pytest.mark.parametrize(
    ("body", "headers", "applies"),
    [
        ({"text": "abc"}, {}, True),
        ({"text": "abc"}, {"x_here": ""}, False),
        ({"text": "other"}, {}, False),
        (b"no json", {}, False),
    ],
)
def test_a_rule_with_two_conditions_needs_both(
    body: Any, headers: dict[str, str], applies: bool
) -> None:
    both = rule(Reason.MAINTENANCE, when=IF_TEXT, header_absent="X-Here")

    reason, _ = judged(answer(401, body, **headers), rules=(both,))

    assert (reason is Reason.MAINTENANCE) is applies


ASKING = b'{"error": "An API key is required."}'


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (401, ASKING, {}, Reason.OK),
        (403, ASKING, {}, Reason.OK),
        (401, b"", {"www-authenticate": "Bearer"}, Reason.OK),
        (401, b'{"message": "Unauthorized"}', {}, Reason.OK),
        (400, ASKING, {}, Reason.CLIENT_ERROR),
        (403, b"", {}, Reason.IP_BLOCKED),
        (403, b'{"message": "Forbidden"}', {}, Reason.IP_BLOCKED),
        (401, b"<html>Please log in</html>", {"content-type": "text/html"}, Reason.BAD_BODY),
        (403, b'{"error": "Your account was suspended."}', {}, Reason.ACCOUNT_DISABLED),
    ],
)
def test_a_check_without_a_key_is_ok_only_if_it_is_asked_for_one(
    status: int, body: bytes, headers: dict[str, str], reason: Reason
) -> None:
    found, detail = judged(answer(status, body, **headers), keyless=True)

    assert found is reason, detail


def test_an_expected_answer_without_a_key_is_still_held_to_its_assertions() -> None:
    assertion = Assertion(json="$.text", equals="other")

    reason, detail = judged(answer(), keyless=True, assertions=(IF_TEXT, assertion))

    assert (reason, detail) == (
        Reason.BAD_BODY,
        "assertion 2: $.text is not the expected value",
    )


CUT = "the body is larger than health_check.body_limit, so this cannot be checked"
GENERIC = [
    (100, Reason.PROTOCOL),
    (199, Reason.PROTOCOL),
    (204, Reason.BAD_BODY),
    (299, Reason.BAD_BODY),
    (301, Reason.REDIRECT_REFUSED),
    (304, Reason.REDIRECT_REFUSED),
    (400, Reason.CLIENT_ERROR),
    (401, Reason.AUTH_INVALID),
    (402, Reason.QUOTA_EXHAUSTED),
    (403, Reason.PERMISSION),
    (404, Reason.CLIENT_ERROR),
    (429, Reason.RATE_LIMITED),
    (451, Reason.REGION_BLOCKED),
    (432, Reason.QUOTA_EXHAUSTED),
    (433, Reason.QUOTA_EXHAUSTED),
    (456, Reason.QUOTA_EXHAUSTED),
    (499, Reason.OVERLOADED),
    (500, Reason.SERVER_ERROR),
    (502, Reason.SERVER_ERROR),
    (503, Reason.OVERLOADED),
    (529, Reason.OVERLOADED),
    (599, Reason.SERVER_ERROR),
]


@pytest.mark.parametrize(("status", "reason"), GENERIC)
def test_without_rules_a_status_means_what_the_standard_says(status: int, reason: Reason) -> None:
    assert judged(answer(status)) == (reason, f"status {status} instead of 200")


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"json": "$.a"}, Reason.CLIENT_ERROR, CUT),
        ({"body": True}, Reason.CLIENT_ERROR, CUT),
        ({"header": "x-a"}, Reason.BAD_BODY, "header x-a does not match the pattern"),
    ],
)
def test_a_body_that_was_cut_is_no_outage_where_the_rest_may_be_right(
    fields: dict[str, Any], reason: Reason, detail: str
) -> None:
    cut = answer(body=b'{"a": "b', x_a="a")
    cut.truncated = True

    judgement = judged(cut, assertions=(Assertion(matches="b{9}", **fields),))

    assert judgement == (reason, f"assertion 1: {detail}")


def test_a_body_that_was_cut_is_good_if_what_was_read_is() -> None:
    cut = answer(body=b'{"a": "b')
    cut.truncated = True

    assert judged(cut)[0] is Reason.OK
    assert judged(cut, assertions=(Assertion(body=True, matches="a"),))[0] is Reason.OK


def test_what_must_not_be_in_a_body_that_was_cut_cannot_be_checked() -> None:
    cut = answer(body=b'{"a": "b')
    cut.truncated = True

    judgement = judged(cut, assertions=(Assertion(body=True, not_matches="c"),))

    assert judgement == (Reason.CLIENT_ERROR, f"assertion 1: {CUT}")


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(SENTINEL) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.just(SENTINEL) | st.just("a"), inner, max_size=2)
    ),
    max_leaves=8,
)
SOURCES = st.sampled_from(
    [{"json": "$"}, {"json": "$.a"}, {"json": "$..*"}, {"header": "x-a"}, {"body": True}]
)
OPERATORS = st.sampled_from(
    [
        {"equals": "other"},
        {"not_equals": SENTINEL},
        {"in_": (1, "other")},
        {"matches": "z$"},
        {"not_matches": SENTINEL[:6]},
        {"exists": True},
        {"exists": False},
        {"min_items": 3},
        {"less_than": 0},
        {"greater_than": 1e9},
        {"type": "array"},
    ]
)


@given(data=DATA, source=SOURCES, operator=OPERATORS, status=st.sampled_from([200, 401, 429, 500]))
def test_a_detail_never_quotes_the_answer(
    data: Any, source: dict[str, Any], operator: dict[str, Any], status: int
) -> None:
    body = json.dumps({"a": data, SENTINEL: SENTINEL}).encode("utf-8", "surrogatepass")
    response = answer(status, body, x_a=SENTINEL, x_b=SENTINEL)
    assertion = Assertion(**source, **operator)
    rules = (rule(Reason.MAINTENANCE, 429, when=assertion), rule(Reason.PERMISSION, 500))

    _, detail = judged(response, assertions=(assertion,), rules=rules)

    assert SENTINEL not in detail
    assert len(detail) < 100


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"<html><title>Our blog</title>Netskope, Barracuda, Error 1015</html>", Reason.OK),
        (b"<html><title>Hotel Wi-Fi login</title></html>", Reason.INTERCEPTED),
    ],
)
def test_a_good_page_may_be_about_proxies_unless_its_title_is_theirs(
    page: bytes, reason: Reason
) -> None:
    found, detail = judged(answer(200, page, content_type="text/html"))

    assert found is reason, detail
