"""Answers that vendors document or people report, each with the reasons that are right for it.

The file is a list of examples of kinds: an edge's page is never the provider's word, a 403 is no
success, codes go where vendors' own lists lack them. Every case says its source.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from exporter.config import Declared, make_target
from exporter.model import Outcome, Reason
from exporter.probers import Endpoint
from exporter.probers.kinds.http import HttpProber
from exporter.providers import presets
from tests.documents import yaml_of
from tests.fakes import KEY, FakeClock
from tests.vendor import Vendor, answer

CASES: list[dict[str, Any]] = yaml_of(
    (Path(__file__).parents[1] / "truth.yaml").read_text(encoding="utf-8")
)


def endpoint_of(provider: str, base_url: str) -> Endpoint:
    """Return the check with a key of a provider's preset, or of an API nobody knows."""
    raw: dict[str, Any] = {
        "id": "a",
        "provider": provider,
        "base_url": base_url,
        "health_check": {"allow_private_addresses": True, "retries": 0},
    }
    environment: dict[str, str] = {}
    if (preset := presets().get(provider)) is not None:
        environment = {name: f"TEST_{name}" for name in preset.variables}
        environment |= {preset.key_variables[0]: KEY}
    else:
        raw |= {"api_key": KEY}
    endpoint = make_target(Declared(raw, "services.yaml", 1), environment).endpoint
    assert endpoint is not None
    return endpoint


async def probed(case: dict[str, Any], vendor: Vendor, prober: HttpProber) -> Outcome:
    """Return the outcome of a probe that is answered as *case* says."""
    endpoint = endpoint_of(case["provider"], vendor.url(""))
    body = case.get("body", "")
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {name: str(value) for name, value in case["headers"].items()}
    vendor.on(urlsplit(endpoint.url).path or "/", answer(case["status"], text.encode(), headers))
    return await prober.probe(endpoint)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_an_answer_leads_to_a_right_reason(
    case: dict[str, Any], vendor: Vendor, prober: HttpProber, clock: FakeClock
) -> None:
    expected = case["expect"]

    seen = await probed(case, vendor, prober)

    assert seen.reason in {Reason(name) for name in expected["reason"]}, (seen.detail, case["why"])
    assert seen.success == (seen.reason in {Reason.OK, Reason.KEY_OK_LIMITED})
    for resource, wanted in expected.get("limits", {}).items():
        limit = seen.limits[resource]
        assert limit.limit == wanted["limit"]
        assert limit.remaining == wanted["remaining"]
        if "reset_at" in wanted:
            assert limit.reset == pytest.approx(wanted["reset_at"], abs=2)
        if "reset_in" in wanted:
            assert limit.reset == pytest.approx(clock.now() + wanted["reset_in"], abs=5)
    if "retry_in" in expected:
        assert seen.retry_after == pytest.approx(expected["retry_in"])
    if expected.get("no_negative_limits"):
        values = [n for limit in seen.limits.values() for n in (limit.limit, limit.remaining)]
        assert all(value is None or value >= 0 for value in values)
    if "key_expiry" in expected:
        assert seen.key_expiry == expected["key_expiry"]
