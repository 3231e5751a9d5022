"""The table of alertmanager/README.md names every inhibition of alertmanager.yml, and no other."""

from __future__ import annotations

import re

from tests.alerting.test_inhibition import ROOT, SHIPPED, alerts_of_the_rules, matches

SERVICE, MODEL = "Service", "Model"
CAUSES = {
    "our network is down": {"MonitoringNetworkDown"},
    "exporter is down": {"ExporterDown", "ExporterAbsent"},
    "provider is down": {"ProviderOutage"},
    "provider down": {"ProviderOutage"},
    "service is down": {"ServiceDown"},
    "key is rejected": {"ServiceKeyRejected"},
    "key rejected": {"ServiceKeyRejected"},
    "certificate has expired": {"ServiceCertificateExpired"},
    "certificate expired": {"ServiceCertificateExpired"},
    "quota is used up": {"ServiceQuotaExhausted"},
    "quota used up": {"ServiceQuotaExhausted"},
    "model fails": {"ModelFailing"},
    "maintenance window": {"ServiceMaintenance"},
}
HELD_BACK = {
    (SERVICE, "down"): "ServiceDown",
    (SERVICE, "flapping"): "ServiceFlapping",
    (SERVICE, "slow"): "ServiceLatencyHigh",
    (SERVICE, "error budget"): "ServiceErrorBudgetBurn",
    (SERVICE, "escalation"): "ServiceUnresolved",
    (SERVICE, "rate limited"): "ServiceRateLimited",
    (SERVICE, "not probed"): "ServiceNotProbed",
    (SERVICE, "vanished"): "ServiceVanished",
    (SERVICE, "network down"): "MonitoringNetworkDown",
    (SERVICE, "your own calls to it that fail"): "ServiceCallsFailing",
    (MODEL, "failing"): "ModelFailing",
    (MODEL, "slow"): "ModelFirstTokenSlow",
    (MODEL, "stalled"): "ModelStalled",
    (MODEL, "error budget"): "ModelErrorBudgetBurn",
}
EVERYTHING = {
    "everything about the service": r"(?!ServiceMaintenance)(Service|Model).+",
    "everything about services, models and providers, but keys and certificates that expire, "
    "maintenance and used-up budgets of models": r"(?!ServiceMaintenance|ServiceKeyExpiringSoon"
    r"|ServiceCertificateExpir|ModelBudgetExhausted)(Service.+|Model.+|ProviderOutage)",
}
SAME_ALERT = "the same alert is worse"
"""Of one alert by its severities: `test_inhibition` compares each pair."""
ALERTS = {one["alertname"] for one in alerts_of_the_rules()} - {"ManualIncident"}
Pairs = set[tuple[str, str]]


def _causes(cell: str) -> set[str]:
    found: set[str] = set()
    for part in cell.replace(" (critical)", "").split(", "):
        found |= CAUSES[re.sub(r"^(?:its|an?|the) ", "", part)]
    return found


def _held_back(cell: str) -> set[str]:
    """Return the alerts that *cell* names; what is **not** held back is said besides."""
    if cell in EVERYTHING:
        return {name for name in ALERTS if re.fullmatch(EVERYTHING[cell], name)}
    said, _, more = re.sub(r" of its services|; \*\*not\*\* the escalation", "", cell).partition(
        ";"
    )
    found = {"AlertmanagerNotificationsFailing"} if "webhooks that fail" in more else set()
    whose, _, words = said.rpartition(": ")
    kind = MODEL if "model" in whose else SERVICE
    return found | {HELD_BACK[kind, word] for word in words.split(", ")}


def _said() -> Pairs:
    text = (ROOT / "alertmanager" / "README.md").read_text()
    table = text.partition("| while this fires |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.+) \| (.+) \|$", table, re.M)
    return {
        (source, target)
        for cause, cell in rows
        if cause != SAME_ALERT
        for source in _causes(cause)
        for target in _held_back(cell)
    }


def _shipped() -> Pairs:
    """Return the names of each pair of alerts of which the first holds the second back."""
    alerts, found = alerts_of_the_rules(), set()
    for rule in SHIPPED:
        sources = {a["alertname"] for a in alerts if matches(rule["source_matchers"], a)}
        targets = {a["alertname"] for a in alerts if matches(rule["target_matchers"], a)}
        if "alertname" not in rule["equal"]:
            found |= {(source, target) for source in sources for target in targets}
    return found


def test_the_table_names_every_inhibition_and_no_other() -> None:
    said, shipped = _said(), _shipped()

    assert sorted(shipped - said) == [], "is held back, but is not in the table"
    assert sorted(said - shipped) == [], "is in the table, but is not held back"
    assert len(said) > 50
