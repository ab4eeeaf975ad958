"""What stands already when a plan is made? Plain values that the store's keeper hands over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weyr.core.decision import Phase, Scalar
from weyr.core.engine import HERE, On
from weyr.core.ref import Ref


@dataclass(frozen=True, slots=True)
class Existing:
    """One object as the store knows it. `spec` is the plain JSON that a plan's step carried;
    `drift` are sentences, one for each thing that was changed outside Weyr."""

    spec: Mapping[str, Any]
    generation: int
    phase: Phase = Phase.READY
    drift: tuple[str, ...] = ()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """The state a plan starts from. `parent` is the id of the plan applied last, empty if none was.

    `past` has the last generation of objects that are gone: a new one of that name counts on from it,
    so that no intention of the old one can be taken for one of the new.
    """

    stack: str
    parent: str = ""
    objects: Mapping[Ref, Existing] = field(default_factory=dict)
    past: Mapping[Ref, int] = field(default_factory=dict)
    on: On = HERE
