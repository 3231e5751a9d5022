"""Nothing that is not ok is ever ok: every preset against statuses and shapes of answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Declared, make_target
from exporter.matching import json_of
from exporter.model import Reason
from exporter.probers import Answer, Expectations
from exporter.probers.judging import judge
from exporter.providers import presets
from tests.fakes import KEY

PAGES = (
    "<!DOCTYPE html><html><title>Welcome</title></html>",
    "<html><h1>403 Forbidden</h1></html>",
    "<html><title>Just a moment...</title></html>",
)
TEXTS = ("", "ok", "error code: 1020", "Forbidden", "null", "NaN", "[]", "{}", "true", "0")
ERRORS = tuple(
    json.dumps(body)
    for body in (
        {"error": {"message": "no"}},
        {"error": "no", "ok": False},
        {"errors": [{"message": "no", "code": 1}], "success": False},
        {"message": "no", "statusCode": 403},
        {"detail": "no"},
        {"ErrorCode": 1, "Message": "no"},
    )
)
STATUSES = st.integers(min_value=200, max_value=599)
HEADERS = st.sampled_from(
    [{}, {"content-type": "text/html"}, {"content-type": "application/json"}, {"cf-ray": "1"}]
)


def expectations(name: str, *, keyless: bool) -> Expectations:
    preset = presets()[name]
    environment = {variable: f"TEST_{variable}" for variable in preset.variables}
    if not keyless:
        environment[preset.key_variables[0]] = KEY
    raw = {"id": "a", "provider": name}
    endpoint = make_target(Declared(raw, "services.yaml", 1), environment).endpoint
    assert endpoint is not None
    return endpoint.expect


@pytest.mark.parametrize("name", sorted(presets()))
@pytest.mark.parametrize("keyless", [False, True], ids=["with a key", "without a key"])
@settings(max_examples=60, deadline=None)
@given(status=STATUSES, headers=HEADERS, body=st.sampled_from((*PAGES, *TEXTS, *ERRORS)))
def test_an_answer_that_shows_no_success_is_never_one(
    name: str, keyless: bool, status: int, headers: dict[str, str], body: str
) -> None:
    expect = expectations(name, keyless=keyless)
    answer = Answer(status=status, body=body.encode(), headers=headers)

    reason, detail = judge(answer, expect, lambda: json_of(answer.body))

    good = reason in (Reason.OK, Reason.KEY_OK_LIMITED)
    assert not good or _shows_success(name, body, expect, status, keyless=keyless), (reason, detail)


def _shows_success(
    name: str, body: str, expect: Expectations, status: int, *, keyless: bool
) -> bool:
    """Return whether *body* is one that the vendor itself calls good."""
    if body in PAGES or status not in expect.statuses:
        return False
    if keyless:
        return body in ("Forbidden", "{}") and name == "mailgun"
    return (name, body) in {("sentry", "[]"), ("plausible", "0")}
