"""What the API advises after a failure: by the verdict that was reached, and no page that is not.

`client.app.recording.probe` is where the scheduler hands in what a probe saw.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.model import Outcome, Reason, Result, Verdict
from tests.api.managed import Client, declared, running

PAGE = {"url": "https://127.0.0.1:1", "adapter": "statuspage"}


def services(*, page: bool) -> str:
    more: dict[str, Any] = {"status_page": PAGE} if page else {}
    return json.dumps({"services": [declared("a", "https://a.example", **more)]})


def saw(client: Client, reason: Reason, verdict: Verdict) -> None:
    at = client.app.clock.now()
    outcome = Outcome(reason=reason, duration=0.1)
    result = Result(service="a", at=at, outcome=outcome, verdict=verdict)
    client.app.recording.probe(client.app.registry.get("a"), result)


async def told(client: Client) -> list[tuple[str, str]]:
    """Return verdict and advice of the last failure, wherever the API shows it."""
    service = "/api/services/a"
    rows = [
        (await client.ask("GET", f"{service}/results")).json["results"][-1],
        (await client.ask("GET", f"{service}/failures")).json["failures"][0],
        (await client.ask("GET", service)).json["failures"][-1],
    ]
    return [(row["verdict"], row["advice"]) for row in rows]


@pytest.mark.parametrize(
    ("page", "advice"),
    [(True, "see its status page; use the fallback"), (False, "use the fallback")],
    ids=["page", "none"],
)
async def test_a_status_page_is_named_only_where_one_is_known(page: bool, advice: str) -> None:
    async with running(services(page=page)) as client:
        saw(client, Reason.SERVER_ERROR, Verdict.PROVIDER)

        assert await told(client) == [("provider", advice)] * 3


async def test_a_failure_while_our_network_was_down_is_nowhere_the_provider_s() -> None:
    async with running(services(page=True)) as client:
        saw(client, Reason.TIMEOUT, Verdict.NETWORK)

        found = await told(client)

    assert [verdict for verdict, _ in found] == ["network"] * 3
    assert all(advice.startswith("our own network is down") for _, advice in found)


async def test_of_a_success_there_is_nothing_to_do() -> None:
    async with running(services(page=True)) as client:
        saw(client, Reason.OK, Verdict.OK)

        (row,) = (await client.ask("GET", "/api/services/a/results")).json["results"]

    assert (row["success"], row["verdict"], row["advice"]) == (True, "ok", "")
