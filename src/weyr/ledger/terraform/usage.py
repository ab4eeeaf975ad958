"""How much is used of each resource? A usage file in Infracost's form: per address, then per type.

Source of the form: the usage file reference at infracost.io/docs, version 0.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from weyr.ledger.terraform.resources import Resource, number


@dataclass(frozen=True, slots=True)
class Amounts:
    """What is stated of one resource; a key that is not there is not known. `asked` remembers which keys were read."""

    values: Mapping[str, Any] = field(default_factory=dict)
    asked: dict[str, "Amounts | None"] = field(default_factory=dict, compare=False, repr=False)

    def number(self, name: str) -> Decimal | None:
        return number(self._read(name))

    def text(self, name: str) -> str:
        value = self._read(name)
        return "" if value is None else str(value)

    def within(self, name: str) -> "Amounts":
        """A group of amounts, such as those of a storage class."""
        value = self._read(name)
        group = Amounts(value if isinstance(value, Mapping) else {})
        self.asked[name] = group
        return group

    def has(self, name: str) -> bool:
        return self._read(name) not in (None, {}, "")

    def not_asked(self) -> list[str]:
        """The keys that nobody read: stated, and not counted."""
        keys = [key for key in self.values if key not in self.asked]
        return keys + [f"{name}.{key}" for name, group in self.asked.items() if group for key in group.not_asked()]

    def _read(self, name: str) -> Any:
        self.asked.setdefault(name, None)
        return self.values.get(name)


@dataclass(frozen=True, slots=True)
class Usage:
    """`by_address`: with `[*]` for every instance, and a bare type for all of it. `by_type`: what holds where an
    address says nothing else."""

    by_address: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    by_type: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, resource: Resource) -> Amounts:
        every = re.sub(r"\[[^\]]*\]", "[*]", resource.address)
        names = (resource.type, every, resource.address)
        found = [self.by_type.get(resource.type), *(self.by_address.get(name) for name in names)]
        return Amounts({key: value for each in found if each for key, value in each.items()})

    def addresses_without(self, resources: list[Resource]) -> list[str]:
        """The addresses that mean no resource: a usage that is stated and not counted."""
        known = {name for r in resources for name in (r.address, r.type, re.sub(r"\[[^\]]*\]", "[*]", r.address))}
        return [address for address in self.by_address if address not in known]
