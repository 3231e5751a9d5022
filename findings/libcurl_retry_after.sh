#!/usr/bin/env bash
# Software: pycurl 7.49.0 (PyPI, its wheel with libcurl 8.23.0), and Python 3.
#
# Guess: CURLINFO_RETRY_AFTER is the seconds that the server's `Retry-After` asks for, or those
#   until its date; whoever wants a limit compares the figure with it, as the manual recommends.
# What happens: libcurl cuts the figure at six hours and does not say that it did: a day, a date
#   that is a day ahead and "2000000000000" are all 21600. The manual page names no bound.
# Consequence: an API that answers 429 with the seconds until its daily quota begins anew is asked
#   again after six hours, three times too early, by a client that does as it was told. A value
#   that is exactly 21600 says "six hours or more". A client that needs longer waits has to read
#   the header itself.
#
# Seen on 2026-11-28:
#   Retry-After: 120                      120
#   Retry-After: 86400                    21600
#   Retry-After: 2000000000000            21600
#   Retry-After: <a date a day ahead>     21600
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pycurl==7.49.0

"$place/venv/bin/python" - <<'PYTHON'
import http.server
import sys
import threading
import time
from email.utils import formatdate

import pycurl

# CURLINFO_RETRY_AFTER of curl.h: CURLINFO_OFF_T + 57. pycurl has no name for it.
RETRY_AFTER = 0x600000 + 57
DAY = formatdate(time.time() + 86_400, usegmt=True)
EXPECTED = {"120": 120, "86400": 21_600, "2000000000000": 21_600, DAY: 21_600}


class Limited(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(429)
        self.send_header("Retry-After", list(EXPECTED)[int(self.path[1:])])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Limited)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = {}
for number, sent in enumerate(EXPECTED):
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"http://127.0.0.1:{server.server_port}/{number}")
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.TIMEOUT, 10)
    curl.setopt(pycurl.WRITEFUNCTION, lambda body: None)
    curl.perform()
    seen[sent] = curl.getinfo_raw(RETRY_AFTER)
    curl.close()
    print(f"Retry-After: {'<a date a day ahead>' if sent == DAY else sent:<22}   {seen[sent]}")
if seen != EXPECTED:
    sys.exit("the behaviour has changed")
PYTHON
