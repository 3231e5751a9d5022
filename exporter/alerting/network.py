"""Is it our own network that fails? As canaries say it, or as nearly all providers show it at once.

The same as the recorded rules `environment:network_suspected` in prometheus/rules/10-recording.yml.
Providers are counted in the same pass: whether all services of one are down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from exporter.alerting.facts import NetworkFacts, ProviderFacts, ServiceFacts
from exporter.model import Verdict
from exporter.statuspages import State

_CUSTOM = "custom"
_SHARE, _LEAST_PROVIDERS = 0.8, 3
_SUSPECTED_SECONDS, _AFTERMATH_SECONDS = 30.0, 600.0
_SHOWN_SECONDS, _KEPT_SECONDS = 60.0, 150.0
_VANISHED_SECONDS = 300.0
_LONG_AGO = float("-inf")


class Round:
    """What one evaluation sees of all services together."""

    def __init__(self) -> None:
        self._providers: dict[str, dict[tuple[str, str], bool]] = {}
        """By environment, whether every service of a provider fails; a custom one is its own."""
        self._failing: dict[str, list[float]] = {}
        """By environment, when those that fail were last probed, in ticks."""
        self._counts: dict[tuple[str, str], list[int]] = {}
        """By environment and provider: services that are judged, and those that are down."""
        self.pages: dict[tuple[str, str], set[State]] = {}
        self.green: set[tuple[str, str]] = set()
        self.with_incident: set[tuple[str, str]] = set()
        """By environment and provider, whose page says that all is well, or lists an incident."""

    def add(self, facts: ServiceFacts) -> None:
        """Count a service; one in maintenance, or not watched, says nothing."""
        failures, target = facts.failures, facts.target
        if failures is None or facts.maintenance:
            return
        after = facts.memory.rows.down_after
        blamed = failures > 0 and facts.verdict is Verdict.PROVIDER
        failing = blamed and failures >= max(after - 1, 1)
        environment, provider = target.environment, target.provider
        group = (provider, target.id if provider == _CUSTOM else "")
        providers = self._providers.setdefault(environment, {})
        providers[group] = failing and providers.get(group, True)
        if failing:
            self._failing.setdefault(environment, []).append(facts.memory.ran_at)
        if provider != _CUSTOM:
            counts = self._counts.setdefault((environment, provider), [0, 0])
            counts[0] += 1
            counts[1] += blamed and failures >= after

    def suspected(self) -> Iterable[str]:
        """Return the environments where nearly all of at least three providers fail."""
        for environment, providers in self._providers.items():
            enough = len(providers) >= _LEAST_PROVIDERS
            if enough and sum(providers.values()) / len(providers) >= _SHARE:
                yield environment

    def failing_before(self, environment: str, tick: float) -> bool:
        """Return whether a service that fails was not probed since *tick*."""
        return any(ran_at < tick for ran_at in self._failing.get(environment, ()))

    def providers(self) -> Iterable[ProviderFacts]:
        """Return what there is to say of each provider."""
        for environment, provider in {**self._counts, **self.pages}:
            judged, down = self._counts.get((environment, provider), (0, 0))
            states, place = self.pages.get((environment, provider), ()), (environment, provider)
            yield ProviderFacts(
                environment=environment,
                provider=provider,
                judged=judged,
                down=down,
                pages=tuple(states),
                green=place in self.green and not states and place not in self.with_incident,
            )


class NetworkWatch:
    """Remembers from one evaluation to the next what the canaries and providers showed."""

    def __init__(self, canaries: Callable[[], Mapping[str, bool]]) -> None:
        self._canaries = canaries
        self._online_at = self._offline_at = _LONG_AGO
        """The ticks at which a canary was last seen to answer, and none."""
        self._suspected: dict[str, float] = {}
        self._aftermath: dict[str, float] = {}
        """By environment, the tick until which it was suspected, and its aftermath was seen."""

    def look(self, seen: Round, tick: float) -> list[NetworkFacts]:
        """Return what is to be said of our network at the tick *tick*."""
        states = self._canaries()
        if states:
            online = any(states.values())
            self._online_at, self._offline_at = (
                (tick, self._offline_at) if online else (self._online_at, tick)
            )
        else:
            for environment in seen.suspected():
                self._suspected[environment] = tick
        for environment, at in tuple(self._suspected.items()):
            passed = tick - at
            lasts = passed <= _AFTERMATH_SECONDS and seen.failing_before(environment, at)
            if passed < _SUSPECTED_SECONDS or lasts:
                self._aftermath[environment] = tick
            if passed > _AFTERMATH_SECONDS + _KEPT_SECONDS:
                del self._suspected[environment]
                self._aftermath.pop(environment, None)
        return [
            NetworkFacts(down=self._is_down(tick)),
            *(
                NetworkFacts(environment=environment, down=True)
                for environment, at in self._suspected.items()
                if tick - at < _SHOWN_SECONDS or self.is_suspected(environment, tick)
            ),
        ]

    def _is_down(self, tick: float) -> bool:
        """Return whether no canary answers, or none did before they were replaced."""
        lately = tick - self._offline_at <= _VANISHED_SECONDS
        return self._offline_at > self._online_at and (bool(self._canaries()) or lately)

    def is_suspected(self, environment: str, tick: float) -> bool:
        """Return whether failures there say nothing, as long as they are kept firing."""
        return tick - self._aftermath.get(environment, _LONG_AGO) <= _KEPT_SECONDS

    @property
    def offline(self) -> bool:
        """Whether no canary answers."""
        states = self._canaries()
        return bool(states) and not any(states.values())
