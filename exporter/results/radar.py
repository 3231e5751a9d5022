"""What is known of the end of what a service uses: announcements, and models that left the list.

Pure: the caller brings the time. Most services have no such thing, and no `Radar`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from exporter.config import Target, Used
from exporter.model import Result
from exporter.retirement import API, EARLIEST, LATEST, Notice, Retirement

CALL_SECONDS = 7 * 86_400.0
"""An announcement in the answer to a user's call holds so long: the next call may be another's."""
MOST_NOTICES = 256


class Source(StrEnum):
    """Which answer announced an end."""

    PROBE = "probe"
    CALL = "call"
    LIST = "list"
    MODEL_CHECK = "model_check"


@dataclass(frozen=True, slots=True)
class Seen:
    """An announcement, and from when to when answers had it; Unix times."""

    notice: Notice
    first: float
    last: float


class Radar:
    """The announcements about one service, and which of its models are in the provider's list."""

    __slots__ = ("_were_listed", "left", "listed", "refused", "seen", "version_gone_at")

    def __init__(self) -> None:
        self.seen: dict[tuple[str, Source], Seen] = {}
        self.listed: Mapping[str, bool] = {}
        """By model; one of which nothing is known now is left out."""
        self.left: dict[str, float] = {}
        """When a model was first missing in a list that had had it; a Unix time."""
        self.refused: dict[str, float] = {}
        """When a model's own answer was first that there is no such model; a Unix time."""
        self._were_listed: set[str] = set()
        self.version_gone_at: float | None = None
        """When an answer first named another API version than the one that is used."""

    def take(
        self, found: Retirement | None, source: Source, at: float, *, about: str = API
    ) -> bool:
        """Take in what an answer of *source* says at the Unix time *at*; return if that is new.

        What the same kind of answer announced before of *about*, or of a model that is in the list
        now, is withdrawn if it is not said again; but for users' calls, which are not all to the
        same address.
        """
        before = (self.listed, self.left.copy(), self.version_gone_at, self._notices())
        notices = found.notices if found is not None else {}
        judged = {about, *((found.listed if found is not None else None) or ())} - notices.keys()
        for key, seen in tuple(self.seen.items()):
            if key[1] is Source.CALL:
                is_over = at - seen.last > CALL_SECONDS
            else:
                is_over = key[1] is source and key[0] in judged
            if is_over:
                del self.seen[key]
        for resource, notice in notices.items():
            known = self.seen.get((resource, source))
            if known is None and len(self.seen) >= MOST_NOTICES:
                continue
            self.seen[resource, source] = Seen(notice, known.first if known else at, at)
        if found is not None and found.listed is not None:
            self._compare(found.listed, at)
        if found is not None and found.is_version_served is not None:
            gone_at = self.version_gone_at or at
            self.version_gone_at = None if found.is_version_served else gone_at
        return before != (self.listed, self.left, self.version_gone_at, self._notices())

    def note_answer(self, model: str, at: float, *, is_gone: bool) -> None:
        """Note what *model* itself answered: that it is gone, or anything else."""
        if is_gone:
            self.refused.setdefault(model, at)
        else:
            self.refused.pop(model, None)

    def lose_list(self) -> None:
        """Note that the list could not be fetched: nothing is known of it now."""
        self.listed = {}

    def _notices(self) -> dict[tuple[str, Source], Notice]:
        return {key: seen.notice for key, seen in self.seen.items()}

    def _compare(self, listed: Mapping[str, bool], at: float) -> None:
        for model, is_there in listed.items():
            if is_there:
                self._were_listed.add(model)
                self.left.pop(model, None)
            elif model in self._were_listed:
                self.left.setdefault(model, at)
        self.listed = listed

    def forget_others(self, used: Used) -> None:
        """Forget what is about models that are no longer used.

        And that a model is not in the list which never was and is only asked for answers: checks
        may name an alias or a deployment.
        """
        kept = set(used.resources)
        self.seen = {key: seen for key, seen in self.seen.items() if key[0] in kept}
        self.left = {model: at for model, at in self.left.items() if model in kept}
        self.refused = {model: at for model, at in self.refused.items() if model in kept}
        self.listed = {
            model: there
            for model, there in self.listed.items()
            if model in kept and (there or model in used.named or model in self.left)
        }
        self._were_listed &= kept
        if not used.api_version:
            self.version_gone_at = None

    def of(self, resource: str) -> Iterator[Seen]:
        """Yield the announcements about *resource*."""
        return (seen for (name, _), seen in self.seen.items() if name == resource)

    def dump(self) -> dict[str, Any]:
        """Return as JSON what has to continue after a restart: the days, no text of a server."""
        return {
            "seen": [
                [name, source, n.deprecated, n.deprecated_at, n.sunset_at, seen.first, seen.last]
                for (name, source), seen in self.seen.items()
                for n in (seen.notice,)
            ],
            "were_listed": sorted(self._were_listed),
            "left": self.left,
            "refused": self.refused,
            "version_gone_at": self.version_gone_at,
        }

    @classmethod
    def restored(cls, state: Any) -> Radar | None:
        """Return the one of *state*, a `dump`; what is damaged in it is passed over."""
        if not isinstance(state, Mapping):
            return None
        made = cls()
        for row in _list(state.get("seen"))[:MOST_NOTICES]:
            match row:
                case [str(name), str(source), bool(is_deprecated), since, end, first, last] if (
                    source in _SOURCES and _at(first) and _at(last)
                ):
                    notice = Notice(
                        deprecated=is_deprecated,
                        deprecated_at=since if _at(since) else None,
                        sunset_at=end if _at(end) else None,
                    )
                    made.seen[name, Source(source)] = Seen(notice, first, last)
        made._were_listed = {m for m in _list(state.get("were_listed")) if isinstance(m, str)}
        made.left, made.refused = _times(state.get("left")), _times(state.get("refused"))
        gone_at = state.get("version_gone_at")
        made.version_gone_at = gone_at if _at(gone_at) else None
        return made


_SOURCES = frozenset(Source)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _times(value: Any) -> dict[str, float]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {model: at for model, at in pairs if _at(at)}


def _at(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and EARLIEST <= value <= LATEST


def after_probe(radar: Radar | None, result: Result, target: Target) -> Radar:
    """Return *radar*, a new one if there is none, with what a probe of *target* saw."""
    radar, outcome = radar or Radar(), result.outcome
    found = outcome.retirement
    if outcome.success:
        radar.take(found, Source.PROBE, result.at)
    elif found is not None:  # an error may announce an end, but withdraws nothing by silence
        radar.take(replace(found, listed=None), Source.PROBE, result.at, about="")
    endpoint = target.endpoint
    lists = endpoint is not None and endpoint.readings.radar.listing is not None
    if lists and (found is None or not found.listed):
        radar.lose_list()
    radar.forget_others(target.uses)
    return radar


# -- what follows ----------------------------------------------------------------------------------


def deprecated_at(radar: Radar | None, resource: str) -> float | None:
    """Return since when *resource* is deprecated: the earliest day announced.

    One that is deprecated without a day counts from the first answer that said so.
    """
    days = [
        seen.first if seen.notice.deprecated_at is None else seen.notice.deprecated_at
        for seen in (radar.of(resource) if radar is not None else ())
        if seen.notice.deprecated
    ]
    return min(days, default=None)


def sunset_at(radar: Radar | None, used: Used, resource: str) -> float | None:
    """Return when *resource* is switched off: the earliest day announced in an answer.

    What was announced elsewhere counts only where no answer says a day. An API version that answers
    no longer name is switched off since the first answer with another one.
    """
    days = [
        seen.notice.sunset_at
        for seen in (radar.of(resource) if radar is not None else ())
        if seen.notice.sunset_at is not None
    ]
    if resource == API and radar is not None and radar.version_gone_at is not None:
        days.append(radar.version_gone_at)
    if not days and (fact := used.facts.get(resource)) is not None:
        return fact.sunset_at
    return min(days, default=None)


def ends(radar: Radar | None, used: Used) -> tuple[tuple[str, float], ...]:
    """Return each resource with the time of its end."""
    if radar is None and not used.facts:
        return ()
    found = ((name, sunset_at(radar, used, name)) for name in used.resources)
    return tuple((name, at) for name, at in found if at is not None)


def deprecations(radar: Radar | None, used: Used) -> tuple[tuple[str, float], ...]:
    """Return each resource that is deprecated with the time since when."""
    found = ((name, deprecated_at(radar, name)) for name in used.resources) if radar else ()
    return tuple((name, at) for name, at in found if at is not None)


def gone(radar: Radar | None) -> tuple[tuple[tuple[str, str], float], ...]:
    """Return each model that is gone and by what that is known (`list`, `answer`), since when."""
    if radar is None:
        return ()
    return (
        *(((model, "list"), at) for model, at in radar.left.items()),
        *(((model, "answer"), at) for model, at in radar.refused.items()),
    )
