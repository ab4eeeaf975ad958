"""Which fields does a kind have, and what do people write there? Read from the spec's JSON Schema.

Everything that speaks of fields asks here: sentences about mistakes, plans, `weyr explain`.
A new field of a kind is known to all of them without a line of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from weyr.core import units
from weyr.core.schema import SpecPart
from weyr.stack.stack import Path

UNIT = "x-unit"
REFERS_TO = "x-refers-to"
"""The two keywords of ours in a field's schema; `weyr.core.schema` sets them."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What may stand at one place of a spec. `schema` is its JSON Schema, `definitions` what that refers to."""

    schema: Mapping[str, Any]
    definitions: Mapping[str, Any]
    _children: "dict[str | int, Shape | None]" = field(default_factory=dict, init=False, repr=False)
    """Those that were asked for: every object of a kind has the same ones, and a plan asks for each of its fields."""

    @property
    def description(self) -> str:
        return str(self.schema.get("description") or self._first("description"))

    @property
    def example(self) -> str:
        """The first example as it is written, or nothing."""
        examples = self.schema.get("examples") or [
            example for schema in self._choices() for example in schema.get("examples", ())
        ]
        return value_text(self, examples[0]) if examples else ""

    @property
    def has_default(self) -> bool:
        return "default" in self.schema

    @property
    def default(self) -> object:
        return self.schema.get("default")

    def is_default(self, value: object) -> bool:
        """Whether it is what would stand here anyway."""
        schema = self.schema
        return "default" in schema and bool(schema["default"] == value)

    @property
    def unit(self) -> str:
        """`size`, `duration`, `share`, `money`, or nothing."""
        return self._first(UNIT)

    def fields(self) -> dict[str, "Shape"]:
        """The named fields inside, in the order of the spec."""
        return {
            name: Shape(schema, self.definitions)
            for choice in self._choices()
            for name, schema in choice.get("properties", {}).items()
        }

    def parts(self) -> dict[str, "Shape"]:
        """The named fields inside, or inside each entry of a list or mapping of groups."""
        return self.fields() or (self._entry.parts() if self._entry else {})

    def needed(self) -> frozenset[str]:
        """Those of the `parts` that have to be written."""
        return self.required() or (self._entry.needed() if self._entry else frozenset())

    @property
    def _entry(self) -> "Shape | None":
        return self.child(0) or self.child("")

    def required(self) -> frozenset[str]:
        return frozenset(name for choice in self._choices() for name in choice.get("required", ()))

    def child(self, part: str | int) -> "Shape | None":
        """The shape of a field, of a list's entries, or of a mapping's values."""
        name = 0 if isinstance(part, int) else part  # the entries of a list are all alike
        if name in self._children:
            return self._children[name]
        found = (_inside(choice, part) for choice in self._choices())
        schema = next((schema for schema in found if schema is not None), None)
        child = None if schema is None else Shape(schema, self.definitions)
        if name == 0 or name in self.fields():
            self._children[name] = child  # the names in a mapping are anybody's, and would pile up
        return child

    def at(self, path: Path) -> "Shape | None":
        """The shape at the end of a path, or None where the spec has no such place."""
        shape: Shape | None = self
        for part in path:
            shape = shape.child(part) if shape else None
        return shape

    def takes(self, *json_types: str) -> bool:
        """Whether a value of one of these JSON types can stand here."""
        return any(set(json_types) & set(_types(choice)) or not _TYPING & set(choice) for choice in self._choices())

    def words(self) -> str:
        """What to write, as a phrase: `a duration such as 30s or 5m`, `"alert" or "stop"`."""
        phrases = dict.fromkeys(self._phrase(choice) for choice in self._choices())
        return ", or ".join(phrases) or "a value"

    def allowed(self) -> tuple[object, ...]:
        """The closed set of values, if there is one."""
        return tuple(value for choice in self._choices() for value in _listed(choice))

    def bounds(self) -> tuple[str, ...]:
        """What limits a value, as phrases: `at least 1`, `at most 1000`."""
        found: dict[str, None] = {}
        for schema in (self.schema, *self._choices()):
            for keyword, phrase in _BOUNDS.items():
                if keyword in schema:
                    found[f"{phrase} {value_text(self, schema[keyword])}"] = None
        return tuple(found)

    def _choices(self) -> Iterator[Mapping[str, Any]]:
        yield from _choices(self.schema, self.definitions)

    def _first(self, keyword: str) -> str:
        return next((str(choice[keyword]) for choice in self._choices() if keyword in choice), "")

    def _phrase(self, choice: Mapping[str, Any]) -> str:
        if UNIT in choice:
            return _UNIT_PHRASES[choice[UNIT]]
        if REFERS_TO in choice:
            return f"the name of a {choice[REFERS_TO]}"
        if _listed(choice):
            return _one_of([value_text(self, value) for value in _listed(choice)])
        match choice.get("type"):
            case "array":
                inner = Shape(choice.get("items", {}), self.definitions)
                return f"a list, each entry {inner.words()}"
            case "object" if "properties" in choice:
                return f"fields ({', '.join(choice['properties'])})"
            case "object" if isinstance(choice.get("additionalProperties"), dict):
                inner = Shape(choice["additionalProperties"], self.definitions)
                return f"names, each with {inner.words()}"
            case str() as json_type if json_type in _TYPE_PHRASES:
                return _TYPE_PHRASES[json_type]
        return "a value"


_UNIT_PHRASES = {
    "size": "a size such as 512MiB",
    "duration": "a duration such as 30s or 5m",
    "share": "a percentage such as 80%",
    "money": "an amount of money such as 200 USD",
}
_TYPE_PHRASES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "names with values",
}
_TYPING = {"type", "enum", "const"}
"""A schema with none of these takes anything."""

_BOUNDS = {
    "minimum": "at least", "ge": "at least", "maximum": "at most", "le": "at most",
    "exclusiveMinimum": "more than", "gt": "more than", "exclusiveMaximum": "less than", "lt": "less than",
}  # fmt: skip


def shape_of(spec: type[SpecPart]) -> Shape:
    """The shape of a whole spec."""
    return _whole(spec)


@lru_cache(maxsize=256)
def _whole(spec: type[SpecPart]) -> Shape:
    schema = spec.model_json_schema()
    return Shape(schema, schema.get("$defs", {}))


def value_text(shape: Shape | None, value: object) -> str:
    """A plain value as people write it: `604800.0` at a duration is `7d`.

    Promises: exact. Where the short form would hide a difference the plain number stands instead.
    """
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number_text(shape.unit if shape else "", value)
        case str():
            return value if value and value.isprintable() and value == value.strip() else repr(value)
        case list() | tuple():
            inner = shape.child(0) if shape else None
            return "[" + ", ".join(value_text(inner, item) for item in value) + "]"
        case Mapping():
            inside = {str(key): shape.child(str(key)) if shape else None for key in value}
            return "{" + ", ".join(f"{key}: {value_text(inside[str(key)], value[key])}" for key in value) + "}"
        case _:
            return str(value)


def _number_text(unit: str, value: int | float) -> str:
    plain = str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    match unit:
        case "size":
            text = units.size_text(int(value)).replace(" ", "")
            return text if _bytes_of(text) == value else plain
        case "duration":
            text = units.duration_text(value)
            return text if text and units.seconds_of(text) == value else f"{plain}s"
        case "share":
            return f"{value * 100:.10g}%"
        case _:
            return plain


def _bytes_of(text: str) -> int | None:
    """None where a rounded text is no whole number of bytes: 1088MiB would be 1.1GiB, which is not."""
    try:
        return units.bytes_of(text)
    except ValueError:
        return None


def _choices(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The alternatives of a schema with its references followed, `null` left out."""
    if "$ref" in schema:
        yield from _choices(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "anyOf" in schema or "oneOf" in schema:
        for choice in schema.get("anyOf", schema.get("oneOf", ())):
            yield from _choices(choice, definitions)
    elif schema.get("type") != "null":
        yield schema


def _inside(choice: Mapping[str, Any], part: str | int) -> Mapping[str, Any] | None:
    if isinstance(part, int):
        items = choice.get("items")
        return items if isinstance(items, dict) else None
    named = choice.get("properties", {}).get(part)
    if named is not None:
        return dict(named)
    others = choice.get("additionalProperties")
    return others if isinstance(others, dict) else None


def _listed(choice: Mapping[str, Any]) -> tuple[object, ...]:
    """The values of a closed set."""
    return (choice["const"],) if "const" in choice else tuple(choice.get("enum", ()))


def _types(choice: Mapping[str, Any]) -> tuple[str, ...]:
    given = choice.get("type", ())
    return (given,) if isinstance(given, str) else tuple(given)


def _one_of(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
