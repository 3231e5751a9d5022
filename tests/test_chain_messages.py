"""Alertmanager's messages are dropped, repeated, delayed and reordered: the log is right anyway."""

from __future__ import annotations

import json
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.chain import Chain, chain
from tests.test_chain import QUICK

pytestmark = pytest.mark.slow

NAMES = [f"api-{number}" for number in range(12)]


class Relay:
    """Stands between Alertmanager and the exporter and mistreats what passes."""

    def __init__(self) -> None:
        self.target = ""
        self.passed = self.dropped = self.repeated = self.held = 0
        self._random = random.Random(7)
        self._late: list[tuple[str, bytes, dict[str, str]]] = []
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(relay.pass_on(self.path, body, dict(self.headers)))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler

    def pass_on(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """Return what Alertmanager is answered; the message may fare otherwise."""
        with self._lock:
            fate = self._random.choice(("drop", "repeat", "hold", "pass"))
            if fate == "hold":
                self.held += 1
                self._late.append((path, body, headers))
                return 200
            if fate == "drop":
                self.dropped += 1
                return 200
            late = self._late if fate == "repeat" else []
            self._random.shuffle(late)
            self._late = [] if fate == "repeat" else self._late
        status = self._send(path, body, headers)
        if fate == "repeat":
            self.repeated += 1
            for one in (*late, (path, body, headers)):
                self._send(*one)
        self.passed += 1
        return status

    def _send(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        kept = {k: v for k, v in headers.items() if k in ("Authorization", "Content-Type")}
        request = urllib.request.Request(self.target + path, body, kept)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.URLError:
            return 503


@pytest.fixture
def mistreated(tmp_path: Path) -> Iterator[tuple[Chain, Relay]]:
    relay = Relay()

    def prepare(made: Chain) -> None:
        relay.target = made.exporter.url

    def services(url: str) -> str:
        rows = [{"id": name, "base_url": f"{url}/{name}/"} for name in NAMES]
        alerts = {"flapping": 50}
        return json.dumps({"defaults": {"health_check": QUICK, "alerts": alerts}, "services": rows})

    with chain(tmp_path, services, relay=relay.url, prepare=prepare) as made:
        yield made, relay
    relay.server.shutdown()
    relay.server.server_close()


def test_the_log_tells_the_truth_whatever_happens_to_the_messages(
    mistreated: tuple[Chain, Relay],
) -> None:
    made, relay = mistreated
    made.calm()
    firing = 'ALERTS{alertname="ServiceDown",severity="critical",alertstate="firing"}'
    chance, broken = random.Random(3), list[str]()
    for _ in range(3):
        broken = chance.sample(NAMES, 6)
        made.provider.answers |= {f"/{name}/": (503, {}) for name in broken}
        made.until("they fire", lambda: len(made.query(firing)) == 6)
        made.until("they are known", lambda: len(made.unresolved("ServiceDown")) == 6)
        seen = {one["service"] for one in made.unresolved("ServiceDown")}
        made.provider.answers.clear()
        made.until("they are over", lambda: not made.query('ALERTS{alertname="ServiceDown"}'))
        made.until("and known to be", lambda: not made.unresolved("ServiceDown"))
        assert seen == set(broken)

    first = 'min_over_time((ALERTS_FOR_STATE{alertname="ServiceDown",severity="high"})[10m:1s])'
    begun = {row["metric"]["service"]: float(row["value"][1]) for row in made.query(first)}
    found = [one for one in made.incidents() if one["alertname"] == "ServiceDown"]

    # Within the grace of ten minutes one trouble of a service is one incident.
    assert sorted(one["service"] for one in found) == sorted(begun)
    for one in found:
        assert abs(one["started_at"] - begun[one["service"]]) < 1.5
        assert one["severity"] == "critical"
        kinds = [entry["kind"] for entry in one["timeline"]]
        assert kinds.count("opened") == 1
        assert kinds.count("resolved") == kinds.count("reopened") + 1
    assert min(relay.dropped, relay.repeated, relay.held, relay.passed) > 0
