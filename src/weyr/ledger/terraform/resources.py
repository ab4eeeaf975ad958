"""What is a resource here? Its address, its type and its arguments, wherever they were read from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is only known after an apply. `refs`: the addresses it is made from, where that can be told."""

    refs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "(known after apply)"


class Sourced(str):
    """A text that is known and was taken from other resources: it means those, whoever else has the same name."""

    refs: tuple[str, ...]

    def __new__(cls, text: str, refs: tuple[str, ...]) -> "Sourced":
        made = super().__new__(cls, text)
        made.refs = refs
        return made


@dataclass(frozen=True, slots=True)
class Resource:
    """One managed resource. `values`: arguments by name; a block is a list of mappings. `region`: of its provider."""

    address: str
    type: str
    values: Mapping[str, Any]
    region: str = ""

    @property
    def place(self) -> str:
        """The address without its index: what a reference without one means."""
        head, _, tail = self.address.rpartition(".")
        return f"{head}.{tail.split('[')[0]}"

    def given(self, name: str, default: Any = None) -> Any:
        """The argument, or `default` where it is absent, null or unknown."""
        value = self.values.get(name)
        return default if value is None or isinstance(value, Unknown) else value

    def text(self, name: str, default: str = "") -> str:
        return str(self.given(name, default))

    def flag(self, name: str, default: bool = False) -> bool:
        return truth(self.given(name, default))

    def number(self, name: str, default: Decimal | int | None = None) -> Decimal | None:
        return number(self.given(name), default)

    def block(self, name: str) -> "Resource":
        """The first block of that name, empty where there is none: its arguments are read as a resource's are."""
        return next(iter(self.blocks(name)), Resource(self.address, self.type, {}, self.region))

    def blocks(self, name: str) -> list["Resource"]:
        found = self.given(name, [])
        found = [found] if isinstance(found, Mapping) else found
        return [
            Resource(self.address, self.type, each, self.region)
            for each in (found if isinstance(found, list) else [])
            if isinstance(each, Mapping)
        ]

    def has(self, name: str) -> bool:
        return bool(self.given(name))


def truth(value: object) -> bool:
    return value is True or str(value).lower() in ("true", "1")


def number(value: object, default: Decimal | int | None = None) -> Decimal | None:
    """A number as Terraform writes them, also within quotes; `default` for what is none."""
    if value is None or isinstance(value, bool | Unknown):
        return None if default is None else Decimal(default)
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None if default is None else Decimal(default)


@dataclass(frozen=True, slots=True)
class Resources:
    """All resources of one configuration or plan. `notes`: what could not be read, in sentences."""

    all: tuple[Resource, ...]
    notes: tuple[str, ...] = ()
    _by_address: dict[str, list[Resource]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for resource in self.all:
            self._by_address.setdefault(resource.address, []).append(resource)
            if resource.place != resource.address:
                self._by_address.setdefault(resource.place, []).append(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.all)

    def meant_by(self, value: object) -> list[Resource]:
        """The resources that a value was taken from, of whatever type."""
        refs = value.refs if isinstance(value, Unknown | Sourced) else ()
        return [resource for ref in refs for resource in self._by_address.get(ref, [])]

    def behind(self, value: object, types: Iterable[str], names: Iterable[str] = ("name",)) -> Resource | None:
        """The resource of one of `types` that `value` means: by reference, or by one of its `names`."""
        wanted = tuple(types)
        if isinstance(value, Unknown | Sourced):
            found = [resource for resource in self.meant_by(value) if resource.type in wanted]
            if found or isinstance(value, Unknown):
                return found[0] if found else None
        if value is None or value == "":
            return None
        return next((r for r in self.all if r.type in wanted and value in [r.given(n) for n in names]), None)
