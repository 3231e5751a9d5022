"""What a service's request and a canary's have in common."""

from __future__ import annotations

import json
from typing import Any

from exporter.config.declarations import Canary
from exporter.probers import Endpoint, Expectations
from exporter.probers.urls import normalized
from exporter.settings import shown_address

USER_AGENT = "tekup-service-registry"


def body_of(data: Any) -> tuple[bytes | None, dict[str, str]]:
    """Return the bytes of a declared body and the headers that it brings along."""
    if data is None:
        return None, {}
    if isinstance(data, str):
        return data.encode(), {}
    return json.dumps(data).encode(), {"Content-Type": "application/json"}


def canary_endpoint(canary: Canary) -> Endpoint:
    """Return how *canary* is asked."""
    url = canary.url.rstrip("/") + canary.endpoint if canary.endpoint else canary.url
    body, content_type = body_of(canary.body)
    public = {"User-Agent": USER_AGENT, "Accept": "*/*", **content_type}
    given = {name.lower() for name in canary.headers}
    return Endpoint(
        url=normalized(url),
        shown=shown_address(url),
        prober=canary.prober,
        method=canary.method,
        headers=tuple((n, v) for n, v in public.items() if n.lower() not in given),
        credentials=tuple(canary.headers.items()),
        body=body,
        timeout=canary.timeout,
        body_limit=canary.body_limit,
        follow_redirects=canary.follow_redirects,
        allow_cross_origin=canary.allow_cross_origin,
        proxy=canary.proxy.reveal() if canary.proxy else None,
        tls=canary.tls,
        allow_private=canary.allow_private_addresses,
        keep_alive=canary.connection == "keep_alive",
        expect=Expectations(
            statuses=frozenset(canary.expected_status_codes), assertions=canary.assertions
        ),
    )
