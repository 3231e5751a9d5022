"""The whole chain of real programs on loopback: providers, exporter, Prometheus, Alertmanager.

Every program can be killed and started again while the chain runs. The shipped rules and routes are
used as they are, on clocks that run `SPEED` times faster.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from exporter.demo.shipped import write_alertmanager, write_prometheus
from exporter.store import SECRET_KEY_VARIABLE, new_secret_key
from tests.alertmanager import Mail, Request, Sink, http_sink, mail_sink
from tests.patience import Patience
from tests.programs import free_port, program, wait_for

SPEED = 20
"""Of the clocks: a scrape has a second."""
RESEND = f"{60 // SPEED}s"
"""Prometheus' own minute. To Alertmanager an alert is over that is not sent for four of them: so
long may a program take that is killed and comes back."""
TOKEN = "an-admin-token-of-some-length"
RECEIVER = "a-receiver-token-of-some-length"
SHORT_OF_TIME = 'alertname="ExporterShortOfResources",what="loop"'
"""It fires, and rightly, where other work takes the cores; of no other shortage."""
Found = TypeVar("Found")


def of_the_machine(text: str) -> bool:
    """Return whether a summary or subject says, or says no more, that the cores are taken."""
    begun, over = "cannot probe as it should: loop", "ExporterShortOfResources is over"
    return begun in text or over in text


class Answer(NamedTuple):
    """What a provider answers, after *seconds*."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}
    seconds: float = 0.0


class Provider:
    """Answers for every API by the first part of the path; each can be made to fail."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any] | Answer | Iterator[Answer]] = {}
        """What is answered instead of 200 to paths that begin so, or one after the other."""
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.connect()

    def connect(self) -> None:
        """Take connections, on the same port as before."""
        if self._server is not None:
            return
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                good = (200, GOOD.get(self.path.split("/")[1], {"status": "ok"}))
                faults = [a for path, a in list(answers.items()) if self.path.startswith(path)]
                fault = faults[0] if faults else good
                answer = next(fault) if isinstance(fault, Iterator) else Answer(*fault)
                time.sleep(answer.seconds)
                text = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A prober that is killed hangs up."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def disconnect(self) -> None:
        """Refuse connections, as if our own network were gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


GOOD = {
    "openai": {"object": "list", "data": [{"id": "gpt-5", "object": "model"}]},
    "stripe": {"object": "balance", "available": [], "pending": []},
}


class Program:
    """One process that can end and begin again."""

    def __init__(
        self,
        folder: Path,
        name: str,
        url: str,
        command: list[str],
        env: dict[str, str] | None = None,
    ) -> None:
        self.url, self._command, self._env = url, command, env
        self._log: IO[bytes] = (folder / f"{name}.log").open("a+b")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {**os.environ, **self._env} if self._env else None
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log, env=env)
        wait_for(self.url + "/-/ready", self._process, self._log)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send *how* and wait for the end."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def signal(self, which: signal.Signals) -> None:
        """Send *which* and go on."""
        assert self._process is not None
        self._process.send_signal(which)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        self._log.close()


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
        self.exporter = Program(
            folder,
            "exporter",
            f"http://{here['exporter']}",
            [
                sys.executable,
                "-m",
                "exporter",
                "serve",
                "--config",
                str(services),
                "--listen",
                here["exporter"],
                "--data-dir",
                str(folder / "data"),
                "--admin-token-file",
                str(folder / "admin"),
                "--alertmanager.token-file",
                str(folder / "receiver"),
                "--alertmanager.url",
                f"http://{here['alertmanager']}",
                "--alertmanager.interval",
                "1",
                "--prometheus.url",
                f"http://{here['prometheus']}",
            ],
            {SECRET_KEY_VARIABLE: str(folder / "secret-key")},
        )
        self.engine = (
            _victoria(folder, rules, here) if victoria else (_prometheus(folder, rules, here),)
        )
        """What scrapes, answers queries and evaluates the rules; the first is asked."""
        self.prometheus = self.engine[0]
        self.alertmanager = Program(
            folder,
            "alertmanager",
            f"http://{here['alertmanager']}",
            [
                program("prometheus-alertmanager", "alertmanager"),
                f"--config.file={routes}",
                f"--storage.path={folder / 'alertmanager'}",
                "--cluster.listen-address=",
                f"--web.listen-address={here['alertmanager']}",
                # What was sent is on the disk so soon: a kill sends nothing twice.
                "--data.maintenance-interval=1s",
            ],
        )

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


def _prometheus(folder: Path, config: Path, here: Mapping[str, str]) -> Program:
    return Program(
        folder,
        "prometheus",
        f"http://{here['prometheus']}",
        [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={here['prometheus']}",
            f"--rules.alert.resend-delay={RESEND}",
        ],
    )


def _victoria(folder: Path, config: Path, here: Mapping[str, str]) -> tuple[Program, Program]:
    """Return VictoriaMetrics, which scrapes what *config* says, and vmalert with the same rules.

    Their usual delay of 30 s is divided by `SPEED` as everything else is.
    """
    scrapes = json.loads(config.read_text())
    wanted = {name: scrapes[name] for name in ("scrape_configs",)}
    wanted["global"] = {"scrape_interval": scrapes["global"]["scrape_interval"]}
    (folder / "scrape.json").write_text(json.dumps(wanted))
    storage, delay = f"http://{here['prometheus']}", f"{30000 // SPEED}ms"
    labels = scrapes["global"]["external_labels"]
    victoria = Program(
        folder,
        "victoria-metrics",
        storage,
        [
            program("victoria-metrics"),
            f"-promscrape.config={folder / 'scrape.json'}",
            f"-storageDataPath={folder / 'victoria'}",
            "-retentionPeriod=100d",
            f"-httpListenAddr={here['prometheus']}",
            f"-search.latencyOffset={delay}",
            # A kill loses what is not on the disk: five seconds, 100 on these clocks.
            "-inmemoryDataFlushInterval=1s",
        ],
    )
    vmalert = Program(
        folder,
        "vmalert",
        f"http://{here['rules']}",
        [
            program("vmalert"),
            f"-rule={folder / 'rules'}/*.yml",
            f"-datasource.url={storage}",
            f"-remoteWrite.url={storage}",
            f"-remoteRead.url={storage}",
            "-remoteWrite.flushInterval=200ms",
            f"-notifier.url=http://{here['alertmanager']}",
            *(f"-external.label={name}={value}" for name, value in labels.items()),
            "-evaluationInterval=1s",
            f"-rule.evalDelay={delay}",
            f"-rule.resendDelay={RESEND}",
            f"-httpListenAddr={here['rules']}",
        ],
    )
    return victoria, vmalert


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
