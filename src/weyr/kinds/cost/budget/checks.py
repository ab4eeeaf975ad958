"""What is unwise in a budget, seen beside what the stack will cost?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.units import Money
from weyr.kinds.cost.budget.spec import BudgetSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Budgets that the stack will pass if it runs as written."""
    expected = Money(proposal.monthly_micros, proposal.currency)
    for ref, spec in proposal.specs.items():
        if isinstance(spec, BudgetSpec) and spec.limit.currency == expected.currency and spec.limit < expected:
            then = "then everything that spends is stopped" if spec.then == "stop" else "then there is an alert"
            detail = f"The stack is expected to cost {expected} per month, the limit is {spec.limit}; {then}."
            yield Finding(ref, ("limit",), Severity.WARN, "Costs above the budget", detail)
