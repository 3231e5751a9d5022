"""The whole chain of real programs on loopback: providers, exporter, Prometheus, Alertmanager.

Every program can be killed and started again while the chain runs. The shipped rules and routes are
used as they are, on clocks that run `SPEED` times faster.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from exporter.demo.shipped import write_alertmanager, write_prometheus
from exporter.store import new_secret_key
from tests.alertmanager import Mail, Request, Sink, http_sink, mail_sink
from tests.chain.programs import (
    SPEED,
    Program,
    alertmanager,
    exporter,
    prometheus,
    victoria_metrics,
)
from tests.chain.provider import Provider
from tests.patience import Patience
from tests.programs import free_port

TOKEN = "an-admin-token-of-some-length"
RECEIVER = "a-receiver-token-of-some-length"
SHORT_OF_TIME = 'alertname="ExporterShortOfResources",what="loop"'
"""It fires, and rightly, where other work takes the cores; of no other shortage."""
Found = TypeVar("Found")


def of_the_machine(text: str) -> bool:
    """Return whether a summary or subject says, or says no more, that the cores are taken."""
    begun, over = "cannot probe as it should: loop", "ExporterShortOfResources is over"
    return begun in text or over in text


class Chain:
    """Everything that runs, and how it is asked."""

    def __init__(
        self,
        folder: Path,
        config: Callable[[str], str],
        web: Sink[Request],
        mail: Sink[Mail],
        *,
        relay: str = "",
        victoria: bool = False,
    ) -> None:
        self.folder, self.web, self.mail, self.provider = folder, web, mail, Provider()
        ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager", "rules")}
        here = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        services = folder / "services.yaml"
        services.write_text(config(f"http://127.0.0.1:{self.provider.port}"))
        given = {"admin": TOKEN, "receiver": RECEIVER, "secret-key": new_secret_key()}
        for name, content in given.items():
            (folder / name).write_text(content)
        routes = write_alertmanager(
            folder,
            exporter=relay or f"http://{here['exporter']}",
            sink=web.url,
            mail=mail.address,
            token=RECEIVER,
            speed=SPEED,
        )
        rules = write_prometheus(
            folder,
            exporter=here["exporter"],
            alertmanager=here["alertmanager"],
            own=here["prometheus"],
            speed=SPEED,
        )
        self.exporter = exporter(folder, services, here)
        self.engine = (
            victoria_metrics(folder, rules, here)
            if victoria
            else (prometheus(folder, rules, here),)
        )
        """What scrapes, answers queries and evaluates the rules; the first is asked."""
        self.prometheus = self.engine[0]
        self.alertmanager = alertmanager(folder, routes, here)

    @property
    def programs(self) -> tuple[Program, ...]:
        return self.exporter, self.alertmanager, *self.engine

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask the exporter's API."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.exporter.url}{path}", sent, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        asked = urllib.parse.urlencode({"query": promql})
        url = f"{self.prometheus.url}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return list(json.load(answer)["data"]["result"])

    def until_sent(self, what: str, look: Callable[[], Any], seconds: float = 60) -> None:
        """Return when *look* finds a message about *what*; the exporter need not run."""
        patience = self._patience(seconds)
        while not look():
            assert not patience.is_over, f"nothing was sent about {what}"
            time.sleep(0.1)

    def until(self, what: str, look: Callable[[], Found], seconds: float = 60) -> Found:
        """Return what *look* finds as soon as that is something."""
        patience = self._patience(seconds)
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                if found := look():
                    return found
            assert not patience.is_over, f"in vain: {what}; {self._state()}"
            time.sleep(0.1)

    def _patience(self, seconds: float) -> Patience:
        return Patience(seconds)

    def _state(self) -> dict[str, Any]:
        return {
            "alerts": [row["metric"] for row in self.query('ALERTS{alertname!="Watchdog"}')],
            "incidents": [
                (one["alertname"], one["service"], one["status"], one["told_sentence"])
                for one in self.incidents()
            ],
            "sent": [got.path for got in self.web.items],
        }

    def incidents(self, **query: str) -> list[dict[str, Any]]:
        """Return the incidents that fit, the newest first."""
        asked = urllib.parse.urlencode(query)
        return list(self.ask(f"/api/incidents?limit=1000&{asked}")["incidents"])

    def incident(
        self, alertname: str, status: str, seconds: float = 60, **query: str
    ) -> dict[str, Any]:
        """Return the newest incident of *alertname* once it is *status*."""

        def look() -> list[dict[str, Any]]:
            found = self.incidents(status=status, **query)
            return [one for one in found if one["alertname"] == alertname]

        return self.until(f"{alertname} {query} is {status}", look, seconds)[0]

    def calm(self) -> None:
        """Mend everything; return once all is healthy, nothing fires and nothing is open.

        Nobody here can mend a machine that gives the exporter no time to probe.
        """
        self.provider.answers.clear()
        self.provider.connect()
        self.until("all healthy", lambda: self.ask("/api/health")["status"] == "healthy")
        self.until("our network is up", lambda: not self.query("exporter_network_up == 0"))
        fires = f'ALERTS{{alertname!="Watchdog"}} unless ALERTS{{{SHORT_OF_TIME}}}'
        self.until("nothing fires", lambda: not self.query(fires), 90)
        self.until("nothing open", lambda: not self.unresolved())
        asked = "exporter_incidents_reconcile_last_success_timestamp_seconds > 0"
        self.until("Alertmanager is asked", lambda: self.query(asked))

    def unresolved(self, alertname: str = "") -> list[dict[str, Any]]:
        """Return the open and the acknowledged incidents, but for what the machine causes."""
        return [
            one
            for one in self.incidents()
            if one["status"] != "resolved"
            and alertname in one["alertname"]
            and not of_the_machine(one["summary"])
        ]

    def pages(self, text: str = "", action: str = "trigger") -> list[Request]:
        """Return what PagerDuty was sent with *text* in its summary."""
        return [
            got
            for got in self.web.items
            if got.path == "/pagerduty"
            and got.body["event_action"] == action
            and text in got.body["payload"]["summary"]
        ]

    def pages_not_ended(self) -> set[str]:
        """Return the keys under which PagerDuty was sent a trigger and no end."""
        begun, ended = (
            {got.body["dedup_key"] for got in self.pages(action=action)}
            for action in ("trigger", "resolve")
        )
        return begun - ended

    def mails(self, text: str, state: str) -> list[Mail]:
        """Return the mails with *text* and *state* in the subject."""
        return [one for one in self.mail.items if text in one.subject and state in one.subject]

    def hooks(self, text: str, status: str) -> list[Request]:
        """Return what the webhook was sent of *status* with *text* in a summary."""
        return [
            got
            for got in self.web.items
            if got.path == "/webhook"
            and got.body["status"] == status
            and any(text in alert["annotations"]["summary"] for alert in got.body["alerts"])
        ]

    def remembered(self) -> None:
        """Return once Alertmanager has on its disk what it sent until now.

        After a kill it would send the rest again, as it must.
        """
        now, log = time.time(), self.folder / "alertmanager" / "nflog"
        self.until("a snapshot", lambda: log.exists() and log.stat().st_mtime > now)

    def marked(self) -> None:
        """Return once a page sent after everything else has arrived: nothing is under way."""
        text = f"marker {time.monotonic_ns()}"
        body = {"by": "test", "summary": text, "severity": "critical"}
        id_ = self.ask("/api/incidents", body)["id"]
        self.until("the marker arrives", lambda: self.pages(text))
        self.ask(f"/api/incidents/{id_}/resolve", {"by": "test"})


@contextlib.contextmanager
def chain(
    folder: Path,
    config: Callable[[str], str],
    *,
    relay: str = "",
    victoria: bool = False,
    prepare: Callable[[Chain], None] = lambda made: None,
) -> Iterator[Chain]:
    """Run the chain; *config* makes the services from the provider's URL."""
    with http_sink() as web, mail_sink() as mail:
        made = Chain(folder, config, web, mail, relay=relay, victoria=victoria)
        prepare(made)
        try:
            for one in made.programs:
                one.start()
            yield made
        finally:
            for one in reversed(made.programs):
                one.close()
            made.provider.disconnect()
