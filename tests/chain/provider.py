"""The providers of the chain: one server that answers for every API and can be made to fail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

GOOD = {
    "openai": {"object": "list", "data": [{"id": "gpt-5", "object": "model"}]},
    "stripe": {"object": "balance", "available": [], "pending": []},
}


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
