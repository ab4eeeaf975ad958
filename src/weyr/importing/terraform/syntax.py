"""What is a Terraform file made of? The tree that `parse` gives and `evaluate` walks.

Source: the HCL native syntax specification, hashicorp/hcl `hclsyntax/spec.md`.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """The root of a traversal: `var`, `local`, `each`, a resource's type, or what a `for` names."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    of: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    of: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True)
class Splat:
    """`of[*].steps`: each element under the name `SPLAT_ELEMENT`, then the rest of the traversal."""

    of: "Expression"
    each: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple["Expression", ...]
    spreads_last: bool = False


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Conditional:
    test: "Expression"
    yes: "Expression"
    no: "Expression"


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    items: tuple[tuple["Expression", "Expression"], ...]


@dataclass(frozen=True, slots=True)
class For:
    """`[for k, v in of : value if test]`, or with `key` the one in braces; `groups` is its `...`."""

    key_name: str | None
    value_name: str
    of: "Expression"
    key: "Expression | None"
    value: "Expression"
    test: "Expression | None"
    groups: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """Text with expressions in it, joined as strings; one expression alone keeps its type."""

    parts: tuple["Expression", ...]


Expression = (
    Literal | Name | Attribute | Index | Splat | Call | Unary | Binary | Conditional | Sequence | Mapped | For
    | Template
)  # fmt: skip

SPLAT_ELEMENT = "*"


@dataclass(frozen=True, slots=True)
class Block:
    """`kind "label" ... { attributes, blocks }`. `place` is `file:line` for complaints."""

    kind: str
    labels: tuple[str, ...]
    attributes: dict[str, Expression]
    blocks: tuple["Block", ...]
    place: str

    def inner(self, kind: str) -> list["Block"]:
        return [block for block in self.blocks if block.kind == kind]
