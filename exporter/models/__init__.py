"""Deep checks of models: when one is asked, what it may cost, what was seen."""

from exporter.models.checks import CheckRefusedError, ModelChecks
from exporter.models.spending import Ledger, Spending, accounts_of
from exporter.models.states import FIRST_TOKEN_BUCKETS, ModelResult, ModelState, ModelStates, Skip

__all__ = [
    "FIRST_TOKEN_BUCKETS",
    "CheckRefusedError",
    "Ledger",
    "ModelChecks",
    "ModelResult",
    "ModelState",
    "ModelStates",
    "Skip",
    "Spending",
    "accounts_of",
]
