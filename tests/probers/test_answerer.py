"""Who wrote an answer: the API, its edge, or somebody on our side."""

from __future__ import annotations

import pytest

from exporter.checks import Shape
from exporter.matching import json_of
from exporter.model import Reason
from exporter.probers import Answer
from exporter.probers.answerer import Answerer, attribute, error_member

JSON_API = Shape(content="json", error=("error",), headers=("x-own-id",))
ANY = Shape()
HTML = {"content-type": "text/html; charset=utf-8"}


def answered(status: int, body: str, headers: dict[str, str], shape: Shape = JSON_API) -> object:
    answer = Answer(status=status, body=body.encode(), headers=headers)
    found = attribute(answer, json_of(answer.body), shape)
    return found.answerer if found.answerer is Answerer.API else (found.answerer, found.reason)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (407, "", {}),
        (511, "<html>Log in</html>", HTML),
        (403, "<html><title>Internet Security by Zscaler</title></html>", HTML),
        (403, "", {"server": "Zscaler/6.2"}),
        (200, "<!DOCTYPE html><title>Hotel Wi-Fi login</title>", HTML),
        (503, "<html>Generated Mon by proxy (squid/5.7)</html>", HTML),
        (403, "<html><title>FortiGuard: Web Page Blocked</title></html>", HTML),
        (403, "<html>This site is blocked by your organization</html>", HTML),
    ],
)
def test_a_proxy_a_filter_or_a_portal_is_ours(
    status: int, body: str, headers: dict[str, str]
) -> None:
    assert answered(status, body, headers) == (Answerer.OURS, Reason.INTERCEPTED)
    assert answered(status, body, headers, ANY) == (Answerer.OURS, Reason.INTERCEPTED)


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (403, "<html><title>Just a moment...</title></html>", HTML, Reason.IP_BLOCKED),
        (200, "<html></html>", {**HTML, "cf-mitigated": "challenge"}, Reason.IP_BLOCKED),
        (403, "error code: 1010", {"server": "cloudflare"}, Reason.IP_BLOCKED),
        (429, "error code: 1015", {}, Reason.RATE_LIMITED),
        (403, "<html><h1>Error 1009</h1></html>", HTML, Reason.REGION_BLOCKED),
        (530, "error code: 1016", {"server": "cloudflare"}, Reason.SERVER_ERROR),
        (202, "", {"x-amzn-waf-action": "challenge"}, Answerer.API),
        (405, "<html></html>", {**HTML, "x-amzn-waf-action": "captcha"}, Reason.IP_BLOCKED),
        (
            403,
            "<HTML><H1>Access Denied</H1>You don't have permission. Reference&#32;#18.2</HTML>",
            HTML,
            Reason.IP_BLOCKED,
        ),
        (502, "<html><h1>502 Bad Gateway</h1>nginx</html>", HTML, Reason.SERVER_ERROR),
        (524, "<!DOCTYPE html><title>A timeout occurred</title>", HTML, Reason.SERVER_ERROR),
        (503, "<html>Down for scheduled maintenance</html>", HTML, Reason.MAINTENANCE),
        (503, "<html>Busy</html>", HTML, Reason.OVERLOADED),
        (401, "<html>401 Authorization Required</html>", HTML, Reason.IP_BLOCKED),
        (200, "<html>Hello</html>", HTML, Reason.BAD_BODY),
    ],
)
def test_an_edge_is_told_by_its_marks_and_a_page_is_never_the_word_of_a_json_api(
    status: int, body: str, headers: dict[str, str], reason: object
) -> None:
    expected = reason if reason is Answerer.API else (Answerer.EDGE, reason)

    assert answered(status, body, headers) == expected


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (401, '{"error": "bad key"}', {}),
        (403, '{"error": "error code: 1010"}', {"server": "cloudflare"}),
        (429, "Retry later", {"content-type": "text/plain"}),
        (500, "<html>our own page</html>", {**HTML, "x-own-id": "req_1"}),
        (401, "", {}),
    ],
)
def test_the_apis_own_answer_is_its_own(status: int, body: str, headers: dict[str, str]) -> None:
    assert answered(status, body, headers) is Answerer.API


def test_a_page_is_a_good_answer_of_an_api_that_may_send_pages() -> None:
    assert answered(200, "<html>Hello</html>", HTML, ANY) is Answerer.API


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": "x"}, {"error": "x"}),
        ({"error": None}, None),
        ({"error": False}, None),
        ({"data": []}, None),
        ([], None),
    ],
)
def test_an_error_member_that_says_nothing_is_none(body: object, expected: object) -> None:
    assert error_member(body, JSON_API) == expected
