"""Tests are read as often as what they test: their files have the limit that its modules have."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
MOST_LINES = 400
LONG = {
    "alerting/test_response.py",
    "api/test_openapi.py",
    "api/test_services.py",
    "cli/test_commands.py",
    "config/test_targets.py",
    "importers/test_node_registry.py",
    "importers/test_secrets.py",
    "incidents/test_alerts.py",
    "incidents/test_app.py",
    "incidents/test_delivery.py",
    "incidents/test_fold.py",
    "incidents/test_reconcile.py",
    "incidents/test_storage.py",
    "library/test_clients.py",
    "library/test_lifetime.py",
    "metrics/test_exposition.py",
    "notifying/test_media.py",
    "notifying/test_notifier.py",
    "page/test_browser.py",
    "page/test_live.py",
    "page/test_pages.py",
    "probers/test_addresses.py",
    "probers/test_curl.py",
    "probers/test_evidence.py",
    "probers/test_hostile.py",
    "probers/test_judge.py",
    "results/test_failures.py",
    "serving/test_connections.py",
    "serving/test_web_config.py",
    "serving/test_webauth.py",
    "sessions/test_transport.py",
    "settings/test_settings.py",
    "statuspages/test_adapters.py",
    "store/test_damage.py",
    "store/test_store.py",
    "test_additions.py",
    "test_routes.py",
    "test_rules.py",
    "test_stack_command.py",
    "torture/fuzz.py",
    "torture/spending.py",
}
"""Longer than that when the limit came to hold for tests; a file that is split leaves this list."""


def test_no_further_file_of_tests_is_longer_than_a_room() -> None:
    long = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if len(path.read_text().splitlines()) > MOST_LINES
    }

    assert sorted(long - LONG) == [], "split it by idea"
    assert sorted(LONG - long) == [], "take it off the list"
