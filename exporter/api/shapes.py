"""What JSON Schemas are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}


def nullable(schema: Schema) -> Schema:
    """Return a schema that accepts *schema* or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(**properties: Schema) -> Schema:
    """Return the schema of an object that has exactly *properties*, all of them."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def array(schema: Schema) -> Schema:
    """Return the schema of a list of *schema*."""
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    """Return a reference to the schema *name* in `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}
