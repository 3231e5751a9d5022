"""The table of hostile servers, all of it."""

from __future__ import annotations

import asyncio

from tests.hostile.figures import run_all

TITLE = "hostile servers, each a behaviour of its own"
PEERS = {
    "blackbox_exporter 0.23, a body without end, 5 s: memory": "2,957 MB",
    "blackbox_exporter 0.23, 256 MiB of zeros in gzip: memory": "756 MB",
}


def run() -> dict[str, str | float]:
    """Return the figures; raise AssertionError if one row, or one bound, is not met."""
    found = asyncio.run(run_all())
    assert not found.wrong, "\n".join(found.wrong)
    assert not found.stolen, f"{found.stolen} requests carried a key or a body elsewhere"
    assert not found.log_leaks, "the log holds what a server sent, or a key"
    return {
        "behaviours": found.count,
        "of them judged wrong": len(found.wrong),
        "latest end, in time limits": found.worst_lateness,
        "most memory of a round (MiB)": found.worst_memory,
        "longest hold of the loop (s)": found.worst_lag,
        "the same beside a well-behaved server (s)": found.baseline_lag,
        "error of the neighbour's duration (s)": found.worst_error,
        "keys or bodies that reached another origin": found.stolen,
    }
