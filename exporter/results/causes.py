"""Why services fail, counted in a few words: the page's headline, its groups, and `top`.

Pure. A kind of failure is its cause and whose API it hits: an outage of one provider is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.config import Target
from exporter.model import REJECTED, Reason, Verdict

CUSTOM = "custom"
"""The provider of a service without a preset."""
_CAUSES: Mapping[str, str] = {
    "provider": "provider",
    "key rejected": "keys rejected",
    "access refused": "access refused",
    "quota used up": "quotas used up",
    "rate limited": "rate limited",
    "our request": "our request",
    "our network": "our network",
    "exporter": "exporter",
}
"""The causes in the order in which they are counted: of one service, and of several."""
_CAUSE_BY_VERDICT: Mapping[str, str] = {
    Verdict.PROVIDER: "provider",
    Verdict.REQUEST: "our request",
    Verdict.NETWORK: "our network",
}
_OWN = frozenset({"our network", "exporter"})


def cause(reason: str, verdict: str) -> str:
    """Return as what a failure is counted: by whose fault, ours in more detail.

    Both are plain texts too: a newer exporter may answer a reason that is not known here.

    >>> cause(Reason.AUTH_EXPIRED, Verdict.CREDENTIAL)
    'key rejected'
    """
    if verdict == Verdict.CREDENTIAL:
        return "key rejected" if reason in REJECTED else "access refused"
    if verdict == Verdict.QUOTA:
        return "rate limited" if reason == Reason.RATE_LIMITED else "quota used up"
    return _CAUSE_BY_VERDICT.get(verdict, "exporter")


def kind_of(reason: str, verdict: str, provider: str) -> tuple[str, str]:
    """Return the cause of a failure, and whose API it hits; empty where that does not matter.

    >>> kind_of(Reason.TIMEOUT, Verdict.PROVIDER, "openai")
    ('provider', 'openai')
    >>> kind_of(Reason.TIMEOUT, Verdict.NETWORK, "openai")
    ('our network', '')
    """
    found = cause(reason, verdict)
    return found, "" if found in _OWN else provider


def provider_of(target: Target) -> str:
    """Return whose API *target* is: the provider, or the host of one without a preset."""
    return target.host if target.provider == CUSTOM else target.provider


def causes_in_words(kinds: Mapping[tuple[str, str], int]) -> str:
    """Return how many services fail for each cause; *kinds* counts them as `kind_of` does.

    The provider that explains most of a cause is named, one in all: the one with most failures.

    >>> causes_in_words({("provider", "openai"): 8, ("provider", "kit"): 2})
    '10 provider (8 of them openai)'
    >>> causes_in_words({("provider", "openai"): 3, ("key rejected", "kit"): 1})
    '3 provider (all openai), 1 key rejected'
    """
    sums = dict.fromkeys(_CAUSES, 0)
    for (found, _), number in kinds.items():
        sums[found] += number
    named, most = ("", ""), 1
    for found in _CAUSES:
        for (of, provider), number in kinds.items():
            if of == found and provider and number > max(most, sums[found] / 2):
                named, most = (of, provider), number
    return ", ".join(
        f"{number} {_CAUSES[one] if number > 1 else one}"
        + (f" ({_share(most, number)} {named[1]})" if one == named[0] else "")
        for one, number in sums.items()
        if number
    )


def _share(number: int, whole: int) -> str:
    if number < whole:
        return f"{number} of them"
    return "both" if whole == 2 else "all"
