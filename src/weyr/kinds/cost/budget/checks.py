"""What is unwise or impossible in a budget, seen beside what the stack will cost?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.units import Money
from weyr.kinds.cost.budget.spec import BudgetSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Budgets that the stack will pass if it runs as written, and those that cannot be compared with its cost."""
    expected = Money(proposal.monthly_micros, proposal.currency)
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, BudgetSpec):
            continue
        if spec.limit.currency != expected.currency:
            yield _other_currency(ref, spec, expected.currency)
        elif spec.limit < expected:
            then = "then everything that spends is stopped" if spec.then == "stop" else "then there is an alert"
            detail = f"The stack is expected to cost {expected} per month, the limit is {spec.limit}; {then}."
            yield Finding(ref, ("limit",), Severity.WARN, "Costs above the budget", detail)


def _other_currency(ref: Ref, spec: BudgetSpec, currency: str) -> Finding:
    # Weyr has no exchange rates; comparing the bare numbers would stop too early or too late.
    detail = f"The stack is priced in {currency}, and the limit of {ref} is {spec.limit}; they cannot be compared."
    return Finding(ref, ("limit",), Severity.FATAL, "A budget in another currency", detail, f"limit: 200 {currency}")
