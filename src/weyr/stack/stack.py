"""What is a stack, once its file has been read? Named objects with typed specs, places and needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from weyr.core.assumptions import Assumption, Origin
from weyr.core.diagnostic import Place
from weyr.core.engine import HERE, On
from weyr.core.ref import Ref
from weyr.core.schema import Spec

Path = tuple[str | int, ...]
"""Where a value stands inside a spec: `("checkpoint", "every")`, `("lifecycle", 0, "prefix")`."""


def path_text(path: Path) -> str:
    """`("lifecycle", 0, "prefix")` → `lifecycle[0].prefix`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class StackObject:
    """One object of the stack. `needs` are the objects its spec refers to: they come first."""

    ref: Ref
    spec: Spec
    place: Place
    needs: tuple[Ref, ...] = ()
    places: Mapping[Path, Place] = field(default_factory=dict)

    def place_of(self, *path: str | int) -> Place:
        """Where the value at `path` is written, or the nearest value around it that is written."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.place


@dataclass(frozen=True, slots=True)
class Figure:
    """What somebody said in place of an assumption: its two ends, and where it stands."""

    low: float
    high: float
    place: Place

    def instead_of(self, assumption: Assumption) -> Assumption:
        """The same assumption with this figure."""
        middle = (self.low + self.high) / 2
        said = str(self.place).rsplit("/", 1)[-1]
        return replace(
            assumption, value=middle, low=self.low, high=self.high, origin=Origin.USAGE, said=said
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """A whole stack file, read and checked. `places` says where its own top-level fields stand."""

    name: str
    file: str
    on: On = HERE
    price_as: str = "aws/fargate"
    objects: Mapping[Ref, StackObject] = field(default_factory=dict)
    places: Mapping[Path, Place] = field(default_factory=dict)
    usage: Mapping[Ref, Mapping[str, Figure]] = field(default_factory=dict)
    """What its file says of the use that it will see."""

    @property
    def place(self) -> Place:
        """Where the stack itself is named."""
        return self.places.get(("stack",), Place(self.file))
