"""What is posted: Alertmanager's webhook message, Slack's and PagerDuty's. Pure.

Sources: notify/webhook, template.Data, notify/slack and notify/pagerduty of Alertmanager 0.25; the
values are those of the shipped alertmanager.yml.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from exporter.config import Slack
from exporter.incidents.model import Alert
from exporter.notifying import words
from exporter.notifying.messages import Message
from exporter.secret import Secret

Json = dict[str, Any]
MOST_ALERTS = 1000
"""Of one webhook message; how many more there are is in `truncatedAlerts`."""
_LONGEST_TITLE, _LONGEST_TEXT = 1024, 30_000
_NEVER = "0001-01-01T00:00:00Z"
"""Go's time zero: when an alert ends that fires."""
_COLORS = {"critical": "#d1242f", "high": "#e16f24", "medium": "#d4a72c", "low": "#0969da"}
RESOLVED_COLOR = "#2da44e"
_PAGERDUTY = ("info", "warning", "error", "critical")
_PAGERDUTY_FIELDS = (("component", "service"), ("group", "provider"), ("class", "category"))
_LEVELS = {"critical": 3, "high": 2, "medium": 1}


def webhook(message: Message, page: str) -> Json:
    """Return the message of version 4, field for field as Alertmanager 0.25 writes it."""
    shown = message.alerts[:MOST_ALERTS]
    return {
        "receiver": message.entry,
        "status": message.status,
        "alerts": [_alert(alert, page) for alert in shown],
        "groupLabels": dict(message.group.labels),
        "commonLabels": message.common_labels,
        "commonAnnotations": message.common_annotations,
        "externalURL": page,
        "version": "4",
        "groupKey": message.group.text,
        "truncatedAlerts": len(message.alerts) - len(shown),
    }


def _alert(alert: Alert, page: str) -> Json:
    return {
        "status": "firing" if alert.firing else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": written(alert.starts_at),
        "endsAt": _NEVER if alert.firing or alert.ends_at is None else written(alert.ends_at),
        "generatorURL": words.page_at(alert, page),
        "fingerprint": alert.fingerprint,
    }


def written(at: float) -> str:
    """Return a Unix time as RFC 3339, to the millisecond as Prometheus has it.

    >>> written(1800000000.5), written(0)
    ('2027-01-15T08:00:00.5Z', '1970-01-01T00:00:00Z')
    """
    moment = datetime.fromtimestamp(at, UTC)
    fraction = f".{moment.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def slack(message: Message, page: str, settings: Slack) -> Json:
    """Return the message of an incoming webhook."""
    title = shortened(words.title(message, slack_text), _LONGEST_TITLE)
    attachment = {
        "title": title,
        "text": shortened(_slack_body(message, page), _LONGEST_TEXT),
        "fallback": title,
        "color": color(message),
        "mrkdwn_in": ["fallback", "pretext", "text"],
    }
    if link := words.page_of(message.common_labels, page):
        attachment["title_link"] = link
    found: Json = {"username": "Service Registry", "attachments": [attachment]}
    return found | ({"channel": settings.channel} if settings.channel else {})


def slack_text(text: str) -> str:
    """Return *text* so that Slack reads no command in it, such as <!channel>."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def color(message: Message) -> str:
    if message.status == "resolved":
        return RESOLVED_COLOR
    return _COLORS.get(message.common_labels.get("severity", ""), _COLORS["critical"])


def alert_color(alert: Alert) -> str:
    """Return the colour of one alert in a mail."""
    if not alert.firing:
        return RESOLVED_COLOR
    return _COLORS.get(alert.labels.get("severity", ""), _COLORS["low"])


def _slack_body(message: Message, page: str) -> str:
    def one(alert: Alert) -> str:
        lines = [_slack_alert(alert)]
        address = words.runbook(alert.annotations) if alert.firing else ""
        if address:
            lines.append(f"<{slack_text(address)}|What to do>")
        if link := words.page_at(alert, page):
            lines.append(f"Page: {link}{words.page_holds(alert, page)}")
        return "\n".join(lines)

    more = more_on(page, "…")
    firing = words.listed(message.firing, one, more)
    return (firing + words.listed(message.resolved, one, more)).rstrip("\n")


def more_on(page: str, dots: str) -> str:
    """Return that there are more alerts than a message shows, and where."""
    return f"{dots} and more, see {page}/incidents" if page else f"{dots} and more"


def _slack_alert(alert: Alert) -> str:
    if alert.firing:
        text = f"*{slack_text(words.severity(alert))}* {slack_text(words.what(alert))}"
        if description := words.description(alert):
            text += f"\n{slack_text(description)}"
        text += "".join(f"\n{slack_text(line)}" for line in words.evidence(alert))
    else:
        text = f"*RESOLVED* {words.ended(alert, slack_text)}"
    return f"{text}\n{words.when(alert)}" + labelled(alert, slack_text)


def labelled(alert: Alert, escape: words.Escape) -> str:
    """Return what *alert* is about, each part behind a dot."""
    named = (("service", ""), ("environment", ""), ("provider", "provider "), ("team", "team "))
    found = ((before, alert.labels.get(name)) for name, before in named)
    return "".join(f" · {before}{escape(words.name_in(value))}" for before, value in found if value)


def pagerduty(message: Message, page: str, key: Secret) -> Json:
    """Return an event of the Events API v2. The group's incident is one until all of it is over."""
    labels = message.common_labels
    found: Json = {
        "routing_key": key.reveal(),
        "dedup_key": message.dedup_key,
        "event_action": "trigger" if message.status == "firing" else "resolve",
        "client": "Service Registry",
        "payload": {
            "summary": shortened(words.title(message), _LONGEST_TITLE),
            "source": source_of(message),
            "severity": pagerduty_severity(message),
            **{
                field: words.name_in(labels[name])
                for field, name in _PAGERDUTY_FIELDS
                if labels.get(name)
            },
            "custom_details": {
                "firing": pagerduty_details(message.firing, page),
                "resolved": pagerduty_details(message.resolved, page),
                "num_firing": str(len(message.firing)),
                "num_resolved": str(len(message.resolved)),
                **_request_id(message),
            },
        },
    }
    if link := words.page_of(labels, page):
        found["client_url"] = link
    if address := words.runbook(message.common_annotations):
        found["links"] = [{"href": address, "text": "What to do"}]
    return found


def _request_id(message: Message) -> Json:
    text = message.common_annotations.get("request_id") if message.firing else None
    return {"request_id": words.name_in(text)} if text else {}


def source_of(message: Message) -> str:
    """Return PagerDuty's `source`, which it demands."""
    labels = message.common_labels
    found = (labels.get(name) for name in ("service", "provider", "cluster"))
    return words.name_in(next(filter(None, found), "Service Registry"))


def pagerduty_severity(message: Message) -> str:
    """Return the worst severity in PagerDuty's words."""
    alerts = message.firing or message.resolved
    level = max((_LEVELS.get(a.labels.get("severity", ""), 0) for a in alerts), default=0)
    return _PAGERDUTY[level]


def pagerduty_details(alerts: list[Alert], page: str) -> str:
    text = words.listed(alerts, lambda alert: words.text_of(alert, page), more_on(page, "..."))
    return shortened(text.rstrip("\n"), _LONGEST_TEXT)


def shortened(text: str, most: int) -> str:
    """Return *text* in at most *most* characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
