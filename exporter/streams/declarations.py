"""How an API streams a model's answer, as data: the request, and what its events mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from exporter.settings import PublicText, option

Meaning = Literal[
    "text", "reasoning", "refusal", "finish", "usage", "error", "end", "model", "retires"
]
Finish = Literal["complete", "limit", "filtered", "refusal", "tool", "failed"]


# Compared by identity, so that rules can be the key of what is made of them once.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventRule:
    """Where in an event something is, and what it means.

    A path names members, separated by dots; `*` is every item of a list:
    `choices.*.delta.content`. Text counts only if it is not empty.
    """

    means: Meaning = option(doc="text: a visible token. reasoning: one that people do not see.")
    event: tuple[PublicText, ...] = option(
        (), "Only in events of these names: their member `type`, or the event's own name."
    )
    path: PublicText = option("", "Where the value is; without it the event itself is the sign.")
    where: dict[str, Any] = option(
        doc="Only where the value is an object with these members.", factory=dict
    )
    unless: dict[str, Any] = option(
        doc="Not where the value is an object with these members.", factory=dict
    )
    member: PublicText = option("", "Of such an object: the member to take.")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePaths:
    """Where the numbers of tokens are, in the object that a rule `usage` found; the first wins."""

    input: tuple[PublicText, ...] = option((), "Tokens of the prompt.")
    output: tuple[PublicText, ...] = option((), "Tokens of the answer.")
    total: tuple[PublicText, ...] = option(
        (), "Both; where it is larger than their sum, the rest is reasoning, which is billed."
    )
    reasoning: tuple[PublicText, ...] = option((), "Tokens that are not shown.")
    cached: tuple[PublicText, ...] = option((), "Tokens of the prompt that were cached.")
    cached_beside: bool = option(False, "The cached ones are not part of `input`.")
    cost: tuple[PublicText, ...] = option((), "What the answer cost, where the API says it.")
    cost_unless: tuple[PublicText, ...] = option(
        (), "Where one of these is true, somebody else charges as well: it is not the whole cost."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamProtocol:
    """One way to stream, spoken by many APIs."""

    path: str = option(doc="Below base_url; {model} is the model's id.", minLength=1)
    body: dict[str, Any] = option(
        doc="The request: $model, $prompt and $max_tokens as whole texts are replaced."
    )
    events: tuple[EventRule, ...] = option(doc="What events mean.", minItems=1)
    end: PublicText = option("", "The data of the event that ends the stream, such as [DONE].")
    usage: UsagePaths = option(doc="Where the numbers of tokens are.", factory=UsagePaths)
    finish: dict[str, Finish] = option(
        doc="What the value that a rule `finish` found means; others mean complete.", factory=dict
    )
    error_statuses: dict[str, int] = option(
        doc="The HTTP status that an error inside a stream would have had, by its code or type.",
        factory=dict,
    )
