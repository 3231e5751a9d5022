"""Alertmanager's two languages, webhook version 4 and API version 2, as alerts. Pure.

Sources: `notify/webhook` and `template.Data` of Alertmanager 0.25 to 0.35 (fields are only ever
added under version "4": `notification_reason` in 0.32); api/v2/openapi.yaml.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from exporter.incidents.model import SEVERITIES, Alert

WATCHDOG = "Watchdog"
MANUAL = "ManualIncident"
NOTIFICATIONS_FAILING = "NotificationsFailing"
RUNBOOK = "https://github.com/tekup/tekup-service-registry/blob/main/prometheus/README.md#"
"""Followed by the name of an alert in small letters: what to do about it."""
MOST_OF_MESSAGE = 10_000
"""Alerts of one webhook message that are read."""
_LONGEST_LABEL, _LONGEST_TEXT, _MOST_LABELS = 256, 4096, 64
_LONGEST_REASON, _LONGEST_ID, _MOST_IDS = 64, 64, 32
_HEX = re.compile("[0-9a-f]{1,32}")
# The words of rules that are not ours: of syslog, X.733, PagerDuty, Opsgenie, Zabbix and the SRE
# books. An unknown word means medium, so that it neither wakes people nor is overlooked.
_WORDS = {
    "critical": "critical crit page fatal emergency emerg panic disaster blocker alert urgent "
    "highest immediate",
    "high": "high error err errors major severe important",
    "medium": "medium med warning warn moderate average minor normal ticket",
    "low": "low info information informational notice debug trivial lowest verylow noncritical "
    "uncritical ok",
    "none": "none",
}
_NEGATIONS = frozenset({"no", "non", "not", "un"})
_LEVELS = ("critical", "critical", "high", "medium", "low", "low")
"""Of p0 to p5 and sev0 to sev5: some count from zero, so that both first ones are the worst."""
_SEVERITY_BY_WORD = {word: name for name, words in _WORDS.items() for word in words.split()} | {
    f"{prefix}{level}": name
    for prefix in ("p", "s", "sev", "severity", "prio", "priority")
    for level, name in enumerate(_LEVELS)
}
# What an alert is about stays the same when its severity, owner or kind is declared anew, and
# whichever engine evaluates it: vmalert adds the name of the rule's group as `alertgroup`.
_NOT_IDENTITY = frozenset(
    {"severity", "escalation", "burn", "team", "category", "cluster", "alertgroup"}
)
_READ_HERE = _NOT_IDENTITY | {
    *("alertname", "service", "environment", "provider", "slo", "model", "incident", "instance"),
    *("summary", "description", "runbook_url"),
}
# An escalation belongs to the incident that it escalates: it opens none of its own.
_PART_OF = {"ServiceUnresolved": "ServiceDown"}


class MessageError(ValueError):
    """A message is not what Alertmanager sends; the text names the mistake and repeats no value."""


def from_webhook(message: Any, on_odd: Callable[[MessageError], None] | None = None) -> list[Alert]:
    """Return the alerts of a webhook message, version 4: the first `MOST_OF_MESSAGE` of them.

    An alert that cannot be read is reported to *on_odd* and left out: Alertmanager does not send a
    refused message again, so the others would be lost.

    Raises:
        MessageError: it is none, or none of its alerts can be read.
    """
    if not isinstance(message, Mapping) or message.get("version") != "4":
        raise MessageError('the message must be an object with version "4"')
    given = message.get("alerts")
    if not isinstance(given, list):
        raise MessageError("alerts must be a list")
    reason = message.get("notification_reason")
    reason = clean(reason[:_LONGEST_REASON]) if isinstance(reason, str) else ""
    alerts, odd = [], []
    for i, alert in enumerate(given[:MOST_OF_MESSAGE]):
        try:
            alerts.append(replace(_from_webhook(alert, f"alerts[{i}]"), reason=reason))
        except MessageError as error:
            odd.append(error)
    if odd and not alerts:
        raise odd[0]
    if on_odd is not None:
        for mistake in odd:
            on_odd(mistake)
    return alerts


def _from_webhook(alert: Any, where: str) -> Alert:
    if not isinstance(alert, Mapping):
        raise MessageError(f"{where} must be an object")
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise MessageError(f"{where}.status must be firing or resolved")
    labels = _labels(alert, where)
    starts = time_of(alert.get("startsAt"), f"{where}.startsAt")
    ends = None
    if status == "resolved":
        ends = max(starts, time_of(alert.get("endsAt"), f"{where}.endsAt"))
    return Alert(
        fingerprint=_fingerprint(alert, labels),
        labels=_bounded(labels),
        annotations=_annotations(alert),
        firing=ends is None,
        starts_at=starts,
        ends_at=ends,
    )


def from_api(alerts: Any) -> list[Alert]:
    """Return the alerts of GET /api/v2/alerts: all that is listed fires.

    Raises:
        MessageError: the answer is something else.
    """
    if not isinstance(alerts, list):
        raise MessageError("the answer must be a list")
    return [_from_api(alert, f"[{i}]") for i, alert in enumerate(alerts)]


def _from_api(alert: Any, where: str) -> Alert:
    if not isinstance(alert, Mapping) or not isinstance(alert.get("status"), Mapping):
        raise MessageError(f"{where} must be an object with a status")
    status = alert["status"]
    labels = _labels(alert, where)
    suppressed = "inhibited" if status.get("inhibitedBy") else ""
    if status.get("silencedBy"):
        suppressed = "silenced"
    receivers = alert.get("receivers", [])
    if not isinstance(receivers, list):
        raise MessageError(f"{where}.receivers must be a list")
    names = [r.get("name") for r in receivers if isinstance(r, Mapping)]
    updated = alert.get("updatedAt")
    return Alert(
        fingerprint=_fingerprint(alert, labels),
        labels=_bounded(labels),
        annotations=_annotations(alert),
        starts_at=time_of(alert.get("startsAt"), f"{where}.startsAt"),
        updated_at=None if updated is None else time_of(updated, f"{where}.updatedAt"),
        suppressed=suppressed,
        receivers=tuple(sorted(clean(n[:_LONGEST_LABEL]) for n in names if isinstance(n, str))),
        held_by=tuple(p for p in _ids(status.get("inhibitedBy")) if _HEX.fullmatch(p)),
        silenced_by=_ids(status.get("silencedBy")),
    )


def _ids(given: Any) -> tuple[str, ...]:
    found = given[:_MOST_IDS] if isinstance(given, list) else ()
    return tuple(
        clean(text) for text in found if isinstance(text, str) and len(text) <= _LONGEST_ID
    )


def made(labels: Any, annotations: Any, starts_at: float, ends_at: float | None = None) -> Alert:
    """Return an alert of a person or of Prometheus, within the bounds of Alertmanager's.

    Raises:
        MessageError: a label or an annotation is not a text.
    """
    labels = _texts(labels, "labels", _LONGEST_LABEL)
    return Alert(
        fingerprint=fingerprint(labels),
        labels=labels,
        firing=ends_at is None,
        annotations=_texts(annotations, "annotations", _LONGEST_TEXT),
        starts_at=starts_at,
        ends_at=ends_at,
    )


def _fingerprint(alert: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    found = alert.get("fingerprint")
    return found if isinstance(found, str) and _HEX.fullmatch(found) else fingerprint(labels)


def _labels(alert: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return all labels of an alert of Alertmanager's.

    Raises:
        MessageError: it has none, so that nothing tells it from others.
    """
    labels = _readable(alert.get("labels"), _LONGEST_LABEL)
    if not labels:
        raise MessageError(f"{where}.labels must be an object with at least one text")
    return labels


def _annotations(alert: Mapping[str, Any]) -> dict[str, str]:
    return _bounded(_readable(alert.get("annotations"), _LONGEST_TEXT))


def _readable(given: Any, longest: int) -> dict[str, str]:
    """Return the texts of *given*: numbers and flags as text, without what has no text."""
    found = {}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(name, str) and isinstance(value, (str, int, float)):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found[clean(name[:_LONGEST_LABEL])] = clean(text[:longest])
    return found


def _bounded(texts: dict[str, str]) -> dict[str, str]:
    """Return at most 64 of *texts*; first those that the log itself reads, then by name."""
    if len(texts) <= _MOST_LABELS:
        return texts
    kept = sorted(texts, key=lambda name: (name not in _READ_HERE, name))[:_MOST_LABELS]
    return {name: text for name, text in texts.items() if name in kept}


def _texts(given: Any, where: str, longest: int) -> dict[str, str]:
    if not isinstance(given, Mapping) or len(given) > _MOST_LABELS:
        raise MessageError(f"{where} must be an object of at most {_MOST_LABELS} texts")
    if not all(isinstance(v, str) and isinstance(k, str) for k, v in given.items()):
        raise MessageError(f"{where} must have texts only")
    return {clean(name[:_LONGEST_LABEL]): clean(text[:longest]) for name, text in given.items()}


def beyond(message: Any) -> int:
    """Return how many alerts of a webhook message are not read because there are too many."""
    given = message.get("alerts") if isinstance(message, Mapping) else None
    return max(0, len(given) - MOST_OF_MESSAGE) if isinstance(given, list) else 0


def receiver_of(message: Any) -> str:
    """Return the receiver that a webhook message was sent to, "" if it does not say."""
    name = message.get("receiver") if isinstance(message, Mapping) else None
    return clean(name[:_LONGEST_LABEL]) if isinstance(name, str) else ""


def clean(text: str) -> str:
    """Return *text* as something that can be written down: half a surrogate pair cannot."""
    return text.encode("utf-8", "replace").decode()


def time_of(given: Any, where: str) -> float:
    """Return the Unix time of a text, not before 1970.

    Raises:
        MessageError: it is not an RFC 3339 time.
    """
    # Go prints RFC 3339 with none to nine digits of a second; 3.11 and later read them all.
    try:
        found = datetime.fromisoformat(given)
        if found.tzinfo is None:
            raise ValueError
        return max(0.0, found.timestamp())
    except (TypeError, ValueError, OverflowError):
        raise MessageError(f"{where} must be an RFC 3339 time") from None


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's own fingerprint of *labels*: FNV-1a over the sorted pairs."""
    digest = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in b"%s\xff%s\xff" % (name.encode(), labels[name].encode()):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def severity_of(labels: Mapping[str, str]) -> str:
    """Return the alert's severity in our words, "none" for one that is only informative.

    Upper and lower case, spaces and punctuation make no difference; of several words the worst
    counts.

    >>> severity_of({"severity": "SEV-1"}), severity_of({"severity": "P3 - High"})
    ('critical', 'high')
    """
    if labels.get("alertname") == WATCHDOG:
        return "none"
    text = unicodedata.normalize("NFKC", labels.get("severity", "")).casefold()
    words = re.findall(r"[^\W_]+", text)
    if (known := _SEVERITY_BY_WORD.get("".join(words))) is not None:
        return known
    found = [name for word in words if (name := _SEVERITY_BY_WORD.get(word)) in SEVERITIES]
    return worst(found) if found and _NEGATIONS.isdisjoint(words) else "medium"


def name_of(labels: Mapping[str, str]) -> str:
    """Return the name of the trouble that an alert belongs to."""
    name = labels.get("alertname", "")
    return _PART_OF.get(name, name)


def key_of(labels: Mapping[str, str]) -> str:
    """Return what alerts of one trouble have in common, whatever their severity.

    Of a service: name, environment, service and objective, and the model where it is about one.
    Without a service (an exporter, a provider) every label that names what the alert is about.
    """
    name = name_of(labels)
    if service := labels.get("service"):
        about: Iterable[str] = (labels.get("environment", ""), service, labels.get("slo", ""))
        if model := labels.get("model"):  # others have no place for it: their stored keys stay
            about = (*about, model)
        if name == MANUAL:
            about = (*about, labels.get("incident", ""))
    else:
        skipped = _NOT_IDENTITY | {"alertname"}
        about = (f"{k}={v}" for k, v in sorted(labels.items()) if k not in skipped and v)
    return "\x1f".join((name, *about))


def worst(severities: Sequence[str]) -> str:
    """Return the worst of *severities*."""
    return min(severities, key=SEVERITIES.index)
