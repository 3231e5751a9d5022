#!/usr/bin/env bash
# Software: aiohttp 3.14.5 (PyPI), and Python 3.
#
# Guess: one call of ClientSession is at most one request (redirects aside). A server that reads a
#   request and closes the connection without an answer makes the call raise
#   ServerDisconnectedError; whether to send it again is the caller's decision, as with a timeout.
# What happens: on a connection that was used before, GET, HEAD, OPTIONS, PUT and DELETE are sent a
#   second time by aiohttp itself, on a new connection. The caller gets the second answer and no
#   sign of the first request; tracing counts one `on_request_start`. Only POST and PATCH raise.
# Consequence: a DELETE or PUT that crashes a worker is carried out twice; counters, spending and
#   rate limits kept around the call count one of two; and a failing answer of the vendor is hidden
#   from whoever measures. No argument of the call or session switches it off. A middleware sees
#   each of the two, and may raise an error of its own kind, which aiohttp does not repeat.
#
# Seen on 2026-11-28 (method, what the caller got, what the server read, requests by tracing):
#   GET      200                       GET GET          1
#   HEAD     200                       HEAD HEAD        1
#   PUT      200                       PUT PUT          1
#   DELETE   200                       DELETE DELETE    1
#   OPTIONS  200                       OPTIONS OPTIONS  1
#   POST     ServerDisconnectedError   POST             1
#   PATCH    ServerDisconnectedError   PATCH            1
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check aiohttp==3.14.5

"$place/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

import aiohttp

read = []


async def serve(reader, writer):
    """Answer the first request of a connection; read the second and close without an answer."""
    for number in (1, 2):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        method = head.split()[0].decode()
        if b"Content-Length: 4" in head:
            await reader.readexactly(4)
        read.append(method)
        if number == 1:
            body = b"" if method == "HEAD" else b"ok"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
            await writer.drain()
    writer.close()


async def call(address, method):
    """Return what the caller gets, what the server read, and the requests that tracing counts."""
    trace, started = aiohttp.TraceConfig(), []

    async def start(session, context, parameters):
        started.append(parameters.method)

    trace.on_request_start.append(start)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        async with session.get(address) as answer:  # so that the connection was used before
            await answer.read()
        read.clear()
        started.clear()
        body = b"body" if method in ("PUT", "POST", "PATCH") else None
        try:
            async with session.request(method, address, data=body) as answer:
                outcome = str(answer.status)
        except aiohttp.ClientError as error:
            outcome = type(error).__name__
    return outcome, list(read), len(started)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    as_stated = True
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"):
        outcome, requests, counted = await call(address, method)
        print(f"{method:<8} {outcome:<25} {' '.join(requests):<16} {counted}")
        expected = ("200", [method] * 2, 1)
        if method in ("POST", "PATCH"):
            expected = ("ServerDisconnectedError", [method], 1)
        as_stated = as_stated and (outcome, requests, counted) == expected
    if not as_stated:
        sys.exit("the behaviour has changed")


asyncio.run(main())
PYTHON
