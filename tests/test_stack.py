"""The whole thing with real programs: nginx is probed, a real Prometheus scrapes and is asked."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from exporter.model import Reason, Verdict
from tests.patience import Patience
from tests.programs import exporter, free_port, nginx, program, running

pytestmark = pytest.mark.slow

CONFIG = """
defaults:
  health_check: {{interval: 1s, timeout: 1s, retries: 0, allow_private_addresses: true}}
services:
  - {{id: good, base_url: '{http}', team: platform, objectives: {{availability: 99.9%}}}}
  - id: good-tls
    base_url: '{https}'
    health_check: {{tls: {{ca_file: {ca}}}}}
  - {{id: untrusted, base_url: '{https}'}}
  - id: wrong-body
    base_url: '{http}'
    health_check: {{assertions: [{{json: $.status, equals: no}}]}}
  - {{id: refused, base_url: 'http://127.0.0.1:{closed}'}}
  - {{id: private, base_url: '{http}', health_check: {{allow_private_addresses: false}}}}
  - {{id: keyless, base_url: '{http}', api_key: '${{SURELY_NOT_SET}}'}}
"""


class Prometheus:
    """A running Prometheus, asked over its API."""

    def __init__(self, base: str) -> None:
        self.base = base

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.base}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def query(self, promql: str) -> dict[str, float]:
        """Return the values of an instant query by the label `service`."""
        found = self.get("query?" + urllib.parse.urlencode({"query": promql}))["result"]
        return {row["metric"].get("service", ""): float(row["value"][1]) for row in found}

    def until(self, promql: str, wanted: dict[str, float], seconds: float = 40) -> None:
        """Return once *promql* answers *wanted*."""
        patience = Patience(seconds)
        while (seen := self.query(promql)) != wanted:
            assert not patience.is_over, f"{promql}: {seen} instead of {wanted}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("stack")
    with nginx(folder) as (http, https, ca):
        config = CONFIG.format(
            http=http.rstrip("/"), https=https.rstrip("/"), ca=ca, closed=free_port()
        )
        with exporter(folder, config) as (_, base), _prometheus(folder, base) as found:
            found.until("min_over_time(up[1m])", {"": 1.0})
            found.until('probe_success{service="good"}', {"good": 1.0})
            found.until('probe_success{service="refused"}', {"refused": 0.0})
            yield found


def _prometheus(folder: Path, target: str, **scrape: Any) -> Any:
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "service-registry",
                "static_configs": [{"targets": [target.partition("://")[2]]}],
                **scrape,
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return _asked(running(command, None, base + "/-/ready"), base)


class _asked:  # noqa: N801, a context manager that reads like a function
    def __init__(self, process: Any, base: str) -> None:
        self.process, self.base = process, base

    def __enter__(self) -> Prometheus:
        self.process.__enter__()
        return Prometheus(self.base)

    def __exit__(self, *error: object) -> None:
        self.process.__exit__(*error)


def test_the_target_is_up_and_no_scrape_has_an_error(prometheus: Prometheus) -> None:
    targets = prometheus.get("targets")["activeTargets"]

    assert [(t["health"], t["lastError"]) for t in targets] == [("up", "")]


def test_no_sample_is_dropped_as_duplicate_or_out_of_order(prometheus: Prometheus) -> None:
    for name in ("scrape_samples_scraped", "scrape_samples_post_metric_relabeling"):
        assert prometheus.query(name)[""] > 500

    assert prometheus.query("scrape_samples_scraped - scrape_samples_post_metric_relabeling") == {
        "": 0
    }


def test_probe_success_tells_good_from_bad(prometheus: Prometheus) -> None:
    wanted = {
        "good": 1.0,
        "good-tls": 1.0,
        "untrusted": 0.0,
        "wrong-body": 0.0,
        "refused": 0.0,
        "private": 0.0,
    }

    prometheus.until("probe_success", wanted)


@pytest.mark.parametrize(
    ("service", "verdict", "reason"),
    [
        ("good", "ok", "ok"),
        ("good-tls", "ok", "ok"),
        ("untrusted", "provider", "tls"),
        ("wrong-body", "provider", "bad_body"),
        ("refused", "provider", "connect"),
        ("private", "request", "address_refused"),
    ],
)
def test_verdict_and_reason_are_right(
    prometheus: Prometheus, service: str, verdict: str, reason: str
) -> None:
    select = f'service="{service}"'

    prometheus.until(f'service_verdict{{{select},verdict="{verdict}"}}', {service: 1.0})
    prometheus.until(f"sum by (service) (service_verdict{{{select}}})", {service: 1.0})
    prometheus.until(
        f'sum by (service) (probe_results_total{{{select},reason!="{reason}"}})', {service: 0.0}
    )


def test_every_reason_and_verdict_is_there_from_the_start(prometheus: Prometheus) -> None:
    prometheus.until(
        'count by (service) (probe_results_total{service="good"})', {"good": len(Reason)}
    )
    prometheus.until('count by (service) (service_verdict{service="good"})', {"good": len(Verdict)})


def test_the_phases_sum_to_the_duration(prometheus: Prometheus) -> None:
    off = (
        "abs(sum by (service) (probe_http_duration_seconds)"
        " - sum by (service) (probe_duration_seconds)) > 0.00001"
    )

    assert prometheus.query(off) == {}


def test_the_certificate_expiry_is_known_also_where_the_chain_is_bad(
    prometheus: Prometheus,
) -> None:
    found = prometheus.query("probe_ssl_earliest_cert_expiry - time() > 0")

    assert set(found) == {"good-tls", "untrusted"}


def test_a_quantile_of_the_latency_is_plausible(prometheus: Prometheus) -> None:
    quantile = 'histogram_quantile(0.5, rate(probe_latency_seconds_bucket{service="good"}[1m]))'

    prometheus.until(f"({quantile}) > bool 0", {"good": 1.0})
    prometheus.until(f"({quantile}) < bool 0.5", {"good": 1.0})


def test_a_service_without_its_key_is_registered_and_says_so(prometheus: Prometheus) -> None:
    prometheus.until('service_key_configured{service="keyless"}', {"keyless": 0.0})
    prometheus.until('service_info{service="keyless"}', {"keyless": 1.0})

    assert prometheus.query('probe_success{service="keyless"}') == {}


def test_sli_events_count_only_ok_and_provider(prometheus: Prometheus) -> None:
    prometheus.until('service_sli_events_total{service="private"}', {"private": 0.0})

    assert prometheus.query('service_sli_bad_events_total{service="refused"} > 0')
    assert prometheus.query('service_sli_bad_events_total{service="good"}') == {"good": 0.0}


def test_the_exporter_says_what_it_is(prometheus: Prometheus) -> None:
    assert prometheus.query("exporter_build_info") == {"": 1.0}
    assert prometheus.query("exporter_config_last_reload_successful") == {"": 1.0}
    assert prometheus.query("time() - exporter_config_last_reload_success_timestamp_seconds < 600")
    assert prometheus.query("process_resident_memory_bytes")[""] > 1e6


def test_a_scrape_over_tls_with_a_password_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    cert = ca.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    cert.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    hashed = bcrypt.hashpw(b"a password", bcrypt.gensalt(10)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: own.pem, key_file: own.pem}\n"
        f"basic_auth_users: {{prometheus: '{hashed}'}}\n"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))  # for the test's own requests
    login = {"username": "prometheus", "password": "a password"}
    scrape = {
        "scheme": "https",
        "basic_auth": login,
        "tls_config": {"ca_file": f"{tmp_path}/ca.pem"},
    }
    web = "--web.config.file", str(tmp_path / "web.yml")

    with (
        exporter(tmp_path, "services: []", *web, scheme="https") as (_, base),
        _prometheus(tmp_path, base, **scrape) as found,
    ):
        found.until("min_over_time(up[10s])", {"": 1.0})
        found.until("min_over_time(scrape_samples_scraped[10s]) > bool 10", {"": 1.0})
        targets = found.get("targets")["activeTargets"]

    assert [(t["health"], t["lastError"], t["scrapeUrl"]) for t in targets] == [
        ("up", "", base + "/metrics")
    ]
