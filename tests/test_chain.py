"""From a failed probe to the page and back, with the real programs: who is told what, once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chain import Chain, chain, of_the_machine

pytestmark = pytest.mark.slow

KEY = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz"
FLEET = [f"api-{number}" for number in range(50)]
QUICK = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}


def services(url: str) -> str:
    """Return 50 services of our own, two of each of two providers, and a canary."""
    rows: list[dict[str, Any]] = [{"id": name, "base_url": f"{url}/{name}/"} for name in FLEET]
    for provider, key in (("openai", KEY), ("stripe", "rk_test_0123456789abcdefghij")):
        rows += [
            {
                "id": f"{provider}-{letter}",
                "provider": provider,
                "api_key": key,
                "base_url": f"{url}/{provider}/{letter}",
                "status_page": {"enabled": False},
            }
            for letter in "ab"
        ]
    alerts = {"key_invalid_after": "2s", "escalate_after": ["30s", "60s"]}
    canary = {"url": f"{url}/canary", "expected_status_codes": [200], **QUICK}
    defaults = {"team": "platform", "health_check": QUICK, "alerts": alerts}
    return json.dumps({"defaults": defaults, "canaries": [canary], "services": rows})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with chain(tmp_path_factory.mktemp("chain"), services) as made:
        yield made


@pytest.fixture
def calm(running: Chain) -> Chain:
    """The chain with nothing wrong, and nothing of an earlier test in the sinks or under way."""
    running.calm()
    running.until("every page has ended", lambda: not running.pages_not_ended())
    running.web.items.clear()
    running.mail.items.clear()
    return running


def test_an_outage_is_told_once_acknowledged_and_resolved_with_true_times(calm: Chain) -> None:
    calm.provider.answers["/api-7/"] = (503, {})
    opened = calm.incident("ServiceDown", "open", service="api-7")
    calm.until("mail", lambda: calm.mails("api-7", "CRITICAL"))
    calm.until("webhook", lambda: calm.hooks("api-7", "firing"))
    calm.until("page", lambda: calm.pages("api-7"))
    path = f"/api/incidents/{opened['id']}"
    calm.until("who was told", lambda: "PagerDuty" in calm.ask(path)["told_sentence"])
    begun = calm.query('min_over_time(probe_last_success_timestamp_seconds{service="api-7"}[2m])')
    calm.ask(f"/api/incidents/{opened['id']}/acknowledge", {"by": "ann", "note": "mine"})
    calm.until("known", lambda: calm.query('service_incident_acknowledged{service="api-7"} == 1'))
    taken = calm.incident("ServiceDown", "acknowledged", service="api-7")
    calm.provider.answers.clear()
    ended = calm.incident("ServiceDown", "resolved", service="api-7")
    calm.until("told of the end", lambda: calm.mails("api-7", "RESOLVED"))
    calm.until("told of the end", lambda: calm.hooks("api-7", "resolved"))
    calm.marked()

    assert begun
    assert ended["id"] == opened["id"] == taken["id"]
    assert (ended["acknowledged_by"], ended["severity"]) == ("ann", "critical")
    assert ended["started_at"] < taken["acknowledged_at"] < ended["resolved_at"]
    times = {event["kind"]: event["at"] for event in ended["timeline"]}
    assert times["opened"] == ended["started_at"]
    assert times["resolved"] == ended["resolved_at"]
    assert "provider" in opened["description"]
    assert ended["told_sentence"].startswith("told: ")
    assert {one["receiver"] for one in ended["told"] if one["state"] == "delivered"} >= {"page"}
    assert "incident-log" not in ended["told_sentence"]
    for told in (
        calm.mails("api-7", "CRITICAL"),
        calm.mails("api-7", "RESOLVED"),
        calm.hooks("api-7", "firing"),
        calm.hooks("api-7", "resolved"),
        calm.pages("api-7"),
        calm.pages("api-7", "resolve"),
    ):
        assert len(told) == 1, [getattr(one, "body", one) for one in told]
    assert not [mail for mail in calm.mail.items if "Escalation" in mail.subject]
    stats = calm.ask("/api/incidents/stats")
    assert stats["mttr_seconds"] > 0
    assert stats["mtta_seconds"] > 0


def test_nobody_takes_it_and_it_escalates_level_by_level_until_somebody_does(calm: Chain) -> None:
    calm.provider.answers["/api-8/"] = (500, {})
    opened = calm.incident("ServiceDown", "open", service="api-8")
    calm.until("level 1", lambda: calm.mails("api-8", "Escalation 1"))
    calm.ask(f"/api/incidents/{opened['id']}/acknowledge", {"by": "bob"})
    calm.until("ended", lambda: not calm.query('ALERTS{alertname="ServiceUnresolved"}'))
    calm.until("told", lambda: calm.mails("api-8", "RESOLVED"))
    still = calm.incident("ServiceDown", "acknowledged", service="api-8")
    calm.provider.answers.clear()
    calm.incident("ServiceDown", "resolved", service="api-8")
    calm.marked()

    assert still["id"] == opened["id"]
    notes = [event["note"] for event in still["timeline"] if event["kind"] == "escalated"]
    assert notes == ["level 1"]
    assert not calm.mails("api-8", "Escalation 2")
    assert [one["alertname"] for one in calm.incidents(service="api-8")] == ["ServiceDown"]


def test_a_rejected_key_is_named_and_nothing_else_is_told_of_it(calm: Chain) -> None:
    rejected = {"error": {"type": "invalid_request_error", "code": "invalid_api_key"}}
    calm.provider.answers["/openai/a/"] = (401, rejected)
    opened = calm.incident("ServiceKeyRejected", "open", service="openai-a")
    calm.until("mail", lambda: calm.mails("openai-a", "HIGH"))
    calm.marked()
    trouble = {one["alertname"] for one in calm.unresolved() if one["service"] == "openai-a"}
    told = [mail for mail in calm.mail.items if "openai-a" in mail.subject]
    calm.provider.answers.clear()
    calm.ask("/api/services/openai-a/key", {"api_key": KEY[::-1], "force": True}, "PUT")
    calm.incident("ServiceKeyRejected", "resolved", service="openai-a")

    assert opened["summary"] == "The API key of openai-a (production) is rejected by openai."
    assert [mail.subject.count("API key of openai-a") for mail in told] == [1]
    assert not calm.pages("openai")
    assert trouble == {"ServiceKeyRejected"}


def test_a_dead_network_of_ours_is_one_page_and_no_service_is_blamed(calm: Chain) -> None:
    begun = time.time()
    calm.provider.disconnect()
    calm.until("page", lambda: calm.pages("network"))
    failing = "probe_last_run_timestamp_seconds - probe_last_success_timestamp_seconds > 8"
    hidden = f"{failing} and on (service) service_verdict{{verdict='network'}} == 1"
    every = f"count({hidden}) == {len(FLEET) + 4}"
    calm.until("every service is hidden for many probes", lambda: calm.query(every))
    calm.marked()
    pages, mails = calm.pages(), list(calm.mail.items)
    calm.provider.connect()
    calm.until("back", lambda: calm.query(f"sum(probe_success) == {len(FLEET) + 4}"))
    calm.until("told of the end", lambda: calm.pages("MonitoringNetworkDown", "resolve"))
    calm.marked()

    assert [page.body["payload"]["summary"].count("network") for page in pages[:1]] == [1]
    assert len([page for page in pages if "marker" not in page.body["payload"]["summary"]]) == 1
    # The end of what the test before began may come late; a service that is blamed would fire.
    subjects = [one.subject for one in mails if not one.subject.startswith("RESOLVED: ")]
    told = [one for one in subjects if "marker" not in one and not of_the_machine(one)]
    assert len(told) == 1, subjects
    blamed = [one for one in calm.incidents() if one["alertname"] == "ServiceDown"]
    assert not [one["service"] for one in blamed if one["started_at"] >= begun]


def test_what_fails_when_our_network_returns_is_paged_promptly(calm: Chain) -> None:
    calm.provider.disconnect()
    calm.until("page", lambda: calm.pages("network"))
    calm.provider.answers["/api-9/"] = (503, {})
    calm.provider.connect()
    opened = calm.incident("ServiceDown", "open", seconds=20, service="api-9")
    calm.until("page", lambda: calm.pages("api-9"))
    failures = calm.query('last_over_time(probe_consecutive_failures{service="api-9"}[10s])')
    calm.provider.answers.clear()
    calm.incident("ServiceDown", "resolved", service="api-9")
    calm.marked()

    assert int(failures[0]["value"][1]) >= 3
    later = [one for one in calm.incidents() if one["started_at"] > opened["started_at"]]
    down = [(one["alertname"], one["service"]) for one in later if one["service"] in FLEET]
    assert not [name for name in down if name != ("ServiceDown", "api-9")]


def test_an_outage_of_a_provider_is_one_page_for_its_services(calm: Chain) -> None:
    calm.provider.answers["/stripe/"] = (503, {})
    opened = calm.incident("ProviderOutage", "open")

    def held() -> bool:
        down = calm.unresolved("ServiceDown")
        sentence = "nobody yet: held back by ProviderOutage"
        return len(down) == 2 and all(
            one["suppressed"] and one["told_sentence"].startswith(sentence) for one in down
        )

    calm.until("its services are held back", held)
    down = calm.unresolved("ServiceDown")
    calm.until("page", lambda: calm.pages("stripe"))
    calm.ask(f"/api/incidents/{opened['id']}/acknowledge", {"by": "ann"})
    covered = 'sum(service_incident_acknowledged{provider="stripe"}) == 2'
    calm.until("its services are taken with it", lambda: calm.query(covered))
    calm.marked()
    calm.provider.answers.clear()
    calm.incident("ProviderOutage", "resolved")

    assert opened["provider"] == "stripe"
    assert {one["held_back_by"] for one in down} == {opened["id"]}
    assert len(calm.pages("stripe")) == 1
