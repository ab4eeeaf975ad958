"""budget: what a stack may cost in a month, and what happens when it nears that."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.cost.budget.checks import checks
from weyr.kinds.cost.budget.decide import BudgetMemory, decide
from weyr.kinds.cost.budget.spec import BudgetSpec

KIND = Kind(
    name="budget",
    plural="budgets",
    layer=Layer.COST,
    summary="What the stack may cost in a month, and what happens when it nears that.",
    spec=BudgetSpec,
    decide=decide,
    capabilities=(Capability.NOTICES,),
    memory=BudgetMemory,
    reads_spend=True,
    checks=checks,
)
