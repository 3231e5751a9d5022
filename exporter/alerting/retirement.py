"""The texts of the alerts about what is switched off, word for word those of its rules."""

from __future__ import annotations

from exporter.alerting.facts import ServiceFacts
from exporter.alerting.words import date, duration, minute


def model_gone(facts: ServiceFacts, value: float, level: str) -> str:
    text = ""
    for at, model, by in facts.last_gone:
        how = "left the provider's list" if by == "list" else "was answered to be gone"
        text += f"{model} {how} at {minute(at)}: retirement, not outage. "
    return (
        f"{text}Models that are gone: {value:.0f}. What asks for one fails until it asks for"
        " another; waiting does not help. An answer may also mean that our key has no access."
    )


def sunset(facts: ServiceFacts, value: float, level: str) -> str:
    at, resources = facts.first_ends or (facts.now + value, ("api",))
    what = ", ".join("The API" if resource == "api" else resource for resource in resources)
    when = f"switched off on {date(at)}, in {duration(value)}"
    if value <= 0:
        when = f"to be switched off on {date(at)}, which is over"
    return f"{what}: {when}. What asks for it has to be moved to its successor."
