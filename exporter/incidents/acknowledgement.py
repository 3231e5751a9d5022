"""Whether the outage of a service is acknowledged: the metric that stops its escalation."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.incidents.model import Row

# The outages of a service: each inhibits the others in alertmanager.yml or is inhibited by them.
_OUTAGES = frozenset({"ServiceDown", "ServiceKeyRejected", "ServiceQuotaExhausted"})
_PROVIDER_WIDE, _EVERYWHERE = "ProviderOutage", "MonitoringNetworkDown"


def acknowledged_services(rows: Sequence[tuple[str, str, str, str, int]]) -> dict[Row, bool]:
    """Return for each service with an open incident whether its outage is acknowledged.

    *rows* are the open incidents: alert name, service, environment, provider, whether it is
    acknowledged. Only the outage counts if there is one: acknowledging a warning about a
    certificate does not acknowledge an outage. An acknowledged outage of the whole provider, or of
    our own network in that environment, covers the service.
    """
    known = [row for row in rows if row[4]]
    networks = {e for name, _, e, *_ in known if name == _EVERYWHERE}
    covered = {(e, p) for name, _, e, p, _ in known if name == _PROVIDER_WIDE}
    outages, others = dict[tuple[str, str], bool](), dict[tuple[str, str], bool]()
    for name, service, environment, _, taken in rows:
        found = outages if name in _OUTAGES else others
        row = (service, environment)
        found[row] = found.get(row, False) or bool(taken)
    return {
        (service, environment, provider): bool({"", environment} & networks)
        or (environment, provider) in covered
        or (others | outages)[service, environment]
        for _, service, environment, provider, _ in rows
        if service
    }
