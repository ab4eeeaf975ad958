"""What is unwise or impossible in a budget, seen beside what the stack will cost?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.units import Money
from weyr.kinds.cost.budget.limit import limit_of
from weyr.kinds.cost.budget.spec import BudgetSpec

THEN = {
    "alert": "then there is an alert",
    "block": "then nothing new begins",
    "floor": "then there are as few replicas as may be",
    "drain": "then what runs is drained",
    "stop": "then everything that spends is stopped",
}


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Budgets that the stack will pass if it runs as written, and those that cannot be compared with its cost."""
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, BudgetSpec):
            continue
        if spec.limit.currency != proposal.currency:
            yield _other_currency(ref, spec, proposal.currency)
        elif not limit_of(ref, spec).reach.labels:
            expected = Money(round(proposal.monthly_micros * spec.period.months), proposal.currency)
            if spec.limit < expected:
                yield _passed(ref, spec, expected, proposal)


def _passed(ref: Ref, spec: BudgetSpec, expected: Money, proposal: Proposal) -> Finding:
    """Refused, unless somebody allowed it or it costs no more than what stands: what saves money is never refused."""
    is_dearer = proposal.monthly_micros > proposal.before_micros
    is_refused = is_dearer and spec.above == "refuse" and not proposal.may_pass
    then = THEN[spec.then]
    detail = f"The stack is expected to cost {expected} per {spec.period.value}, the limit is {spec.limit}; {then}."
    if not is_refused:
        return Finding(ref, ("limit",), Severity.WARN, "Costs above the budget", detail)
    detail += " Raise the limit, say `above: warn` in the budget, or allow it once:"
    return Finding(ref, ("limit",), Severity.FATAL, "Costs above the budget", detail, "weyr up --over-budget")


def _other_currency(ref: Ref, spec: BudgetSpec, currency: str) -> Finding:
    # Weyr has no exchange rates; comparing the bare numbers would stop too early or too late.
    detail = f"The stack is priced in {currency}, and the limit of {ref} is {spec.limit}; they cannot be compared."
    return Finding(ref, ("limit",), Severity.FATAL, "A budget in another currency", detail, f"limit: 200 {currency}")
