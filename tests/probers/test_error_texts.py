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
        # Money first: the account comes back when somebody pays.
        (403, "The billing account of the project is disabled", Reason.QUOTA_EXHAUSTED),
        (401, "Your subscription has expired", Reason.QUOTA_EXHAUSTED),
        (429, "Access was terminated due to violation of our policies", Reason.ACCOUNT_DISABLED),
        (403, "Please activate your Mailgun account", Reason.ACCOUNT_DISABLED),
        (403, "AccountSuspended", Reason.ACCOUNT_DISABLED),
        (401, "USER_DISABLED", Reason.ACCOUNT_DISABLED),
        (400, "Organization has been restricted.", Reason.ACCOUNT_DISABLED),
        (429, "Your account is suspended due to insufficient balance", Reason.QUOTA_EXHAUSTED),
        (403, "Your team doesn't have any credits yet", Reason.QUOTA_EXHAUSTED),
        (401, "insufficient_scope", Reason.PERMISSION),
        (403, "SignatureDoesNotMatch", Reason.AUTH_INVALID),
        (403, "VPN or proxy detected", Reason.IP_BLOCKED),
        (498, "Flex tier capacity exceeded", Reason.OVERLOADED),
        (400, "Rate exceeded", Reason.RATE_LIMITED),
        (429, "Limit: 3 / min. Add a payment method", Reason.RATE_LIMITED),
        (403, "Not enough credits", Reason.QUOTA_EXHAUSTED),
        (401, "You have a failed or incomplete payment.", Reason.QUOTA_EXHAUSTED),
        (429, "Weekly limit reached", Reason.QUOTA_EXHAUSTED),
        (400, "Your account is under validation", Reason.ACCOUNT_DISABLED),
        (401, "We detected an unrecognised IP address 192.0.2.1", Reason.IP_BLOCKED),
        (403, "Your IP address was added to our deny list", Reason.IP_BLOCKED),
        (403, "REQUEST_LIMIT_EXCEEDED", Reason.RATE_LIMITED),
        (401, "jwt expired", Reason.AUTH_EXPIRED),
        (401, "ExpiredAuthenticationToken", Reason.AUTH_EXPIRED),
        (401, "credentials_expired", Reason.AUTH_EXPIRED),
        (401, "Full authentication is required to access this resource", Reason.AUTH_INVALID),
        (401, "Two-factor authentication is required", Reason.PERMISSION),
        (400, "The payment token has expired", None),
        (401, "Signature has expired", Reason.AUTH_EXPIRED),
        (401, "Your address: IP not on the allowlist", Reason.IP_BLOCKED),
        (401, "Access denied due to missing subscription key", Reason.AUTH_INVALID),
        (401, "The access token is required", Reason.AUTH_INVALID),
        # A minute's limit, whatever it says of plans, accounts and quotas.
        (429, "Rate limit of your plan: 60 requests per minute. Upgrade", Reason.RATE_LIMITED),
        (429, "Quota exceeded for 'Read requests per minute per user'", Reason.RATE_LIMITED),
        (429, "Limit: 10000 tokens per min. Upgrade your plan", Reason.RATE_LIMITED),
        (403, "Developer Over Qps", Reason.RATE_LIMITED),
        (429, "1000 calls per minute or per month exceeded: monthly quota", Reason.QUOTA_EXHAUSTED),
        # Words of another trade.
        (422, "User not found", None),
        (400, "Invalid token '}' at position 5 in JSON", None),
        (400, "Unexpected token < in JSON at position 0", None),
        (400, "Invalid key: 'foo' in request body", None),
        (400, "The page token is invalid", None),
        (400, "The pagination token has expired", None),
        (400, "Invalid device token", None),
        (400, "prompt is too long: 9000 tokens are not valid", None),
        (400, "Field 'location' is not supported", None),
        (400, "no billing address given", None),
        (400, "Too many requests in batch: maximum 50", None),
        (503, "user service closed connection", None),
        (409, "user is already disabled", None),
        (403, "User may not view locked documents", None),
        (403, "the project members may not see closed tickets", None),
        (422, "invalid token count", None),
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


def test_words_of_two_texts_say_nothing_together() -> None:
    error = {"message": "a prompt of many credentials", "type": "invalid_request_error"}

    assert classified(400, {"error": error}) is None
