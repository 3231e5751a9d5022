"""The whole chain with real programs, once: scripted APIs, two exporters, Prometheus with the
shipped rules, Alertmanager; then one exporter is killed and then the other.

What is asked afterwards is asked at one of the three moments, so tests need no order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.documents import yaml_of
from tests.grafana.asking import Desk
from tests.grafana.reading import ROOT
from tests.patience import Patience
from tests.programs import exporter, free_port, program, running
from tests.vendor import Behaviour, Peer, Seen, Vendor, answer

TOKEN = "a-token-of-the-receiver-of-some-length"
SERVICES = """
defaults:
  health_check: {{interval: 2s, timeout: 1s, retries: 0, allow_private_addresses: true}}
  objectives: {{availability: 99.9%, latency: {{threshold: 500ms, target: 99%}}}}
canaries: [{{url: "http://127.0.0.1:{closed}/", interval: 2s, timeout: 1s,
             allow_private_addresses: true}}]
services:
- {{id: good, team: web, base_url: "{tls}", environment: production,
    health_check: {{endpoint: /fine, tls: {{ca_file: {ca}}}}}, metadata: {{owner: us}}}}
- {{id: credits, provider: openrouter, base_url: "{plain}", environment: production,
    api_key: sk-or-v1-0123, api_key_next: sk-or-v1-4567, health_check: {{endpoint: /key}}}}
- {{id: limited, provider: openai, base_url: "{plain}", environment: production, api_key: sk-x,
    health_check: {{endpoint: /models}}}}
- {{id: outage, base_url: "{plain}", environment: outage, health_check: {{endpoint: /down}}}}
- {{id: spared, base_url: "{plain}", environment: outage, health_check: {{endpoint: /fine}}}}
- {{id: badkey, base_url: "{plain}", environment: badkey, api_key: wrong-key-0123,
    health_check: {{endpoint: /badkey}}}}
- {{id: empty, base_url: "{plain}", environment: quota, health_check: {{endpoint: /quota}}}}
- {{id: silent, base_url: "http://127.0.0.1:{closed}", environment: network}}
- {{id: expiring, base_url: "{short}", environment: certificate,
    health_check: {{endpoint: /fine, tls: {{ca_file: {ca}}}}}}}
- {{id: painting, base_url: "{plain}", environment: maintenance,
    health_check: {{endpoint: /broken}},
    maintenance: [{{start: 2020-01-01T00:00:00Z, end: 2100-01-01T00:00:00Z}}]}}
- {{id: off, base_url: "{plain}", environment: production, enabled: false}}
"""
ALERTMANAGER = """
route: {{receiver: log, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 5s}}
receivers:
- name: log
  webhook_configs: [{hooks}]
"""


def _spending() -> Behaviour:
    """Credits that become less with every question."""
    left = iter(range(10_000, 0, -7))

    async def behave(peer: Peer, seen: Seen) -> None:
        ends = (datetime.now(UTC) + timedelta(days=20)).isoformat()
        data = {"label": "x", "usage": 1, "limit_remaining": next(left), "expires_at": ends}
        await answer(200, {"data": data})(peer, seen)

    return behave


def _failing_after(good: int) -> Behaviour:
    """Well at first, so that there is a last success."""
    numbers = iter(range(10_000))

    async def behave(peer: Peer, seen: Seen) -> None:
        await answer(200 if next(numbers) < good else 500)(peer, seen)

    return behave


def _script(vendor: Vendor) -> None:
    limits = {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": "40",
        "x-ratelimit-reset-requests": "6m0s",
        "openai-processing-ms": "12",
    }
    vendor.on("/fine", answer(200, {"status": "ok"}))
    vendor.on("/down", _failing_after(4))
    vendor.on("/broken", answer(500))
    vendor.on("/badkey", answer(401))
    vendor.on("/quota", answer(402))
    vendor.on("/models", answer(200, {"object": "list", "data": []}, limits))
    vendor.on("/key", _spending())


@contextlib.contextmanager
def vendors(*contexts: ssl.SSLContext | None) -> Iterator[list[Vendor]]:
    """Run scripted servers on a thread of their own."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []
    stop = asyncio.Event()

    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for context in contexts:
                vendor = await stack.enter_async_context(Vendor(context))
                _script(vendor)
                found.append(vendor)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    found = []
    for days in (3, 300):
        ends = datetime.now(UTC) + timedelta(days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", not_after=ends, key_type=trustme.KeyType.ECDSA).configure_cert(
            context
        )
        found.append(context)
    return found[0], found[1], folder / "ca.pem"


def _rules(folder: Path) -> str:
    """Copy the shipped rules to be evaluated every second."""
    out = folder / "rules"
    out.mkdir()
    for path in (ROOT / "prometheus" / "rules").glob("*.yml"):
        rules = yaml_of(path.read_text())
        for group in rules["groups"]:
            group["interval"] = "1s"
        (out / path.name).write_text(yaml.safe_dump(rules))
    return f"{out}/*.yml"


def _prometheus_config(folder: Path, own: int, manager: int, exporters: list[str]) -> Path:
    def job(name: str, *targets: str) -> dict[str, Any]:
        return {"job_name": name, "static_configs": [{"targets": list(targets)}]}

    addresses = [url.partition("://")[2] for url in exporters]
    config = {
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
            "external_labels": {"cluster": "test"},
        },
        "rule_files": [_rules(folder)],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]
        },
        "scrape_configs": [
            job("probes", *addresses),
            job("prometheus", f"127.0.0.1:{own}"),
            job("alertmanager", f"127.0.0.1:{manager}"),
        ],
    }
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))
    return path


@dataclass(frozen=True, slots=True)
class Moments:
    """A Prometheus, and when it was how."""

    base: str
    live: float
    half: float
    dead: float

    def desk(self, moment: str = "live", **chosen: str) -> Desk:
        return Desk(self.base, getattr(self, moment), chosen)


def prometheus(folder: Path, config: Path, port: int, *flags: str) -> Any:
    """Run Prometheus until the block ends."""
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    return running(command, None, f"http://127.0.0.1:{port}/-/ready")


def _alertmanager(folder: Path, port: int) -> Any:
    path = _hooks(folder, [])
    command = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return running(command, None, f"http://127.0.0.1:{port}/-/ready")


def _hooks(folder: Path, exporters: list[str]) -> Path:
    """Write a configuration that tells *exporters* everything."""
    hooks = ", ".join(
        f'{{url: "{url}/api/alertmanager", send_resolved: true, http_config: {{authorization: '
        f'{{credentials: "{TOKEN}"}}}}}}'
        for url in exporters
    )
    path = folder / "alertmanager.yml"
    path.write_text(ALERTMANAGER.format(hooks=hooks))
    return path


def _until(base: str, *conditions: str, seconds: float = 60) -> float:
    """Return the time at which every one of *conditions* has a result."""
    patience = Patience(seconds)
    while True:
        now = time.time()
        missing = [c for c in conditions if not Desk(base, now).query(c)]
        if not missing:
            return now
        assert not patience.is_over, f"still without result: {missing}"
        time.sleep(0.2)


READY = (
    "min_over_time(up{job='probes'}[8s]) == 1 and count_over_time(up[8s]) > 6",
    'ALERTS{alertname="ServiceDown", service="outage", alertstate="firing", severity="critical"}',
    'service_verdict{service="silent", verdict="network"} == 1',
    # ServiceDown and ServiceErrorBudgetBurn, at both
    'min(sum by (instance) (service_incidents_open{service="outage"})) == 2',
    'count(service_incidents_open{service="empty"}) >= 2',
    'slo:service_burn_rate:ratio_rate6h{service="outage"} > 1',
    'service:probe_latency_seconds:p95_10m{service="good"} >= 0',
    "exporter_watchdog_last_received_timestamp_seconds > 0",
    "exporter_incidents_reconcile_last_success_timestamp_seconds > 0",
    'service_next_key_valid{service="credits"}',
    "increase(alertmanager_notifications_total[1m]) > 1",
)


TAKEN = (
    'min(service_incident_acknowledged{service="outage"}) == 1',
    'count(service_incident_acknowledge_seconds_count{service="outage"}) == 2',
)
GONE = (
    "absent(service_verdict)",
    "absent(service:service_watched:bool)",
    "absent(slo:service_burn_rate:ratio_rate1h)",
)
"""One evaluation of the rules later their results are gone too."""


def _take(exporters: list[str]) -> None:
    """Acknowledge the outage, as somebody would, at every exporter."""
    for url in exporters:
        with urllib.request.urlopen(f"{url}/api/incidents?service=outage") as found:
            incidents = json.load(found)["incidents"]
        for incident in incidents:
            request = urllib.request.Request(
                f"{url}/api/incidents/{incident['id']}/acknowledge",
                b'{"by": "ada"}',
                {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
            )
            urllib.request.urlopen(request).close()


@contextlib.contextmanager
def chain(folder: Path) -> Iterator[Moments]:
    """Let it all happen, and yield the Prometheus that saw it."""
    short, long, ca = _contexts(folder)
    token = folder / "token"
    token.write_text(TOKEN)
    own, manager = free_port(), free_port()
    base = f"http://127.0.0.1:{own}"
    with contextlib.ExitStack() as stack:
        plain, tls, soon = stack.enter_context(vendors(None, long, short))
        services = SERVICES.format(
            plain=plain.url("").rstrip("/"),
            tls=tls.url("").rstrip("/"),
            short=soon.url("").rstrip("/"),
            ca=ca,
            closed=free_port(),
        )
        others = stack.enter_context(contextlib.ExitStack())
        others.enter_context(_alertmanager(folder, manager))
        lives = [contextlib.ExitStack() for _ in range(2)]
        for life in lives:
            stack.push(life.__exit__)
        urls = [
            life.enter_context(
                exporter(
                    folder,
                    services,
                    "--data-dir",
                    str(folder / f"data-{i}"),
                    "--admin-token-file",
                    str(token),
                    "--alertmanager.token-file",
                    str(token),
                    "--alertmanager.url",
                    f"http://127.0.0.1:{manager}",
                )
            )[1]
            for i, life in enumerate(lives)
        ]
        _hooks(folder, urls)
        urllib.request.urlopen(f"http://127.0.0.1:{manager}/-/reload", b"").close()
        config = _prometheus_config(folder, own, manager, urls)
        stack.enter_context(prometheus(folder, config, own, "--rules.alert.resend-delay=5s"))
        _until(base, *READY)
        _take(urls)
        live = _until(base, *READY, *TAKEN)
        down = 'count(up{job="probes"} == 0) == '
        lives[1].close()
        half = _until(base, f"{down}1", "count(count by (instance) (service_info)) == 1")
        lives[0].close()
        dead = _until(base, f"{down}2", "absent(service_info)", *GONE)
        others.close()
        yield Moments(base, live, half, dead)
