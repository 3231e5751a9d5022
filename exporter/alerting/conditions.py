"""What is measured of a service: the number that a rule compares or shows. Pure.

None: it cannot fire. Durations are seconds.
"""

from __future__ import annotations

from exporter.alerting.facts import NEW_SECONDS, ServiceFacts
from exporter.model import Verdict
from exporter.results import gone

_WAIT_SECONDS = 300.0
_DAY = 86_400.0


def in_maintenance(facts: ServiceFacts) -> float | None:
    return 1.0 if facts.maintenance else None


def key_refused_for(facts: ServiceFacts) -> float | None:
    if not facts.key_refused or not facts.watched:
        return None
    return facts.tick - facts.memory.valid_at if facts.memory.valid_since else None


def failures(facts: ServiceFacts) -> float | None:
    return facts.failures


def unresolved_for(facts: ServiceFacts) -> float | None:
    return None if facts.acknowledged or not facts.down else facts.unresolved


def changes(facts: ServiceFacts) -> float | None:
    return facts.memory.changes.increase(facts.tick)


def p95(facts: ServiceFacts) -> float | None:
    return facts.p95


def key_left(facts: ServiceFacts) -> float | None:
    expiry = facts.tally.key_expiry
    return None if expiry is None or not facts.watched else expiry - facts.now


def key_missing(facts: ServiceFacts) -> float | None:
    target = facts.target
    return 1.0 if target.key_configured is False and target.enabled else None


def quota_exhausted(facts: ServiceFacts) -> float | None:
    nothing_left = min(facts.tally.quotas.values(), default=1.0) <= 0
    return 1.0 if facts.watched and (facts.quota_used_up or nothing_left) else None


def quota_ends_in(facts: ServiceFacts) -> float | None:
    runways = facts.tally.runways
    if runways is None or not facts.watched:
        return None
    left = min(runways.quotas.values(), default=float("inf")) - facts.now
    return left if 0 < left < _DAY else None


def limited(facts: ServiceFacts) -> float | None:
    return facts.memory.limited.increase(facts.tick)


def asked_to_wait(facts: ServiceFacts) -> float | None:
    """A provider that asks us to wait for long is asked less often: then the wait counts."""
    current = facts.current
    if current is None or facts.verdict is not Verdict.QUOTA or current.retry_at is None:
        return None
    long = current.retry_at - current.at > _WAIT_SECONDS
    return 1.0 if long and current.retry_at > facts.now else None


def headroom(facts: ServiceFacts) -> float | None:
    found = facts.tightest
    return None if found is None or not facts.watched else found[0]


def certificate_left(facts: ServiceFacts) -> float | None:
    found = facts.tally.certificate
    return None if found is None or not facts.watched else found.expiry - facts.now


def certificate_over(facts: ServiceFacts) -> float | None:
    left = certificate_left(facts)
    return left if left is not None and left <= 0 else None


def certificate_fails(facts: ServiceFacts) -> float | None:
    current = facts.current
    if current is None or current.success or facts.verdict is not Verdict.PROVIDER:
        return None
    return certificate_over(facts)


def certificate_ends_in(facts: ServiceFacts) -> float | None:
    left = certificate_left(facts)
    return left if left is not None and left > 0 else None


def sunset_in(facts: ServiceFacts) -> float | None:
    end = facts.first_ends
    return None if end is None or not facts.target.enabled else end[0] - facts.now


def models_gone(facts: ServiceFacts) -> float | None:
    models = {model for (model, _), _ in gone(facts.tally.radar)}
    return float(len(models)) if models and facts.watched else None


def unprobed_for(facts: ServiceFacts) -> float | None:
    """More than any threshold only if it is more than a provider keeps us waiting."""
    age = facts.age
    if age is None or not _is_to_be_probed(facts):
        return None
    return age if age > facts.stale_after else None


def never_probed(facts: ServiceFacts) -> float | None:
    known = facts.tick - facts.memory.enabled_at >= NEW_SECONDS
    return NEW_SECONDS if facts.age is None and known and _is_to_be_probed(facts) else None


def _is_to_be_probed(facts: ServiceFacts) -> bool:
    return facts.target.enabled and facts.target.key_configured is not False
