"""What will hurt next: keys, quotas, limits, certificates. Pure; the caller brings the time."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.config import Target, ThresholdKind
from exporter.page.wording import span
from exporter.results import Tally
from exporter.statuspages import State

_SAYS = {
    State.DEGRADED: "provider reports a degradation",
    State.PARTIAL_OUTAGE: "provider reports a partial outage",
    State.MAJOR_OUTAGE: "provider reports a major outage",
    State.MAINTENANCE: "provider reports maintenance",
}


def cautions(target: Target, tally: Tally, says: State | None, now: float) -> tuple[str, ...]:
    """Return the warnings of a service in a few words each, the most pressing first."""
    if not target.enabled:
        return ()
    least = {row.kind: row.value for row in target.thresholds}
    return (
        *_of_keys(target, tally, now, least.get(ThresholdKind.KEY_REMAINING, 0.0)),
        *_of_limits(tally, now, least.get(ThresholdKind.RATE_LIMIT_REMAINING, 0.0)),
        *_of_certificate(tally, now, least.get(ThresholdKind.CERTIFICATE_REMAINING, 0.0)),
        *((_SAYS[says],) if says in _SAYS else ()),
    )


def _of_keys(target: Target, tally: Tally, now: float, least: float) -> Iterator[str]:
    if target.key_configured is False:
        yield target.unprobed or "no key"
    if tally.key_expiry is not None and tally.key_expiry - now < least:
        yield _ends("key", tally.key_expiry - now)
    if tally.next_key_valid is False:
        yield "next key rejected"


def _of_limits(tally: Tally, now: float, least: float) -> Iterator[str]:
    for resource, limit in tally.limits.items():
        if limit.limit and limit.remaining is not None and (limit.reset or now) >= now:
            left = limit.remaining / limit.limit
            if left < least:
                yield f"rate limit {resource}: {left:.0%} left"
    for (resource, _), left in tally.quotas.items():
        if left <= 0:
            yield f"quota {resource}: used up"


def _of_certificate(tally: Tally, now: float, least: float) -> Iterator[str]:
    found = tally.certificate
    if found is not None and found.expiry - now < least:
        yield _ends("certificate", found.expiry - now)


def _ends(what: str, left: float) -> str:
    return f"{what} expires in {span(left)}" if left > 0 else f"{what} expired {span(-left)} ago"
