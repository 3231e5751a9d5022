"""Rate limits in response headers, in every form that is in use.

- three headers, `x-ratelimit-remaining: 5` (GitHub and most others);
- a list that begins with what expires next, `ratelimit-limit: 10, 10;w=1, 50;w=60`
  (draft-ietf-httpapi-ratelimit-headers-03 to -06);
- a dictionary, `ratelimit: limit=100, remaining=50, reset=30` (-07);
- named policies, `ratelimit: "burst";r=50;t=30` with `ratelimit-policy: "burst";q=100;w=60` (-08
  and newer, structured fields of RFC 9651);
- the resource first, `x-ratelimit-requests-remaining: 5` (RapidAPI and others);
- a window in the value, `ratelimit-remaining: 20;w=21600` (Docker Hub), or in the name,
  `x-ratelimit-remaining-minute: 5` (Kong's rate-limiting plugin).

Where several policies hold at once, the one with the least left binds: it is the one that is shown.
A negative number means that there is no limit. Unreadable values are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from exporter.model import Limit
from exporter.readings.declarations import LimitHeader
from exporter.readings.times import instant, number

REQUESTS, TOKENS = "requests", "tokens"
_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_ITSELF_THE_LIMIT = frozenset({"x-ratelimit", "x-rate-limit"})  # Zendesk's X-Rate-Limit: 700
_FIELDS: tuple[Literal["limit", "remaining", "reset"], ...] = ("limit", "remaining", "reset")
_MAX_VALUE = 1024
# An item of a structured field (RFC 9651): a quoted name or a bare word, with parameters behind it.
_ITEM = re.compile(
    r'(?:"([^"]{0,64})"|(?<!["\w])([a-z0-9_.*-]{1,64}))'
    r"((?:\s*;\s*[a-z*][a-z0-9_.*-]*(?:=[^;,]{0,64})?)*)"
)
_PARAMETER = re.compile(r"([a-z]+)=(-?\d{1,15})(?:\.\d{1,6})?")
# A policy of another unit than requests, such as "content-bytes" (draft-ietf-httpapi-ratelimit-09).
_UNIT = re.compile(r"""(?i);\s*qu\s*=\s*["'](?!requests["'])""")
_THOUSANDS = re.compile(r'[\s"]*\d{1,3}(?:,\d{3}){1,5}[\s"]*')
_MEMBER = re.compile(r"(limit|remaining|reset)\s*=\s*(-?\d{1,15})")
_WINDOWS = frozenset(
    {"second", "minute", "hour", "day", "month", "year", "1s", "1m", "60s", "1h", "1d"}
)


@dataclass(slots=True)
class Policy:
    """One limit as far as the headers show it; `reset` is a Unix time."""

    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None
    is_unlimited: bool = False

    @property
    def is_known(self) -> bool:
        """Whether there is such a limit and anything of it was read."""
        values = (self.limit, self.remaining, self.reset)
        return not self.is_unlimited and any(value is not None for value in values)

    @property
    def share_left(self) -> float:
        """What is left of it, from 0 to 1; 2 if that is not known, so that it binds last."""
        if self.remaining is None or not self.limit:
            return 2.0
        return self.remaining / self.limit

    @property
    def order(self) -> tuple[float, bool]:
        """What binds first; of two that say the same, the one that also says until when."""
        return self.share_left, self.reset is None

    def set(self, field: str, value: float) -> None:
        """Set *field*; a negative number means that there is no such limit."""
        if value < 0:
            self.is_unlimited = True
        else:
            setattr(self, field, value)


def mentions_limits(headers: Mapping[str, str]) -> bool:
    """Return whether any of *headers*, names in lower case, may be about a rate limit."""
    names = "\n".join(headers)
    return "ratelimit" in names or "rate-limit" in names


def declared_limits(
    wanted: Iterable[LimitHeader], headers: Mapping[str, str], now: float
) -> dict[str, Limit]:
    """Return the limits in the headers that a preset or a service declares, by resource."""
    policies: dict[tuple[str, str], Policy] = {}
    for header in wanted:
        text = headers.get(header.header)
        if text is None:
            continue
        if header.kind == "policy":
            base = header.header.removesuffix("-policy")
            for name, structured in _structured(headers, base, now).items():
                policies[header.resource, name] = structured
            continue
        policy = policies.setdefault((header.resource, header.window), Policy())
        _read_field(policy, header.kind, text, header.format or "auto", now)
    return _binding(policies)


def generic_limits(headers: Mapping[str, str], now: float) -> dict[str, Limit]:
    """Return the limits in the headers that many APIs share; the resource is requests or tokens.

    >>> generic_limits({"ratelimit": "limit=100, remaining=5, reset=30"}, 1000.0)["requests"]
    Limit(limit=100.0, remaining=5.0, reset=1030.0)
    """
    policies: dict[tuple[str, str], Policy] = {
        (REQUESTS, f"structured {name}"): policy
        for name, policy in _structured(headers, "ratelimit", now).items()
    }
    for name, text in headers.items():
        if (place := _place(name)) is not None:
            field, resource, window = place
            policy = policies.setdefault((resource, window), Policy())
            _read_field(policy, field, text, "auto", now)
    return _binding(policies)


def _place(name: str) -> tuple[Literal["limit", "remaining", "reset"], str, str] | None:
    """Return what the header *name* is about: field, resource, and a key for its window."""
    for prefix in _PREFIXES:
        if name == prefix and prefix in _ITSELF_THE_LIMIT:
            return "limit", REQUESTS, prefix
        if not name.startswith(prefix + "-"):
            continue
        rest = name[len(prefix) + 1 :]
        for field in _FIELDS:
            if rest in (field, f"{field}-after"):  # Discord's x-ratelimit-reset-after
                return field, REQUESTS, prefix
            if rest.startswith(field + "-"):
                suffix = rest[len(field) + 1 :]
                resource = _resource(suffix)
                return None if resource is None else (field, resource, f"{prefix} {suffix}")
            if rest.endswith(f"-{field}"):  # the resource first: RapidAPI's, API-Sports', Linear's
                suffix = rest[: -len(field) - 1]
                resource = _resource(suffix)
                return None if resource is None else (field, resource, f"{prefix} {suffix}")
    return None


def _resource(suffix: str) -> str | None:
    """Return the resource of `x-ratelimit-limit-<suffix>`; a closed list, for it is a label."""
    words = set(suffix.split("-"))
    if words & {"token", "tokens"}:
        return TOKENS
    if words & {"request", "requests", "req"} or words <= _WINDOWS:
        return REQUESTS
    return None


def _read_field(
    policy: Policy,
    field: Literal["limit", "remaining", "reset"],
    text: str,
    form: str,
    now: float,
) -> None:
    if field == "reset":
        if (at := instant(_first_item(text), form, now)) is not None:  # type: ignore[arg-type]
            policy.reset = at
    elif (value := number(_first_item(text))) is not None:
        policy.set(field, value)


def _first_item(text: str) -> str:
    """Return the first of a list, without its parameters: draft-03 puts what expires next first.

    A date has a comma of its own; "100/hour" has its window behind a slash, "100 per 60 seconds"
    behind a word. "1,000" is one number: a list has a blank, or a window, behind its first.
    """
    if _THOUSANDS.fullmatch(text[:_MAX_VALUE]):
        return text.replace(",", "").strip(' "')
    if re.match(r"\s*[A-Za-z]", text):
        return text
    return re.split(r"[,;/]| per ", text[:_MAX_VALUE], maxsplit=1)[0].strip(' "')


def _structured(headers: Mapping[str, str], name: str, now: float) -> dict[str, Policy]:
    """Return the policies in the headers *name* and `<name>-policy`, by their own names."""
    text = headers.get(name, "")[:_MAX_VALUE]
    policies: dict[str, Policy] = {}
    if members := _MEMBER.findall(text.lower()):  # draft-07: a dictionary
        policy = policies.setdefault("", Policy())
        for field, value in members:
            amount = float(value)
            policy.set(field, now + amount if field == "reset" else amount)
        return policies
    rules = headers.get(f"{name}-policy", "")[:_MAX_VALUE]
    quotas = dict(_items(rules))
    others = {first or second for first, second, rest in _ITEM.findall(rules) if _UNIT.search(rest)}
    for item, parameters in _items(text):
        if item in others:
            continue
        policy = policies.setdefault(item, Policy())
        if "r" in parameters:
            policy.set("remaining", parameters["r"])
        if "t" in parameters:
            policy.set("reset", now + parameters["t"])
        quota = parameters.get("q", quotas.get(item, {}).get("q"))
        if quota is not None:
            policy.set("limit", quota)
    if not policies:  # only the policy was sent
        for item, parameters in quotas.items():
            if "q" in parameters and item not in others:
                policies.setdefault(item, Policy()).set("limit", parameters["q"])
    return policies


def _items(text: str) -> Iterator[tuple[str, dict[str, float]]]:
    for match in _ITEM.finditer(text):
        parameters = {name: float(value) for name, value in _PARAMETER.findall(match.group(3))}
        if parameters:
            yield match.group(1) or match.group(2) or "", parameters


def _binding(policies: Mapping[tuple[str, str], Policy]) -> dict[str, Limit]:
    """Return for each resource the policy that has the least left."""
    chosen: dict[str, Policy] = {}
    for (resource, _), policy in policies.items():
        if not policy.is_known:
            continue
        known = chosen.get(resource)
        if known is None or policy.order < known.order:
            chosen[resource] = policy
    return {
        resource: Limit(limit=policy.limit, remaining=policy.remaining, reset=policy.reset)
        for resource, policy in chosen.items()
    }
