"""What people read: the words of alertmanager/templates/*.tmpl, made here. Pure.

A test renders those templates with amtool and compares. Where they link to Alertmanager, these link
to the exporter's own page. Only labels named here are shown: an alert may carry others that are not
for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote_plus

from exporter.incidents.model import Alert
from exporter.notifying.messages import Message

MOST_SHOWN = 10
"""Alerts of each kind in a message that is read on a small screen; the title has their number."""
_ADDRESS = re.compile(
    r"https?://[^\t\n\f\r <>|\"'\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]{1,500}"
)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""They turn the direction of what follows."""
_BREAKS = re.compile("[ \x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]+")
_LONGEST_NAME, _LONGEST_LINE, _LONGEST_LINES = 100, 200, 800
_LONGEST_IN_ADDRESS = 200
_PAGE_HOLDS = " (failed requests with ids and answers, a report for the vendor)"
"""Bytes of a service's name in the address of its page."""
_RANKS = {"critical": 4, "high": 3, "medium": 2, "low": 1}
_WORST = ("ALERT", "LOW", "MEDIUM", "HIGH", "CRITICAL")
_LAST_SECOND = 253402300799.0  # 9999-12-31 23:59:59 UTC
Escape = Callable[[str], str]


def plain(text: str) -> str:
    return text


def name_in(text: str) -> str:
    """Return a name from outside in one line, without control characters, bounded."""
    return _one_line(text, _LONGEST_NAME)


def line_in(text: str) -> str:
    """Return a sentence from outside in one line, without control characters, bounded."""
    return _one_line(text, _LONGEST_LINE)


def lines_in(text: str) -> str:
    """Return a text from outside in lines as they are, without control characters, bounded."""
    return cut(_CONTROLS.sub(" ", _TURNING.sub("\ufffd", text)), _LONGEST_LINES)


def _one_line(text: str, most: int) -> str:
    return cut(_BREAKS.sub(" ", _TURNING.sub("\ufffd", text)), most)


def cut(text: str, most: int) -> str:
    """Return the first *most* characters of *text*, and a sign where there are more."""
    return f"{text[:most]}…" if len(text) > most else text


def title(message: Message, escape: Escape = plain) -> str:
    """Return one line: how bad, what and why; or that it is over. Each value goes by *escape*."""
    if message.status == "resolved":
        return f"RESOLVED: {_ended(message, escape)}"
    labels, notes = message.common_labels, message.common_annotations
    what = notes.get("summary") or labels.get("alertname") or ""
    if fault := notes.get("fault"):
        text = f"{escape(line_in(what.removesuffix('.')))}: {escape(line_in(fault))}"
    else:
        text = escape(line_in(what or "several problems"))
    if len(message.alerts) > 1:
        about = [labels.get("service") or labels.get("provider"), labels.get("environment")]
        more = "".join(f", {escape(name_in(one))}" for one in about if one)
        text += f" ({len(message.alerts)} alerts{more})"
    return f"{worst(message.firing)}: {text}"


def worst(alerts: Iterable[Alert]) -> str:
    """Return the worst severity of *alerts* in capitals."""
    return _WORST[max((_RANKS.get(a.labels.get("severity", ""), 0) for a in alerts), default=0)]


def _ended(message: Message, escape: Escape) -> str:
    labels, notes = message.common_labels, message.common_annotations
    name, summary = labels.get("alertname"), notes.get("summary")
    if name == "ManualIncident" and summary:
        text = f'"{escape(line_in(summary))}" is over'
    else:
        text = f"{escape(name_in(name))} is over" if name else "several problems are over"
    if len(message.alerts) > 1:
        text += f" ({len(message.alerts)} alerts)"
    else:
        text += "".join(f", it lasted {lasted(alert)}" for alert in message.alerts)
    return _about(labels, escape) + text


def _about(labels: Mapping[str, str], escape: Escape) -> str:
    subject = labels.get("service") or labels.get("provider")
    if not subject:
        return ""
    subject, where = escape(name_in(subject)), labels.get("environment")
    return f"{subject} ({escape(name_in(where))}): " if where else f"{subject}: "


def ended(alert: Alert, escape: Escape = plain) -> str:
    """Return that one alert is over."""
    name, summary = alert.labels.get("alertname"), alert.annotations.get("summary")
    manual = name == "ManualIncident" and summary
    said = f'"{escape(line_in(summary or ""))}"'
    what = said if manual else escape(name_in(name or "the alert"))
    return f"{_about(alert.labels, escape)}{what} is over, it lasted {lasted(alert)}"


def lasted(alert: Alert) -> str:
    """Return how long *alert* fired: to the minute, or to the second under one minute.

    >>> lasted(Alert(fingerprint="", labels={}, starts_at=0.0, ends_at=3900.0))
    '1h5m'
    """
    seconds = max(0.0, (alert.ends_at or alert.starts_at) - alert.starts_at)
    if seconds < 60:
        rounded = int(seconds + 0.5)
        return "1m0s" if rounded == 60 else f"{rounded}s"
    hours, minutes = divmod(int(seconds / 60 + 0.5), 60)
    if not hours:
        return f"{minutes}m"
    return f"{hours}h{minutes}m" if minutes else f"{hours}h"


def when(alert: Alert) -> str:
    """Return since when *alert* fires, or from when to when it did."""
    start = _utc(alert.starts_at)
    if alert.firing:
        return f"Alert since {start:%a} {start.day} {start:%b %Y %H:%M:%S} UTC"
    end = _utc(alert.ends_at or alert.starts_at)
    return (
        f"From {start:%a} {start.day} {start:%b %H:%M:%S}"
        f" to {end:%a} {end.day} {end:%b %H:%M:%S} UTC"
    )


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0.0), _LAST_SECOND), UTC)


def upper(text: str) -> str:
    """Return *text* in capitals, letter by letter as Go does: none becomes two."""
    return "".join(up if len(up := char.upper()) == 1 else char for char in text)


def severity(alert: Alert) -> str:
    return name_in(upper(alert.labels.get("severity") or "alert"))


def what(alert: Alert) -> str:
    return line_in(alert.annotations.get("summary") or alert.labels.get("alertname") or "")


def description(alert: Alert) -> str:
    return lines_in(alert.annotations.get("description") or "")


def runbook(notes: Mapping[str, str]) -> str:
    """Return the runbook's address, "" if it is none: no script, no markup."""
    text = notes.get("runbook_url") or ""
    return text if _ADDRESS.fullmatch(text) else ""


def evidence(alert: Alert) -> list[str]:
    """Return what the last failed answer showed, as lines: one of it, and one with its request id.

    Only an alert that this exporter judges itself has them.
    """
    if not alert.firing:
        return []
    named = (("Last answer", line_in, "evidence"), ("Request id", name_in, "request_id"))
    notes = alert.annotations
    return [f"{title}: {clean(text)}" for title, clean, name in named if (text := notes.get(name))]


def page_of(labels: Mapping[str, str], page: str) -> str:
    """Return the address of what *labels* are about on the status page at *page*; "" without."""
    if not page:
        return ""
    service = labels.get("service", "").encode(errors="replace")
    if 0 < len(service) < _LONGEST_IN_ADDRESS:
        return f"{page}/services/{quote_plus(service)}"
    return f"{page}/incidents"


def page_at(alert: Alert, page: str) -> str:
    """Return the address of what *alert* is about: of a service that fails at its failure then."""
    address = page_of(alert.labels, page)
    return (
        f"{address}?until={int(alert.starts_at)}#failures" if page_holds(alert, page) else address
    )


def page_holds(alert: Alert, page: str) -> str:
    """Return what is to be found there, in brackets; "" where that is no failure."""
    named = page_of(alert.labels, page).startswith(f"{page}/services/")
    has_failures = alert.annotations.get("fault") and not alert.labels.get("model")
    return _PAGE_HOLDS if page and named and has_failures else ""


def text_of(alert: Alert, page: str) -> str:
    """Return one alert as plain text: mail and PagerDuty."""
    if alert.firing:
        lines = [f"{severity(alert)}: {what(alert)}"]
        lines += [text for text in (description(alert),) if text]
    else:
        lines = [f"RESOLVED: {ended(alert)}"]
    lines += evidence(alert)
    lines.append(when(alert))
    for name in ("service", "environment", "provider", "team"):
        if value := alert.labels.get(name):
            lines.append(f"{name.capitalize()}: {name_in(value)}")
    if alert.firing and (address := runbook(alert.annotations)):
        lines.append(f"What to do: {address}")
    if address := page_at(alert, page):
        lines.append(f"Page: {address}{page_holds(alert, page)}")
    return "\n".join(lines)


def listed(alerts: Sequence[Alert], one: Callable[[Alert], str], more: str) -> str:
    """Return the first ten of *alerts*, each by *one* and an empty line; then *more*."""
    texts = [f"{one(alert)}\n\n" for alert in alerts[:MOST_SHOWN]]
    return "".join(texts) + (f"{more}\n" if len(alerts) > MOST_SHOWN else "")
