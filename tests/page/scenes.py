"""Sets of services: one with every state and every warning, a large one, one without network."""

from __future__ import annotations

from exporter.model import Certificate, Limit, Reason, Verdict
from exporter.statuspages import State
from tests.page.stage import Stage, service

HOUR = 3600.0
TROUBLE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>"
"""A name that would run a script if it were not escaped."""


async def mixed(stage: Stage) -> None:
    """Twelve services in every state, and an incident in each of its states."""
    objectives = {"availability": "99.9%", "latency": {"threshold": "400ms", "target": "99%"}}
    stage.add(
        service(
            "stripe",
            provider="stripe",
            base_url="https://api.stripe.com",
            team="payments",
            api_key="sk_test_x" * 4,
            name="Stripe payments",
            objectives=objectives,
            metadata={"owner": "pay@example.com", "runbook": "https://runbooks.example.com"},
        ),
        service("openai", provider="openai", api_key="sk-" + "a" * 40, name="OpenAI"),
        service(
            "sendgrid",
            provider="sendgrid",
            api_key="SG." + "b" * 40,
            name="SendGrid",
            objectives=objectives,
        ),
        service("twilio", name="Twilio", type="communication", environment="staging"),
        service("hubspot", provider="hubspot", api_key="c" * 40, name="HubSpot"),
        service("ledger", name="Ledger (internal)", base_url="https://ledger.example.com"),
        service("plausible", name="Plausible", type="analytics"),
        service("anthropic", provider="anthropic", name="Anthropic"),
        service(
            "search",
            name="Search",
            maintenance=[
                {"start": "2027-01-15T07:00:00Z", "end": "2027-01-15T10:00:00Z", "reason": "disks"}
            ],
        ),
        service("maps", name="Maps", enabled=False),
        service("convertkit", name="Kit"),
        service("weather", name="Weather for the very long named department of logistics"),
    )
    for id_ in (
        "openai",
        "sendgrid",
        "twilio",
        "hubspot",
        "ledger",
        "convertkit",
        "weather",
        "stripe",
        "search",
    ):
        stage.had(id_, [(quarter / 4, Reason.OK) for quarter in range(1, 96)])
        for number in range(20):
            stage.saw(id_, ago=(25 - number) * 60, took=0.18 + 0.05 * ((number * 7) % 5))
    stage.had("stripe", [(3.25, Reason.SERVER_ERROR), (3.0, Reason.TIMEOUT)])
    stage.had("twilio", [(quarter / 4, Reason.RATE_LIMITED) for quarter in range(30, 36)])
    for number in range(4):
        stage.saw(
            "stripe",
            Reason.SERVER_ERROR,
            ago=(4 - number) * 60,
            took=1.1,
            status=503,
            detail="not one of the expected statuses",
        )
    stage.saw("openai", Reason.AUTH_INVALID, ago=720, status=401, detail="invalid_api_key")
    stage.saw("plausible", Reason.OK, ago=3 * HOUR)
    stage.results.of("plausible").stale = True
    tally = stage.results.of("sendgrid")
    tally.key_expiry = stage.clock.now() + 6 * 86400
    tally.limits = {"requests": Limit(limit=600, remaining=12, reset=stage.clock.now() + 40)}
    stage.results.of("hubspot").certificate = Certificate(
        expiry=stage.clock.now() + 3.5 * 86400, issuer="C=US, O=Example Trust, CN=R3"
    )
    stage.saw("sendgrid")
    stage.saw("hubspot")
    stage.status_pages["stripe"] = State.MAJOR_OUTAGE
    await incidents(stage)


async def incidents(stage: Stage) -> None:
    """One open, one acknowledged, one resolved."""
    log = stage.incidents
    await log.create(
        severity="critical",
        summary="Stripe payments: provider outage",
        by="ann",
        service="stripe",
        environment="production",
        provider="stripe",
        description="Five probes in a row failed.\nCustomers cannot pay.",
    )
    taken = await log.create(
        severity="high",
        summary="OpenAI: the key is rejected",
        by="ann",
        service="openai",
        environment="production",
    )
    await log.acknowledge(taken.id, "ben", "asking for a new key")
    done = await log.create(severity="low", summary="HubSpot was slow", by="ann")
    await log.note(done.id, "cat", "gone after their deployment")
    await log.resolve(done.id, "cat", "")


def many(stage: Stage, number: int = 1000) -> None:
    """Many services, some of them failing."""
    stage.add(
        *(
            service(
                f"svc-{n:04}",
                name=f"Service {n:04}",
                environment=("production", "staging")[n % 2],
                metadata={"squad": f"squad {n % 40}"},
            )
            for n in range(number)
        )
    )
    for n in range(number):
        for minute in range(3):
            stage.saw(f"svc-{n:04}", ago=180 - 60 * minute, took=0.05 + n % 7 / 50)
    for n in range(0, number, 97):
        stage.saw(f"svc-{n:04}", Reason.TIMEOUT, ago=5, took=10)


async def teams(stage: Stage) -> None:
    """Four teams and two services of none: failures that are alike, and some that are not."""
    stage.add(
        *(
            service(f"pay-{n}", team="payments", provider="stripe", api_key="sk_test_x" * 4)
            for n in range(10)
        ),
        *(service(f"find-{n}", team="search", api_key="k" * 20) for n in range(3)),
        service("mailer", team="growth", provider="sendgrid", api_key="SG." + "b" * 40),
        service("ads", team="growth"),
        service("lake", team="data"),
        service("wiki"),
        service("maps"),
    )
    for target in list(stage.registry):
        if target.id != "lake":
            stage.saw(target.id, ago=3600, took=0.9 if target.id == "wiki" else 0.2)
    for n in range(3):
        stage.saw(f"pay-{n}", Reason.SERVER_ERROR, ago=180 - n, status=503)
    stage.saw("find-0", Reason.TIMEOUT, ago=400, took=10)
    stage.saw("find-1", Reason.AUTH_INVALID, ago=600, status=401)
    stage.saw("mailer", Reason.AUTH_INVALID, ago=300, status=401)


def offline(stage: Stage) -> None:
    """Our own network is down."""
    stage.add(*(service(name) for name in ("alpha", "beta", "gamma")))
    for name in ("alpha", "beta", "gamma"):
        stage.saw(name, ago=120)
        stage.saw(name, Reason.CONNECT, ago=60, verdict=Verdict.NETWORK)
    stage.offline_since = stage.clock.now() - 60
