"""What does a budget limit, for those who decide whether something may begin? Pure."""

from weyr.core.decision import Does, Limit
from weyr.core.reach import QUEUE, TEAM, USER, Reach, labels_of
from weyr.core.ref import Ref
from weyr.kinds.cost.budget.spec import BudgetSpec

DOES = {"alert": None, "block": Does.BLOCK, "floor": Does.FLOOR, "drain": Does.DRAIN, "stop": Does.STOP}


def limit_of(ref: Ref, spec: BudgetSpec) -> Limit:
    """Its reach is its own stack, unless it names whom it counts: then wherever that is."""
    queue = spec.queue.ref(ref.stack).absolute if spec.queue else ""
    labels = labels_of(spec.user or "", spec.team or "", queue, spec.having)
    reach = Reach("" if labels else ref.stack, labels)
    return Limit(
        reach, spec.period, spec.limit.micros, DOES[spec.then], str(spec.limit), spec.ahead, spec.above == "refuse"
    )


def whom(reach: Reach) -> str:
    """Whose cost a budget counts, in words."""
    if not reach.labels:
        return f"stack {reach.stack}"
    known = {USER: "user", TEAM: "team", QUEUE: "queue"}
    return ", ".join(f"{known.get(name, name.replace(':', ' '))} {value}" for name, value in reach.labels)
