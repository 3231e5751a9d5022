"""Which alert holds back which others: the inhibitions of alertmanager.yml, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Labels = Mapping[str, str]
_WRITTEN = re.compile(r'(\w+)(=~|!~|!=|=)"(.*)"')


@dataclass(frozen=True, slots=True)
class Matcher:
    """A matcher as Alertmanager writes it; a pattern has to match the whole value."""

    label: str
    operator: str
    value: str

    @classmethod
    def of(cls, written: str) -> Matcher:
        """Return the matcher in *written*, such as `severity=~"high|low"`.

        Raises:
            ValueError: it is none.
        """
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise ValueError("not a matcher")
        return cls(*found.groups())

    def matches(self, labels: Labels) -> bool:
        """Return whether *labels* have it; a label that is missing is empty."""
        value = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (value == self.value) is (self.operator == "=")
        return (re.fullmatch(self.value, value) is not None) is (self.operator == "=~")


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of the source fires, those of the target with equal labels are held back."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


def _rule(source: Sequence[str], target: Sequence[str], *equal: str) -> Inhibition:
    return Inhibition(tuple(map(Matcher.of, source)), tuple(map(Matcher.of, target)), equal)


_UNRELIABLE = (
    'alertname=~"ProviderOutage|Service.+|Model.+"',
    'alertname!~"ServiceKeyExpiringSoon|ServiceCertificateExpir.+|ServiceMaintenance"',
    'alertname!="ModelBudgetExhausted"',
)
_SERVICE = 'service!=""'
_MODEL = 'model!=""'
_OF_MODELS = (
    'alertname=~"ModelFailing|ModelFirstTokenSlow|ModelStalled|ModelErrorBudgetBurn"',
    _SERVICE,
)
_NOT_MANUAL = 'alertname!="ManualIncident"'
_GONE = 'alertname=~"ExporterDown|ExporterAbsent"'
_CALLS = 'alertname="ServiceCallsFailing"'
_NETWORK = 'alertname="MonitoringNetworkDown"'
INHIBITIONS: tuple[Inhibition, ...] = (
    _rule((_NETWORK, 'environment=""'), _UNRELIABLE, "cluster"),
    _rule((_NETWORK, 'environment!=""'), _UNRELIABLE, "cluster", "environment"),
    _rule(
        (_GONE,),
        ('alertname=~"ServiceNotProbed|ServiceVanished|MonitoringNetworkDown"',),
        "cluster",
    ),
    _rule(
        (_GONE,),
        ('alertname="AlertmanagerNotificationsFailing"', 'integration="webhook"'),
        "cluster",
    ),
    _rule(
        ('alertname="ProviderOutage"', 'provider!=""'),
        (
            'alertname=~"ServiceDown|ServiceFlapping|ServiceLatencyHigh|ServiceErrorBudgetBurn"',
            'provider!=""',
        ),
        "environment",
        "provider",
    ),
    _rule(
        ('alertname="ServiceDown"', 'severity="critical"', _SERVICE),
        ('alertname=~"ServiceFlapping|ServiceLatencyHigh|ServiceErrorBudgetBurn"', _SERVICE),
        "environment",
        "service",
    ),
    _rule(
        ('alertname=~"ServiceDown|ServiceKeyRejected|ServiceQuotaExhausted"', _SERVICE),
        _OF_MODELS,
        *("environment", "service"),
    ),
    _rule(('alertname="ProviderOutage"', 'provider!=""'), _OF_MODELS, "environment", "provider"),
    _rule(
        ('alertname="ModelFailing"', _MODEL),
        ('alertname=~"ModelFirstTokenSlow|ModelStalled|ModelErrorBudgetBurn"', _MODEL),
        *("environment", "service", "model"),
    ),
    _rule(
        ('alertname="ServiceKeyRejected"', _SERVICE),
        (
            'alertname=~"ServiceDown|ServiceFlapping|ServiceErrorBudgetBurn|ServiceUnresolved"',
            _SERVICE,
        ),
        "environment",
        "service",
    ),
    _rule(
        ('alertname="ServiceQuotaExhausted"', _SERVICE),
        (
            'alertname=~"ServiceDown|ServiceFlapping|ServiceRateLimited|ServiceUnresolved"',
            _SERVICE,
        ),
        "environment",
        "service",
    ),
    _rule(
        ('alertname="ServiceCertificateExpired"', 'severity="critical"', _SERVICE),
        ('alertname=~"ServiceDown|ServiceFlapping|ServiceErrorBudgetBurn"', _SERVICE),
        "environment",
        "service",
    ),
    _rule(
        ('provider!=""', 'alertname="ProviderOutage"'),
        (_CALLS, 'provider!=""'),
        "environment",
        "provider",
    ),
    _rule(
        (
            'alertname=~"ServiceDown|ServiceKeyRejected|ServiceQuotaExhausted|'
            'ServiceCertificateExpired"',
            _SERVICE,
        ),
        (_CALLS, _SERVICE),
        "environment",
        "service",
    ),
    *(
        _rule(
            (f'severity="{severity}"', _SERVICE, _NOT_MANUAL),
            (lower, _SERVICE, _NOT_MANUAL),
            *("environment", "service", "alertname", "slo", "model"),
        )
        for severity, lower in (
            ("critical", 'severity=~"high|medium|low"'),
            ("high", 'severity=~"medium|low"'),
            ("medium", 'severity="low"'),
        )
    ),
    _rule(
        ('alertname="ServiceMaintenance"', _SERVICE),
        ('alertname=~"Service.+|Model.+"', 'alertname!="ServiceMaintenance"', _SERVICE),
        "environment",
        "service",
    ),
)
_MATCHERS = [m for rule in INHIBITIONS for m in (*rule.source, *rule.target)]
_BY_VALUE = sorted({matcher.label for matcher in _MATCHERS if matcher.value})
_BY_PRESENCE = sorted({matcher.label for matcher in _MATCHERS} - set(_BY_VALUE))
"""Of these labels matchers ask only whether they are there."""


@lru_cache(maxsize=4096)
def _parts(values: tuple[str, ...], present: tuple[bool, ...]) -> tuple[list[int], list[int]]:
    """Return of which rules an alert is source, and of which target."""
    labels = dict(zip(_BY_VALUE, values, strict=True))
    labels |= {n: "x" for n, there in zip(_BY_PRESENCE, present, strict=True) if there}
    numbered = tuple(enumerate(INHIBITIONS))
    return (
        [i for i, rule in numbered if all(m.matches(labels) for m in rule.source)],
        [i for i, rule in numbered if all(m.matches(labels) for m in rule.target)],
    )


def _parts_of(labels: Labels) -> tuple[list[int], list[int]]:
    return _parts(
        tuple([labels.get(name, "") for name in _BY_VALUE]),
        tuple([bool(labels.get(name)) for name in _BY_PRESENCE]),
    )


class Inhibitor:
    """The alerts that fire now, as what holds back others."""

    def __init__(self) -> None:
        self._sources: dict[tuple[int, tuple[str, ...]], tuple[str, bool]] = {}
        """Fingerprint by rule and equal labels, and whether that one is a target of it as well."""

    def add(self, labels: Labels, fingerprint: str) -> None:
        """Note that an alert fires."""
        sources, targets = _parts_of(labels)
        for i in sources:
            place = i, tuple([labels.get(name, "") for name in INHIBITIONS[i].equal])
            known = self._sources.get(place)
            if known is None or known[1]:
                self._sources[place] = fingerprint, i in targets

    def holder(self, labels: Labels) -> str:
        """Return the fingerprint of an alert that holds one with *labels* back; "" if none does.

        As Alertmanager does it (inhibit/inhibit.go of 0.25): an alert that is both source and
        target of a rule is not held back by another that is both.
        """
        sources, targets = _parts_of(labels)
        for i in targets:
            place = i, tuple([labels.get(name, "") for name in INHIBITIONS[i].equal])
            found = self._sources.get(place)
            if found is not None and not (found[1] and i in sources):
                return found[0]
        return ""
