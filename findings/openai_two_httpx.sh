#!/usr/bin/env bash
# Software: openai 3.57.0, anthropic 2.14.0, httpx 0.28.1, httpx2 2.16.2 (PyPI), and Python 3.
#
# Guess: both clients are built on httpx, so one transport of httpx.BaseTransport serves them: given
#   to `httpx.Client(transport=...)`, or to the `DefaultHttpxClient` that each of them exports.
# What happens: both are built on httpx2, another package. openai takes a client of either library,
#   and its requests are then objects of that one. But its DefaultHttpxClient is a client of httpx2:
#   a transport of httpx is accepted when it is made and fails at the first request, with an
#   AssertionError without a text. anthropic refuses a client of httpx when it is made.
# Consequence: a transport of one's own has to be written for httpx2, and for httpx as well as long
#   as programs give an httpx.Client. Its request and answer are not those that `import httpx` knows:
#   `except httpx.TimeoutException` catches nothing of httpx2.
#
# Seen on 2026-11-28 (the class of the request that the transport got):
#   openai, httpx.Client                   httpx
#   openai, httpx2.Client                  httpx2
#   openai, DefaultHttpxClient of httpx    AssertionError ''
#   openai, DefaultHttpxClient of httpx2   httpx2
#   anthropic, httpx.Client                TypeError
#   anthropic, httpx2.Client               httpx2
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    openai==3.57.0 anthropic==2.14.0 httpx==0.28.1 httpx2==2.16.2

"$place/venv/bin/python" - <<'PYTHON'
import http.server
import json
import sys
import threading

import anthropic
import httpx
import httpx2
import openai

BODY = json.dumps({"object": "list", "data": [], "has_more": False}).encode()


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def tried(vendor, library, make):
    """List the models through a transport of *library*; return what it was given, or the error."""
    seen = []

    class Transport(library.HTTPTransport):
        def handle_request(self, request):
            seen.append(type(request).__module__.partition(".")[0])
            return super().handle_request(request)

    try:
        client = vendor(
            api_key="made-up", base_url=url, max_retries=0, http_client=make(transport=Transport())
        )
        client.models.list()
    except Exception as error:
        return type(error).__name__ + ("" if str(error) else " ''")
    return seen[-1]


found = {
    "openai, httpx.Client": tried(openai.OpenAI, httpx, httpx.Client),
    "openai, httpx2.Client": tried(openai.OpenAI, httpx2, httpx2.Client),
    "openai, DefaultHttpxClient of httpx": tried(openai.OpenAI, httpx, openai.DefaultHttpxClient),
    "openai, DefaultHttpxClient of httpx2": tried(openai.OpenAI, httpx2, openai.DefaultHttpxClient),
    "anthropic, httpx.Client": tried(anthropic.Anthropic, httpx, httpx.Client),
    "anthropic, httpx2.Client": tried(anthropic.Anthropic, httpx2, httpx2.Client),
}
for what, seen in found.items():
    print(f"{what:38} {seen}")
wanted = ["httpx", "httpx2", "AssertionError ''", "httpx2", "TypeError", "httpx2"]
sys.exit(list(found.values()) != wanted)
PYTHON
