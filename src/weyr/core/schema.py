"""What may a spec say? The base of every spec, the field types people write, and JSON both ways.

This is the only module that imports pydantic; kinds take `Spec`, `field` and the types from here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic.functional_serializers import PlainSerializer
from pydantic.functional_validators import AfterValidator, BeforeValidator, PlainValidator, model_validator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from weyr.core import units
from weyr.core.accelerators import EXAMPLES, accelerators_of, accelerators_text
from weyr.core.capability import Accelerators
from weyr.core.ref import NAME, Ref

__all__ = [
    "AcceleratorAmount", "Boolean", "Count", "Duration", "MoneyAmount", "Name", "Reference", "Share", "Size", "Spec",
    "SpecPart", "ValidationError", "checked", "field", "from_json", "from_plain", "references_of", "to", "to_json",
    "to_plain",
]  # fmt: skip

field = Field
"""Declares a field: `cpu: float = field(1.0, description="...", examples=[2])`."""


Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class SpecPart(BaseModel):
    """A group of fields inside a spec. Unknown fields are errors; values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    short: ClassVar[str] = ""
    """The field that a text stands for which is written instead of the fields: `prepare` for `{job: prepare}`."""

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, written: Any) -> Any:
        return {cls.short: written} if cls.short and isinstance(written, str) else written

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        found = handler(schema)
        return {"anyOf": [found, {"type": "string", "description": f"short for {cls.short}"}]} if cls.short else found


def _tags(tags: dict[str, str]) -> dict[str, str]:
    """Raises: ValueError."""
    if taken := sorted({"user", "team", "queue"} & tags.keys()):
        raise ValueError(f"{', '.join(taken)} cannot be a tag: Weyr says that of an object by itself")
    return tags


class Spec(SpecPart):
    """What is wanted of one object, as parsed. Fields that every kind has stand here."""

    protect: bool = field(False, description="Refuse every plan that would remove or replace this object.")
    tags: Annotated[dict[Name, str], AfterValidator(_tags)] = field(
        {},
        description="What its cost counts under, beside its stack: budgets and bills are by tag, too.",
        examples=[{"project": "digits"}],
        max_length=20,
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """Another object as a spec names it: `lake`, `bucket/lake`, `digits@production`; one that stacks share may be of
    another stack (`stack`, "" for its own): `team:queue/gpu`."""

    kind: str
    name: str
    at: str = ""
    stack: str = ""

    def __str__(self) -> str:
        prefix = f"{self.stack}:" if self.stack else ""
        return f"{prefix}{self.kind}/{self.name}" + (f"@{self.at}" if self.at else "")

    def ref(self, stack: str) -> Ref:
        return Ref(self.stack or stack, self.kind, self.name)


@dataclass(frozen=True, slots=True)
class to:  # noqa: N801 - reads as a word in annotations
    """Marks a field as the name of another object: `bucket: Annotated[Reference, to("bucket")]`.

    `alias` is what `@...` defaults to; a kind without aliases leaves it out, and `@` is refused. Only where
    `is_shared` may it be an object of another stack, `team:queue/gpu` or `team:gpu`.
    """

    kind: str
    alias: str | None = None
    is_shared: bool = False

    def parse(self, value: object) -> Reference:
        """Raises: ValueError with a sentence."""
        if isinstance(value, Reference):
            return value
        if not isinstance(value, str):
            raise ValueError(f"write the name of a {self.kind}, such as {self.kind}/example")
        text, at_sign, at = value.partition("@")
        stack, colon, text = text.rpartition(":")
        kind, slash, name = text.rpartition("/")
        if colon and not self.is_shared:
            raise ValueError(f"{value!r} is of another stack; a {self.kind} has to be one of this stack")
        if colon and not NAME.fullmatch(stack):
            raise ValueError(f"{stack!r} cannot be the name of a stack")
        if slash and kind != self.kind:
            raise ValueError(f"{value!r} is a {kind}, and a {self.kind} is needed here")
        if not NAME.fullmatch(name):
            raise ValueError(f"{value!r} is not the name of a {self.kind}")
        if at_sign and self.alias is None:
            raise ValueError(f"a {self.kind} has no aliases; leave out {'@' + at!r}")
        if at_sign and not NAME.fullmatch(at):
            raise ValueError(f"{at!r} is not an alias; write for example {self.kind}@production")
        return Reference(self.kind, name, at or (self.alias or ""), stack)

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema())
        return core_schema.no_info_plain_validator_function(self.parse, serialization=text)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, object]:
        example = f"{self.kind}/example" + (f"@{self.alias}" if self.alias else "")
        words = {"type": "string", "description": f"the name of a {self.kind}", "examples": [example]}
        return {**words, "x-refers-to": self.kind}


def _written(parse: Callable[[Any], Any], schema: dict[str, Any]) -> tuple[Any, ...]:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"write {schema['description']}")
        return parse(value)

    return BeforeValidator(read), WithJsonSchema(schema)


def _parsed_money(value: Any) -> Any:
    return units.Money.parse(str(value))


def _money_or_parsed(value: Any) -> units.Money:
    if isinstance(value, units.Money):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("write an amount of money such as 200 USD")
    return units.Money.parse(str(value))


def _money_text(money: units.Money) -> str:
    whole, rest = divmod(money.micros, units.MICROS)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") + f" {money.currency}"


Size = Annotated[
    int,
    *_written(
        units.bytes_of, {"type": ["string", "integer"], "description": "a size such as 512MiB", "x-unit": "size"}
    ),
]
Duration = Annotated[
    float,
    *_written(
        units.seconds_of,
        {"type": ["string", "number"], "description": "a duration such as 30s or 5m", "x-unit": "duration"},
    ),
]
Share = Annotated[
    float, *_written(units.share_of, {"type": "string", "description": "a percentage such as 80%", "x-unit": "share"})
]
MoneyAmount = Annotated[
    units.Money,
    PlainValidator(_money_or_parsed),
    PlainSerializer(_money_text, return_type=str),
    WithJsonSchema({"type": "string", "description": "an amount of money such as 200 USD", "x-unit": "money"}),
]
AcceleratorAmount = Annotated[
    Accelerators,
    PlainValidator(accelerators_of),
    PlainSerializer(accelerators_text, return_type=str),
    WithJsonSchema({"type": ["string", "integer", "object"], "description": EXAMPLES, "examples": ["H100:8"]}),
]
Count = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
Boolean = Annotated[bool, Field(strict=True)]


def checked(check: Callable[[Any], Any]) -> Any:
    """A rule for a field's type: `check` gives the value to keep or raises ValueError with a sentence.

    `Rule = Annotated[str, checked(parse)]`.
    """
    return AfterValidator(check)


def references_of(spec: SpecPart) -> Iterator[tuple[tuple[str | int, ...], Reference]]:
    """Every reference in a spec with its path, such as `(("checkpoint", "bucket"), bucket/lake)`."""
    return _references_in(spec, ())


_BARE = frozenset({str, int, float, bool, type(None)})
"""What holds no reference, told without a look inside: most fields of most specs."""


def _references_in(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Reference]]:
    match value:
        case Reference():
            yield path, value
        case SpecPart():
            given, by_default = value.model_fields_set, _refers_by_default(type(value))
            for name in type(value).model_fields:
                if name not in given and name not in by_default:
                    continue
                item = getattr(value, name)
                if type(item) not in _BARE:
                    yield from _references_in(item, (*path, name))
        case Mapping():
            for key, item in value.items():
                yield from _references_in(item, (*path, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _references_in(item, (*path, index))
        case _:
            return


@lru_cache(maxsize=1024)
def _refers_by_default(part: type[SpecPart]) -> frozenset[str]:
    """The fields that name an object where nothing is said: all others need not be looked into then."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in part.model_fields.items()}
    return frozenset(name for name, value in defaults.items() if any(_references_in(value, ())))


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(kind: Any, value: object) -> str:
    """Any frozen dataclass, enum, union of them or Spec of ours as JSON text."""
    return _adapter(kind).dump_json(value).decode()


def from_json(kind: Any, text: str | bytes) -> Any:
    """The value that `to_json` wrote. Raises: ValidationError."""
    return _adapter(kind).validate_json(text)


def to_plain(kind: Any, value: object) -> Any:
    """As `to_json`, but as dicts, lists and scalars."""
    return _adapter(kind).dump_python(value, mode="json")


def from_plain(kind: Any, value: object) -> Any:
    """Dicts, lists and scalars as a typed value. Raises: ValidationError, with every problem in it."""
    return _adapter(kind).validate_python(value)
