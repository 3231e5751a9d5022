"""The texts of alerts, word for word those of the templates in prometheus/rules.

Numbers are written as Prometheus' template functions write them (template/template.go of 2.42).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from exporter.alerting.facts import NetworkFacts, OwnFacts, ProviderFacts, ServiceFacts
from exporter.incidents.alerts import RUNBOOK

_MOST_EXCERPT = 100
"""Characters of an answer's body in a message."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALL = ("", "m", "u", "n", "p", "f", "a", "z", "y")


# -- numbers and times -----------------------------------------------------------------------


def runbook_url(alert: str) -> str:
    """Return where it says what to do about *alert*."""
    return RUNBOOK + alert.lower()


def duration(seconds: float) -> str:
    """Return *seconds* as `humanizeDuration` does.

    >>> duration(90061), duration(0.25)
    ('1d 1h 1m 1s', '250ms')
    """
    if 0 < abs(seconds) < 1:
        scale = 0
        while abs(seconds) < 1 and scale < len(_SMALL) - 1:
            seconds, scale = seconds * 1000, scale + 1
        return f"{seconds:.4g}{_SMALL[scale]}s"
    sign, seconds = "-" if seconds < 0 else "", abs(seconds)
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    return f"{sign}{minutes}m {rest}s" if minutes else f"{sign}{seconds:.4g}s"


def percentage(ratio: float) -> str:
    """Return *ratio* as `humanizePercentage` does."""
    return f"{ratio * 100:.4g}%"


def _utc(at: float, form: str) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=math.floor(at * 1e6 + 0.5))
    except OverflowError:
        return "an unknown time"
    # %-d is not known everywhere.
    return moment.strftime(form).replace("{day}", str(moment.day))


def minute(at: float) -> str:
    """Return a Unix time as people say it: 09:05 UTC on 2 January."""
    return _utc(at, "%H:%M UTC on {day} %B")


def second(at: float) -> str:
    """Return a Unix time with its seconds."""
    return _utc(at, "%H:%M:%S UTC on {day} %B")


def date(at: float) -> str:
    """Return a Unix time with its year."""
    return _utc(at, "{day} %B %Y, %H:%M UTC")


# -- pieces ----------------------------------------------------------------------------------


def _named(facts: ServiceFacts) -> str:
    return f"{facts.target.id} ({facts.target.environment})"


def _other_side(facts: ServiceFacts) -> str:
    target = facts.target
    return target.id if target.provider == "custom" else target.provider


def _refuser(facts: ServiceFacts) -> str:
    """Return who refuses, in a sentence that has the service's name already."""
    return "its API" if facts.target.provider == "custom" else facts.target.provider


def _why(facts: ServiceFacts) -> str:
    if facts.failing is None:
        return ""
    since, fault, whose, advice = facts.failing
    return f" Since {minute(since)}: {fault}. At fault: {whose}. Advice: {advice}."


def _last_success(facts: ServiceFacts) -> str:
    at = facts.tally.last_success
    return f" Last success: {minute(at)}." if at else " No success is known."


def fault(facts: ServiceFacts, value: float, level: str) -> str:
    """Return in a few words what is wrong, and whose fault that is."""
    if facts.failing is None:
        return ""
    _, what, whose, _ = facts.failing
    return f"{what}, at fault: {whose}"


def evidence(facts: object) -> dict[str, str]:
    """Return what the last failed answer showed, as further annotations; none without an answer.

    Prometheus' rules have no such text: a message by Alertmanager links to the service's page.
    """
    result = facts.current if isinstance(facts, ServiceFacts) else None
    if result is None or result.success or (kept := result.outcome.evidence) is None:
        return {}
    outcome = result.outcome
    answer = f"HTTP {outcome.status}" if outcome.status else outcome.detail or result.reason
    source = f" from {outcome.address}" if outcome.address else ""
    text = f"{answer}{source} at {second(result.at)}"
    if shown := kept.excerpt[:_MOST_EXCERPT]:
        text += f": {shown}"
    found = {"evidence": text}
    return found | {"request_id": outcome.request_id} if outcome.request_id else found


def _certificate(facts: ServiceFacts) -> str:
    return f"The certificate of {facts.target.host}" if facts.target.host else "The certificate"


def _expiry(facts: ServiceFacts, value: float) -> str:
    found = facts.tally.certificate
    return date(found.expiry if found is not None else facts.now + value)


# -- summaries -------------------------------------------------------------------------------


class Summary:
    """A summary of an alert about a service, made from the text around its name."""

    def __init__(self, before: str, after: str) -> None:
        self._before, self._after = before, after

    def __call__(self, facts: ServiceFacts, value: float, level: str) -> str:
        return f"{self._before}{_named(facts)}{self._after}"


def key_rejected_summary(facts: ServiceFacts, value: float, level: str) -> str:
    return f"The API key of {_named(facts)} is rejected by {_refuser(facts)}."


def rate_limited_summary(facts: ServiceFacts, value: float, level: str) -> str:
    return f"{_named(facts)} is rate limited by {_refuser(facts)}."


# -- descriptions of alerts about a service ---------------------------------------------------


def maintenance(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"The other alerts of {facts.target.id} are held back until the window closes; it is"
        " declared under `maintenance:` in services.yaml."
    )


def key_rejected(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        "At fault: our key or account; the provider itself answers."
        f"{_why(facts)}{_last_success(facts)}"
        " Until it is replaced the service is probed once in five minutes, and every call of ours"
        " with this key fails too."
    )


def down(facts: ServiceFacts, value: float, level: str) -> str:
    text = f"{value:.0f} probes in a row have failed.{_why(facts)}"
    if facts.failing is not None and facts.current is not None and facts.current.outcome.status > 0:
        text += f" Last HTTP status: {facts.current.outcome.status}."
    text += _last_success(facts)
    return f"{text} Its own runbook: {facts.target.runbook}" if facts.target.runbook else text


def unresolved(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"It was first told {duration(value)} ago: escalation level {level} is reached."
        f"{_why(facts)} Acknowledge the incident to stop the escalation."
    )


def flapping(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"{value:.0f} changes in 30 minutes. Users see some of their requests fail although the"
        " service looks up at times."
    )


def slow(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"The 95th percentile of its successful probes is {duration(value)} over ten minutes."
        " At fault: the provider or the way to it; compare the phases of the probe."
    )


def key_expiring(facts: ServiceFacts, value: float, level: str) -> str:
    left = f"{duration(value)} are left." if value > 0 else "It has expired."
    return f"{left} Create a new key with {_other_side(facts)} and rotate it."


def key_missing(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        "The variable or file that its `api_key` names is empty or missing for at least one"
        " exporter. Until it is there the service is probed for reachability only, or not at all."
    )


def quota_exhausted(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"At fault: our account; {_other_side(facts)} answers that nothing is left. Every call of"
        " ours with this key fails until the quota is renewed or paid for."
    )


def quota_runs_out(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"At the pace of the last one to two hours nothing is left in {duration(value)}. Nothing"
        " is refused yet."
    )


def rate_limited(facts: ServiceFacts, value: float, level: str) -> str:
    text = f"{value:.0f} or more probes were answered with a rate limit (429) in 15 minutes."
    retry_at = facts.current.retry_at if facts.current is not None else None
    if retry_at is not None and retry_at > facts.now:
        text += f" It asks us to wait until {minute(retry_at)}, and is not probed before."
    return (
        f"{text} At fault: our traffic; other calls of ours with this key are probably refused too."
    )


def headroom(facts: ServiceFacts, value: float, level: str) -> str:
    which = f" ({facts.tightest[1]})" if facts.tightest is not None else ""
    return (
        f"{percentage(value)} are left of its tightest limit{which}. Calls are refused when it"
        " reaches 0."
    )


def certificate_fails(facts: ServiceFacts, value: float, level: str) -> str:
    return _certificate_expired(facts, value, "Probes fail. At fault:")


def certificate_expired(facts: ServiceFacts, value: float, level: str) -> str:
    return _certificate_expired(facts, value, "At fault:")


def _certificate_expired(facts: ServiceFacts, value: float, then: str) -> str:
    return (
        f"{_certificate(facts)} expired on {_expiry(facts, value)}. {then} {_other_side(facts)},"
        " who has to renew it (or somebody between us and them who breaks TLS open)."
    )


def certificate_expiring(facts: ServiceFacts, value: float, level: str) -> str:
    return (
        f"{_certificate(facts)} expires on {_expiry(facts, value)}, in {duration(value)}."
        f" To be renewed by {_other_side(facts)} (or by somebody between us and them who breaks TLS"
        " open)."
    )


def not_probed(facts: ServiceFacts, value: float, level: str) -> str:
    last = facts.tally.last
    when = f"The last probe began at {second(last.at)}." if last else "It has never been probed."
    return (
        f"{when} At fault: the monitoring. Nobody knows whether the service works, and no other"
        " alert of it can fire."
    )


# -- of alerts about providers, our network and the exporter -----------------------------------


def outage_summary(facts: ProviderFacts, value: float, level: str) -> str:
    return f"{facts.provider} is down in {facts.environment}."


def outage(facts: ProviderFacts, value: float, level: str) -> str:
    return (
        f"All {value:.0f} services of {facts.provider} in {facts.environment} are down. At fault:"
        " the provider; our network, keys and quotas are not the reason."
    )


def reported_summary(facts: ProviderFacts, value: float, level: str) -> str:
    return f"{facts.provider} reports an incident on its status page."


def reported(facts: ProviderFacts, value: float, level: str) -> str:
    states = f"It says: {', '.join(sorted(facts.pages))}." if facts.pages else ""
    return f"{states} Our own probes may still succeed."


def silent_summary(facts: ProviderFacts, value: float, level: str) -> str:
    return f"{facts.provider} is down in {facts.environment}, and its status page is green."


def silent(facts: ProviderFacts, value: float, level: str) -> str:
    return (
        f"Services down by its fault: {value:.0f}. Its status page says that all is well and lists"
        " no incident. Open a ticket, with the times in the incident."
    )


def network_summary(facts: NetworkFacts, value: float, level: str) -> str:
    where = f" in {facts.environment}" if facts.environment else ""
    return f"Our own network fails{where}, not the services."


def network(facts: NetworkFacts, value: float, level: str) -> str:
    if facts.environment:
        text = (
            f"Nearly all providers in {facts.environment} began to fail at once, and no canary is"
            " configured that could tell whose fault it is. Alerts of single services are held back"
            " until each was probed again, a few minutes after the end."
        )
    else:
        text = (
            "No canary of any exporter answers. Alerts of single services are held back until one"
            " does."
        )
    return f"{text} At fault: our network, DNS, proxy or firewall."


class Fixed:
    """A text that is the same for all."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, facts: OwnFacts, value: float, level: str) -> str:
        return self._text


def old_configuration(facts: OwnFacts, value: float, level: str) -> str:
    return (
        f"{facts.instance} keeps what it had. Services, keys and thresholds that were changed since"
        " then are not in force; its log and the answer to the reload say what is wrong and in"
        " which line."
    )


def late(facts: OwnFacts, value: float, level: str) -> str:
    return (
        f"One in a hundred probes of {facts.instance} starts more than {duration(value)} late. At"
        " fault: too little CPU, or a host with many services that does not answer."
    )


def short_summary(facts: OwnFacts, value: float, level: str) -> str:
    return f"An exporter cannot probe as it should: {facts.what}."


def short(facts: OwnFacts, value: float, level: str) -> str:
    return (
        f"{value:.0f} attempts of probes of {facts.instance} were spoiled in ten minutes. At fault:"
        " our machine or its limits; they count for no provider, and nobody knows how those"
        " services are."
    )


def unsaved(facts: OwnFacts, value: float, level: str) -> str:
    return (
        f"{facts.instance} goes on from memory. What is counted, every incident and every key that"
        " is rotated now is lost if it ends."
    )


def damaged(facts: OwnFacts, value: float, level: str) -> str:
    if value:
        what = f"{value:.0f} rows of {facts.instance} could not be read and were passed over."
    else:
        what = f"The file of {facts.instance} is not whole; it goes on."
    return f"{what} At fault: a disk, a copy or a power cut. Its log names table and key of each."


def stalled(facts: OwnFacts, value: float, level: str) -> str:
    return (
        f"{facts.instance} did nothing for more than five seconds (stalls in ten minutes:"
        f" {value:.0f}). At fault: its machine (too little CPU, suspended), or a defect: its log"
        " has the place in the code."
    )
