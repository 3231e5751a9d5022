"""The course of a stream as a few steps: for a waterfall of what came when."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.streams.reading import Reading

_NAMES = {
    "reasoning": "reasoning",
    "refusal": "refusal",
    "finish": "finish",
    "usage": "usage",
    "error": "error",
    "comment": "comments",
    "event": "other events",
    "end": "end",
}
"""What a note means, in the words of a reader; text has steps of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came from *start* to *end*, in seconds since the request began; *count* events."""

    what: str
    start: float
    end: float
    count: int = 1


def course(reading: Reading, head_at: float | None) -> tuple[Step, ...]:
    """Return the steps of a stream in the order of their begin.

    *head_at* is when the head of the response was there, None if none came. One step is for the
    first visible token, and one for all visible text after it.
    """
    steps = [] if head_at is None else [Step("response head", head_at, head_at)]
    if (first := reading.first_event) is not None:
        steps.append(Step("first event", first, first))
    for what, name in _NAMES.items():
        if (note := reading.notes.get(what)) is not None:
            steps.append(Step(name, note.first, note.last, note.count))
    if (text := reading.first_text) is not None:
        steps.append(Step("first token", text, text))
        if reading.last_text is not None and reading.texts > 1:
            steps.append(Step("tokens", text, reading.last_text, reading.texts))
    return tuple(sorted(steps, key=lambda step: step.start))  # stable: equal times as above
