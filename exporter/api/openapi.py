"""GET /openapi.json: the OpenAPI description, generated from the route table."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterable
from typing import Any

from exporter.api.guard import Access
from exporter.api.routing import Route
from exporter.api.schemas import SCHEMAS
from exporter.api.shapes import TEXT, ref
from exporter.config import file_schema

_PROBLEM = {"application/problem+json": {"schema": ref("Problem")}}

_IN_ADDRESS = "status_page_address"
"""The security scheme of a token in the address."""


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of *routes*."""
    paths: dict[str, dict[str, Any]] = {}
    service = _service_schema()
    patch = _patch_of(service)
    patch["properties"]["id"] = TEXT | {"description": "The service's id; it cannot be changed."}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TekUp Service Registry",
            "version": version,
            "description": "The external APIs a company depends on, and their health.",
        },
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "NewService": service, "ServicePatch": patch},
            "securitySchemes": {
                access.value: {"type": "http", "scheme": "bearer"}
                for access in Access
                if access is not Access.OPEN
            }
            | {_IN_ADDRESS: {"type": "apiKey", "in": "query", "name": "token"}},
        },
    }


@functools.cache
def text(routes: tuple[Route, ...], version: str) -> str:
    """Return the description as JSON; it is generated once and kept."""
    return json.dumps(document(routes, version), indent=1)


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": route.summary, "responses": _responses(route)}
    parameters: list[dict[str, Any]] = []
    for name in re.findall(r"\{(\w+)\}", route.path):
        parameters.append({"name": name, "in": "path", "required": True, "schema": TEXT})
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in route.query]
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        kinds = ["application/json"]
        if route.method == "PATCH":
            kinds.append("application/merge-patch+json")
        content = {kind: {"schema": ref(route.body)} for kind in kinds}
        operation["requestBody"] = {"required": True, "content": content}
    if route.access is not Access.OPEN:
        operation["security"] = [{route.access.value: []}]
        if route.access is Access.STATUS_PAGE:
            operation["security"].append({_IN_ADDRESS: []})
    return operation


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in route.answers:
        response = responses.setdefault(str(status), {"description": _DESCRIPTIONS[status]})
        if "/" in answer:  # a media type; otherwise the name of a schema
            response["content"] = response.get("content", {}) | {answer: {}}
        elif answer:
            schema = {"application/json": {"schema": ref(answer)}}
            response["content"] = response.get("content", {}) | schema
        elif status >= 400:
            response["content"] = _PROBLEM
    return responses


def _service_schema() -> dict[str, Any]:
    file = copy.deepcopy(file_schema(references=True))
    service: dict[str, Any] = _literal(file["properties"]["services"]["items"])
    fields = service["properties"]
    tls = fields["health_check"]["properties"]["tls"]["properties"]
    # A request must not make the exporter read its files, so only a configuration file names them.
    for properties in (fields, tls):
        for name in [name for name in properties if name.endswith("_file")]:
            del properties[name]
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
        kept = [
            choice for choice in choices if not str(choice.get("pattern", "")).startswith(r"\$\{")
        ]
        if len(kept) == 1:
            plain = {**kept[0], **{name: v for name, v in plain.items() if name != "anyOf"}}
    return plain


def _patch_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a merge patch (RFC 7396): nothing is required, null removes a field."""
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


_DESCRIPTIONS = {
    200: "As described.",
    201: "Registered.",
    202: "Accepted; it will be done at once.",
    204: "Done.",
    304: "The client has it already (If-None-Match).",
    400: "The request cannot be understood.",
    401: "The token is missing or wrong.",
    403: "Changes are off: start with an admin token.",
    404: "Not found.",
    409: "The request conflicts with the current state.",
    413: "The body is too large.",
    422: "The content is not valid, or the provider rejects the key.",
    503: "Not available now.",
}
