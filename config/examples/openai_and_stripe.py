"""Watch OpenAI and Stripe: a dashboard on port 3001, messages to a webhook and to a mailbox.

    export OPENAI_API_KEY=… STRIPE_API_KEY=…
    export INCIDENT_WEBHOOK_URL=… SMTP_SERVER=smtp.example.com:587 ON_CALL_EMAIL=ann@example.com
    python openai_and_stripe.py

Without INCIDENT_WEBHOOK_URL or SMTP_SERVER nobody is told that way. Ctrl-C ends it.
"""

import asyncio
import contextlib
import os

from exporter import ServiceRegistry

CONFIG = {
    "monitoring": {
        "enabled": True,
        "dashboard_enabled": True,
        "metrics_retention_days": 30,
        "health_check_defaults": {
            "timeout": "10s",
            "allow_private_addresses": "${ALLOW_PRIVATE_ADDRESSES:-false}",
        },
    },
    "services": [
        {
            "id": "openai",
            "provider": "openai",
            "environment": "production",
            "api_key": "${OPENAI_API_KEY}",
            "base_url": "${OPENAI_BASE_URL:-https://api.openai.com/v1}",
            "rate_limit": {"requests_per_minute": 60, "requests_per_hour": 1000},
            "retry_policy": {"max_retries": 3, "base_delay": "1s", "backoff_multiplier": 2},
            "health_check": {"endpoint": "/models", "interval": "30s"},
        },
        {
            "id": "stripe",
            "provider": "stripe",
            "environment": "production",
            "api_key": "${STRIPE_API_KEY}",
            "base_url": "${STRIPE_BASE_URL:-https://api.stripe.com/v1}",
            "health_check": {"endpoint": "/account", "interval": "60s"},
        },
    ],
}


def incident_config() -> dict[str, object]:
    """Return who is told of incidents: what is set up in the environment."""
    found: dict[str, object] = {"webhook_url": os.environ.get("INCIDENT_WEBHOOK_URL")}
    if server := os.environ.get("SMTP_SERVER"):
        found["email_config"] = {
            "recipients": [os.environ["ON_CALL_EMAIL"]],
            "smtp": server,
            "tls": os.environ.get("SMTP_TLS", "starttls"),
        }
    return found


async def main() -> None:
    port = int(os.environ.get("DASHBOARD_PORT", "3001"))
    registry = ServiceRegistry(CONFIG)
    try:
        await registry.start_all_monitoring(port, incident_config())
        print("dashboard:", registry.dashboard_url, flush=True)
        await asyncio.Event().wait()  # until Ctrl-C
    finally:
        await registry.stop()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
