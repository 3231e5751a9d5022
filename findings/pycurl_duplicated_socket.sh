#!/usr/bin/env bash
# Software: pycurl 7.49.0 (PyPI, its wheel with libcurl 8.23.0), and Python 3.
#
# Guess: as in C, a socket returned by OPENSOCKETFUNCTION belongs to libcurl from then on. Keeping
#   the Python object, to read its address or to count connections, is harmless; libcurl closes
#   the connection, and closing the object too would be a second close of the same descriptor.
# What happens: pycurl gives libcurl a duplicate of the descriptor. When libcurl closes its own,
#   the connection stays open, and the server sees no end of it, for as long as the Python object
#   lives: even after the transfer has ended and the handle is closed. Whoever keeps the object
#   has to close it, and may do so during the transfer already.
# Consequence: every kept socket object is an open connection at the server and a descriptor here.
#
# Seen on 2026-11-27 (the handle is closed in all three):
#   object dropped                        the server sees the end
#   object kept                           the server sees no end
#   object closed before the request      the answer comes, the server sees the end
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check pycurl==7.49.0

"$place/venv/bin/python" - <<'PYTHON'
import socket
import sys
import threading

import pycurl

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def serve(listening, ended):
    """Answer one request; then note whether the client ends the connection within 2 seconds."""
    with listening.accept()[0] as connection:
        connection.settimeout(2)
        connection.recv(65536)
        connection.sendall(ANSWER)
        try:
            ended.append(connection.recv(1) == b"")
        except TimeoutError:
            ended.append(False)


def fetch(what):
    """Return the answer's body, and whether the server saw the connection's end."""
    kept, bodies, ended = [], [], []

    def opened(purpose, address):
        new = socket.socket(*address[:3])
        if what != "dropped":
            kept.append(new)
        return new

    def on_headers_go_out(*connected):
        for one in kept if what == "closed" else ():
            one.close()
        return pycurl.PREREQFUNC_OK

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, args=(listening, ended))
        server.start()
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"http://127.0.0.1:{listening.getsockname()[1]}/")
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.TIMEOUT, 10)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, opened)
        curl.setopt(pycurl.PREREQFUNCTION, on_headers_go_out)
        curl.setopt(pycurl.WRITEFUNCTION, bodies.append)
        curl.perform()
        curl.close()
        server.join()
    return b"".join(bodies), ended[0]


dropped, kept, closed = fetch("dropped"), fetch("kept"), fetch("closed")
words = {True: "the server sees the end", False: "the server sees no end"}
print("object dropped                       ", words[dropped[1]])
print("object kept                          ", words[kept[1]])
came = "the answer comes" if closed[0] == b"ok" else "no answer"
print(f"object closed before the request      {came}, {words[closed[1]]}")
if (dropped, kept, closed) != ((b"ok", True), (b"ok", False), (b"ok", True)):
    sys.exit("the behaviour has changed")
PYTHON
