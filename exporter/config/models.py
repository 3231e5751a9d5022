"""Deep checks of models: the settings of a service, and the target that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from exporter.checks import AnswerRule
from exporter.config.severities import Severity
from exporter.probers import Endpoint, Expectations
from exporter.providers import ModelFamily, ModelPrice, Preset, PresetModels
from exporter.readings import Readings
from exporter.settings import Duration, FieldPath, OpenText, PublicText, Ratio, option
from exporter.streams import PROTOCOLS, body_of, path_of, protocol

CURRENCY = r"^[A-Z]{3}$"
UNITS = 10**12
"""Money is counted in whole millionths of a millionth: a token may cost 0.0000000375."""
MOST_MODELS = 50
_PROMPT = "Reply with the one word OK."
_OVERHEAD_TOKENS = 64
"""What a vendor adds to a prompt (roles, templates): 7 to 40 were seen in recorded answers."""
_BODY_LIMIT = 4 * 1024 * 1024
_NO_PRICE = (
    "price is missing: no published price is known; write price: {input: …, output: …} for a"
    " million tokens, 0 if it costs nothing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that checks may cost; the next check is not sent if it might cost more."""

    day: float | None = option(None, "In a day of UTC.", minimum=0, maximum=1e6)
    month: float | None = option(None, "In a calendar month of UTC.", minimum=0, maximum=1e6)
    currency: PublicText = option("USD", "Three letters, as in ISO 4217.", pattern=CURRENCY)


DEFAULT_BUDGET = Budget(day=1.0, month=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstToken:
    """How soon a model has to show its first token."""

    threshold: Duration = option(10.0, "A check slower than this is bad.", min=0.01, shown="10s")
    target: Ratio | None = option(
        None, "Objective: the share of good checks, such as 95%.", min=0.5, max=0.99999
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """One model that is asked for a short streamed answer. It costs money: see `budget`."""

    id: PublicText = option(
        doc="The model, as the API names it.",
        pattern=r"^[!-~]{1,128}$",
        hint="must be 1 to 128 printable ASCII characters without spaces",
    )
    enabled: bool = option(True, "Whether it is asked.")
    protocol: PublicText | None = option(
        None, "How its answer is streamed; default of the preset.", enum=PROTOCOLS
    )
    interval: Duration = option(900.0, "Time between checks.", min=60, max=86400, shown="15m")
    timeout: Duration = option(60.0, "Time for one check.", min=0.1, max=300, shown="60s")
    prompt: OpenText = option(_PROMPT, "What is asked.", minLength=1, maxLength=4000)
    max_tokens: int | None = option(
        None,
        "The longest answer in tokens; default the least that the model's family needs.",
        minimum=1,
        maximum=4096,
    )
    first_token: FirstToken = option(doc="The first visible token.", factory=FirstToken)
    price: ModelPrice | None = option(
        None, "What a million tokens cost; default of the preset, where it is known."
    )
    budget: Budget | None = option(None, "The most that this model's checks may cost.")
    failures: int = option(2, "Failed checks in a row: failing.", minimum=1)
    token_gap: Duration = option(10.0, "A pause between tokens: stalled.", min=0.1, shown="10s")
    severity: Severity = option("high", "Of the alerts about this model.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTarget:
    """A model and the one way it is asked. Money is in whole `UNITS` of the currency."""

    id: str
    endpoint: Endpoint
    protocol: str
    interval: float
    max_tokens: int
    first_token: FirstToken
    failures: int
    token_gap: float
    severity: str
    currency: str
    input_price: int
    """Of one token of the prompt."""
    output_price: int
    most_input: int
    """More tokens than the prompt can have: no token is shorter than a byte."""
    budget: Budget | None = None
    says_cost: bool = False
    """Whether its answers say what they cost, in `currency`."""

    @property
    def reserve(self) -> int:
        """The most that one check can cost."""
        return self.cost(self.most_input, self.max_tokens)

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Return what so many tokens cost."""
        return input_tokens * self.input_price + output_tokens * self.output_price


Build = Callable[[str, bytes], Endpoint | None]
"""Makes the POST of a body to a path, with the service's key and connection; None without a key."""


def model_targets(
    checks: tuple[ModelCheck, ...], preset: Preset | None, build: Build
) -> tuple[ModelTarget, ...]:
    """Return how each model of *checks* is asked; one without a key or a price is left out."""
    found = (_target(check, preset, build) for check in checks if check.enabled)
    return tuple(one for one in found if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one check of a model may cost; money is in `UNITS` of the currency."""

    currency: str
    input_price: int
    output_price: int
    most_input: int
    max_tokens: int

    @property
    def reserve(self) -> int:
        """The most that one check can cost."""
        return self.most_input * self.input_price + self.max_tokens * self.output_price


def terms_of(check: ModelCheck, preset: Preset | None) -> Terms | None:
    """Return what a check costs; None if nobody knows the price."""
    known, price = preset.models if preset else None, price_of(check, preset)
    if price is None:
        return None
    family = known.family_of(check.id) if known else None
    least = (family.min_tokens if family else None) or (known.min_tokens if known else 16)
    return Terms(
        currency=price.currency,
        input_price=_per_token(price.input),
        output_price=_per_token(price.output),
        most_input=len(check.prompt.encode()) + _OVERHEAD_TOKENS,
        max_tokens=check.max_tokens or least,
    )


def _target(check: ModelCheck, preset: Preset | None, build: Build) -> ModelTarget | None:
    known = preset.models if preset else None
    name = check.protocol or (known.protocol if known else None)
    terms = terms_of(check, preset)
    if name is None or terms is None:
        return None
    family = known.family_of(check.id) if known else None
    limit = terms.max_tokens
    endpoint = build(_path(name, known, check), _body(name, check, family, limit))
    if endpoint is None:
        return None
    return ModelTarget(
        id=check.id,
        endpoint=replace(
            endpoint,
            timeout=check.timeout,
            body_limit=_BODY_LIMIT,
            follow_redirects=0,
            keep_alive=False,
            readings=_about(endpoint.readings, check.id),
            expect=_expectations(
                (*(known.answers if known else ()), *endpoint.expect.rules), endpoint.expect
            ),
        ),
        protocol=name,
        interval=check.interval,
        max_tokens=limit,
        first_token=check.first_token,
        failures=check.failures,
        token_gap=check.token_gap,
        severity=check.severity,
        currency=terms.currency,
        input_price=terms.input_price,
        output_price=terms.output_price,
        most_input=terms.most_input,
        budget=check.budget,
        says_cost=known is not None and known.cost_currency == terms.currency,
    )


def price_of(check: ModelCheck, preset: Preset | None) -> ModelPrice | None:
    """Return what a million tokens cost; None if nobody knows."""
    if check.price is not None or preset is None or preset.models is None:
        return check.price
    return preset.models.price_of(check.id)


def _path(name: str, known: PresetModels | None, check: ModelCheck) -> str:
    spoken = protocol(name)
    if known is not None and known.endpoint and known.protocol == name:
        spoken = replace(spoken, path=known.endpoint)
    return path_of(spoken, check.id)


def _body(name: str, check: ModelCheck, family: ModelFamily | None, limit: int) -> bytes:
    return body_of(
        protocol(name),
        model=check.id,
        prompt=check.prompt,
        max_tokens=limit,
        limit=family.limit if family else "",
        members=family.members if family else {},
    )


def _expectations(rules: tuple[AnswerRule, ...], base: Expectations) -> Expectations:
    """A stream is judged by its events: the assertions of the health check are not its own."""
    return replace(base, statuses=frozenset({200}), assertions=(), rules=rules, keyless=False)


def _about(readings: Readings, model: str) -> Readings:
    """Return *readings* whose announcements of an end are about *model*."""
    return replace(readings, radar=replace(readings.radar, subject=model))


def _per_token(price: float) -> int:
    """Return the price of one token, rounded up: never less than the vendor takes."""
    return ceil(round(price * UNITS / 1_000_000, 3))


def model_mistakes(raw: dict[str, Any], preset: Preset | None) -> Iterator[tuple[FieldPath, str]]:
    """Yield what makes checks of models impossible; *raw* is a service's declaration."""
    seen = set[str]()
    for index, check in enumerate(raw.get("models", ())):
        place: FieldPath = ("models", index)
        name = check.get("id")
        if name in seen:
            yield (*place, "id"), "this model is in the list before"
        seen.add(name)
        known = preset.models if preset else None
        if not check.get("protocol") and known is None:
            yield place, "protocol is missing: the preset does not know how its models are asked"
        price = check.get("price")
        if price is None and (known is None or known.price_of(str(name)) is None):
            yield place, _NO_PRICE
        budget, price = check.get("budget") or {}, price or {}
        if budget and budget.get("currency", "USD") != price.get("currency", "USD"):
            yield (*place, "budget", "currency"), "is not the currency of the price"
