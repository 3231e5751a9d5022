"""A vendor whose streams send our key back in every way: nothing of it shows in any place."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from exporter.log import configure
from tests.api.managed import Client, running
from tests.models.test_api import asked
from tests.probers.test_evidence import SENTINEL, any_trace, encodings
from tests.streams.vendor import stream, text
from tests.vendor import Behaviour, Vendor

DAY = "2030-01-02"
FORMS = encodings(SENTINEL)


def config(vendor: Vendor) -> str:
    check = {"allow_private_addresses": True, "interval": "1h", "retries": 0}
    model = {"protocol": "openai_chat", "price": {"input": 0, "output": 0}, "timeout": "5s"}
    service = {
        "id": "ai",
        "base_url": vendor.url("/v1"),
        "api_key": SENTINEL,
        "health_check": {**check, "endpoint": "/models"},
        "models": [{"id": f"m{number}", **model} for number in range(len(FORMS))],
    }
    return json.dumps({"services": [service]})


def echoing(echo: str, *, fails: bool) -> Behaviour:
    """Return a stream in which *echo* is wherever a vendor chooses the text."""
    line = "".join(c if " " <= c < "\x7f" else "?" for c in echo)
    headers = [
        ("X-Request-Id", line[:200]),
        ("Server", line[:200]),
        ("X-RateLimit-Remaining", "7"),
        ("Sunset", f"{DAY} {line[:200]}"),
        ("Link", f'<https://a.example/{line[:200]}>; rel="sunset"'),
    ]
    named: dict[str, Any] = {**text("OK"), "model": echo, "id": echo}
    end: dict[str, Any] = {
        "choices": [{"delta": {"refusal": echo}, "finish_reason": echo}],
        "usage": {"prompt_tokens": echo, "completion_tokens": 1, "cost": echo},
        "modelStatus": {"retirementTime": echo},
    }
    error = {"error": {"message": echo, "type": echo, "code": echo, "param": echo}}
    comment = f": {line}\n\nevent: {line}\ndata: {json.dumps(echo)}\n\n".encode()
    return stream(
        (0, comment), (0, named), (0, error if fails else end), (0, comment), headers=headers
    )


async def _pages(client: Client, number: int) -> dict[str, str]:
    paths = ["/", "/services/ai", "/api/services/ai", "/api/services/ai/failures", "/metrics"]
    paths.append("/api/services/ai/report?format=json&from=1h")
    found = {path: (await client.ask("GET", path)).text for path in paths}
    accept = {"Accept": "application/openmetrics-text"}
    found["openmetrics"] = (await client.ask("GET", "/metrics", headers=accept)).text
    found["test"] = (await asked(client, f"m{number}")).text
    return found


async def test_nothing_of_a_key_is_in_any_place_that_shows_a_model(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    async with running(config(vendor), data=data) as client:
        configure(level=logging.DEBUG)  # without the keys to strike out
        for number, echo in enumerate(FORMS.values()):
            for fails in (True, False):
                vendor.on("/v1/chat/completions", echoing(echo, fails=fails))
                result = await asked(client, f"m{number}")
                assert result.json["success"] is not fails, result.text
        found = await _pages(client, 0)
        await client.app.persistence.save()
    found["log"] = capsys.readouterr().err
    found["files"] = "\n".join(
        path.read_bytes().decode("latin-1") for path in data.iterdir() if path.is_file()
    )

    for place, shown in found.items():
        assert any_trace(shown) == [], place
    assert "m0" in found["/services/ai"]
    assert "model state changed" in found["log"]
    assert 'service_sunset_timestamp_seconds{service="ai"' in found["/metrics"]
    assert f'model="m{len(FORMS) - 1}"' in found["openmetrics"]
