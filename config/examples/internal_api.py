"""Watch an API of your own, and have its critical incidents escalated by rules of your own.

    export BILLING_URL=https://billing.example.com BILLING_TOKEN=…
    export TICKETS_URL=https://tickets.example.com TEAM_CHAT_URL=https://chat.example.com/hooks/…
    python internal_api.py

The check is a POST with a header and a JSON body. The ticket system is a registered service too, so
that it is watched, and the tickets are opened within its rate limit. Ctrl-C ends it.
"""

import asyncio
import contextlib
import os
from typing import Any

import aiohttp

from exporter import ServiceRegistry

CONFIG = {
    "defaults": {
        "health_check": {"allow_private_addresses": "${ALLOW_PRIVATE_ADDRESSES:-false}"},
    },
    "services": [
        {
            "id": "billing",
            "name": "Billing, internal",
            "type": "api",
            "team": "payments",
            "base_url": "${BILLING_URL}",
            "health_check": {
                "method": "POST",
                "endpoint": "/health",
                "headers": {"X-Internal-Token": "${BILLING_TOKEN}"},
                "body": {"deep": True, "parts": ["database", "queue"]},
                "expected_status_codes": [200],
                "assertions": [{"json": "$.status", "equals": "up"}],
                "interval": "${CHECK_INTERVAL:-30s}",
                "timeout": "1s",
            },
            "alerts": {"down_after": 2, "critical_after": 3},
        },
        {
            "id": "tickets",
            "type": "api",
            "base_url": "${TICKETS_URL}",
            "rate_limit": {"requests_per_minute": 30},
            "health_check": {"interval": "5m"},
        },
    ],
}


def is_ours(incident: dict[str, Any]) -> bool:
    """Return whether the payments team has to know at once."""
    return incident["service"] == "billing" and incident["severity"] == "critical"


def rule(registry: ServiceRegistry) -> Any:
    """Return what is done about an incident; it runs at least once, so it may run twice."""

    async def escalate(incident: dict[str, Any]) -> None:
        async with registry.session("tickets") as tickets:
            ticket = {"reference": incident["id"], "title": incident["summary"]}
            async with tickets.post("/issues", json=ticket) as response:
                response.raise_for_status()
        message = {"text": f"payments: {incident['summary']} Ticket {incident['id']} is open."}
        async with (
            aiohttp.ClientSession() as chat,
            chat.post(os.environ["TEAM_CHAT_URL"], json=message) as response,
        ):
            response.raise_for_status()
        print("escalated:", incident["summary"], flush=True)

    return escalate


async def main() -> None:
    async with ServiceRegistry(CONFIG) as registry:
        response = registry.get_incident_response()
        response.add_escalation_rule("payments on call", is_ours, rule(registry))
        print("watching", flush=True)
        await asyncio.Event().wait()  # until Ctrl-C


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
