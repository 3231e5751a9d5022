"""The mail: plain text and HTML, headers in which no text from outside can begin another. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from exporter.config import Email
from exporter.incidents.model import Alert
from exporter.notifying import payloads, words
from exporter.notifying.messages import Message

MOST_ALERTS = 200
"""Of each kind in one mail; the title has their number."""
_LONGEST_SUBJECT = 400
_FRAME = "border-left:4px solid {color};margin:0 0 20px;padding:0 0 0 12px"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;font:16px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,\
sans-serif">
<div style="max-width:640px;margin:0 auto">
<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3">{title}</h1>
{alerts}
{end}</div>
</body>
</html>
"""


def letter(message: Message, page: str, settings: Email) -> EmailMessage:
    """Return the mail that says *message*; its id follows from the message's."""
    found = EmailMessage(policy=SMTP)
    sender = sender_of(settings)
    found["Subject"] = subject(message)
    found["From"] = Address("Service Registry", addr_spec=sender)
    found["To"] = ", ".join(settings.to)
    found["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
    domain = sender.rpartition("@")[2]
    found["Message-ID"] = f"<{message.id}@{domain}>"
    # Mail programs show what has a common reference as one conversation.
    found["References"] = f"<{message.dedup_key[:32]}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(text(message, page), cte="quoted-printable")
    found.add_alternative(html(message, page), subtype="html", cte="quoted-printable")
    return found


def sender_of(settings: Email) -> str:
    """Return the address that mail comes from."""
    return settings.from_ or (settings.username if "@" in settings.username else settings.to[0])


def subject(message: Message) -> str:
    """Return the title in one line: a line break would begin another header."""
    line = " ".join(words.title(message).split())
    if message.group.route.name.startswith("escalation"):
        level = words.name_in(message.common_labels.get("escalation", ""))
        line = f"Escalation {level}: {line}"
    printable = "".join(char for char in line if char.isprintable())
    return payloads.shortened(printable, _LONGEST_SUBJECT)


def text(message: Message, page: str) -> str:
    """Return the mail as plain text."""
    parts = [words.title(message)]
    parts += [words.text_of(alert, page) for alert in message.firing[:MOST_ALERTS]]
    parts += [words.text_of(alert, page) for alert in message.resolved[:MOST_ALERTS]]
    if _is_cut(message):
        parts.append(payloads.more_on(page, "..."))
    if link := words.page_of(message.common_labels, page):
        parts.append(f"Status page: {link}")
    return "\n\n".join(parts) + "\n"


def _is_cut(message: Message) -> bool:
    return max(len(message.firing), len(message.resolved)) > MOST_ALERTS


def html(message: Message, page: str) -> str:
    """Return the mail as a page of one column: no picture, no colour of text or ground."""
    blocks = [_block(alert, page) for alert in message.firing[:MOST_ALERTS]]
    blocks += [_block(alert, page) for alert in message.resolved[:MOST_ALERTS]]
    if _is_cut(message):
        blocks.append(f"<p>{escape(payloads.more_on(page, '…'))}</p>")
    end = ""
    if link := words.page_of(message.common_labels, page):
        end = f'<p style="margin:0;font-size:14px"><a href="{escape(link)}">Status page</a></p>\n'
    title = escape(words.title(message))
    return _PAGE.format(title=title, alerts="\n".join(blocks), end=end)


def _block(alert: Alert, page: str) -> str:
    color = payloads.alert_color(alert)
    links = []
    if alert.firing and (address := words.runbook(alert.annotations)):
        links.append(f'<a href="{escape(address)}"><b>What to do</b></a>')
    if address := words.page_at(alert, page):
        link = f'<a href="{escape(address)}">Page</a>'
        links.append(link + words.page_holds(alert, page))
    found = [f'<div style="{_FRAME.format(color=color)}">', _alert(alert)]
    if links:
        found.append(f'<p style="margin:6px 0 0">{" · ".join(links)}</p>')
    return "\n".join((*found, "</div>"))


def _alert(alert: Alert) -> str:
    if alert.firing:
        head = f"<b>{escape(words.severity(alert))}</b> {escape(words.what(alert))}"
        lines = [f'<p style="margin:0">{head}</p>']
        if description := words.description(alert):
            lines.append(f'<p style="margin:6px 0 0">{escape(description)}</p>')
        if found := words.evidence(alert):
            shown = "<br>".join(map(escape, found))
            lines.append(f'<p style="margin:6px 0 0;font-size:14px">{shown}</p>')
    else:
        lines = [f'<p style="margin:0"><b>RESOLVED</b> {words.ended(alert, escape)}</p>']
    about = escape(words.when(alert))
    if service := alert.labels.get("service"):
        about += f"<br>Service {escape(words.name_in(service))}"
    named = (("environment", ""), ("provider", "provider "), ("team", "team "))
    for name, before in named:
        if value := alert.labels.get(name):
            about += f" · {before}{escape(words.name_in(value))}"
    return "\n".join((*lines, f'<p style="margin:6px 0 0;font-size:14px">{about}</p>'))
