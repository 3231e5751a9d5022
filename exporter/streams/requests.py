"""The request that asks a model for a short streamed answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from exporter.streams.declarations import StreamProtocol


def path_of(protocol: StreamProtocol, model: str) -> str:
    """Return the path below base_url at which *model* is asked."""
    return protocol.path.replace("{model}", quote(model, safe=":@"))


def body_of(
    protocol: StreamProtocol,
    *,
    model: str,
    prompt: str,
    max_tokens: int,
    limit: str = "",
    members: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the request as JSON.

    *limit* is the name of the member that limits the answer, if a family of models has another one;
    *members* are further ones, merged into objects that are there; null takes one out.
    """
    values = {"$model": model, "$prompt": prompt, "$max_tokens": max_tokens}
    body: dict[str, Any] = _filled(protocol.body, values)
    if limit:
        for name in [name for name, value in protocol.body.items() if value == "$max_tokens"]:
            del body[name]
        body[limit] = max_tokens
    return json.dumps(_merged(body, members or {}), ensure_ascii=False).encode()


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, values) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(inner, values) for inner in value]
    return values.get(value, value) if isinstance(value, str) else value


def _merged(base: dict[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for name, value in members.items():
        inner = found.get(name)
        if value is None:
            found.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(inner, dict):
            found[name] = _merged(inner, value)
        else:
            found[name] = value
    return found
