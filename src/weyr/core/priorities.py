"""How urgent is a task? A number, or the name of a class of its queue, which is a number and leave to stop others.

The words are Kubernetes': a PriorityClass has a value and a preemption policy, Kueue's WorkloadPriorityClass a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PRIORITY_MAX = 1000


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """Higher values go first. Without `preempts`, nobody is ever stopped for a task of this class."""

    value: int
    preempts: bool = True


BUILT_IN: Mapping[str, PriorityClass] = {
    "critical": PriorityClass(1000),
    "high": PriorityClass(100),
    "normal": PriorityClass(0),
    "low": PriorityClass(-100),
    "best-effort": PriorityClass(-1000, preempts=False),
}
"""What every queue has, unless it says otherwise of a name."""


def classes_of(declared: Mapping[str, PriorityClass]) -> Mapping[str, PriorityClass]:
    """All classes of a queue that declares these."""
    return {**BUILT_IN, **declared}


def priority_text(name: str, value: int) -> str:
    """`production (1000)`, or the number alone."""
    return f"{name} ({value})" if name else str(value)
