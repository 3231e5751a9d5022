"""A service with tables of its own: answers, shape and readings, with a preset or without one."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config import Declared, make_target
from exporter.model import Reason
from exporter.probers import Endpoint
from exporter.probers.kinds.http import HttpProber
from tests.config.test_corpus import problems_of
from tests.vendor import Vendor, answer

ANSWERS = [
    {"status": 403, "when": {"json": "$.code", "equals": "quota"}, "reason": "quota_exhausted"},
    {"status": 418, "reason": "maintenance"},
]
READINGS = {
    "limits": [
        {"header": "X-Left", "kind": "remaining", "resource": "jobs"},
        {"header": "X-Most", "kind": "limit", "resource": "jobs"},
        {"header": "X-Again", "kind": "reset", "resource": "jobs"},
    ],
    "gauges": [
        {"name": "queue", "unit": "jobs", "json": "$.queue.length"},
        {"name": "version", "header": "X-Version"},
    ],
    "request_id": ["X-Trace"],
    "server_time": {"X-Took": "ms"},
    "key_expiry": {"json": "$.token.ends"},
}


def endpoint_of(vendor: Vendor, **own: Any) -> Endpoint:
    check = {"allow_private_addresses": True, "retries": 0}
    raw = {"id": "a", "base_url": vendor.url("/"), "health_check": check, **own}
    endpoint = make_target(Declared(raw, "services.yaml", 1), {}).endpoint
    assert endpoint is not None
    return endpoint


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b'{"code": "quota"}', Reason.QUOTA_EXHAUSTED),
        (403, b'{"code": "other"}', Reason.PERMISSION),
        (418, b"", Reason.MAINTENANCE),
    ],
)
async def test_the_answers_of_a_service_mean_what_it_says(
    status: int, body: bytes, reason: Reason, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer(status, body))

    seen = await prober.probe(endpoint_of(vendor, answers=ANSWERS))

    assert seen.reason is reason


async def test_a_rule_of_the_service_goes_before_the_presets(
    vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/models", answer(429, b'{"error": {"code": "insufficient_quota"}}'))
    rule = {"status": 429, "when": {"body": True, "matches": "quota"}, "reason": "maintenance"}
    endpoint = endpoint_of(
        vendor, provider="openai", api_key="sk-proj-AAAAAAAAAAAAAAAAAAAAAAAA", answers=[rule]
    )

    assert (await prober.probe(endpoint)).reason is Reason.MAINTENANCE


async def test_a_page_is_no_answer_of_a_service_that_says_it_speaks_json(
    vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer(200, b"<html>hello</html>", {"content-type": "text/html"}))

    plain = await prober.probe(endpoint_of(vendor))
    json = await prober.probe(endpoint_of(vendor, shape={"content": "json"}))

    assert (plain.reason, json.reason) == (Reason.OK, Reason.BAD_BODY)


async def test_the_readings_of_a_service_are_read(vendor: Vendor, prober: HttpProber) -> None:
    headers = {
        "X-Left": "3",
        "X-Most": "10",
        "X-Again": "60",
        "X-Version": "7",
        "X-Trace": "t-1",
        "X-Took": "250",
    }
    body = b'{"queue": {"length": 12}, "token": {"ends": "2027-08-01T00:00:00Z"}}'
    vendor.on("/", answer(200, body, headers))

    seen = await prober.probe(endpoint_of(vendor, readings=READINGS))

    assert seen.readings == {("queue", "jobs"): 12.0, ("version", ""): 7.0}
    jobs = seen.limits["jobs"]
    assert (jobs.limit, jobs.remaining) == (10.0, 3.0)
    assert jobs.reset == pytest.approx(1_800_000_060, abs=1)
    assert (seen.request_id, seen.provider_seconds) == ("t-1", 0.25)
    assert seen.key_expiry == 1_817_078_400


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("answers: [{status: 403}]", "answers[0]: reason is missing"),
        ("answers: [{status: 403, reason: odd}]", "answers[0].reason: must be one of"),
        (
            "answers: [{status: 403, reason: ok, when: {json: '$['}}]",
            "answers[0].when",
        ),
        ("readings: {gauges: [{name: a}]}", "readings.gauges[0]: needs json or header, one of"),
        ("readings: {gauges: [{name: a, json: '$['}]}", "readings.gauges[0].json"),
        ("readings: {gauges: [{name: 'a b', json: $.a}]}", "readings.gauges[0].name"),
        ("readings: {key_expiry: {format: rfc3339}}", "readings.key_expiry: needs json or header"),
        ("shape: {content: html}", "shape.content: must be one of"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_place(fields: str, problem: str) -> None:
    found = problems_of(f"services: [{{id: a, base_url: 'https://a.example', {fields}}}]")

    assert any(problem in str(line) for line in found), [str(line) for line in found]
