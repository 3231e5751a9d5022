"""The end of what a service uses, in words: what is gone, what is switched off, who said so when.

Pure; the caller brings the time. Of what a server sent there are the days, and one address, which
is for people to read: it is escaped where it is shown, and nobody follows it. A model's name is
that of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator

from exporter.config import Target, ThresholdKind
from exporter.page.wording import day, span, utc_time
from exporter.results import Radar, Source, Tally, deprecations, ends, gone
from exporter.retirement import API

_BY = {
    Source.PROBE: "an answer",
    Source.CALL: "an answer to a call of ours",
    Source.LIST: "the provider's list",
    Source.MODEL_CHECK: "its own answer",
}


def retirements(target: Target, tally: Tally, now: float) -> Iterator[str]:
    """Yield what has to be known of the end of what *target* uses at the Unix time *now*."""
    radar, used = tally.radar, target.uses
    if radar is None and not used.facts:
        return
    for (model, by), at in gone(radar):
        how = "left the list" if by == "list" else "was answered to be gone"
        yield f"model {model} {how} at {utc_time(at, now)}: retirement, not outage"
    if radar is not None:
        for model, is_there in radar.listed.items():
            if not is_there and model not in radar.left:
                yield f"model {model} is not in the provider's list"
        if (since := radar.version_gone_at) is not None:
            when = utc_time(since, now)
            yield f"answers name another API version than {used.api_version} since {when}"
    ending, soon = dict(ends(radar, used)), _warned_seconds(target)
    for resource, at in ending.items():
        if at - now < soon and not _is_version(radar, resource, at):
            said = _source(target, radar, resource, at, now)
            yield f"{_name(resource)} {_ends(at, now)}{said}{_address(radar, resource)}"
    for resource, _ in deprecations(radar, used):
        if resource not in ending:
            link = _address(radar, resource)
            yield f"{_name(resource)} is deprecated, no answer says when it ends{link}"


def _warned_seconds(target: Target) -> float:
    rows = (row for row in target.thresholds if row.kind is ThresholdKind.SUNSET_REMAINING)
    return max((row.value for row in rows), default=0.0)


def _address(radar: Radar | None, resource: str) -> str:
    """Return where the provider explains it, from the Link of an answer."""
    seen = () if radar is None else radar.of(resource)
    found = next((address for one in seen for _, address in one.notice.links), "")
    return f": see {found}" if found else ""


def _name(resource: str) -> str:
    return "API" if resource == API else f"model {resource}"


def _ends(at: float, now: float) -> str:
    if at <= now:
        return f"was to be switched off on {day(at)}"
    return f"is switched off in {span(at - now)}"


def _is_version(radar: Radar | None, resource: str, at: float) -> bool:
    return radar is not None and resource == API and at == radar.version_gone_at


def _source(target: Target, radar: Radar | None, resource: str, at: float, now: float) -> str:
    """Say where the day is from; of one that was announced elsewhere, how old and how good."""
    if radar is not None:
        for (name, source), seen in radar.seen.items():
            if name == resource and seen.notice.sunset_at == at:
                since = seen.notice.deprecated_at
                wrong = since is not None and since > at
                return f" (by {_BY[source]}{_CONTRADICTION if wrong else ''})"
    fact = target.uses.facts.get(resource)
    if fact is None:
        return ""
    text = f" (announced, read {fact.read_at})"
    if at <= now and radar is not None and radar.listed.get(resource):
        return f"{text}, and is still listed: that day is wrong or was moved"
    return f"{text}; read too long ago to rely on" if now > fact.good_until else text


_CONTRADICTION = ", which deprecates it only later: one of the days is wrong"
