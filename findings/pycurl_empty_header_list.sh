#!/usr/bin/env bash
# Software: pycurl 7.49.0 (PyPI, its wheel with libcurl 8.23.0), and Python 3.
#
# Guess: options of a handle are replaced by the next value. `setopt(HTTPHEADER, [])` before the
#   next request sends none of the former headers, as an empty list (NULL) does in C.
# What happens: an empty list is ignored without an error or a warning, and the former list stays:
#   the second request carries the first one's Authorization. A list with one other header
#   replaces all of them, `unsetopt(HTTPHEADER)` and `setopt(HTTPHEADER, None)` empty it.
# Consequence: code that reuses a handle and computes the headers of each request sends the key of
#   one request with the next one that needs no headers, possibly to another host.
#
# Seen on 2026-11-28 (what the second request sent of the first one's Authorization):
#   ["Accept: */*"]     nothing
#   []                  Bearer first
#   None                nothing
#   unsetopt            nothing
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pycurl==7.49.0

"$place/venv/bin/python" - <<'PYTHON'
import http.server
import sys
import threading

import pycurl

sent = []


class Noting(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sent.append(self.headers.get("Authorization", "nothing"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Noting)
threading.Thread(target=server.serve_forever, daemon=True).start()


def second_sent(change):
    """Return the Authorization of a second request, after *change* of the handle's headers."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"http://127.0.0.1:{server.server_port}/")
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.TIMEOUT, 10)
    curl.setopt(pycurl.HTTPHEADER, ["Authorization: Bearer first"])
    curl.perform()
    assert sent[-1] == "Bearer first"
    change(curl)
    curl.perform()
    curl.close()
    return sent[-1]


changes = {
    '["Accept: */*"]': lambda curl: curl.setopt(pycurl.HTTPHEADER, ["Accept: */*"]),
    "[]": lambda curl: curl.setopt(pycurl.HTTPHEADER, []),
    "None": lambda curl: curl.setopt(pycurl.HTTPHEADER, None),
    "unsetopt": lambda curl: curl.unsetopt(pycurl.HTTPHEADER),
}
seen = {name: second_sent(change) for name, change in changes.items()}
for name, value in seen.items():
    print(f"{name:<19} {value}")
if seen != dict.fromkeys(changes, "nothing") | {"[]": "Bearer first"}:
    sys.exit("the behaviour has changed")
PYTHON
