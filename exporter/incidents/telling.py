"""Who was told of an incident, in one sentence. Pure; the caller brings the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from exporter.incidents.model import Entry, EntryKind, Incident, Told, ToldState

_MEDIA = {
    "discord": "Discord",
    "email": "mail",
    "incidentio": "incident.io",
    "jira": "Jira",
    "mattermost": "Mattermost",
    "msteams": "Teams",
    "msteamsv2": "Teams",
    "opsgenie": "Opsgenie",
    "pagerduty": "PagerDuty",
    "pushover": "Pushover",
    "rocketchat": "Rocket.Chat",
    "slack": "Slack",
    "sns": "SNS",
    "telegram": "Telegram",
    "victorops": "VictorOps",
    "webex": "Webex",
    "wechat": "WeChat",
}
_UNTIL = {
    "ExporterAbsent": "the exporter is back",
    "ExporterDown": "the exporter is back",
    "MonitoringNetworkDown": "our network is back",
    "ProviderOutage": "the provider is back",
    "ServiceCertificateExpired": "the certificate is renewed",
    "ServiceDown": "the service is back",
    "ServiceKeyRejected": "the key works",
    "ServiceMaintenance": "the maintenance is over",
    "ServiceQuotaExhausted": "there is quota again",
}
_TELLING = (
    (ToldState.DELIVERED, EntryKind.NOTIFIED),
    (ToldState.FAILING, EntryKind.FAILING),
)
_NO_RECEIVER = "nobody: it is sent to no receiver that reaches somebody"
_NO_NOTIFY = (
    "nobody: no `notify` is set that takes it; add one to the configuration, then try"
    " `service-registry notify test`"
)
_SENT = (EntryKind.POSTED, EntryKind.NOTIFIED)
_LAST_SECOND = 253402300799.0  # 9999-12-31 23:59:59 UTC


def medium(integration: str) -> str:
    """Return an integration of Alertmanager in a word for people."""
    return _MEDIA.get(integration, integration or "not known")


def told_sentence(incident: Incident, now: float) -> str:
    """Return who was told of *incident*, or why nobody was."""
    found = incident.told
    by_state = {state: [one for one in found if one.state is state] for state in ToldState}
    over = incident.resolved_at is not None
    failing, unknown = by_state[ToldState.FAILING], by_state[ToldState.UNKNOWN]
    if delivered := by_state[ToldState.DELIVERED]:
        text = "told: " + _delivered(delivered, now)
        return f"{text}; {_failing(failing, now, over)}" if failing else text
    if failing:
        return f"nobody: {_failing(failing, now, over)}"
    if pending := by_state[ToldState.PENDING]:
        where = _receivers(pending)
        text = f"nobody, as far as is known: it ended before {where} was told"
        return text if over else f"nobody yet: it has not been sent to {where}{_but(unknown)}"
    if suppressed := by_state[ToldState.SUPPRESSED]:
        return f"{'nobody' if over else 'nobody yet'}: {_held(incident, suppressed, now, over)}"
    if interval := next((one.by for one in unknown if one.by), ""):
        return f"not known: the time interval {_spaced(interval)} may mute it"
    if unknown:
        return f"not known: Alertmanager does not say whether {_receivers(unknown)} was told"
    if incident.judged:
        # Alertmanager has a receiver for every alert, if only one that reaches nobody.
        return _NO_RECEIVER if incident.receivers else _NO_NOTIFY
    if incident.manual and not any(entry.kind in _SENT for entry in incident.timeline):
        return "nobody: it was created by hand"
    return "not known"


def news(before: Incident | None, after: Incident, at: float) -> list[Entry]:
    """Return an entry for each receiver that was told, or cannot be, since *before*."""
    known = {(t.key, t.state) for t in before.told} if before is not None else set()
    entries = []
    for state, kind in _TELLING:
        news: dict[str, list[Told]] = {}
        for told in after.told:
            if told.state is state and (told.key, state) not in known:
                news.setdefault(told.receiver, []).append(told)
        for receiver, found in news.items():
            since = min(told.at or at for told in found)
            note = ", ".join(medium(told.integration) for told in found)
            entries.append(Entry(at=since, kind=kind, by=receiver, note=note))
    return entries


def _delivered(told: Sequence[Told], now: float) -> str:
    by_receiver: dict[str, list[Told]] = {}
    for one in told:
        by_receiver.setdefault(one.receiver, []).append(one)
    return "; ".join(
        f"{_named(receiver, ones)} at {_utc(min(one.at or now for one in ones), now)}"
        for receiver, ones in by_receiver.items()
    )


def _failing(told: Sequence[Told], now: float, over: bool) -> str:
    if over:
        return f"{_media(told)} failed"
    since = min(one.at or now for one in told)
    fails = "fails" if len({medium(one.integration) for one in told}) == 1 else "fail"
    return f"{_media(told)} {fails} since {_utc(since, now)}"


def _held(incident: Incident, told: Sequence[Told], now: float, over: bool) -> str:
    """Return what holds it back: what ends last of all silences, or the first cause."""
    silenced = [one for one in told if one.why == "silenced"]
    if silenced:
        last = max(silenced, key=lambda one: one.until or 0.0)
        until = f" until {_utc(last.until, now)}" if last.until and not over else ""
        return f"silenced{until}{f' by {last.by}' if last.by else ''}"
    inhibited = [one for one in told if one.why == "inhibited"]
    # What holds back the highest severity too is why nobody is told.
    causes = [one for one in inhibited if one.by != incident.alertname] or inhibited
    one = next(iter(causes), told[0])
    if one.why == "inhibited":
        if one.by == incident.alertname:
            return "held back by a higher severity of the same alert"
        until = f" until {_UNTIL[one.by]}" if one.by in _UNTIL and not over else ""
        return f"held back by {one.by or 'another alert'}{until}"
    interval = _spaced(one.by)
    if one.why == "outside":
        return f"muted outside {interval}" if over else f"muted until {interval}"
    return f"muted by the time interval {interval}"


def _spaced(interval: str) -> str:
    return interval.replace("-", " ").replace("_", " ")


def _but(unknown: Sequence[Told]) -> str:
    return f"; of {_receivers(unknown)} it is not known" if unknown else ""


def _receivers(told: Sequence[Told]) -> str:
    by_receiver: dict[str, list[Told]] = {}
    for one in told:
        by_receiver.setdefault(one.receiver, []).append(one)
    return " or ".join(_named(receiver, ones) for receiver, ones in by_receiver.items())


def _named(receiver: str, told: Sequence[Told]) -> str:
    """Return *receiver* with its media; once, where it has no name but that of its medium."""
    media = _media(told)
    return media if {one.integration for one in told} == {receiver} else f"{receiver} ({media})"


def _media(told: Iterable[Told]) -> str:
    return ", ".join(dict.fromkeys(medium(one.integration) for one in told))


def _utc(at: float, now: float) -> str:
    moment = datetime.fromtimestamp(min(max(at, 0.0), _LAST_SECOND), UTC)
    today = datetime.fromtimestamp(min(max(now, 0.0), _LAST_SECOND), UTC)
    if moment.date() == today.date():
        return moment.strftime("%H:%M UTC")
    return moment.strftime(
        "%-d %b %H:%M UTC" if moment.year == today.year else "%-d %b %Y %H:%M UTC"
    )
