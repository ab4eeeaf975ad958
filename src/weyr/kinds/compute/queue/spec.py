"""What may be said of a queue."""

from typing import Annotated

from weyr.core.amounts import checked_amounts
from weyr.core.schema import Boolean, Spec, checked, field

Amounts = Annotated[dict[str, str | int | float], checked(checked_amounts)]


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
    user_limit: Amounts = field({}, description="What each stack in it may use at most.")
    weight: float = field(1.0, description="Its part of what is left over, beside other queues.", gt=0, le=1000)
    preemption: Boolean = field(
        True,
        description="Whether a task in it may be stopped for one of higher priority. Borrowed things are reclaimed.",
    )
