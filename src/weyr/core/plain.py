"""Values as plain data and back, for processes that start in an instant: what `weyr.core.schema` does for specs,
without loading pydantic (0.06 s of CPU for each start of a plane).

Knows frozen dataclasses, tuples, optional values, literals and numbers, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def plain_of(value: Any) -> dict[str, Any]:
    """A dataclass as what JSON can write."""
    return asdict(value)


def value_of(kind: type[T], plain: object, where: str = "") -> T:
    """What was written. Fields may be left out where they have a default.

    Raises: ValueError with a sentence, also for a field that `kind` has not: passing it over would not do what it asks.
    """
    return _value(kind, plain, where)  # type: ignore[no-any-return]


def _value(kind: Any, plain: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _dataclass(kind, plain, where)
    origin = get_origin(kind)
    if origin is tuple:
        return _tuple(get_args(kind), plain, where)
    if origin in (Union, UnionType):
        return _union(get_args(kind), plain, where)
    if origin is Literal:
        if plain in get_args(kind):
            return plain
    elif kind is float and isinstance(plain, int | float) and not isinstance(plain, bool):
        return float(plain)
    elif type(plain) is kind:
        return plain
    raise ValueError(f"{where or 'it'} is {plain!r}, and {_name(kind)} is needed")


def _dataclass(kind: Any, plain: Any, where: str) -> Any:
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where or 'it'} is {plain!r}, and the fields of {kind.__name__} are needed")
    hints, needed = _fields(kind)
    if unknown := sorted(plain.keys() - hints.keys()):
        raise ValueError(f"{where or kind.__name__} has a field {unknown[0]} that is not known here")
    if missing := sorted(needed - plain.keys()):
        raise ValueError(f"{where or kind.__name__} lacks its field {missing[0]}")
    prefix = f"{where}." if where else ""
    return kind(**{name: _value(hints[name], value, prefix + name) for name, value in plain.items()})


def _tuple(inner: tuple[Any, ...], plain: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(plain, list | tuple):
        raise ValueError(f"{where or 'it'} is {plain!r}, and a list is needed")
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = inner[:1] * len(plain)
    if len(inner) != len(plain):
        raise ValueError(f"{where} has {len(plain)} entries, and {len(inner)} are needed")
    return tuple(_value(inner[at], value, f"{where}[{at}]") for at, value in enumerate(plain))


def _union(inner: tuple[Any, ...], plain: Any, where: str) -> Any:
    if plain is None and NoneType in inner:
        return None
    (kind,) = [kind for kind in inner if kind is not NoneType]
    return _value(kind, plain, where)


@lru_cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The types of its fields, and the names of those without a default."""
    found = fields(kind)
    hints = get_type_hints(kind)
    needed = {field.name for field in found if field.default is MISSING and field.default_factory is MISSING}
    return {field.name: hints[field.name] for field in found}, frozenset(needed)


def _name(kind: Any) -> str:
    return " or ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else kind.__name__
