"""Reads a streamed answer as it comes: when the first token was visible, and how it ended."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from exporter.matching import NO_JSON, TOO_LARGE, json_of
from exporter.streams.declarations import EventRule, Finish, StreamProtocol, UsagePaths
from exporter.streams.frames import EventTooLargeError, Frame, Frames

MOST_GAPS = 4096
"""Pauses between tokens that are kept; more tokens than a check may ask for."""
MOST_TOKENS = 100_000_000
"""What an API counts for one answer; no model reads or writes a tenth of that."""
_MOST_COST = 1e6
_MODEL_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API counted them; None where it did not say. `cost` in its own currency."""

    input: int | None = None
    output: int | None = None
    """Everything that is billed as output, reasoning as well."""
    reasoning: int | None = None
    cached: int | None = None
    cost: float | None = None


@dataclass(slots=True)
class Note:
    """All that came with one meaning, for the waterfall: when, in seconds, and how often."""

    first: float
    last: float
    count: int = 1


@dataclass(slots=True, kw_only=True)
class Reading:
    """What a stream showed. Times are seconds since the request began.

    `texts` counts pieces of visible text: an API may send several tokens in one, or one in several
    pieces, so that no rate follows from it. `error` is the member that the API sent as its error.
    """

    first_event: float | None = None
    first_reasoning: float | None = None
    first_text: float | None = None
    last_text: float | None = None
    texts: int = 0
    events: int = 0
    comments: int = 0
    gaps: list[float] = field(default_factory=list)
    """Seconds between two pieces of visible text that came one after the other."""
    refused: bool = False
    finish: Finish | None = None
    ended: bool = False
    """The protocol's last event came."""
    error: Any = None
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    """The model that answered, as the API names it: never a label, to be shown escaped.

    Printable ASCII without spaces; empty if the API named none, or something else.
    """
    retires: str = ""
    """When the model is switched off, as the API writes it."""
    is_stream: bool = False
    """At least one event could be read; JSON that is no event may have an error all the same."""
    is_unreadable: bool = False
    """An event was larger than any token, or had more values."""
    notes: dict[str, Note] = field(default_factory=dict)
    """By what it means; of events without a meaning the very first has none."""

    @property
    def is_complete(self) -> bool:
        """Whether the answer came to its end: an end without either sign is a cut."""
        return self.ended or self.finish is not None

    @property
    def gap_median(self) -> float | None:
        """The median pause between two pieces of visible text, in seconds."""
        return sorted(self.gaps)[len(self.gaps) // 2] if self.gaps else None

    @property
    def gap_max(self) -> float | None:
        return max(self.gaps, default=None)

    @property
    def tokens_per_second(self) -> float | None:
        """The rate by the API's own count; None without one, or where there was no time to see it.

        Reasoning that was streamed counts from its first piece; reasoning that was not seen is
        taken off, as the time before the first text is that of the first token.
        """
        tokens, begun, end = self.usage.output, self.first_text, self.last_text
        if tokens is None or begun is None or end is None:
            return None
        if self.first_reasoning is not None and self.first_reasoning < begun:
            begun = self.first_reasoning
        elif self.usage.reasoning:
            tokens -= self.usage.reasoning
        return (tokens - 1) / (end - begun) if tokens > 1 and end > begun else None


class StreamReader:
    """Reads one stream: `feed` each piece with its time, then `end`; `reading` holds the rest."""

    def __init__(self, protocol: StreamProtocol) -> None:
        self.reading = Reading()
        self._protocol, self._frames = protocol, Frames()
        self._places = _places(protocol.events)
        self._end = protocol.end.encode()
        self._usage: dict[str, float] = {}

    def feed(self, chunk: bytes, at: float) -> None:
        """Read *chunk*, which came *at* seconds after the request began; never raises."""
        self._read(self._frames.feed(chunk), at)

    def end(self, at: float) -> None:
        """Read what is left: the connection ended *at* seconds after the request began."""
        self._read(self._frames.end(), at)

    def _read(self, frames: Iterator[Frame], at: float) -> None:
        if self.reading.is_unreadable:
            return
        try:
            for frame in frames:
                self._take(frame, at)
        except EventTooLargeError:
            self.reading.is_unreadable = True

    def _take(self, frame: Frame, at: float) -> None:
        found = self.reading
        if frame.is_comment:
            found.comments += 1
            self._note("comment", at)
            return
        if self._end and frame.data.strip() == self._end:
            found.is_stream = found.ended = True
            self._note("end", at)
            return
        event = json_of(frame.data)
        if event is NO_JSON and frame.name == "error":
            event = {"error": {"message": "not JSON"}}  # its name says it all
        if event is TOO_LARGE:
            found.is_unreadable = True
        if event is NO_JSON or event is TOO_LARGE:
            return
        found.is_stream = found.is_stream or not frame.is_bare
        found.events += 1
        if found.first_event is None:
            found.first_event = at
        own = event.get("type") if isinstance(event, dict) else None
        values = list[tuple[int, Any]]()
        self._places.find(event, values)
        values.sort(key=itemgetter(0))  # stable: the values of a rule stay in the event's order
        means = False
        for number, value in values:
            rule = self._protocol.events[number]
            if rule.event and frame.name not in rule.event and own not in rule.event:
                continue
            if _fits(rule, value):
                taken = value.get(rule.member) if rule.member else value
                means = self._apply(rule, taken, at) or means
        if not means and found.events > 1:
            self._note("event", at)

    def _apply(self, rule: EventRule, value: Any, at: float) -> bool:
        """Note what *value* means by *rule*; return whether it means anything."""
        found = self.reading
        match rule.means:
            case "text" if isinstance(value, str) and value:
                self._text(at)
            case "reasoning" if value and isinstance(value, (str, list)):
                if found.first_reasoning is None:
                    found.first_reasoning = at
            case "refusal" if value:
                found.refused = True
            case "finish" if isinstance(value, str) and value:
                found.finish = self._protocol.finish.get(value, "complete")
            case "usage" if isinstance(value, dict):
                self._count(value)
            case "error" if value:
                found.error = found.error or value
            case "end":
                found.ended = True
            case "model" if isinstance(value, str) and _MODEL_ID.fullmatch(value):
                found.model = value
                return False
            case "retires" if isinstance(value, str):
                found.retires = value[:64]
                return False
            case _:
                return False
        self._note(rule.means, at)
        return True

    def _text(self, at: float) -> None:
        found = self.reading
        found.texts += 1
        if found.first_text is None:
            found.first_text = at
        elif found.last_text is not None and len(found.gaps) < MOST_GAPS:
            found.gaps.append(at - found.last_text)
        found.last_text = at

    def _count(self, value: dict[str, Any]) -> None:
        """Take the numbers of *value*; those of a later event replace those before."""
        paths = self._protocol.usage
        for name in ("input", "output", "total", "reasoning", "cached", "cost"):
            for path in getattr(paths, name):
                number = next(iter(_at(value, path)), None)
                if isinstance(number, (int, float)) and not isinstance(number, bool):
                    if _is_possible(number, counts=name != "cost"):
                        self._usage[name] = number
                    break
        if any(True in _at(value, path) for path in paths.cost_unless):
            self._usage.pop("cost", None)
        self.reading.usage = _usage(self._usage, paths)

    def _note(self, what: str, at: float) -> None:
        if (note := self.reading.notes.get(what)) is None:
            self.reading.notes[what] = Note(at, at)
        else:
            note.last, note.count = at, note.count + 1


def _is_possible(number: float, *, counts: bool) -> bool:
    """Return whether *number* may be a count of tokens, or a cost; not a number is neither."""
    if counts:
        return 0 <= number <= MOST_TOKENS and number == int(number)
    return 0 <= number <= _MOST_COST


def _usage(numbers: dict[str, float], paths: UsagePaths) -> Usage:
    input_, output = numbers.get("input"), numbers.get("output")
    if paths.cached_beside and input_ is not None:
        input_ += numbers.get("cached", 0)
    total = numbers.get("total")
    if total is not None and input_ is not None and total > input_ + (output or 0):
        output = total - input_  # reasoning is counted beside the answer, and billed
    whole = {"input": input_, "output": output}
    whole |= {name: numbers.get(name) for name in ("reasoning", "cached")}
    return Usage(
        **{name: None if n is None else int(n) for name, n in whole.items()},
        cost=numbers.get("cost"),
    )


@dataclass(slots=True)
class _Place:
    """Where rules look: most events have few of the members, and the paths begin alike."""

    rules: list[int] = field(default_factory=list)
    """Their numbers, of those whose path ends here."""
    inner: dict[str, _Place] = field(default_factory=dict)
    each: _Place | None = None
    """Where they look in every item of a list."""

    def find(self, value: Any, found: list[tuple[int, Any]]) -> None:
        """Add to *found* each value in *value* that a rule looks for, with the rule's number."""
        for number in self.rules:
            found.append((number, value))
        if isinstance(value, dict):
            for step, place in self.inner.items():
                if (inner := value.get(step)) is not None:
                    place.find(inner, found)
        elif self.each is not None and isinstance(value, list):
            for item in value:
                self.each.find(item, found)

    def at(self, step: str) -> _Place:
        """Return the place of one step further, a new one if there is none."""
        if step == "*":
            self.each = self.each or _Place()
            return self.each
        return self.inner.setdefault(step, _Place())


@functools.lru_cache(maxsize=64)
def _places(rules: tuple[EventRule, ...]) -> _Place:
    """Return where *rules* look; one without a path takes the event itself. Made once."""
    root = _Place()
    for number, rule in enumerate(rules):
        place = root
        for step in rule.path.split(".") if rule.path else ():
            place = place.at(step)
        place.rules.append(number)
    return root


def _fits(rule: EventRule, value: Any) -> bool:
    """Return whether *value* has the members that *rule* wants, and none that it does not."""
    if not (rule.where or rule.unless or rule.member):
        return True
    return (
        isinstance(value, dict)
        and all(value.get(name) == wanted for name, wanted in rule.where.items())
        and all(value.get(name) != banned for name, banned in rule.unless.items())
    )


def _at(value: Any, path: str) -> Iterator[Any]:
    """Yield each value at *path*: at most as many as the event has."""
    found = [value]
    for step in path.split("."):
        if step == "*":
            found = [item for one in found if isinstance(one, list) for item in one]
        else:
            found = [
                one[step] for one in found if isinstance(one, dict) and one.get(step) is not None
            ]
    yield from found
