"""Deep checks of models: when one is asked, what it may cost, what was seen."""

from exporter.models.checks import CheckRefusedError, ModelChecks
from exporter.models.known import ModelStates
from exporter.models.spending import Ledger, Spending, accounts_of
from exporter.models.states import FIRST_TOKEN_BUCKETS, ModelResult, ModelState, Skip
from exporter.models.wording import (
    REFUSED,
    ModelCondition,
    condition_of,
    failure,
    in_order,
    model_advice,
    model_sentence,
    models_sentence,
    most_of,
    seconds,
    troubles_of,
    unchecked_of,
)

__all__ = [
    "FIRST_TOKEN_BUCKETS",
    "REFUSED",
    "CheckRefusedError",
    "Ledger",
    "ModelChecks",
    "ModelCondition",
    "ModelResult",
    "ModelState",
    "ModelStates",
    "Skip",
    "Spending",
    "accounts_of",
    "condition_of",
    "failure",
    "in_order",
    "model_advice",
    "model_sentence",
    "models_sentence",
    "most_of",
    "seconds",
    "troubles_of",
    "unchecked_of",
]
