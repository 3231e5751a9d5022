"""What Alertmanager shows of its messages: counters, receivers, groups, silences. Pure.

Sources: notify/metrics.go, notify/retry_stage.go, config/config.go and api/v2 of Alertmanager 0.25
to 0.35. The text comes from the network: what cannot be read is left out, and all of it is bounded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from exporter.characters import without_control
from exporter.incidents.alerts import MessageError, clean, time_of
from exporter.settings import duration
from exporter.settings.document import DocumentError, read

LARGEST_CONFIG = 4 * 1024 * 1024
"""Characters of a configuration that is read."""
OUR_PATH = "/api/alertmanager"
"""Where the exporter takes Alertmanager's webhook messages."""
OUR_RECEIVER = "incident-log"
"""The name of its receiver in the shipped configuration."""
_MOST, _LONGEST_NAME, _DEEPEST = 10_000, 256, 32
_SENT, _REFUSED = (
    "alertmanager_notification_requests_total",
    "alertmanager_notification_requests_failed_total",
)
_LINE = re.compile(r"(\w+)\{(.*)\} ([0-9.e+]+)")
_LONGEST_LINE = 2048
_LABEL = re.compile(r'(integration|receiver_name)="((?:[^"\\\n]|\\.)*)"')
_STARTED = re.compile(r"^process_start_time_seconds ([0-9.e+]+)$", re.MULTILINE)
_HASH = re.compile(r"^alertmanager_config_hash ([0-9.e+]+)$", re.MULTILINE)
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Key = tuple[str, str]
"""An integration, and its receiver; "" where the counters do not tell receivers apart."""
Group = tuple[str, str]
"""A group of alerts: its receiver and its labels, as one text."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many messages an integration sent, and how many of its tries failed."""

    sent: float = 0.0
    failed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What one process of Alertmanager counted since it started."""

    tallies: Mapping[Key, Tally]
    by_receiver: bool = False
    """Whether receivers are told apart: `--enable-feature=receiver-name-in-metrics`."""
    started: float = 0.0
    config: str = ""
    """The hash of the configuration in force, "" if it is not served."""

    def of(self, key: Key) -> Tally:
        """Return the tally of *key*; an integration that was never used has no line."""
        return self.tallies.get(key, Tally())

    def has_sent_since(self, former: Counters) -> bool:
        """Return whether any integration sent more than in *former*."""
        return any(tally.sent > former.of(key).sent for key, tally in self.tallies.items())

    def cautious(self, again: Counters) -> Counters:
        """Return these as read once more right after, by the reading with fewer messages sent.

        A try that is counted while the first was written seems to have succeeded: the try is
        counted before its failure.
        """
        if again.started != self.started:
            return again
        return Counters(
            tallies={
                key: Tally(min(tally.sent, self.of(key).sent), tally.failed)
                for key, tally in again.tallies.items()
            },
            by_receiver=again.by_receiver,
            started=again.started,
            config=again.config,
        )


def counters(text: str) -> Counters | None:
    """Return the counters in a page of metrics, None if it has none of them.

    `notifications_total` is counted when a message is begun, and a failure only when Alertmanager
    gives up: their difference grows while every try fails. Tries are counted when they end.
    """
    found: dict[str, dict[Key, float]] = {_SENT: {}, _REFUSED: {}}
    by_receiver = False
    for line in text.split("\n"):
        # Of each line for itself: over the whole page the pattern would take quadratic time.
        counted = line.startswith((_SENT, _REFUSED)) and len(line) <= _LONGEST_LINE
        match = _LINE.fullmatch(line) if counted else None
        if match is None or match[1] not in found:
            continue
        labels = {name: _unescaped(value) for name, value in _LABEL.findall(match[2])}
        by_receiver |= "receiver_name" in labels
        key = (labels.get("integration", ""), labels.get("receiver_name", ""))
        if len(found[match[1]]) < _MOST:
            found[match[1]][key] = found[match[1]].get(key, 0.0) + _number(match[3])
    if not found[_SENT]:
        return None
    started, hashed = _STARTED.search(text), _HASH.search(text)
    refused = found[_REFUSED]
    return Counters(
        tallies={
            key: Tally(max(0.0, tries - refused.get(key, 0.0)), refused.get(key, 0.0))
            for key, tries in found[_SENT].items()
        },
        by_receiver=by_receiver,
        started=_number(started[1]) if started else 0.0,
        config=hashed[1][:32] if hashed else "",
    )


def _number(text: str) -> float:
    try:
        return min(float(text), 1e300)
    except ValueError:
        return 0.0


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda m: _ESCAPES.get(m[0], m[0]), text)[:_LONGEST_NAME]


# -- the configuration -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What a configuration says of its receivers."""

    integrations: Mapping[str, tuple[str, ...]]
    """By receiver, without the webhook to this exporter; empty for one that sends nothing."""
    ours: frozenset[str] = frozenset()
    """Receivers whose webhook is this exporter."""
    hidden: bool = False
    """Whether the address of a webhook is not shown, so that it may be this exporter's."""
    active: frozenset[str] = frozenset()
    """Time intervals outside of which a route is muted; within the others it is."""
    limited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By receiver: the time intervals on its routes."""
    waits: Mapping[str, float] = field(default_factory=dict)
    """By receiver: the shortest group_wait of its routes in seconds."""


def routing(config: Any) -> Routing | None:
    """Return what the configuration in the text *config* says, None if it cannot be read.

    Alertmanager serves it with its secrets replaced. From 0.26 on that includes the addresses of
    webhooks, so that the exporter's own is known by its messages only.
    """
    if not isinstance(config, str) or len(config) > LARGEST_CONFIG:
        return None
    try:
        document = read(config).data
    except (DocumentError, RecursionError):
        return None
    receivers = document.get("receivers") if isinstance(document, Mapping) else None
    if not isinstance(receivers, list):
        return None
    integrations, ours, hidden = dict[str, tuple[str, ...]](), set[str](), False
    for receiver in receivers[:_MOST]:
        if not isinstance(receiver, Mapping) or not isinstance(receiver.get("name"), str):
            continue
        name = _name(receiver["name"])
        kinds = dict(_kinds(receiver))
        hidden |= any(map(_is_hidden, kinds.get("webhook", ())))
        if name == OUR_RECEIVER or any(map(_is_ours, kinds.get("webhook", ()))):
            ours.add(name)
            if name == OUR_RECEIVER or all(map(_is_ours, kinds["webhook"])):
                kinds.pop("webhook", None)
        integrations[name] = tuple(sorted(kinds))
    routes = list(islice(_routes(document.get("route"), _Route()), _MOST))
    limited, waits = defaultdict[str, set[str]](set), dict[str, float]()
    for route in routes:
        limited[route.receiver].update(route.active, route.muted)
        waits[route.receiver] = min(route.wait, waits.get(route.receiver, route.wait))
    return Routing(
        integrations=integrations,
        ours=frozenset(ours),
        hidden=hidden,
        active=frozenset(name for route in routes for name in route.active),
        limited={receiver: tuple(sorted(names)) for receiver, names in limited.items() if names},
        waits=waits,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """What matters here of one route; the defaults are Alertmanager's."""

    receiver: str = ""
    wait: float = 30.0
    active: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()


def _kinds(receiver: Mapping[Any, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name, given in receiver.items():
        if (
            isinstance(name, str)
            and name.endswith("_configs")
            and isinstance(given, list)
            and given
        ):
            yield _name(name.removesuffix("_configs")), given


def _is_ours(webhook: Any) -> bool:
    url = webhook.get("url") if isinstance(webhook, Mapping) else None
    return isinstance(url, str) and url.partition("?")[0].rstrip("/").endswith(OUR_PATH)


def _is_hidden(webhook: Any) -> bool:
    url = webhook.get("url") if isinstance(webhook, Mapping) else None
    return not isinstance(url, str) or "://" not in url


def _routes(given: Any, parent: _Route, depth: int = 0) -> Iterator[_Route]:
    """Yield a route and those below it; they inherit all but the time intervals."""
    if not isinstance(given, Mapping) or depth > _DEEPEST:
        return
    receiver = given.get("receiver")
    try:
        wait = duration(given.get("group_wait", ""))
    except ValueError:
        wait = parent.wait
    route = _Route(
        receiver=_name(receiver) if isinstance(receiver, str) else parent.receiver,
        wait=wait,
        active=names(given.get("active_time_intervals")),
        muted=names(given.get("mute_time_intervals")),
    )
    yield route
    children = given.get("routes")
    for child in children if isinstance(children, list) else ():
        yield from _routes(child, route, depth + 1)


def names(given: Any) -> tuple[str, ...]:
    """Return the texts in a list of names, at most a hundred."""
    found = given if isinstance(given, list) else ()
    return tuple(_name(name) for name in found[:100] if isinstance(name, str) and name)


def _name(text: str) -> str:
    return without_control(clean(text[:_LONGEST_NAME]), "\ufffd")


# -- groups and silences ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Where an alert is grouped for a receiver, and what mutes it there."""

    group: Group
    muted_by: tuple[str, ...] = ()
    says_mutes: bool = False
    """Whether Alertmanager says what mutes: from 0.28 on."""


def groups(answer: Any) -> dict[tuple[str, str], Grouped]:
    """Return the groups of GET /api/v2/alerts/groups, by fingerprint and receiver.

    An alert that several routes send to one receiver is muted if
    all of them are.
    """
    found = dict[tuple[str, str], Grouped]()
    for group in answer if isinstance(answer, list) else ():
        receiver = _name_in(group.get("receiver")) if isinstance(group, Mapping) else None
        if receiver is None or not isinstance(group.get("alerts"), list):
            continue
        labels = group.get("labels")
        given = labels.items() if isinstance(labels, Mapping) else ()
        shown = repr(sorted((_name(str(k)), _name(str(v))) for k, v in given))
        for alert in group["alerts"]:
            if not isinstance(alert, Mapping) or not isinstance(alert.get("fingerprint"), str):
                continue
            status = alert.get("status")
            mutes = status.get("mutedBy") if isinstance(status, Mapping) else None
            muted = names(mutes)
            at = (alert["fingerprint"][:32], receiver)
            if at not in found or not muted:
                says = isinstance(mutes, list)
                found[at] = Grouped(group=(receiver, shown), muted_by=muted, says_mutes=says)
    return found


def _name_in(given: Any) -> str | None:
    name = given.get("name") if isinstance(given, Mapping) else None
    return _name(name) if isinstance(name, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Until when somebody silenced alerts."""

    until: float
    by: str


def silences(answer: Any, wanted: Sequence[str]) -> dict[str, Silence]:
    """Return those of GET /api/v2/silences whose ids are *wanted*."""
    found, ids = dict[str, Silence](), frozenset(wanted)
    for silence in answer if isinstance(answer, list) else ():
        id_ = silence.get("id") if isinstance(silence, Mapping) else None
        if not isinstance(id_, str) or id_ not in ids:
            continue
        by = silence.get("createdBy")
        try:
            until = time_of(silence.get("endsAt"), "endsAt")
        except MessageError:
            continue
        found[id_] = Silence(until=until, by=_name(by) if isinstance(by, str) else "")
    return found
