"""What the words of an error mean, for an API of which nothing else is known."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.matching import NO_JSON
from exporter.model import Reason
from exporter.probers.error_texts import challenge_text, classified, error_text


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
        # Our clock: another key would be refused as well (docs.aws.amazon.com, S3 error responses).
        (403, "RequestTimeTooSkewed", Reason.CLIENT_ERROR),
        (403, "Signature expired: 20240101T000000Z is now earlier than 2024", Reason.CLIENT_ERROR),
        (401, "Request timestamp is too far from server time", Reason.CLIENT_ERROR),
        # What OAuth 2.0 answers with 400 (RFC 6749, 5.2; learn.microsoft.com, AADSTS codes).
        (400, "invalid_client", Reason.AUTH_INVALID),
        (400, "Access has been blocked by Conditional Access policies", Reason.PERMISSION),
        (400, "you must use multi-factor authentication to access it", Reason.PERMISSION),
        (401, "The certificate used to sign the client assertion is expired", Reason.AUTH_EXPIRED),
        (400, "Invalid OAuth access token", Reason.AUTH_INVALID),
        # Codes in one word (developers.google.com/drive/api/guides/handle-errors, AWS, Apigee).
        (403, "quotaExceeded", Reason.QUOTA_EXHAUSTED),
        (400, "keyInvalid", Reason.AUTH_INVALID),
        (403, "User Rate Limit Exceeded. Rate of requests exceed the quota", Reason.RATE_LIMITED),
        (400, "Level of configured provisioned throughput was exceeded", Reason.RATE_LIMITED),
        (403, "monthly_quota_used_up", Reason.QUOTA_EXHAUSTED),
        (403, "<Error><Code>RequestLimitExceeded</Code></Error>", Reason.RATE_LIMITED),
        (401, "You are not subscribed to this service", Reason.PERMISSION),
        (403, "authentication_error", None),
        (400, "Invalid access token, does not contain scopes:[user:read]", Reason.PERMISSION),
        (400, "number of hourly API invocations has been exceeded", Reason.RATE_LIMITED),
        (403, "Active subscription needed.", Reason.QUOTA_EXHAUSTED),
        (403, "Invalid Application-ID or API key", Reason.AUTH_INVALID),
        (400, "INVALID_API_KEYS", Reason.AUTH_INVALID),
        (400, "the API is undergoing planned maintenance", Reason.MAINTENANCE),
        (500, "policies.ratelimit.QuotaViolation", Reason.QUOTA_EXHAUSTED),
        (500, "policies.ratelimit.SpikeArrestViolation", Reason.RATE_LIMITED),
        (401, "Developer Status is not Active", Reason.ACCOUNT_DISABLED),
        (401, "Your account is currently blocked", Reason.ACCOUNT_DISABLED),
        (423, "This shop is unavailable", Reason.ACCOUNT_DISABLED),
        (403, "API key is currently blocked", Reason.AUTH_INVALID),
        (400, "Your organization must be verified to stream this model", Reason.PERMISSION),
        (400, "Application does not have permission for this action", Reason.PERMISSION),
        (404, "This model version has reached the end of its life", Reason.RETIRED),
        (429, "daily request count exceeded, request rate limited", Reason.QUOTA_EXHAUSTED),
        (403, "limit exceeded, try again after 22 minutes", Reason.RATE_LIMITED),
        (418, "Way too many requests; IP banned until 1573199816187", Reason.IP_BLOCKED),
        (403, "To access this, an admin must allow list your IP", Reason.IP_BLOCKED),
        (403, "Access denied. Please check your network settings.", Reason.IP_BLOCKED),
        (403, "The key does not allow requests from your IP address", Reason.IP_BLOCKED),
        # Kinds that vendors' own words name: DeepL, Bedrock, Fireworks, Apigee, Algolia, RapidAPI.
        (456, "Quota exceeded", Reason.QUOTA_EXHAUSTED),
        (412, "Account is suspended for failure to pay past invoices", Reason.ACCOUNT_DISABLED),
        (403, "INVALID_PAYMENT_INSTRUMENT", Reason.QUOTA_EXHAUSTED),
        (403, "The free tier of the model has been exhausted", Reason.QUOTA_EXHAUSTED),
        (429, "Suspended account, check your plan and billing details", Reason.QUOTA_EXHAUSTED),
        (401, "DeveloperStatus is not Active", Reason.ACCOUNT_DISABLED),
        (403, "Your account must be activated before you can use it", Reason.ACCOUNT_DISABLED),
        (402, "Your account has been limited due to billing", Reason.QUOTA_EXHAUSTED),
        (403, "This application is blocked. Contact your administrator", Reason.ACCOUNT_DISABLED),
        (403, "Blocked User. Please contact your API provider.", Reason.ACCOUNT_DISABLED),
        (403, "Key is not active, please renew", Reason.AUTH_INVALID),
        (400, "AADSTS50055: The password is expired.", Reason.AUTH_EXPIRED),
        # FastAPI, Django, Tyk, 3scale, Google and Meta for a key that did not arrive.
        (403, "Not authenticated", Reason.AUTH_INVALID),
        (403, "Could not validate credentials", Reason.AUTH_INVALID),
        (403, "Authentication credentials were not provided.", Reason.AUTH_INVALID),
        (400, "Authorization field missing", Reason.AUTH_INVALID),
        (403, "Authentication parameters missing", Reason.AUTH_INVALID),
        (403, "Method doesn't allow unregistered callers", Reason.AUTH_INVALID),
        (403, "The request is missing a valid API key.", Reason.AUTH_INVALID),
        (400, "An active access token must be used to query it", Reason.AUTH_INVALID),
        (422, "Key format is not valid!", Reason.AUTH_INVALID),
        (403, "This request was blocked by our security service", Reason.IP_BLOCKED),
        # Vendors in China: balance not enough, token expired, token invalid, user banned.
        (429, "余额不足或无可用资源包,请充值。", Reason.QUOTA_EXHAUSTED),
        (403, "用户额度不足", Reason.QUOTA_EXHAUSTED),
        (401, "该令牌已过期", Reason.AUTH_EXPIRED),
        (401, "无效的令牌", Reason.AUTH_INVALID),
        (403, "用户已被封禁", Reason.ACCOUNT_DISABLED),
        (429, "Your account has run out of searches.", Reason.QUOTA_EXHAUSTED),
        (429, "Your API key has no more requests available.", Reason.QUOTA_EXHAUSTED),
        (503, "rateLimitExceeded", Reason.RATE_LIMITED),
        # Words of another trade.
        (503, "The rate limiter cannot be reached", None),
        (400, "The billing details.email is missing", None),
        (400, "You cannot message a blocked user", None),
        (403, "The order status is not active", None),
        (400, "The timestamp of the event is required", None),
        (404, "The certificate was not found", None),
        (400, "endOfLifeDate must be a date", None),
        (403, "unlimited", None),
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


def test_what_a_challenge_says_is_quoted_or_bare() -> None:
    said = challenge_text('Bearer realm="a", error="invalid_token", error_description="It expired"')

    assert said == "invalid_token.;\nIt expired"
    assert challenge_text("Bearer error=invalid_token") == "invalid_token"
    assert challenge_text('Basic realm="error"') == ""


def test_no_more_than_4096_characters_of_an_error_are_looked_at() -> None:
    assert len(error_text({"errors": [{"message": "x" * 5000}] * 50})) <= 4096


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        # developers.dropbox.com, plaid.com/docs/errors, docs.apigee.com
        ({"error_summary": "expired_access_token/."}, Reason.AUTH_EXPIRED),
        ({"error": {".tag": "expired_access_token"}}, Reason.AUTH_EXPIRED),
        ({"error_code": "INVALID_API_KEYS"}, Reason.AUTH_INVALID),
        ({"fault": {"detail": {"errorcode": "access_token_expired"}}}, Reason.AUTH_EXPIRED),
        ({"errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}, Reason.AUTH_INVALID),
    ],
)
def test_members_that_some_vendors_use_are_read(body: Any, reason: Reason) -> None:
    assert classified(401, body) is reason


def test_a_key_that_is_off_is_named_before_the_permission_that_its_code_names() -> None:
    body = {
        "code": "The caller does not have permission to execute the operation",
        "error": "The API key is currently blocked.",
    }

    assert classified(403, body) is Reason.AUTH_INVALID


def test_words_of_two_texts_say_nothing_together() -> None:
    error = {"message": "a prompt of many credentials", "type": "invalid_request_error"}

    assert classified(400, {"error": error}) is None
