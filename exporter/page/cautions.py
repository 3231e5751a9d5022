"""Warnings of a service: keys, limits, quotas, certificates, and its provider's status page.

Pure; the caller brings the time.
"""

from __future__ import annotations

from collections.abc import Iterator

from exporter.config import Target, ThresholdKind
from exporter.page.retirement import retirements
from exporter.page.wording import span, utc_time
from exporter.results import Tally
from exporter.statuspages import State

_SHORT_RUNWAY_SECONDS = 86400.0
"""A quota that ends within a day is worth a look in working hours."""
_STATUS_PAGE_CAUTIONS = {
    State.DEGRADED: "provider reports a degradation",
    State.PARTIAL_OUTAGE: "provider reports a partial outage",
    State.MAJOR_OUTAGE: "provider reports a major outage",
    State.MAINTENANCE: "provider reports maintenance",
}


def cautions(
    target: Target, tally: Tally, status_page_state: State | None, now: float
) -> tuple[str, ...]:
    """Return the warnings of a service, in a few words each.

    Their order is fixed: key, what is retired, rate limits, quotas, certificate, status page. A
    service that is switched off has none.
    """
    if not target.enabled:
        return ()
    minimum = {row.kind: row.value for row in target.thresholds}
    return (
        *_of_keys(target, tally, now, minimum.get(ThresholdKind.KEY_REMAINING, 0.0)),
        *retirements(target, tally, now),
        *_of_limits(tally, now, minimum.get(ThresholdKind.RATE_LIMIT_REMAINING, 0.0)),
        *_of_certificate(tally, now, minimum.get(ThresholdKind.CERTIFICATE_REMAINING, 0.0)),
        *(
            (_STATUS_PAGE_CAUTIONS[status_page_state],)
            if status_page_state in _STATUS_PAGE_CAUTIONS
            else ()
        ),
    )


def _of_keys(target: Target, tally: Tally, now: float, min_seconds: float) -> Iterator[str]:
    if target.key_configured is False:  # None: the service needs no key
        yield target.unprobed or "no key"
    if tally.key_expiry is not None and tally.key_expiry - now < min_seconds:
        yield _expiry("key", tally.key_expiry - now)
    if tally.next_key_valid is False:  # None: it was not tested
        yield "next key rejected"


def _of_limits(tally: Tally, now: float, min_ratio: float) -> Iterator[str]:
    if tally.retry_at is not None and tally.retry_at > now:
        yield f"asked to wait until {utc_time(tally.retry_at, now)}"
    for resource, limit in tally.limits.items():
        # What was reported before a reset does not hold after it.
        if limit.limit and limit.remaining is not None and (limit.reset or now) >= now:
            ratio = limit.remaining / limit.limit
            if ratio < min_ratio:
                yield f"rate limit {resource}: {ratio:.0%} left"
    for (resource, _), remaining in tally.quotas.items():
        if remaining <= 0:
            yield f"quota {resource}: used up"
    for (resource, _), end in (tally.runways.quotas if tally.runways else {}).items():
        if now < end < now + _SHORT_RUNWAY_SECONDS:
            yield f"quota {resource}: used up in {span(end - now)} at this pace"


def _of_certificate(tally: Tally, now: float, min_seconds: float) -> Iterator[str]:
    certificate = tally.certificate
    if certificate is not None and certificate.expiry - now < min_seconds:
        yield _expiry("certificate", certificate.expiry - now)


def _expiry(subject: str, seconds: float) -> str:
    if seconds > 0:
        return f"{subject} expires in {span(seconds)}"
    return f"{subject} expired {span(-seconds)} ago"
