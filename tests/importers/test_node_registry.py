"""The original registry's JSON: every field, every spelling, presets, ids and environments."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.cli.importing import run_import
from exporter.config import Target, make_target, read_text
from exporter.importers import Imported, NoImportError, import_text
from exporter.providers import presets
from exporter.settings import SettingsError
from tests.importers.foreign import FILES, arguments, only_service, original, warnings_of

OPENAI = {"provider": "openai", "baseUrl": "https://api.openai.com/v1", "apiKey": "sk-0123456789"}


def targets(imported: Imported) -> list[Target]:
    """Return the targets of *imported*, with a value for each of its variables."""
    values = {setting.name: "value-0123456789" for setting in imported.settings}
    declared = read_text(imported.text, "services.yaml", values).services
    return [make_target(service, values) for service in declared]


def test_a_known_provider_is_its_preset_and_nothing_more() -> None:
    check = {"endpoint": "/models", "method": "GET", "expectedStatusCodes": [200]}
    headers = {"apiKeyHeader": "authorization", "apiKeyPrefix": "Bearer "}

    service = only_service(original({**OPENAI, **headers, "type": "ai", "healthCheck": check}))

    assert service == {"id": "api", "provider": "openai", "api_key": "${OPENAI_API_KEY}"}


def is_plain(name: str) -> bool:
    """Return whether the original could say all that this preset says."""
    preset = presets()[name]
    return preset.auth.kind == "header" and "$" not in preset.base_url + preset.health.endpoint


@pytest.mark.parametrize("name", [*filter(is_plain, presets())])
def test_every_preset_is_recognised_by_its_own_check(name: str) -> None:
    preset = presets()[name]
    service = {
        "provider": name,
        "baseUrl": preset.base_url,
        "apiKey": "k-0123456789",
        "apiKeyHeader": preset.auth.header,
        "apiKeyPrefix": preset.auth.prefix,
        "healthCheck": {"endpoint": preset.health.endpoint, "method": preset.health.method},
    }

    found = only_service(original(service))

    check = found.pop("health_check", {})
    assert found.keys() == {"id", "provider", "api_key"}
    assert check.keys() <= {"allow_private_addresses"}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"healthCheck": {"intervalMs": 30000}}, {"health_check": {"interval": "30s"}}),
        ({"healthCheck": {"timeoutMs": 250}}, {"health_check": {"timeout": "250ms"}}),
        ({"healthCheck": {"retries": 0}}, {"health_check": {"retries": 0}}),
        ({"baseUrl": "https://eu.api.openai.com/v1"}, {"region": "eu"}),
        ({"baseUrl": ""}, {}),
        ({"baseUrl": "https://api.openai.com/", "healthCheck": {"endpoint": "v1/models"}}, {}),
        ({"healthCheck": {"expectedStatusCodes": [200, 201]}}, {}),
        (
            {"healthCheck": {"expectedStatusCodes": [200, 401]}},
            {"health_check": {"expected_status_codes": [200, 401], "assertions": []}},
        ),
        (
            {"healthCheck": {"endpoint": "/files", "method": "HEAD"}},
            {"health_check": {"endpoint": "/files", "method": "HEAD"}},
        ),
        ({"healthCheck": {"endpoint": "/models?key=sk-0123456789"}}, {}),
        ({"apiKeyHeader": "X-Key"}, {"api_key_header": "X-Key", "api_key_prefix": ""}),
        ({"additionalHeaders": {"X-A": "b"}}, {"additional_headers": {"X-A": "b"}}),
        ({"healthCheck": {"headers": {"Authorization": "Bearer sk-0123456789"}}}, {}),
        ({"rateLimit": {"requestsPerHour": 9}}, {"rate_limit": {"requests_per_hour": 9}}),
        (
            {"retryPolicy": {"maxRetries": 1, "baseDelayMs": 500, "backoffMultiplier": 1.5}},
            {
                "retry_policy": {
                    "max_retries": 1,
                    "base_delay": "500ms",
                    "backoff_multiplier": 1.5,
                }
            },
        ),
    ],
)
def test_only_what_differs_is_written(change: dict[str, Any], differs: dict[str, Any]) -> None:
    service = only_service(original(OPENAI | change))

    assert service.pop("api_key") == "${OPENAI_API_KEY}"
    assert service == {"id": "api", "provider": "openai"} | differs


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"baseUrl": "https://proxy.example.com/v1"}, "another address"),
        ({"baseUrl": "http://api.openai.com/v1"}, "another address"),
        ({"provider": "twilio", "baseUrl": "https://api.twilio.com/2010-04-01"}, "another way"),
        ({"apiKey": "", "healthCheck": {"endpoint": "/files"}}, "no key"),
        ({"provider": "acme"}, "no preset"),
    ],
)
def test_what_contradicts_a_preset_is_a_service_of_its_own(
    change: dict[str, Any], why: str
) -> None:
    imported = original(OPENAI | change)

    assert "provider" not in only_service(imported) or why == "no preset"
    assert any(why in warning for warning in warnings_of(imported))


def test_every_field_of_a_custom_service_is_kept() -> None:
    service = {
        "id": "acme",
        "name": "Acme",
        "type": "payment",
        "baseUrl": "https://acme.example/v2/",
        "apiKey": "secret-0123",
        "apiKeyHeader": "X-Key",
        "apiKeyPrefix": "Key ",
        "environment": "staging",
        "enabled": False,
        "rateLimit": {"requestsPerMinute": 60, "requestsPerHour": 600},
        "retryPolicy": {"maxRetries": 4, "baseDelayMs": 1500, "backoffMultiplier": 3},
        "additionalHeaders": {"Accept": "application/json"},
        "healthCheck": {
            "endpoint": "/ping",
            "method": "POST",
            "headers": {"X-Probe": "1"},
            "body": {"a": [1, True, None]},
            "intervalMs": 90000,
            "timeoutMs": 1500,
            "retries": 1,
            "expectedStatusCodes": [200, 204],
            "failureThreshold": 2,
        },
        "metadata": {"owner": "me", "tags": ["a", "b"], "team": "core"},
    }

    imported = original(service)

    assert imported.warnings == ()
    assert only_service(imported) == {
        "id": "acme",
        "name": "Acme",
        "type": "payment",
        "base_url": "https://acme.example/v2",
        "api_key": "${ACME_KEY}",
        "api_key_header": "X-Key",
        "api_key_prefix": "Key ",
        "enabled": False,
        "environment": "staging",
        "team": "core",
        "additional_headers": {"Accept": "application/json"},
        "rate_limit": {"requests_per_minute": 60, "requests_per_hour": 600},
        "retry_policy": {"max_retries": 4, "base_delay": "1500ms", "backoff_multiplier": 3},
        "health_check": {
            "endpoint": "/ping",
            "method": "POST",
            "headers": {"X-Probe": "1"},
            "body": {"a": [1, True, None]},
            "interval": "90s",
            "timeout": "1500ms",
            "retries": 1,
            "expected_status_codes": [200, 204],
        },
        "alerts": {"down_after": 2},
        "metadata": {"owner": "me", "tags": "a, b"},
    }


def test_the_defaults_are_below_each_service() -> None:
    defaults = {"intervalMs": 60000, "timeoutMs": 4000, "method": "HEAD", "nonsense": 1}
    own = {"healthCheck": {"timeoutMs": 2000}}

    imported = original({}, {"id": "b", **own}, monitoring={"healthCheckDefaults": defaults})

    first, second = targets(imported)
    assert (first.interval, second.interval) == (60.0, 60.0)
    assert first.endpoint is not None
    assert second.endpoint is not None
    assert (first.endpoint.timeout, second.endpoint.timeout) == (4.0, 2.0)
    assert first.endpoint.method == second.endpoint.method == "HEAD"
    (warning,) = imported.warnings
    assert warning.where == "monitoring.healthCheckDefaults.nonsense"


def test_the_switches_of_the_whole_registry() -> None:
    switches = {"enabled": False, "dashboardEnabled": False, "metricsRetentionDays": 30}

    imported = original({}, monitoring=switches | {"port": 3000})

    monitoring = {"enabled": False, "dashboard_enabled": False, "metrics_retention_days": 30}
    assert imported.data["monitoring"] == monitoring
    (warning,) = warnings_of(imported)
    assert "monitoring.port: no equivalent: use --web.listen-address" in warning


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("process.env.OPENAI_KEY", "${OPENAI_KEY}"),
        ("process.env['OPENAI_KEY']", "${OPENAI_KEY}"),
        ('process.env["OPENAI_KEY"] || "none"', "${OPENAI_KEY}"),
        ("${process.env.OPENAI_KEY}", "${OPENAI_KEY}"),
        ("${OPENAI_KEY}", "${OPENAI_KEY}"),
        ("${OPENAI_KEY:-none}", "${OPENAI_KEY}"),
        ("{{OPENAI_KEY}}", "${OPENAI_KEY}"),
        ("$OPENAI_KEY", "${OPENAI_KEY}"),
        ("env:OPENAI_KEY", "${OPENAI_KEY}"),
        ("${not a name}", "${API_KEY}"),
        ("pa$$word", "${API_KEY}"),
    ],
)
def test_placeholders_keep_the_name_of_their_variable(text: str, written: str) -> None:
    imported = original({"apiKey": text})

    assert only_service(imported)["api_key"] == written
    assert bool(imported.warnings) is ("none" in text)


def test_placeholders_are_found_in_every_text() -> None:
    service = {
        "baseUrl": "${API_BASE}/v1",
        "additionalHeaders": {"X-A": "a ${A} process.env.B"},
        "healthCheck": {"endpoint": "/x", "body": {"c": ["process.env.C"]}},
    }

    found = only_service(original(service))

    assert found["base_url"] == "${API_BASE}/v1"
    assert found["additional_headers"] == {"X-A": "a ${A} ${B}"}
    assert found["health_check"] == {"endpoint": "/x", "body": {"c": ["${C}"]}}


@pytest.mark.parametrize("spelling", ["base_url", "baseURL", "base-url", "BaseUrl"])
def test_a_field_is_found_in_any_spelling(spelling: str) -> None:
    services = [{"id": "a", spelling: "https://a.example", "healthCheck": {"interval_ms": 5000}}]

    (target,) = targets(import_text(json.dumps(services), "r.json"))

    assert (target.base_url, target.interval) == ("https://a.example", 5.0)


def test_two_spellings_of_one_field_are_a_mistake() -> None:
    with pytest.raises(SettingsError, match=r"r\.json:2: .*base_url: is given twice"):
        import_text('{"services": [{"baseUrl": "https://a.example",\n"base_url": "x"}]}', "r.json")


@pytest.mark.parametrize(
    ("field", "value", "seconds"),
    [
        ("intervalMs", 1500, 1.5),
        ("interval", 45000, 45.0),
        ("interval", "45s", 45.0),
        ("intervalSeconds", 45, 45.0),
        ("intervalMs", 1, 1.0),
        ("intervalMs", 10**12, 86400.0),
    ],
)
def test_times(field: str, value: object, seconds: float) -> None:
    (target,) = targets(original({"healthCheck": {field: value}}))

    assert target.interval == seconds


def test_ids_and_environments_keep_services_apart() -> None:
    environments = ["staging", "production", "staging", None]
    same = [{"environment": e} if e else {} for e in environments]

    imported = original(*same, {"id": "Mixed_Case API"})

    found = [(t.id, t.environment) for t in targets(imported)]
    assert found == [
        ("api-staging", "staging"),
        ("api", "production"),
        ("api-staging-2", "staging"),
        ("api-2", "production"),
        ("mixed-case-api", "production"),
    ]
    texts = warnings_of(imported)
    assert sum("the environment is added" in text for text in texts) == 1
    assert sum("is given twice" in text for text in texts) == 2
    assert sum("is changed" in text for text in texts) == 1


def test_services_can_be_a_mapping_by_id() -> None:
    text = json.dumps({"services": {"x": {"baseUrl": "https://a.example"}, "y": OPENAI}})

    assert [s["id"] for s in import_text(text, "r.json").services] == ["x", "y"]


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ({"healthCheck": {"expectedBody": "ok"}}, "services[0].healthCheck.expectedBody"),
        ({"healthCheck": {"nonsense": 1}}, "services[0].healthCheck.nonsense"),
        ({"rateLimit": {"requestsPerSecond": 5}}, "services[0].rateLimit.requestsPerSecond"),
        ({"rateLimit": {"requestsPerMinute": 0}}, "services[0].rateLimit.requestsPerMinute"),
        ({"rateLimit": {"requestsPerMinute": 0.5}}, "services[0].rateLimit.requestsPerMinute"),
        ({"retryPolicy": {"maxRetries": 99}}, "services[0].retryPolicy.maxRetries"),
        ({"retryPolicy": {"baseDelayMs": 99999}}, "services[0].retryPolicy.baseDelayMs"),
        ({"retryPolicy": {"backoffMultiplier": 99}}, "services[0].retryPolicy.backoffMultiplier"),
        ({"retryPolicy": {"maxDelayMs": 99}}, "services[0].retryPolicy.maxDelayMs"),
        ({"metadata": {"a": {"b": 1}}}, "services[0].metadata.a"),
        ({"type": "llm"}, "services[0].type"),
        ({"environments": ["a"]}, "services[0].environments"),
        ({"environment": "a\nb"}, "services[0].environment"),
        ({"apiKey": "x", "apiKeyPrefix": "Bearer"}, "services[0].apiKeyPrefix"),
        ({"apiKey": "x", "apiKeyHeader": "a b"}, "services[0].apiKeyHeader"),
        ({"apiKeyEnv": "no name"}, "services[0].apiKeyEnv"),
        ({"nonsense": 1}, "services[0].nonsense"),
    ],
)
def test_what_is_lost_is_listed_with_its_place(service: dict[str, Any], where: str) -> None:
    imported = original(service)

    assert where in [warning.where for warning in imported.warnings]
    assert all(warning.line > 2 for warning in imported.warnings)


def test_a_scheme_belongs_to_authorization_even_where_the_preset_has_another_header() -> None:
    anthropic = {"provider": "anthropic", "baseUrl": "https://api.anthropic.com/v1", "apiKey": "k"}

    bearer = only_service(original(anthropic | {"apiKeyPrefix": "Bearer "}))

    assert (bearer["api_key_header"], bearer["api_key_prefix"]) == ("Authorization", "Bearer ")
    assert "api_key_header" not in only_service(original(anthropic))


def test_a_header_that_is_the_key_again_is_left_out() -> None:
    service = {
        "provider": "anthropic",
        "baseUrl": "https://api.anthropic.com/v1",
        "apiKey": "key-1",
    }

    found = only_service(original(service | {"additionalHeaders": {"X-Api-Key": "key-1"}}))

    assert found == {"id": "api", "provider": "anthropic", "api_key": "${ANTHROPIC_API_KEY}"}


def test_a_lost_expectation_switches_its_service_off() -> None:
    assert only_service(original({"healthCheck": {"expectedBody": "ok"}}))["enabled"] is False
    assert "enabled" not in only_service(original({"healthCheck": {"nonsense": 1}}))


def test_the_address_of_a_preset_is_used_even_where_the_preset_is_not() -> None:
    service = {"provider": "openai", "baseUrl": None, "healthCheck": {"endpoint": "/files"}}

    found = only_service(original(service))

    assert found["base_url"] == "https://api.openai.com/v1"
    assert found["health_check"] == {"endpoint": "/files"}


def test_a_service_without_an_address_is_not_imported() -> None:
    with pytest.raises(NoImportError) as caught:
        original({"baseUrl": None})

    (warning,) = caught.value.warnings
    assert "has no baseUrl" in str(warning)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"services": [ // mine\n]}', "1: (file): not valid JSON: a comment"),
        ('{"services": [\n{"id": "a",}]}', "2: (file): not valid JSON: a comma before }"),
        ('{"services": [\n{"id": "a", "id": "b"}]}', "2: (file): this name is given twice"),
        ('{"services": ' + "[" * 99, "nested deeper than"),
        ('{"monitoring": {"dashboardEnabled": 1e999}}', "too large"),
        ('[{"id": "a", "baseUrl": {"a": 1}}]', "[0].baseUrl: must be text"),
        ('[{"baseUrl": "https://a.example"}]', "[0]: id is missing"),
        ('[{"id": "a", "baseUrl": "https://a.example"}, 5]', "[1]: must be a mapping"),
        ('[{"id": "a", "healthCheck": {"intervalMs": "x"}}]', "intervalMs: must be a number"),
        ('[{"id": "a", "healthCheck": {"expectedStatusCodes": [2]}}]', "must be statuses"),
        ("module.exports = {services: []}", "this is JavaScript"),
        ("export default {\n services: []}", "this is JavaScript"),
        ('{"services": [{"id": "a", "provider": "openai"}]}', "a configuration of this program"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(text: str, what: str) -> None:
    with pytest.raises((SettingsError, NoImportError)) as caught:
        import_text(text, "registry.json")

    assert what in str(caught.value)


@pytest.mark.parametrize("value", [None, 5, -1, "x", "", [], {}, [5], {"a": 5}, True, [[]], 1e300])
def test_any_type_anywhere_is_a_mistake_or_imported_but_never_a_crash(value: object) -> None:
    service = json.loads((FILES / "node-registry.json").read_text())["services"][0]
    places = [(name,) for name in service] + [
        (name, inner) for name, part in service.items() if isinstance(part, dict) for inner in part
    ]
    places += [("healthCheck", name) for name in ("body", "headers", "enabled", "retries", "path")]
    for *outer, name in places:
        changed = json.loads(json.dumps(service))
        inner = changed
        for step in outer:
            inner = inner[step]
        inner[name] = value
        try:
            import_text(json.dumps([changed]), "r.json", kind="node-registry")
        except (SettingsError, NoImportError) as error:
            assert "check-config" not in str(error)  # noqa: PT017 - most values are imported
    for top in ("monitoring", "services"):
        try:
            import_text(
                json.dumps({"services": [service], top: value}), "r.json", kind="node-registry"
            )
        except (SettingsError, NoImportError) as error:
            assert "check-config" not in str(error)  # noqa: PT017 - as above


def test_the_command_recognises_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "services.yaml"

    assert run_import(arguments(FILES / "node-registry.json", output=output)) == 0

    assert "ok: 7 services (5 enabled) from node-registry" in capsys.readouterr().err


WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
PATHS = st.lists(WORDS, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts))


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """A service as the original could have it."""
    known = {name: p.base_url for name, p in presets().items() if "$" not in p.base_url}
    provider = draw(st.sampled_from(["", "custom", "acme", *sorted(known)]))
    own = st.builds("https://{}.example.com{}".format, WORDS, PATHS)
    interval = draw(st.integers(1000, 86_400_000))
    return {
        "id": draw(WORDS),
        "provider": provider,
        "baseUrl": draw(st.sampled_from([known.get(provider, "https://a.example")]) | own),
        "apiKey": draw(st.sampled_from(["", "k-SENTINEL-0123456789", "${A_KEY}"])),
        "apiKeyHeader": draw(st.sampled_from([None, "Authorization", "X-Api-Key"])),
        "apiKeyPrefix": draw(st.sampled_from([None, "", "Bearer ", "Token "])),
        "environment": draw(st.sampled_from([None, "production", "staging"])),
        "rateLimit": draw(st.none() | st.fixed_dictionaries({"requestsPerMinute": st.integers(1)})),
        "healthCheck": {
            "endpoint": draw(PATHS.filter(bool)),
            "method": draw(st.sampled_from(["GET", "HEAD", "POST", None])),
            "intervalMs": interval,
            "timeoutMs": draw(st.integers(10, min(interval, 300_000))),
            "retries": draw(st.none() | st.integers(0, 10)),
            "expectedStatusCodes": draw(st.none() | st.lists(st.integers(200, 599), min_size=1)),
        },
    }


@given(st.lists(services(), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_target_asks_what_the_original_asked(originals: list[dict[str, Any]]) -> None:
    imported = import_text(json.dumps(originals), "r.json")
    values = {setting.name: "value-0123456789" for setting in imported.settings} | {"A_KEY": "x"}
    declared = read_text(imported.text, "services.yaml", values).services

    assert "SENTINEL" not in imported.text
    assert len({service.raw["id"] for service in declared}) == len(originals)
    for theirs, ours in zip(originals, declared, strict=True):
        target, check = make_target(ours, values), theirs["healthCheck"]
        assert target.interval == pytest.approx(check["intervalMs"] / 1000)
        assert target.environment == (theirs["environment"] or "production")
        limit = theirs["rateLimit"]["requestsPerMinute"] if theirs["rateLimit"] else None
        assert target.rate_limit.requests_per_minute == (min(limit, 10**9) if limit else None)
        if check["retries"] is not None:
            assert target.retries == check["retries"]
        assert target.endpoint is not None, target.unprobed
        assert target.endpoint.url == theirs["baseUrl"].rstrip("/") + check["endpoint"]
        assert target.endpoint.method == (check["method"] or "GET")
        assert target.endpoint.timeout == pytest.approx(check["timeoutMs"] / 1000)
        assert target.endpoint.expect.statuses == set(check["expectedStatusCodes"] or [200])
