"""What may be said of a queue."""

from collections.abc import Mapping
from typing import Annotated, Literal

from weyr.core.amounts import checked_amounts
from weyr.core.pools import Reclaims
from weyr.core.priorities import PRIORITY_MAX, PriorityClass
from weyr.core.scaling import SharedBy
from weyr.core.schema import Boolean, Name, Spec, SpecPart, checked, field

Amounts = Annotated[dict[str, str | int | float], checked(checked_amounts)]


class PriorityPart(SpecPart):
    """How urgent tasks of a class are."""

    value: int = field(description="Higher ones go first.", ge=-PRIORITY_MAX, le=PRIORITY_MAX, strict=True)
    preempts: Literal["lower-priority", "never"] = field(
        "lower-priority", description="For whom tasks may be stopped so that one of this class has room."
    )


def _classes(written: dict[str, int | PriorityPart]) -> dict[str, PriorityPart]:
    """A number as what it is short for."""
    return {name: PriorityPart(value=each) if isinstance(each, int) else each for name, each in written.items()}


class QueueSpec(Spec):
    """What its tasks may use together; jobs of other stacks name it as `team:queue/gpu`."""

    quota: Amounts = field(
        {},
        description="What it is guaranteed: cpu, memory, gpu, a model, money per hour; what is not named is unlimited.",
        examples=[{"cpu": 16, "H100": 4, "money": "20 USD"}],
    )
    borrow: Boolean | Amounts = field(
        False, description="What it may use beyond its quota while others leave it: true for all, or amounts."
    )
    user_limit: Amounts = field(
        {}, description="What each of its users may use at most: who brought its jobs up, or else their stack."
    )
    weight: float = field(1.0, description="Its part of what is left over, beside other queues.", gt=0, le=1000)
    priority_classes: Annotated[
        dict[Name, Annotated[int, field(ge=-PRIORITY_MAX, le=PRIORITY_MAX, strict=True)] | PriorityPart],
        checked(_classes),
    ] = field(
        {},
        description="Names for priorities: a value, or more about it. Always there: critical, high, normal, low, "
        "best-effort.",
        examples=[{"production": 500, "scavenger": {"value": -500, "preempts": "never"}}],
        max_length=50,
    )
    reclaim: Reclaims = field(
        Reclaims.ANY, description="From whom it takes back what it is guaranteed and has lent: the tasks that may stop."
    )
    displace: Boolean = field(
        False,
        description="Whether tasks of lower priority that borrow in other queues stop for its own, which then borrow.",
    )
    preemption: Boolean = field(
        True,
        description="Whether a task in it may be stopped for one of higher priority. Borrowed things are reclaimed.",
    )

    replicas: int | None = field(
        None, description="Replicas that all endpoints and services in it may have together.", ge=0, le=100_000,
        strict=True,
    )  # fmt: skip
    replicas_by: SharedBy = field(
        SharedBy.FAIRNESS,
        description="What they are for where they do not suffice: fairness, that no endpoint has a larger part of its "
        "requests late than need be; or value, that few are late in all, by each endpoint's weight.",
    )

    @property
    def classes(self) -> Mapping[str, PriorityClass]:
        """Its own priority classes."""
        written = {name: each for name, each in self.priority_classes.items() if isinstance(each, PriorityPart)}
        return {name: PriorityClass(each.value, each.preempts != "never") for name, each in written.items()}
