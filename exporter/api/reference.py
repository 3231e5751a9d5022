"""GET /api: what openapi.json describes as a page of our own, with an example of each call."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from exporter.api.app_keys import LOADER, SOFTWARE_VERSION
from exporter.api.openapi import document
from exporter.api.routing import Route
from exporter.page import whole

_REF = "#/components/schemas/"
_MASKED = "••••••••"
BODIES: Mapping[str, Any] = {
    "NewService": {"id": "our-api", "base_url": "https://api.example.com"},
    "ServicePatch": {"team": "payments"},
    "NewKey": {"api_key": _MASKED},
    "NewIncident": {"summary": "nobody can pay", "severity": "high", "by": "ann"},
    "Word": {"by": "ann", "note": "calling them"},
    "Note": {"by": "ann", "note": "Payments may fail; we are on it.", "public": True},
    "Pausing": {"by": "ann", "reason": "the contract ended"},
    "NewMaintenance": {"by": "ann", "duration": "2h", "reason": "they move"},
    "AlertmanagerMessage": {"version": "4", "alerts": []},
}
"""An example of each body; a test holds them against the schemas."""
_EXAMPLE_IDS = {"services": "openai", "incidents": "h9qazsas2t", "badge": "openai"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter or member: its name, what it may be, and what it means."""

    name: str
    kind: str
    link: str = ""
    """The schema that *kind* names, if it is one."""
    required: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: its status, when it is given, and what it contains."""

    status: str
    text: str
    kinds: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One route."""

    anchor: str
    method: str
    path: str
    summary: str
    token: str
    """Whose token it needs; "" if none."""
    parameters: tuple[Field, ...]
    body: str
    answers: tuple[Answer, ...]
    arguments: tuple[str, ...]
    """Of curl: its options, then the path."""

    def curl(self, base: str) -> str:
        """Return an example of the call for the exporter at *base*."""
        *options, path = self.arguments
        first, *rest = [*options, f"'{base}{path}'"]
        return " \\\n    ".join([f"curl -sS {first}", *rest])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One schema."""

    name: str
    text: str
    fields: tuple[Field, ...]
    kind: str
    """What it is, where it has no members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The whole page."""

    calls: tuple[Call, ...]
    shapes: tuple[Shape, ...]


async def show(request: web.Request, routes: tuple[Route, ...]) -> web.Response:
    """Return the page about *routes*."""
    found = await asyncio.to_thread(reference_of, routes, request.app[SOFTWARE_VERSION])
    given = request.app[LOADER].monitoring.page_url
    base = given.rstrip("/") if given else f"{request.scheme}://{request.host}"
    return await whole(request, "api", title="The API", reference=found, base=base)


@functools.cache
def reference_of(routes: tuple[Route, ...], version: str) -> Reference:
    """Return what the page shows of *routes*; it is made once and kept."""
    described = document(routes, version)
    calls = (
        _call(method.upper(), path, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
    )
    shapes = (_shape(name, schema) for name, schema in described["components"]["schemas"].items())
    return Reference(calls=tuple(calls), shapes=tuple(shapes))


def _call(method: str, path: str, operation: Mapping[str, Any]) -> Call:
    security = operation.get("security", [{}])
    token = next(iter(security[0]), "")
    content = operation["requestBody"]["content"] if "requestBody" in operation else {}
    body = next((str(of["schema"]["$ref"]).removeprefix(_REF) for of in content.values()), "")
    return Call(
        anchor=anchor(method, path),
        method=method,
        path=path,
        summary=operation["summary"],
        token=token,
        parameters=tuple(_parameters(operation)),
        body=body,
        answers=tuple(_answer(status, of) for status, of in operation["responses"].items()),
        arguments=tuple(_curl(method, path, token, body)),
    )


def anchor(method: str, path: str) -> str:
    """Return the fragment of a route's section.

    >>> anchor("GET", "/api/services/{id}")
    'get-api-services-id'
    """
    return f"{method.lower()}-{re.sub('[^a-z]+', '-', path).strip('-')}".strip("-")


def _parameters(operation: Mapping[str, Any]) -> Iterator[Field]:
    for one in operation.get("parameters", ()):
        kind, _ = kind_of(one["schema"])
        default = one["schema"].get("default")
        text = f"default {default}" if default is not None else ""
        where = f"{one['in']}; {text}" if text else one["in"]
        required = one.get("required", False)
        yield Field(name=one["name"], kind=kind, required=required, text=where)


def _answer(status: str, response: Mapping[str, Any]) -> Answer:
    kinds = []
    for media, content in response.get("content", {}).items():
        kind, link = kind_of(content["schema"]) if "schema" in content else ("", "")
        kinds.append(Field(name=media, kind=kind, link=link))
    return Answer(status=status, text=response["description"], kinds=tuple(kinds))


def _curl(method: str, path: str, token: str, body: str) -> Iterator[str]:
    """Yield the arguments after `curl`; the path is the last."""
    if method != "GET":
        yield f"-X {method}"
    if token:
        yield f"-H 'Authorization: Bearer {_MASKED}'"
    if body:
        text = json.dumps(BODIES[body], ensure_ascii=False)
        yield f"-H 'Content-Type: application/json' -d '{text}'"
    part = path.strip("/").removeprefix("api/").split("/")[0]
    yield path.replace("{id}", _EXAMPLE_IDS.get(part, "openai"))


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required = schema.get("required", ())
    fields = []
    for field, of in schema.get("properties", {}).items():
        kind, link = kind_of(of)
        fields.append(
            Field(
                name=field,
                kind=kind,
                link=link,
                required=field in required,
                text=of.get("description", "") if isinstance(of, dict) else "",
            )
        )
    kind = "" if fields else kind_of(schema)[0]
    text = schema.get("description", "")
    return Shape(name=name, text=text, fields=tuple(fields), kind=kind)


def kind_of(schema: Any) -> tuple[str, str]:
    """Return what *schema* allows in words, and the schema that it refers to, or "".

    >>> kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Incident"}})
    ('list of Incident', 'Incident')
    """
    if not isinstance(schema, dict) or not schema:
        return "anything", ""
    if name := schema.get("$ref", "").removeprefix(_REF):
        return name, name
    if "const" in schema:
        return json.dumps(schema["const"]), ""
    if "enum" in schema:
        return "one of " + _listed("null" if v is None else str(v) for v in schema["enum"]), ""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        found = [kind_of(choice) for choice in choices]
        kinds = dict.fromkeys(kind for kind, _ in found)
        return " or ".join(kinds), next((link for _, link in found if link), "")
    return _plain_kind(schema)


def _plain_kind(schema: Mapping[str, Any]) -> tuple[str, str]:
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind), ""
    if kind == "array":
        inner, link = kind_of(schema.get("items"))
        return f"list of {inner}", link
    if kind == "object":
        if members := schema.get("properties"):
            return f"object: {_listed(members)}", ""
        inner, link = kind_of(schema.get("additionalProperties"))
        return ("object" if inner == "anything" else f"object of {inner}"), link
    bounds = (("minimum", "at least"), ("maximum", "at most"), ("maxLength", "characters, at most"))
    limits = [f"{words} {schema[name]}" for name, words in bounds if name in schema]
    return ", ".join([str(kind), *limits]), ""


def _listed(names: Any, most: int = 40) -> str:
    every: Sequence[str] = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
