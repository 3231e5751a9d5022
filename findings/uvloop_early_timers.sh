#!/usr/bin/env bash
# Software: uvloop 0.23.0 (PyPI), beside asyncio's own loop of Python 3.
#
# Guess: after `await asyncio.sleep(due - loop.time())` it is `due`, give or take that a timer is
#   late; the faster loop does not change that. So `while (left := due - loop.time()) > 0: await
#   asyncio.sleep(left)` wakes once.
# What happens: uvloop rounds a delay to the nearest whole millisecond, down too, so a sleep can
#   end up to half a millisecond early by the loop's own clock; and a delay under half a
#   millisecond is no delay at all. The rest of the wait is then spent spinning: hundreds of
#   wake-ups for one deadline, where asyncio's loop needs one.
# Consequence: a scheduler that sleeps until the first entry of its heap is correct and idle on
#   asyncio, and busy on uvloop. Cure: sleep for whole milliseconds, rounded up.
#
# Seen on 2026-11-27, 50 waits of 10.4 ms each (the second number varies with the machine):
#   asyncio                     50 wake-ups
#   uvloop                      19241 wake-ups
#   uvloop, delays rounded up   50 wake-ups
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check uvloop==0.23.0

"$place/venv/bin/python" - <<'PYTHON'
import asyncio
import math
import sys

import uvloop

WAITS = 50


async def wakes(rounded=lambda seconds: seconds):
    """Return how often all waits for a deadline woke up."""
    loop, count = asyncio.get_running_loop(), 0
    for _ in range(WAITS):
        due = loop.time() + 0.0104
        while (left := due - loop.time()) > 0:
            await asyncio.sleep(rounded(left))
            count += 1
    return count


def up(seconds):
    return math.ceil(seconds * 1000) / 1000


own, theirs = asyncio.run(wakes()), uvloop.run(wakes())
whole = uvloop.run(wakes(up))
print(f"asyncio                     {own} wake-ups")
print(f"uvloop                      {theirs} wake-ups")
print(f"uvloop, delays rounded up   {whole} wake-ups")
if own > 2 * WAITS or theirs < 4 * WAITS or whole > 2 * WAITS:
    sys.exit("the behaviour has changed")
PYTHON
