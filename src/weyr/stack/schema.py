"""How does an editor know what a stack file may hold? One JSON Schema for the whole file, from the kinds."""

import re
from collections.abc import Collection
from typing import Any

from weyr.core.engine import LOCAL, ONLY_LOCAL, Engines
from weyr.core.kind import AnyKind, Kinds
from weyr.core.ref import NAME
from weyr.stack.explain import TOP_LEVEL
from weyr.stack.fields import REFERS_TO, UNIT

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAME_SCHEMA = {"type": "string", "pattern": f"^{NAME.pattern}$"}


def stack_schema(
    kinds: Kinds,
    *,
    engines: Engines = ONLY_LOCAL,
    price_lists: Collection[str] = ("aws/fargate",),
) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a stack file.

    Promises: every file that `parse_stack` reads is valid by it. The reverse does not hold: units,
    references and cycles are beyond a schema.
    """
    definitions: dict[str, Any] = {}
    sections = {kind.plural: _section(kind, definitions) for kind in kinds.values()}
    return {
        "$schema": DIALECT,
        "title": "Weyr stack",
        "description": "An AI system's compute, storage, security, models and money.",
        "type": "object",
        "required": ["stack"],
        "additionalProperties": False,
        "properties": {
            "stack": {**_NAME_SCHEMA, "description": TOP_LEVEL["stack"]},
            "on": _engines(engines),
            "price_as": {
                "anyOf": [{"enum": sorted(price_lists)}, {"type": "string", "pattern": _in_a_region(price_lists)}],
                "default": "aws/fargate",
                "description": TOP_LEVEL["price_as"],
            },
            "usage": _usage(kinds),
            **sections,
        },
        "$defs": definitions,
    }


def _in_a_region(price_lists: Collection[str]) -> str:
    """A list of AWS's in one of its regions, such as aws/fargate/eu-west-1."""
    named = "|".join(re.escape(name) for name in sorted(price_lists) if name.startswith("aws/"))
    return rf"^({named})/[a-z]{{2}}(-[a-z]+)+-[0-9]$"


def _engines(engines: Engines) -> dict[str, Any]:
    """A name, or one name with settings below it."""
    named = {"enum": sorted(engines)}
    settings = {name: _cleaned(kind.settings.model_json_schema()) for name, kind in sorted(engines.items())}
    told = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    told["properties"] = {name: {**schema, "type": ["object", "null"]} for name, schema in settings.items()}
    return {"anyOf": [named, told], "default": LOCAL, "description": TOP_LEVEL["on"]}


def _usage(kinds: Kinds) -> dict[str, Any]:
    """Objects by kind and name, each with figures; which figures its kind knows is told by the plan."""
    figure = {"type": ["number", "string"], "description": "a figure, or a range such as 2..6"}
    return {
        "description": TOP_LEVEL["usage"],
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^({'|'.join(sorted(kinds))})/{NAME.pattern}$"},
        "additionalProperties": {"type": "object", "additionalProperties": figure},
    }


def _section(kind: AnyKind, definitions: dict[str, Any]) -> dict[str, Any]:
    """Names with specs; nothing after a name means all defaults, nothing after the section no objects."""
    schema = kind.spec.model_json_schema(ref_template=f"#/$defs/{kind.name}.{{model}}")
    for name, inner in schema.pop("$defs", {}).items():
        definitions[f"{kind.name}.{name}"] = _cleaned(inner)
    definitions[kind.name] = _cleaned(schema)
    spec: dict[str, Any] = {"$ref": f"#/$defs/{kind.name}"}
    if not schema.get("required"):
        spec = {"anyOf": [spec, {"type": "null"}]}
    return {
        "description": kind.summary,
        "type": ["object", "null"],
        "propertyNames": _NAME_SCHEMA,
        "additionalProperties": spec,
    }


def _cleaned(schema: Any) -> Any:
    """Without our own keywords, and without titles and bounds that say nothing to an editor.

    A field with a unit keeps no numeric default: `604800.0` is no way to write seven days.
    """
    if isinstance(schema, list):
        return [_cleaned(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"title", UNIT, REFERS_TO, "ge", "gt", "le", "lt"}
    if UNIT in schema or any(UNIT in choice for choice in schema.get("anyOf", ())):
        dropped |= {"default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    kept = {key: value for key, value in schema.items() if key not in dropped}
    return {
        key: {name: _cleaned(item) for name, item in value.items()} if key == "properties" else _cleaned(value)
        for key, value in kept.items()
    }
