"""blackbox_exporter's modules with Prometheus' targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.importers import NoImportError, import_text
from exporter.settings import SettingsError
from tests.importers.foreign import blackbox, only_service, warnings_of

JOB = "scrape_configs:\n  - job_name: j\n    metrics_path: /probe\n"


def test_modules_alone_have_no_targets() -> None:
    with pytest.raises(NoImportError, match="--targets") as caught:
        import_text("modules: {a: {prober: tcp}, b: {prober: http}}", "b.yml")

    assert len(caught.value.warnings) == 1


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ("      valid_status_codes: [200, 204]\n", {"expected_status_codes": [200, 204]}),
        ("      method: POST\n      body: x\n", {"method": "POST", "body": "x"}),
        ("      follow_redirects: false\n", {"follow_redirects": 0, "allow_cross_origin": False}),
        ("      no_follow_redirects: true\n", {"follow_redirects": 0}),
        ("      headers: {Host: other.example}\n", {"headers": {"Host": "other.example"}}),
        (
            "      tls_config: {insecure_skip_verify: true}\n",
            {"tls": {"insecure_skip_verify": True}},
        ),
        ("      proxy_url: socks5://p.example:1080\n", {"proxy": "socks5://p.example:1080"}),
        ("      fail_if_not_ssl: true\n", {}),
        (
            "      fail_if_header_matches: [{header: A, regexp: b}]\n",
            {"assertions": [{"header": "A", "exists": True}, {"header": "A", "not_matches": "b"}]},
        ),
    ],
)
def test_fields_of_the_http_section(http: str, expected: dict[str, object]) -> None:
    imported = blackbox(http)

    check = only_service(imported)["health_check"]
    assert {name: check.get(name) for name in expected} == expected
    assert not imported.warnings


@pytest.mark.parametrize(
    "line",
    [
        "valid_http_versions: [HTTP/1.1]",
        "preferred_ip_protocol: ip4",
        "ip_protocol_fallback: false",
        "fail_if_ssl: true",
        "compression: gzip",
        "body_size_limit: 1KB",
        "enable_http2: false",
        "enable_http3: true",
        "skip_resolve_phase_with_proxy: true",
        "http_headers: {a: b}",
        "fail_if_body_json_matches_cel: x",
        "body_file: /etc/hostname",
        "something_new: 1",
        "tls_config: {min_version: TLS13}",
        "fail_if_header_not_matches: [{header: A, regexp: b, allow_missing: true}]",
    ],
)
def test_a_field_without_equivalent_is_listed(line: str) -> None:
    imported = blackbox(f"      {line}\n")

    assert len(imported.warnings) == 1
    assert warnings_of(imported)[0].startswith("blackbox.yml:5: modules.m.http.")
    assert "no equivalent: " in warnings_of(imported)[0]


@pytest.mark.parametrize(
    ("line", "off"),
    [
        ("valid_http_versions: [HTTP/2.0]", True),
        ("valid_http_versions: [HTTP/1.1, HTTP/2.0]", False),
        ("fail_if_ssl: true", True),
        ("fail_if_body_json_matches_cel: x", True),
        ("fail_if_header_not_matches: [{header: A, regexp: b, allow_missing: true}]", True),
        ("compression: gzip", False),
    ],
)
def test_a_lost_check_switches_the_service_off(line: str, off: bool) -> None:
    imported = blackbox(f"      {line}\n")

    assert (only_service(imported).get("enabled") is False) is off
    assert ("# off: " in imported.text) is off


def test_a_default_that_is_spelled_out_is_not_listed() -> None:
    http = "      fail_if_ssl: false\n      enable_http2: true\n      ip_protocol_fallback: true\n"

    assert not blackbox(http).warnings


def test_only_https_may_be_demanded_of_an_https_address() -> None:
    imported = blackbox("      fail_if_not_ssl: true\n", "http://api.example.com")

    assert "write base_url with https://" in warnings_of(imported)[0]


def test_credentials_of_every_kind(tmp_path: Path) -> None:
    basic = only_service(blackbox("      basic_auth: {username: u, password: long-enough-1}\n"))
    file = only_service(blackbox("      bearer_token_file: secrets/token\n"))
    own = only_service(blackbox("      authorization: {type: Token, credentials: abcdefgh}\n"))

    assert basic["auth"] == {"kind": "basic", "username": "u"}
    assert basic["api_key"] == "${API_EXAMPLE_COM_HEALTH_KEY}"
    assert file["api_key_file"] == "secrets/token"
    assert own["api_key_prefix"] == "Token "


def test_a_relative_file_starts_at_the_foreign_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    module = (
        "modules: {m: {prober: http, http: {bearer_token_file: t, tls_config: {ca_file: ca.pem}}}}"
    )
    jobs = JOB + "    params: {module: [m]}\n    static_configs: [{targets: [https://a.example]}]\n"

    imported = import_text(module, str(tmp_path / "b.yml"), targets=(jobs, "p.yml"))

    assert only_service(imported)["api_key_file"] == str(tmp_path / "t")
    assert only_service(imported)["health_check"]["tls"] == {"ca_file": str(tmp_path / "ca.pem")}


def test_a_file_that_is_not_here_is_listed_and_the_service_off() -> None:
    imported = blackbox("      tls_config: {ca_file: /nowhere/ca.pem}\n")

    assert only_service(imported)["enabled"] is False
    assert "tls_config.ca_file" in warnings_of(imported)[0]


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ("    file_sd_configs: [{files: [a.json]}]\n", "file_sd_configs"),
        ("    relabel_configs: [{target_label: __param_hostname}]\n", "relabel_configs[0]"),
        ("    new_field: 1\n", "new_field"),
    ],
)
def test_what_prometheus_does_beyond_static_targets_is_listed(section: str, where: str) -> None:
    jobs = (
        JOB
        + section
        + ("    params: {module: [m]}\n    static_configs: [{targets: [https://a.example]}]\n")
    )

    imported = import_text("modules: {m: {prober: http}}", "b.yml", targets=(jobs, "p.yml"))

    assert [w.where for w in imported.warnings] == [f"scrape_configs[0].{where}"]


@pytest.mark.parametrize(
    ("module", "jobs"),
    [
        ("modules: {m: {prober: http, http: {method: [x]}}}", ""),
        ("modules: {m: {prober: http, http: {valid_status_codes: [x]}}}", ""),
        ("modules: {m: {prober: http, http: {fail_if_body_matches_regexp: ['(']}}}", ""),
        ("modules: {m: {prober: http, http: 5}}", ""),
        ("modules: {m: {}, n: {prober: http}}", ""),
        ("modules: {m: {prober: http}}", "global: 5\n"),
        ("modules: {m: {prober: http}}", "no_scrape_configs: 1\n#"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_imported(module: str, jobs: str) -> None:
    text = jobs + JOB + "    params: {module: [m]}\n    static_configs: [{targets: [a.example]}]\n"
    text = "no_scrape_configs: 1\n" if jobs.startswith("no") else text

    with pytest.raises(SettingsError):
        import_text(module, "b.yml", targets=(text, "p.yml"))


def test_intervals_come_from_the_job_or_from_all() -> None:
    jobs = (
        "global: {scrape_interval: 30s, scrape_timeout: 20s}\n"
        + JOB
        + ("    params: {module: [m]}\n    static_configs: [{targets: [https://a.example]}]\n")
    )

    imported = import_text("modules: {m: {prober: http}}", "b.yml", targets=(jobs, "p.yml"))

    check = only_service(imported)["health_check"]
    assert (check["interval"], check["timeout"]) == ("30s", "20s")


def test_an_interval_of_all_jobs_is_reported_where_it_is_written() -> None:
    jobs = "global: {scrape_interval: 2d}\n" + JOB
    jobs += "    params: {module: [m]}\n    static_configs: [{targets: [https://a.example]}]\n"

    imported = import_text("modules: {m: {prober: http}}", "b.yml", targets=(jobs, "p.yml"))

    assert [w.where for w in imported.warnings] == ["global.scrape_interval"]


def test_the_target_of_a_parameter_is_probed_too() -> None:
    jobs = JOB + (
        "    params: {module: [m], target: [https://a.example/x], debug: ['true'], hostname: [h]}\n"
        "    static_configs: [{targets: ['127.0.0.1:9115']}]\n"
    )

    imported = import_text("modules: {m: {prober: http}}", "b.yml", targets=(jobs, "p.yml"))

    assert only_service(imported)["base_url"] == "https://a.example"
    assert [w.where for w in imported.warnings] == ["scrape_configs[0].params.hostname"]


@pytest.mark.parametrize(
    ("target", "private"),
    [
        ("http://127.0.0.1:80", True),
        ("http://[::1]/", True),
        ("http://localhost", True),
        ("http://grafana:3000", True),
        ("http://10.1.2.3", True),
        ("https://db.internal", True),
        ("http://169.254.169.254", True),
        ("https://nas.local", True),
        ("https://example.com", False),
        ("https://8.8.8.8", False),
    ],
)
def test_private_hosts_are_allowed_and_reported(target: str, private: bool) -> None:
    imported = blackbox("      method: GET\n", target)

    assert only_service(imported)["health_check"].get("allow_private_addresses", False) is private
    assert bool(imported.warnings) is private


@pytest.mark.parametrize("target", ["ftp://a.example", "https://", "https://a b", "http://a:99999"])
def test_a_target_that_is_not_an_address_is_not_imported(target: str) -> None:
    with pytest.raises(NoImportError) as caught:
        blackbox("      method: GET\n", target)

    assert json.dumps(target)[1:-1] not in str(caught.value.warnings[0])
