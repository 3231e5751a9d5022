"""The shipped Alertmanager on loopback: sinks in place of the world, and clocks made fast.

with http_sink() as web, mail_sink() as mail:
    config = shipped(folder, sink=web.url, mail=mail.address)
    with alertmanager(config) as url:
        post(url, alert({"alertname": "ServiceDown", "severity": "critical"}))
        web.wait(lambda got: got.path == "/pagerduty")
"""

from __future__ import annotations

import base64
import contextlib
import json
import socketserver
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Generic, TypeVar

from exporter.demo.shipped import write_alertmanager
from tests.patience import Patience
from tests.programs import free_port, program, running

SHIPPED = Path(__file__).parent.parent / "alertmanager" / "alertmanager.yml"
SPEED = 100  # a group_wait of 30 s is 300 ms
OPEN = [{"weekdays": ["sunday:saturday"]}]
CLOSED = [{"years": ["1999"]}]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a web sink was sent."""

    path: str
    headers: dict[str, str]
    body: Any
    at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Sink(Generic[Item]):
    """What arrived so far; waiting for more wakes at once."""

    address: str
    items: list[Item] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def add(self, item: Item) -> None:
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait(
        self, wanted: Callable[[Item], Any], count: int = 1, seconds: float = 20
    ) -> list[Item]:
        """Return the items that are *wanted* as soon as there are *count* of them."""

        def found() -> list[Item]:
            return [item for item in self.items if wanted(item)]

        patience = Patience(seconds)
        with self._changed:
            while not self._changed.wait_for(lambda: len(found()) >= count, min(seconds, 0.5)):
                if patience.is_over:
                    raise TimeoutError(f"{len(found())} of {count} arrived; all: {self.items}")
            return found()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what went wrong, but not that an Alertmanager that ends hangs up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def http_sink() -> Iterator[Sink[Request]]:
    """Run a server that takes every POST, as Slack, PagerDuty and webhooks would."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            # Before the answer, so that whoever has that finds it here.
            sink.add(Request(path=self.path, headers=headers, body=json.loads(body)))
            self.send_response(202 if self.path == "/pagerduty" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")  # Slack's answer

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        sink: Sink[Request] = Sink(f"127.0.0.1:{server.server_port}")
        with _served(server):
            yield sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What the mail sink was sent: the envelope, the login and the parsed message."""

    to: list[str]
    password: str
    message: EmailMessage
    raw: bytes = b""
    at: float = field(default_factory=time.monotonic)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, kind: str) -> str:
        """Return the text of the part *kind* (plain or html)."""
        part = self.message.get_body(preferencelist=(kind,))
        if part is None:
            raise LookupError(f"no text/{kind} in {self.message}")
        return str(part.get_content())


@contextlib.contextmanager
def mail_sink() -> Iterator[Sink[Mail]]:
    """Run a mail server that takes every message, and any password."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            to: list[str] = []
            password = ""
            self.say("220 sink")
            while line := self.rfile.readline().decode().strip():
                verb = line.split(" ")[0].upper()
                if verb == "EHLO":
                    self.say("250-sink", "250 AUTH PLAIN")
                elif verb == "AUTH":
                    password = base64.b64decode(line.split(" ")[2]).decode().split("\0")[2]
                    self.say("235 welcome")
                elif verb == "RCPT":
                    to.append(line.partition("<")[2].partition(">")[0])
                    self.say("250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    content = self.content()
                    if content is None:
                        return  # a sender that was killed
                    message = message_from_bytes(content, policy=policy.default)
                    self.say("250 taken")
                    assert isinstance(message, EmailMessage)
                    sink.add(Mail(to=to, password=password, message=message, raw=content))
                else:
                    self.say("221 bye" if verb == "QUIT" else "250 ok")

        def say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        def content(self) -> bytes | None:
            """Return a message, None if it breaks off."""
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                if not line:
                    return None
                lines.append(line.removeprefix(b"."))
            return b"".join(lines)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        sink: Sink[Mail] = Sink(f"127.0.0.1:{server.server_address[1]}")
        with _served(server):
            yield sink


@contextlib.contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def shipped(
    folder: Path,
    *,
    sink: str,
    mail: str,
    exporter: str | None = None,
    exporter_token: str = "made-up-exporter-token",
    fast: bool = True,
    office_open: bool | None = True,
) -> Path:
    """Write the shipped configuration for a test into *folder*; return its path.

    Slack, PagerDuty and webhooks go to the web *sink* (by the paths /slack, /pagerduty,
    /pagerduty-payments is a key, /webhook and /deadman), mail to *mail*, the incident log to
    *exporter* (or the sink). Receivers, routes and inhibitions stay as shipped. *fast* divides
    every interval by 100. *office_open* None keeps the shipped office hours.
    """
    path = write_alertmanager(
        folder,
        exporter=exporter or sink,
        sink=sink,
        mail=mail,
        token=exporter_token,
        speed=SPEED if fast else 1,
    )
    if office_open is not None:
        config = json.loads(path.read_text())
        config["time_intervals"][0]["time_intervals"] = OPEN if office_open else CLOSED
        path.write_text(json.dumps(config))
    return path


def seconds(duration: str) -> int:
    """Return the seconds of a Prometheus duration such as 30s, 5m or 24h."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


@contextlib.contextmanager
def alertmanager(config: Path) -> Iterator[str]:
    """Run the real Alertmanager with *config*; yield its URL."""
    base = f"http://127.0.0.1:{free_port()}"
    command = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={config}",
        f"--storage.path={config.parent / 'alertmanager'}",
        f"--web.listen-address={base.removeprefix('http://')}",
        f"--web.external-url={base}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with running(command, None, base + "/-/ready"):
        yield base


def alert(labels: dict[str, str], *, ended: bool = False, **notes: str) -> dict[str, Any]:
    """Return an alert as Prometheus posts it, with annotations *notes*; it began now, or ended now.

    One that began longer ago than its group_wait would be sent at once, before what mutes it.
    """
    now = datetime.now(UTC)
    return {
        "labels": labels,
        "annotations": notes,
        "startsAt": (now - timedelta(minutes=1) if ended else now).isoformat(),
        "endsAt": (now if ended else now + timedelta(minutes=10)).isoformat(),
        "generatorURL": "http://prometheus.example.org/graph",
    }


def post(base: str, *alerts: dict[str, Any]) -> None:
    """Send *alerts* to the Alertmanager at *base*."""
    request = urllib.request.Request(
        base + "/api/v2/alerts",
        json.dumps(alerts).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).read()


def muted(base: str) -> list[dict[str, str]]:
    """Return the labels of the alerts that another one mutes now."""
    with urllib.request.urlopen(base + "/api/v2/alerts", timeout=5) as answer:
        return [a["labels"] for a in json.load(answer) if a["status"]["inhibitedBy"]]
