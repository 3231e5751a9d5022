"""Whether the outage of a service is acknowledged: the metric that stops its escalation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.incidents.model import Incident, Row

# The outages of a service: each inhibits the others in alertmanager.yml or is inhibited by them.
_OUTAGES = frozenset({"ServiceDown", "ServiceKeyRejected", "ServiceQuotaExhausted"})
_WIDE = {"ProviderOutage": "provider", "MonitoringNetworkDown": "network"}
_FIGURES = ("outage", "other", "provider", "network")


def figures(incident: Incident) -> dict[str, float]:
    """Return what an open *incident* adds to the figures of its row: which kind it is, and taken.

    Sums of them are all that `Acknowledgements` needs.
    """
    kinds = ["outage" if incident.alertname in _OUTAGES else "other"]
    if incident.alertname in _WIDE:
        kinds.append(_WIDE[incident.alertname])
    taken = " taken" if incident.acknowledged_at is not None else ""
    return {kind + taken: 1 for kind in kinds}


class Acknowledgements:
    """Which services with an open incident are acknowledged; changes cost what they change.

    Only the outage counts if there is one: acknowledging a warning about a certificate does not
    acknowledge an outage. An acknowledged outage of the whole provider, or of our own network in
    that environment, covers the service.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], dict[Row, Mapping[str, float]]] = {}
        """Figures of the rows with open incidents, by service and environment."""
        self._providers: set[Row] = set()
        self._networks: set[Row] = set()
        self._covering: tuple[set[tuple[str, str]], set[str]] = (set(), set())
        self._shown: dict[Row, bool] = {}

    def after(
        self, rows: Mapping[Row, Mapping[str, float]], changed: Iterable[Row]
    ) -> dict[Row, bool]:
        """Return by row whether it is acknowledged, now that the figures of *changed* changed."""
        about = set()
        for row in changed:
            place, numbers = row[:2], rows[row]
            about.add(place)
            alike = self._open.setdefault(place, {})
            if any(numbers.get(kind + taken) for kind in _FIGURES for taken in ("", " taken")):
                alike[row] = numbers
            else:
                alike.pop(row, None)
                self._shown.pop(row, None)
            for kind, known in (("provider", self._providers), ("network", self._networks)):
                (known.add if numbers.get(f"{kind} taken") else known.discard)(row)
        covering = {row[1:] for row in self._providers}, {row[1] for row in self._networks}
        if covering != self._covering:  # covers, or no longer, services that did not change
            self._covering = covering
            about = set(self._open)
        for place in about:
            self._show(place)
        return dict(self._shown)

    def _show(self, place: tuple[str, str]) -> None:
        alike = self._open[place]
        if not alike:
            del self._open[place]
            return
        providers, networks = self._covering
        kind = "outage" if any(map(_has_outage, alike.values())) else "other"
        taken = any(numbers.get(f"{kind} taken") for numbers in alike.values())
        if place[0]:
            for row in alike:
                covered = bool({"", row[1]} & networks) or row[1:] in providers
                self._shown[row] = taken or covered


def _has_outage(numbers: Mapping[str, float]) -> bool:
    return bool(numbers.get("outage") or numbers.get("outage taken"))
