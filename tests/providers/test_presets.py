"""Every preset against what its vendor answers: real requests to a scripted server."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from exporter.checks import Assertion
from exporter.config import Declared, Target, make_target
from exporter.matching import json_of, path_mistake, pattern_mistake
from exporter.model import Reason
from exporter.probers import Answer, Endpoint
from exporter.probers.judging import judge
from exporter.probers.kinds.http import HttpProber
from exporter.probers.urls import normalized
from exporter.providers import Preset, presets
from exporter.secret import expand
from tests.documents import yaml_of
from tests.fakes import KEY
from tests.vendor import Seen, Vendor, answer

ANSWERS: dict[str, list[dict[str, Any]]] = yaml_of(
    (Path(__file__).parents[1] / "vendor_answers.yaml").read_text(encoding="utf-8")
)
TRUTH: list[dict[str, Any]] = yaml_of(
    (Path(__file__).parents[1] / "truth.yaml").read_text(encoding="utf-8")
)
CASES = [(name, number) for name, cases in ANSWERS.items() for number in range(len(cases))]
NAMES = sorted(presets())


def case_name(value: Any) -> str:
    return str(value)


def environment_of(preset: Preset, *, keyless: bool) -> dict[str, str]:
    """Return the key and every variable, or nothing at all."""
    if keyless:
        return {}
    further = {name: f"TEST_{name}" for name in preset.variables}
    return further | {preset.key_variables[0]: KEY}


def target_of(name: str, base_url: str | None, *, keyless: bool) -> Target:
    raw: dict[str, Any] = {"id": name, "provider": name}
    if base_url is not None:
        raw |= {"base_url": base_url, "health_check": {"allow_private_addresses": True}}
    environment = environment_of(presets()[name], keyless=keyless)
    return make_target(Declared(raw, "services.yaml", 1), environment)


def endpoint_of(name: str, base_url: str | None, *, keyless: bool) -> Endpoint:
    target = target_of(name, base_url, keyless=keyless)
    assert target.endpoint is not None, target.unprobed
    assert target.endpoint.keyed is (presets()[name].auth.checked and not keyless)
    return target.endpoint


def is_keyless(case: dict[str, Any]) -> bool:
    return str(case["case"]).startswith("keyless")


def body_of(case: dict[str, Any]) -> bytes:
    body = case.get("body", "")
    return (body if isinstance(body, str) else json.dumps(body)).encode()


@pytest.mark.parametrize(("name", "number"), CASES, ids=case_name)
async def test_an_answer_of_the_vendor_leads_to_its_reason(
    name: str, number: int, vendor: Vendor, prober: HttpProber
) -> None:
    case = ANSWERS[name][number]
    endpoint = endpoint_of(name, vendor.url(""), keyless=is_keyless(case))
    headers = {header: str(value) for header, value in case.get("headers", {}).items()}
    vendor.on(urlsplit(endpoint.url).path, answer(case["status"], body_of(case), headers))

    seen = await prober.probe(endpoint)

    assert (seen.reason, seen.status) == (Reason(case["reason"]), case["status"]), seen.detail
    assert vendor.seen[0].method == endpoint.method
    if "limits" in case:
        kinds = ("limit", "remaining")
        read = {
            resource: {k: getattr(limit, k) for k in kinds if getattr(limit, k) is not None}
            for resource, limit in seen.limits.items()
        }
        assert read == case["limits"]


def holds_the_key(preset: Preset, seen: Seen) -> bool:
    """Return whether the request carries the key where the preset says."""
    auth = preset.auth
    if auth.kind == "query":
        return f"{auth.name}={quote(KEY, safe='')}" in seen.query.split("&")
    if auth.kind == "basic":
        user = expand(auth.username or "", environment_of(preset, keyless=False))
        pair = base64.b64encode(f"{user}:{KEY}".encode()).decode()
        return seen.header("authorization") == f"Basic {pair}"
    return seen.header(auth.header) == auth.prefix + KEY


@pytest.mark.parametrize("name", NAMES)
async def test_the_key_is_where_the_preset_says_and_nowhere_else(
    name: str, vendor: Vendor, prober: HttpProber
) -> None:
    preset = presets()[name]
    target = target_of(name, vendor.url(""), keyless=False)
    quota = [target.quota.endpoint] if target.quota else []

    for endpoint in (target.endpoint, *quota):
        assert endpoint is not None
        await prober.probe(endpoint)

    assert len(vendor.seen) == 1 + len(quota)
    for seen in vendor.seen:
        assert holds_the_key(preset, seen)
        assert seen.raw.count(KEY.encode()) == (0 if preset.auth.kind == "basic" else 1)
        assert seen.target.count(KEY) == (1 if preset.auth.kind == "query" else 0)
        for header, value in preset.headers.items():
            assert seen.header(header) == value
        for header, text in preset.optional_headers.items():
            assert seen.header(header) == text.replace("${", "TEST_").removesuffix("}")


@pytest.mark.parametrize("name", NAMES)
async def test_without_a_key_nothing_of_a_key_or_an_account_is_sent(
    name: str, vendor: Vendor, prober: HttpProber
) -> None:
    preset = presets()[name]

    await prober.probe(endpoint_of(name, vendor.url(""), keyless=True))

    (seen,) = vendor.seen
    assert seen.header("authorization") is None
    assert seen.header(preset.auth.header) is None
    assert f"{preset.auth.name}=" not in seen.query
    assert not [header for header in preset.optional_headers if seen.header(header)]
    assert not seen.holds("TEST_")
    assert not seen.holds("${")


@pytest.mark.parametrize("keyless", [False, True], ids=["key", "keyless"])
@pytest.mark.parametrize("name", NAMES)
def test_unless_told_otherwise_the_vendor_itself_is_asked(name: str, keyless: bool) -> None:
    preset = presets()[name]
    environment = environment_of(preset, keyless=False)
    if keyless:
        environment.pop(preset.key_variables[0])

    endpoint = make_target(
        Declared({"id": name, "provider": name}, "services.yaml", 1), environment
    ).endpoint

    assert endpoint is not None
    assert endpoint.keyed is (preset.auth.checked and not keyless)
    assert endpoint.url.startswith(normalized(expand(preset.base_url, environment)))
    assert "${" not in endpoint.url
    assert not endpoint.allow_private


def test_every_preset_has_answers_and_every_answer_a_preset() -> None:
    assert sorted(ANSWERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_tried_with_a_good_answer_and_without_a_key(name: str) -> None:
    good = [case for case in ANSWERS[name] if case["case"] == "good"]
    keyless = [case for case in ANSWERS[name] if is_keyless(case)]

    assert [case["reason"] for case in good] == ["ok"]
    assert {case["reason"] for case in keyless} == {"ok"}


RULES = [(name, number) for name in NAMES for number in range(len(presets()[name].answers))]


@pytest.mark.parametrize(("name", "number"), RULES, ids=case_name)
def test_every_rule_is_hit_by_some_answer(name: str, number: int) -> None:
    expect = endpoint_of(name, None, keyless=False).expect
    rules = list(expect.rules)
    rules[number] = replace(rules[number], reason=Reason.INTERNAL)
    marked = replace(expect, rules=tuple(rules))

    reported = [case for case in TRUTH if case["provider"] == name]
    bare = {"case": "no word in it", "status": rules[number].status, "body": {}}
    bare["headers"] = {"retry-after": "1"}
    hits = [
        case
        for case in (*ANSWERS[name], *reported, bare)
        if judge(_given(case), marked, lambda case=case: json_of(body_of(case)))[0]
        is Reason.INTERNAL
    ]

    assert hits


def _given(case: dict[str, Any]) -> Answer:
    headers = {header.lower(): str(value) for header, value in case.get("headers", {}).items()}
    return Answer(status=case["status"], body=body_of(case), headers=headers)


def assertions_of(preset: Preset) -> list[Assertion]:
    checks = [preset.health, preset.reachability, preset.quota.check if preset.quota else None]
    checked = [assertion for check in checks if check for assertion in check.assertions]
    return checked + [rule.when for rule in preset.answers if rule.when]


def paths_of(preset: Preset) -> list[str | None]:
    gauges = preset.gauges + (preset.quota.gauges if preset.quota else ())
    retry = preset.rate_limits.retry_after if preset.rate_limits else ()
    fields = [*retry, *([preset.key_expiry] if preset.key_expiry else [])]
    return [
        *(assertion.json for assertion in assertions_of(preset)),
        *(path for gauge in gauges for path in (gauge.json, gauge.minus)),
        *(field.json for field in fields),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_address_in_a_preset_is_https(name: str) -> None:
    preset = presets()[name]
    page = preset.status_page
    pages = [page.url, *([page.endpoint] if page.endpoint else [])] if page else []

    for url in (*preset.docs, preset.base_url, *preset.regions.values(), *pages):
        # A program of one's own listens on this machine without TLS until somebody moves it.
        here = preset.self_hosted and preset.local and url == preset.base_url
        assert url.startswith("http://localhost:" if here else "https://")
        assert "@" not in url
        assert "#" not in url
    assert not preset.base_url.endswith("/")


@pytest.mark.parametrize("name", NAMES)
def test_every_pattern_and_path_in_a_preset_compiles(name: str) -> None:
    preset = presets()[name]
    assertions = assertions_of(preset)
    patterns = [text for a in assertions for text in (a.matches, a.not_matches)]
    if preset.status_page:
        patterns.append(preset.status_page.component_filter)

    mistakes = [pattern_mistake(text) for text in patterns if text is not None]
    mistakes += [path_mistake(text) for text in paths_of(preset) if text is not None]

    assert [mistake for mistake in mistakes if mistake] == []
    for text in (preset.key.pattern, *(lint.pattern for lint in preset.key.lint)):
        re.compile(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_asks_no_more_often_than_it_says_one_may(name: str) -> None:
    intervals = presets()[name].intervals

    assert 0 < intervals.minimum <= intervals.health
    assert intervals.reachability is None or intervals.reachability > 0


@pytest.mark.parametrize("name", NAMES)
def test_header_names_that_are_read_are_written_in_lower_case(name: str) -> None:
    preset = presets()[name]
    limits = preset.rate_limits
    read = [
        *(limit.header for limit in (limits.headers if limits else ())),
        *(field.header for field in (limits.retry_after if limits else ()) if field.header),
        *([preset.key_expiry.header] if preset.key_expiry and preset.key_expiry.header else []),
        *preset.request_id,
        *preset.server_time,
    ]

    assert [header for header in read if header != header.lower()] == []
    assert set(preset.server_time.values()) <= {"s", "ms"}


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_names_its_key_and_every_variable_it_uses(name: str) -> None:
    preset = presets()[name]
    check = preset.reachability
    texts = [
        preset.base_url,
        preset.health.endpoint,
        preset.auth.username or "",
        check.endpoint if check else "",
        *preset.optional_headers.values(),
    ]

    used = {found for text in texts for found in re.findall(r"\$\{([A-Z0-9_]+)", text)}

    assert preset.key_variables
    assert used <= set(preset.variables)


@pytest.mark.parametrize("name", ["ollama", "transformers-serve"])
async def test_a_key_that_nobody_checks_is_sent_and_never_called_valid(
    name: str, vendor: Vendor, prober: HttpProber
) -> None:
    endpoint = endpoint_of(name, vendor.url(""), keyless=False)
    good = next(case for case in ANSWERS[name] if case["case"] == "good")
    vendor.on(urlsplit(endpoint.url).path, answer(200, body_of(good)))

    seen = await prober.probe(endpoint)

    assert vendor.seen[0].header("Authorization") == f"Bearer {KEY}"
    assert (seen.reason, seen.keyed) == (Reason.OK, False)
