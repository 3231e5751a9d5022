"""GET /openapi.json: written from the route table, so it cannot say anything else."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable
from typing import Any

from exporter.api.guard import Access
from exporter.api.routing import Route
from exporter.api.schemas import SCHEMAS, TEXT, ref
from exporter.config import file_schema

_PROBLEM = {"application/problem+json": {"schema": ref("Problem")}}


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of *routes*."""
    paths: dict[str, dict[str, Any]] = {}
    service = _service_schema()
    patch = _patch_of(service)
    patch["properties"]["id"] = TEXT | {"description": "The id it has; it cannot be changed."}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TekUp Service Registry",
            "version": version,
            "description": "The external APIs a company depends on, and how they are.",
        },
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "NewService": service, "ServicePatch": patch},
            "securitySchemes": {
                access.value: {"type": "http", "scheme": "bearer"}
                for access in Access
                if access is not Access.OPEN
            },
        },
    }


@functools.cache
def text(routes: tuple[Route, ...], version: str) -> str:
    """Return the description as JSON, made once."""
    return json.dumps(document(routes, version), indent=1)


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": route.summary, "responses": _responses(route)}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        for _ in [0]
        if "{id}" in route.path
    ]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in route.query]
    if parameters:
        found["parameters"] = parameters
    if route.body:
        kinds = ["application/json"]
        if route.method == "PATCH":
            kinds.append("application/merge-patch+json")
        content = {kind: {"schema": ref(route.body)} for kind in kinds}
        found["requestBody"] = {"required": True, "content": content}
    if route.access is not Access.OPEN:
        found["security"] = [{route.access.value: []}]
    return found


def _responses(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, answer in route.answers:
        described = found.setdefault(str(status), {"description": _WORDS[status]})
        if "/" in answer:
            described["content"] = described.get("content", {}) | {answer: {}}
        elif answer:
            described["content"] = {"application/json": {"schema": ref(answer)}}
        elif status >= 400:
            described["content"] = _PROBLEM
    return found


def _service_schema() -> dict[str, Any]:
    file = copy.deepcopy(file_schema(references=True))
    service: dict[str, Any] = _literal(file["properties"]["services"]["items"])
    fields = service["properties"]
    tls = fields["health_check"]["properties"]["tls"]["properties"]
    for place in (fields, tls):  # the machine's files are named in a configuration file only
        for name in [name for name in place if name.endswith("_file")]:
            del place[name]
    fields["api_key"]["writeOnly"] = True
    return service


def _literal(schema: Any) -> Any:
    """Return *schema* without `${NAME}`, which a request cannot use."""
    if isinstance(schema, list):
        return [_literal(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _literal(value) for name, value in schema.items()}
    if isinstance(choices := plain.get("anyOf"), list):
        kept = [one for one in choices if not str(one.get("pattern", "")).startswith(r"\$\{")]
        if len(kept) == 1:
            plain = {**kept[0], **{name: v for name, v in plain.items() if name != "anyOf"}}
    return plain


def _patch_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a merge patch (RFC 7396): nothing is required, null takes out."""
    patch = {name: value for name, value in schema.items() if name != "required"}
    if "properties" in schema:
        fields = schema["properties"]
        patch["properties"] = {name: _nullable_patch(field) for name, field in fields.items()}
    if isinstance(inner := schema.get("additionalProperties"), dict):
        patch["additionalProperties"] = _nullable_patch(inner)
    return patch


def _nullable_patch(field: dict[str, Any]) -> dict[str, Any]:
    inner = _patch_of(field) if field.get("type") == "object" else field
    return {"anyOf": [inner, {"type": "null"}]}


_WORDS = {
    200: "As described.",
    201: "Registered.",
    204: "Done.",
    400: "The request cannot be understood.",
    401: "The admin token is missing or wrong.",
    403: "Changes are off: start with an admin token.",
    404: "There is no such thing.",
    409: "It does not go with what is there.",
    413: "The body is larger than 1 MiB.",
    422: "It is wrong, or the provider refuses it.",
    503: "Not ready.",
}
