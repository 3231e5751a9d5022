"""What a preset knows of asking a provider's models: protocol, limits of families, prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exporter.checks import AnswerRule, Confidence
from exporter.matching import pattern_matches
from exporter.readings import Listing
from exporter.settings import Duration, PublicText, option
from exporter.streams import PROTOCOLS

CURRENCY = r"^[A-Z]{3}$"
_DATE = r"^[0-9]{4}(-[0-9]{2}){1,2}$"
_DAY = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """What a million tokens cost; reasoning counts as output."""

    input: float = option(doc="A million tokens of the prompt.", minimum=0, maximum=1e6)
    output: float = option(doc="A million tokens of the answer.", minimum=0, maximum=1e6)
    currency: PublicText = option("USD", "Three letters, as in ISO 4217.", pattern=CURRENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrice:
    """A price that the vendor published, and when that was read."""

    models: str = option(doc="RE2 pattern of the models' ids.")
    price: ModelPrice = option(doc="The price.")
    read_at: PublicText = option(doc="The day or month it was read.", pattern=_DATE)
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "Source.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """How the models of one family want to be asked for a short answer."""

    models: str = option(doc="RE2 pattern of the models' ids.")
    limit: PublicText = option("", "The member that limits the answer, if not the protocol's.")
    members: dict[str, Any] = option(
        doc="Further members of the request; null takes one of the protocol's out.", factory=dict
    )
    min_tokens: int | None = option(
        None, "The least limit with which such a model shows a token.", minimum=1, maximum=4096
    )
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "Why, in one line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementFact:
    """A day that the vendor announced where no answer has it: in its documentation, by mail."""

    models: str = option(doc="RE2 pattern of the models' ids.")
    sunset: PublicText = option(doc="The day from which it is switched off.", pattern=_DAY)
    source: str = option(doc="Where it was read.")
    read_at: PublicText = option(doc="The day or month it was read.", pattern=_DATE)
    confidence: Confidence = option(doc="How well this is known.")

    @property
    def good_until(self) -> float:
        """The Unix time from which it is too old to be relied on: see `GOOD_DAYS`."""
        read = self.read_at if self.read_at.count("-") == 2 else f"{self.read_at}-01"
        return _midnight(read) + GOOD_DAYS[self.confidence] * 86400.0

    @property
    def sunset_at(self) -> float:
        """The Unix time at which that day begins in UTC."""
        return _midnight(self.sunset)


GOOD_DAYS = {"doc": 180, "code": 180, "report": 90, "belief": 30}
"""How long an announcement that was read once counts as known: vendors move their dates."""


def _midnight(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """Where the provider lists its models."""

    place: Listing = option(doc="Where they are in the answer.")
    endpoint: str = option(
        "", "Path below base_url, asked rarely; without it the health check's answer is the list."
    )
    interval: Duration = option(3600.0, "With endpoint: time between requests.", shown="1h")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetModels:
    """How this API's models are asked; the first family that fits a model's id holds."""

    protocol: PublicText = option(doc="How its answers are streamed.", enum=PROTOCOLS)
    endpoint: str = option(
        "", "Path below base_url, if not the protocol's; {model} is the model's id."
    )
    min_tokens: int = option(16, "The least limit of models of no family.", minimum=1, maximum=4096)
    families: tuple[ModelFamily, ...] = option((), "Families of models.")
    prices: tuple[KnownPrice, ...] = option((), "Prices that the vendor published.")
    list: ModelList | None = option(None, "Where they are listed.")
    answers: tuple[AnswerRule, ...] = option(
        (), "Which reason the answer to a call of a model means; asked before the API's own."
    )
    warnings: tuple[PublicText, ...] = option(
        (), "Headers in which an answer announces a model's end in words."
    )
    retirements: tuple[RetirementFact, ...] = option((), "Ends that were announced elsewhere.")
    cost_currency: PublicText = option(
        "", "What its answers say they cost is in this currency, and is what is charged."
    )
    free: bool = option(False, "People run the models themselves: a check costs nothing.")
    confidence: Confidence = option(doc="How well this is known.")
    note: str = option("", "What to know.")

    def family_of(self, model: str) -> ModelFamily | None:
        """Return the family of *model*, None if it is of none."""
        return next((one for one in self.families if pattern_matches(one.models, model)), None)

    def retirement_of(self, model: str) -> RetirementFact | None:
        """Return what was announced of the end of *model*, None if nothing is known."""
        found = (one for one in self.retirements if pattern_matches(one.models, model))
        return next(found, None)

    def price_of(self, model: str) -> ModelPrice | None:
        """Return the published price of *model*, None if none is known."""
        if self.free:
            return ModelPrice(input=0, output=0)
        found = (one.price for one in self.prices if pattern_matches(one.models, model))
        return next(found, None)
