"""In which words is a JSON Schema of the API written? The plain types, and builders for records and lists."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
MICROS: Schema = {"type": "integer", "description": "Millionths of the currency's unit."}
MOMENT: Schema = {"type": "number", "description": "Unix seconds."}
METRICS: Schema = {
    "type": "object",
    "additionalProperties": {
        "type": ["number", "string"],
        "description": 'Text for what is no finite number: "NaN", "Infinity", "-Infinity".',
    },
}


def of(name: str) -> Schema:
    """A reference to a schema of this document."""
    return {"$ref": f"#/components/schemas/{name}"}


def words(enum: Any, description: str) -> Schema:
    """One of the members' values."""
    return {"type": "string", "enum": [member.value for member in enum], "description": description}


def told(schema: Schema, description: str) -> Schema:
    """A schema with what it means here."""
    return {**schema, "description": description}


def listed(items: Schema, description: str = "") -> Schema:
    """A list of these."""
    return {"type": "array", "items": items, **({"description": description} if description else {})}


def maybe(schema: Schema) -> Schema:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(description: str, fields: dict[str, Schema], example: Any, optional: tuple[str, ...] = ()) -> Schema:
    """An object of these fields with an example; all but `optional` are always there."""
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "examples": [example],
    }
