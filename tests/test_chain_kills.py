"""Every program of the chain is killed while a service is down: one incident, one page."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.chain import Chain, chain
from tests.test_chain import QUICK

pytestmark = pytest.mark.slow


def services(url: str) -> str:
    """Return two services."""
    rows = [{"id": name, "base_url": f"{url}/{name}/"} for name in ("pay", "mail")]
    alerts = {"escalate_after": ["10m"]}
    return json.dumps({"defaults": {"health_check": QUICK, "alerts": alerts}, "services": rows})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with chain(tmp_path_factory.mktemp("kills"), services) as made:
        yield made


def test_no_kill_loses_an_incident_or_sends_a_second_page(running: Chain) -> None:
    running.calm()
    running.provider.answers["/pay/"] = (503, {})
    opened = running.incident("ServiceDown", "open", service="pay")
    running.until("page", lambda: running.pages("pay"))
    running.until("mail", lambda: running.mails("pay", "CRITICAL"))
    running.ask(f"/api/incidents/{opened['id']}/acknowledge", {"by": "ann"})
    running.marked()

    for victim in (running.exporter, running.alertmanager, running.prometheus):
        running.remembered()
        victim.kill()
        victim.start()
        running.until(
            "the alert fires again",
            lambda: running.query('ALERTS{alertname="ServiceDown",severity="critical"}'),
        )
        running.marked()
        (still,) = running.unresolved("ServiceDown")
        assert (still["id"], still["acknowledged_by"]) == (opened["id"], "ann")
    running.exporter.end()  # it comes back while nobody listens
    running.provider.answers.clear()
    running.exporter.start()
    ended = running.incident("ServiceDown", "resolved", service="pay")
    running.until("told", lambda: running.mails("pay", "RESOLVED"))
    running.marked()

    assert ended["id"] == opened["id"]
    assert ended["started_at"] == opened["started_at"]
    assert len(running.pages("pay")) == len(running.pages("pay", "resolve")) == 1
    assert len(running.mails("pay", "CRITICAL")) == len(running.mails("pay", "RESOLVED")) == 1
    found = [one for one in running.incidents(service="pay") if one["alertname"] == "ServiceDown"]
    assert [one["id"] for one in found] == [opened["id"]]


def test_what_came_and_went_while_the_log_was_away_is_found_in_prometheus(running: Chain) -> None:
    running.calm()
    assert "ServiceDown" not in [one["alertname"] for one in running.incidents(service="mail")]
    running.alertmanager.end()  # nothing is told, and nothing can be asked
    running.provider.answers["/mail/"] = (503, {})
    running.until("it fires", lambda: running.query('ALERTS{service="mail",severity="high"}'))
    running.exporter.kill()
    running.provider.answers.clear()
    running.until("it is over", lambda: not running.query('ALERTS{service="mail"}'))
    running.exporter.start()
    running.alertmanager.start()

    ended = running.incident("ServiceDown", "resolved", 120, service="mail")

    assert (ended["resolved_by"], ended["timeline"][0]["by"]) == ("prometheus", "prometheus")
    assert ended["started_at"] < ended["resolved_at"]
