"""What is impossible or unwise in a commitment, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.commitments import Form
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.kinds.cost.commitment.spec import CommitmentSpec
from weyr.kinds.cost.commitment.terms import fee_micros_per_hour

BY_AMOUNT = (Form.SAVINGS_PLAN, Form.COMMITTED_USE)
"""Committed use is sold both ways: of machines, and of an amount an hour."""


def checks(proposal: Proposal) -> Iterator[Finding]:
    for ref, spec in proposal.specs.items():
        if isinstance(spec, CommitmentSpec):
            yield from _money(ref, spec, proposal.currency)
            yield from _size(ref, spec)


def _money(ref: Ref, spec: CommitmentSpec, currency: str) -> Iterator[Finding]:
    for name, money in (("hourly", spec.hourly), ("upfront", spec.upfront)):
        if money.currency != currency:
            detail = f"The stack is priced in {currency}, and {name} of {ref} is {money}; they cannot be added up."
            yield _fatal(ref, name, "A commitment in another currency", detail, f"{name}: 1.20 {currency}")
    if fee_micros_per_hour(spec) <= 0:
        detail = f"{ref} costs nothing: say what is paid for each hour (`hourly`), or was paid at once (`upfront`)."
        yield _fatal(ref, "hourly", "A commitment without a price", detail, f"hourly: 1.20 {currency}")


def _size(ref: Ref, spec: CommitmentSpec) -> Iterator[Finding]:
    """How much it covers has to follow from what is said, one way only."""
    if spec.count:
        is_many = len(spec.covers) > 1 or "*" in spec.covers[0] or "?" in spec.covers[0]
        if spec.discount is not None:
            detail = f"{ref} is for {spec.count} machines: how much less they cost follows from their price on demand."
            yield _fatal(ref, "discount", "A commitment said twice", detail)
        if spec.form is Form.SAVINGS_PLAN:
            detail = f"{ref} is a savings plan, which is for an amount an hour and not for machines."
            yield _fatal(ref, "count", "A commitment of another form", detail, "form: reserved_instances")
        if is_many:
            detail = f"{ref} is for {spec.count} machines, so `covers` names the one price book of their type."
            yield _fatal(ref, "covers", "Machines of several types", detail, "covers: [aws/g5.xlarge]")
    elif not spec.discount or spec.discount >= 1:
        detail = f"{ref} is for an amount an hour: say how much less than on demand it makes what it covers."
        yield _fatal(ref, "discount", "A commitment without a discount", detail, "discount: 28%")
    elif spec.form not in BY_AMOUNT:
        detail = f"{ref} is for machines: say how many."
        yield _fatal(ref, "count", "A commitment of no machines", detail, "count: 1")


def _fatal(ref: Ref, name: str, summary: str, detail: str, suggestion: str = "") -> Finding:
    return Finding(ref, (name,), Severity.FATAL, summary, detail, suggestion)
