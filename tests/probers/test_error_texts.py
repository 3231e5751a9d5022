"""What the words of an error mean, for an API of which nothing else is known."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.matching import NO_JSON
from exporter.model import Reason
from exporter.probers.error_texts import classified, error_text


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (403, "Your account has been suspended.", Reason.ACCOUNT_DISABLED),
        (401, "This organization has been disabled.", Reason.ACCOUNT_DISABLED),
        (403, "Your account is pending approval.", Reason.ACCOUNT_DISABLED),
        (400, "Your credit balance is too low.", Reason.QUOTA_EXHAUSTED),
        (403, "Monthly usage limit reached.", Reason.QUOTA_EXHAUSTED),
        (422, "You ran out of credits.", Reason.QUOTA_EXHAUSTED),
        (429, "You exceeded your current quota, please check your plan", Reason.QUOTA_EXHAUSTED),
        (401, "The API key has expired.", Reason.AUTH_EXPIRED),
        (400, "API key is invalid", Reason.AUTH_INVALID),
        (401, "invalid, expired or revoked token", Reason.AUTH_INVALID),
        (403, "The token was revoked.", Reason.AUTH_INVALID),
        (403, "Your API key was reported as leaked.", Reason.AUTH_INVALID),
        (403, "Not available in your country", Reason.REGION_BLOCKED),
        (401, "Your IP 192.0.2.1 is not allowed to use this key", Reason.IP_BLOCKED),
        (403, "You have exceeded a secondary rate limit.", Reason.RATE_LIMITED),
        (423, "Too many requests", Reason.RATE_LIMITED),
        (404, "This model has been deprecated", Reason.RETIRED),
        (410, "API version 1 is no longer supported", Reason.RETIRED),
        (403, "Missing scope: read", Reason.PERMISSION),
        (401, "Must login via SSO", Reason.PERMISSION),
        (429, "The engine is currently overloaded", Reason.OVERLOADED),
        (500, "Under maintenance", Reason.MAINTENANCE),
        (404, "No such user", None),
        (400, "The field name is required", None),
        (500, "Internal error", None),
    ],
)
def test_the_words_of_an_error_name_its_kind(status: int, text: str, reason: Reason | None) -> None:
    assert classified(status, {"error": {"message": text}}) is reason
    assert classified(status, NO_JSON, text) is reason


def test_words_count_only_under_statuses_where_they_are_an_error_of_that_kind() -> None:
    assert classified(500, {"error": "your account has been suspended"}) is None


@pytest.mark.parametrize(
    "body",
    [
        {"note": "your account has been suspended"},
        {"data": [{"message": "account suspended"}]},
        42,
        None,
    ],
)
def test_only_the_usual_members_of_an_error_are_read(body: Any) -> None:
    assert classified(403, body) is None


def test_no_more_than_4096_characters_of_an_error_are_looked_at() -> None:
    assert len(error_text({"errors": [{"message": "x" * 5000}] * 50})) <= 4096
