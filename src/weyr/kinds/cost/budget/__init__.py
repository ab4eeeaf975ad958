"""budget: what a stack, a queue, a person, a team or a tag may cost, and what happens when that nears."""

from weyr.core.capability import Capability
from weyr.core.kind import Kind, Layer
from weyr.kinds.cost.budget.checks import checks
from weyr.kinds.cost.budget.decide import BudgetMemory, decide
from weyr.kinds.cost.budget.limit import limit_of
from weyr.kinds.cost.budget.spec import BudgetSpec

KIND = Kind(
    name="budget",
    plural="budgets",
    layer=Layer.COST,
    summary="What a stack, a queue, a person, a team or a tag may cost, and what happens when that nears.",
    spec=BudgetSpec,
    decide=decide,
    capabilities=(Capability.NOTICES,),
    memory=BudgetMemory,
    limits=limit_of,
    checks=checks,
)
