"""Modules that blackbox_exporter alone can use: which they are, and why, in one sentence each.

One file may serve both exporters, so such a module is no mistake: it is left out with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.settings import FieldPath

OTHER_PROBERS = ("tcp", "icmp", "dns", "grpc", "unix", "websocket")
_LACKING = frozenset(
    {
        *("http_headers", "oauth2", "enable_http3", "no_proxy", "proxy_from_environment"),
        *("proxy_connect_header", "skip_resolve_phase_with_proxy"),
        *("fail_if_body_json_matches_cel", "fail_if_body_json_not_matches_cel"),
        *("ca", "cert", "key", "min_version", "max_version"),
    }
)
"""Fields of blackbox_exporter 0.27 that are not here: without them a probe would be another one."""
_HTTP_DEPTH = 3
"""Steps to a module's http section: a field of that name above it is a mistake."""
_ADVICE = "keep blackbox_exporter for it"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Where in the file it says what is not here, and why that leaves the module out."""

    path: FieldPath
    why: str


def left_out(modules: Mapping[str, Any], refused: Iterable[FieldPath]) -> dict[str, LeftOut]:
    """Return those of *modules* that are left out, by name; *refused* is where the schema fails.

    >>> left_out({"ping": {"prober": "icmp"}}, [])["ping"].why
    'its prober is icmp, and only http is probed here; keep blackbox_exporter for it'
    """
    found = {
        name: LeftOut(
            ("modules", name, "prober"),
            f"its prober is {raw['prober']}, and only http is probed here; {_ADVICE}",
        )
        for name, raw in modules.items()
        if isinstance(raw, dict) and raw.get("prober") in OTHER_PROBERS
    }
    for path in refused:
        if len(path) > _HTTP_DEPTH and path[0] == "modules" and path[-1] in _LACKING:
            why = f"it has {path[-1]}, which is not known here; {_ADVICE}"
            found.setdefault(str(path[1]), LeftOut(path, why))
    return found
