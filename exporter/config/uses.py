"""What a service depends on by name: models and a version of the API, and when they end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.config.models import ModelCheck
from exporter.providers import Preset, RetirementFact
from exporter.retirement import API
from exporter.settings import FieldPath, PublicText, option

MODEL = re.compile(r"[!-~]{1,128}")
MOST_USED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What the company's programs ask of this API; nothing is sent to find out about it."""

    models: tuple[PublicText, ...] = option(
        (), "Ids of models: compared with the provider's list.", maxItems=MOST_USED
    )
    api_version: PublicText | None = option(
        None, "Version of the API, compared with the one that answers name.", maxLength=64
    )
    version_header: PublicText | None = option(
        None,
        "Header in which answers name it, such as X-Shopify-API-Version.",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a target depends on: the only resources that retirement is reported of."""

    models: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    """Those that the configuration says the provider lists, under `uses`."""
    api_version: str = ""
    version_header: str = ""
    facts: Mapping[str, RetirementFact] = field(default_factory=dict)
    """What was announced elsewhere, by model."""

    @property
    def resources(self) -> tuple[str, ...]:
        return (API, *self.models)


NOTHING_USED = Used()


def used_of(uses: Uses, checks: tuple[ModelCheck, ...], preset: Preset | None) -> Used:
    """Return what a service depends on: what it *uses*, and the models of its *checks*."""
    models = tuple(dict.fromkeys((*uses.models, *(check.id for check in checks))))
    if not (models or uses.api_version or uses.version_header):
        return NOTHING_USED
    known = preset.models if preset else None
    found = {model: known.retirement_of(model) for model in models} if known else {}
    return Used(
        models=models,
        named=frozenset(uses.models),
        api_version=uses.api_version or "",
        version_header=(uses.version_header or "").lower(),
        facts={model: fact for model, fact in found.items() if fact is not None},
    )


def uses_mistakes(raw: Mapping[str, Any], preset: Preset | None) -> Iterator[tuple[FieldPath, str]]:
    """Yield what cannot be compared; *raw* is a service's declaration."""
    uses = raw.get("uses", {})
    known = preset.models if preset else None
    for index, model in enumerate(uses.get("models", ())):
        place: FieldPath = ("uses", "models", index)
        if MODEL.fullmatch(model) is None:
            yield place, "must be 1 to 128 printable ASCII characters without spaces"
        if model == API:
            yield place, "is the name of the API itself"
    if uses.get("models") and (known is None or known.list is None):
        yield ("uses", "models"), "the preset does not know where this API lists its models"
    if bool(uses.get("api_version")) != bool(uses.get("version_header")):
        yield ("uses",), "api_version and version_header need each other"
