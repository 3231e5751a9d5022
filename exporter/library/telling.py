"""Whom a program has told of incidents: its webhook and mailbox as entries of `notify:`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from exporter.config import Configuration, Given, Notification
from exporter.library.running import Running
from exporter.registry import ManagementError
from exporter.settings import Problem, SettingsError, dotted

WEBHOOK, EMAIL = "library-webhook", "library-email"
"""Names of the entries, in `service_notifications_total` and on the page."""
_FIELDS = ("webhook_url", "webhook_headers", "email_config")
_NOT_HERE = {
    "alertmanager": "incidents are decided and told by Prometheus and Alertmanager (alertmanager=,"
    " monitoring.incidents): give Alertmanager these receivers",
    "off": "monitoring.incidents is off: nobody is told of any",
}


class Source:
    """The configuration as it is read, and whom the program has told besides."""

    def __init__(self, read: Callable[[], Configuration], variables: Mapping[str, str]) -> None:
        self._read = read
        # Not the variables themselves: whoever looks at this object would see every key.
        self.wanted: Callable[[Mapping[str, Any], str], tuple[Notification, ...]] = (
            lambda given, name: _entries_of(given, name, variables)
        )
        """Returns the entries that arguments mean; see `_entries_of`."""
        self._found = Configuration()
        self.added: tuple[Notification, ...] = ()

    def __call__(self) -> Configuration:
        self._found = self._read()
        return self.complete

    @property
    def complete(self) -> Configuration:
        """Return what was last read, with what was added."""
        return replace(self._found, notify=(*self._found.notify, *self.added))


def tell(running: Running, source: Source, entries: tuple[Notification, ...]) -> None:
    """Have *entries* told of incidents, in place of those added before.

    Raises:
        ManagementError: incidents are not decided here, so that nobody would be told.
    """
    running.enter()
    app = running.app
    if why := _NOT_HERE.get(str(app.response.decider)):
        raise ManagementError(why)
    source.added = entries
    for follow in (app.notifier.follow, app.response.follow):
        follow(source.complete)
    app.redaction.refresh()


def _entries_of(
    given: Mapping[str, Any], source: str, environment: Mapping[str, str]
) -> tuple[Notification, ...]:
    """Return the entries that `webhook_url`, `webhook_headers` and `email_config` in *given* mean.

    Raises:
        SettingsError: with every mistake; `source` is *source*, `where` its place in *given*.
    """
    wanted = _Wanted(given)
    try:
        configuration = Given({"notify": wanted.entries}).read(environment)
    except SettingsError as error:
        wanted.mistakes += [(wanted.place(one.where), one.what) for one in error.problems]
    if wanted.mistakes:
        raise SettingsError(Problem(source, 0, where, what) for where, what in wanted.mistakes)
    return configuration.notify


class _Wanted:
    """What was given in the words of `notify:`, its mistakes, and where it was given."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        allowed = f"unknown field; allowed: {', '.join(_FIELDS)}"
        self.mistakes = [(dotted((name,)), allowed) for name in given if name not in _FIELDS]
        self.entries: list[dict[str, Any]] = []
        self._places: dict[str, str] = {}
        url, headers, email = (given.get(name) for name in _FIELDS)
        if url is not None:
            self._add_webhook(url, headers)
        elif headers:
            self.mistakes.append(("webhook_headers", "is given without webhook_url"))
        if email is not None:
            self._add_email(email)

    def place(self, where: str) -> str:
        """Return what the program calls the place *where* of `notify:`."""
        for ours, theirs in self._places.items():
            if where.startswith(ours):
                return theirs + where.removeprefix(ours)
        return where

    def _add_webhook(self, url: Any, headers: Any) -> None:
        webhook = {"url": url} | ({} if headers is None else {"headers": headers})
        for field in webhook:
            self._places[f"notify[{len(self.entries)}].webhook.{field}"] = f"webhook_{field}"
        self.entries.append({"name": WEBHOOK, "webhook": webhook})

    def _add_email(self, given: Any) -> None:
        if not isinstance(given, Mapping):
            self.mistakes.append(("email_config", "must be a mapping (name: value)"))
            return
        if "recipients" not in given:
            self.mistakes.append(("email_config", "recipients is missing"))
            return
        if "to" in given:
            self.mistakes.append(("email_config.to", "unknown field; did you mean recipients?"))
            return
        email = {("to" if name == "recipients" else name): given[name] for name in given}
        here = f"notify[{len(self.entries)}].email"
        self._places |= {f"{here}.to": "email_config.recipients", here: "email_config"}
        self.entries.append({"name": EMAIL, "email": email})
