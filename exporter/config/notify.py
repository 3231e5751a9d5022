"""`notify:`, whom the exporter tells by itself: what an entry may say, and its mistakes.

Pure, but that it looks at no file: a secret in a file is read when a message is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.characters import CONTROL, has_control
from exporter.checks import header_mistake
from exporter.config.merge import listed
from exporter.config.severities import Severity
from exporter.secret import Secret
from exporter.settings import FieldPath, Loaded, OpenText, Problem, PublicText, Url, option
from exporter.settings import url as checked_url

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
"""Events API v2 of PagerDuty's American service region."""
_ADDRESS = rf"^[^\s{CONTROL}<>,;:\"]{{1,64}}@[^\s{CONTROL}<>,;@\"]{{1,255}}$"
_ADDRESS_HINT = "must be a mail address such as on-call@example.com"
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/@]+):([0-9]{1,5})")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
MEDIA = ("webhook", "email", "slack", "pagerduty")
_SECRETS = (
    *(("webhook", "url"), ("slack", "url"), ("pagerduty", "routing_key"), ("email", "password")),
)
_NEEDED = {"webhook": "url", "slack": "url", "pagerduty": "routing_key"}
Found = Iterator[tuple[FieldPath, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that gets Alertmanager's webhook message, version 4."""

    url: Secret | None = option(None, "Where it is sent; write ${NAME} if it holds a token.")
    url_file: str | None = option(None, "File with that address, read at every message.")
    headers: dict[str, Secret] = option(doc="Headers of the request.", factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """An incoming webhook of Slack, or of what speaks its language."""

    url: Secret | None = option(None, "The webhook's address; write ${NAME}.")
    url_file: str | None = option(None, "File with that address, read at every message.")
    channel: OpenText = option(
        "", "Channel; an app's webhook posts to its own one whatever is said here.", maxLength=128
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """A service of PagerDuty, by its Events API v2 integration."""

    routing_key: Secret | None = option(None, "The integration's key; write ${NAME}.")
    routing_key_file: str | None = option(None, "File with that key, read at every message.")
    url: Url = option(
        PAGERDUTY_URL, "Where events go; Europe: https://events.eu.pagerduty.com/v2/enqueue."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """A mailbox, by a mail server."""

    to: tuple[OpenText, ...] = option(doc="Addresses.", minItems=1, maxItems=50)
    from_: OpenText | None = option(
        None,
        "Sender; default username if that is an address, else the first of to.",
        pattern=_ADDRESS,
        hint=_ADDRESS_HINT,
    )
    smtp: OpenText = option(doc="The mail server as HOST:PORT, such as smtp.example.com:587.")
    username: OpenText = option("", "User name at the mail server.", maxLength=256)
    password: Secret | None = option(None, "Its password; write ${NAME}.")
    password_file: str | None = option(None, "File with that password, read at every message.")
    tls: Literal["starttls", "tls", "none"] = option(
        "starttls", "starttls (port 587), tls from the first byte (port 465), or none."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One place that is told; exactly one of webhook, email, slack, pagerduty."""

    name: PublicText | None = option(
        None,
        "Unique name, in metrics and on the page; default the medium's.",
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        hint="must be 1 to 63 of a-z, 0-9 and -, starting with a letter or digit",
    )
    webhook: Webhook | None = option(None, "A webhook.")
    email: Email | None = option(None, "A mailbox.")
    slack: Slack | None = option(None, "A Slack channel.")
    pagerduty: PagerDuty | None = option(None, "A PagerDuty service.")
    severities: tuple[Severity, ...] | None = option(
        None, "Of these severities; default by the medium. [] for none but the escalations."
    )
    environments: tuple[PublicText, ...] | None = option(
        None, "Of these environments; default by the medium.", minItems=1
    )
    teams: tuple[PublicText, ...] | None = option(
        None, "Of services of these teams; default all.", minItems=1
    )
    escalations: tuple[int, ...] | None = option(
        None, "Of these levels of escalation, from 1; default by the medium. [] for none."
    )

    @property
    def medium(self) -> str:
        """Return which of `MEDIA` it is."""
        return next(name for name in MEDIA if getattr(self, name) is not None)

    @property
    def key(self) -> str:
        """Return the name by which it is known: its own, or the medium's."""
        return self.name or self.medium


def notify_problems(
    files: list[Loaded], doubtful: list[Callable[[FieldPath], bool]]
) -> Iterator[Problem]:
    """Yield the mistakes of all entries of *files*: each by itself, and names that are not unique.

    *doubtful* returns for each file whether a finding may only follow from what its schema refused.
    No text holds a value of the file.
    """
    first: dict[str, Problem] = {}
    for file, follows in zip(files, doubtful, strict=True):
        for index, raw in enumerate(entries_of(file.data)):
            if not isinstance(raw, dict):
                continue
            place: FieldPath = ("notify", index)
            for path, what in _mistakes(raw):
                if not follows((*place, *path)):
                    yield file.problem((*place, *path), what)
            media = [name for name in MEDIA if raw.get(name)]
            name = raw.get("name") or (media[0] if media else None)
            if not isinstance(name, str):
                continue
            here = file.problem((*place, "name"), "")
            if (known := first.setdefault(name, here)) is not here:
                what = f"is the same as in {known.place}; give each a name: of its own"
                yield file.problem((*place, "name"), what)


def notify_warnings(file: Loaded) -> Iterator[Problem]:
    """Yield a warning for each secret that is in *file* itself."""
    for index, raw in enumerate(entries_of(file.data)):
        for medium, name in _SECRETS if isinstance(raw, dict) else ():
            place: FieldPath = ("notify", index, medium, name)
            within = raw.get(medium)
            if not isinstance(within, dict) or not within.get(name):
                continue
            if medium != "webhook" and place not in file.document.references:
                what = f"the secret itself is in the file; write ${{NAME}} or use {name}_file"
                yield file.problem(place, what)


def entries_of(data: Any) -> list[Any]:
    """Return the list `notify` of a file's *data*, empty without one."""
    return listed(data, "notify")


def _mistakes(raw: Mapping[str, Any]) -> Found:
    media = [name for name in MEDIA if raw.get(name) is not None]
    if len(media) != 1:
        yield (), f"needs exactly one of {', '.join(MEDIA)}"
    for medium in media:
        within = raw[medium]
        if not isinstance(within, dict):
            continue
        needed = _NEEDED.get(medium)
        both = [name for name in within if name.endswith("_file") and within[name]]
        for name in both:
            if within.get(name.removesuffix("_file")):
                yield (medium, name), f"is given beside {name.removesuffix('_file')}; keep one"
        if needed and not within.get(needed) and not within.get(f"{needed}_file"):
            yield (medium, needed), f"is missing; give {needed} or {needed}_file"
        for path, what in _OF_MEDIUM[medium](within):
            yield (medium, *path), what
    for index, level in enumerate(raw.get("escalations") or ()):
        if isinstance(level, int) and level < 1:
            yield ("escalations", index), "must be a level from 1"


def _webhook_mistakes(raw: Mapping[str, Any]) -> Found:
    yield from _address_mistakes(raw)
    for name, value in (raw.get("headers") or {}).items():
        what = header_mistake(name, str(value))
        if name.lower() in {"content-type", "idempotency-key"}:
            what = "is set by the exporter itself"
        if what:
            yield ("headers", name), what


def _address_mistakes(raw: Mapping[str, Any]) -> Found:
    if (text := raw.get("url")) and not is_address(text):
        yield ("url",), "must be an absolute http:// or https:// URL without user or password"


def is_address(text: str) -> bool:
    """Return whether messages can be posted to *text*."""
    try:
        checked_url(text)
    except ValueError:
        return False
    return True


def _pagerduty_mistakes(raw: Mapping[str, Any]) -> Found:
    key = raw.get("routing_key")
    if isinstance(key, str) and has_control(key):
        yield ("routing_key",), "holds a line break or another control character"


def _email_mistakes(raw: Mapping[str, Any]) -> Found:
    for index, address in enumerate(raw.get("to") or ()):
        if isinstance(address, str) and not re.fullmatch(_ADDRESS.strip("^$"), address):
            yield ("to", index), _ADDRESS_HINT
    server = raw.get("smtp")
    matched = _SERVER.fullmatch(server) if isinstance(server, str) else None
    if isinstance(server, str) and (matched is None or not 0 < int(matched[1]) < 65536):
        yield ("smtp",), "must be HOST:PORT, such as smtp.example.com:587 or [2001:db8::1]:25"
        return
    secret = raw.get("password") or raw.get("password_file")
    if bool(secret) != bool(raw.get("username")):
        yield ("username",), "username and password (or password_file) need each other"
    host = server.rpartition(":")[0].strip("[]") if isinstance(server, str) else ""
    if secret and raw.get("tls") == "none" and host not in _LOOPBACK:
        yield ("tls",), "none would send the password unencrypted; only to this machine may it"
    for name in ("username", "password"):
        if isinstance(raw.get(name), str) and has_control(raw[name]):
            yield (name,), "holds a line break or another control character"


_OF_MEDIUM = {
    "webhook": _webhook_mistakes,
    "slack": _address_mistakes,
    "pagerduty": _pagerduty_mistakes,
    "email": _email_mistakes,
}
