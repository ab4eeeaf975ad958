"""What is unwise or impossible in a pool, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.kinds.compute.pool.spec import PoolSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Numbers that contradict one another, and prices that the books do not keep."""
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, PoolSpec):
            continue
        if spec.min > spec.max:
            detail = f"{ref} is to keep {spec.min} nodes and may have {spec.max}."
            yield Finding(ref, ("min",), Severity.FATAL, "More nodes than allowed", detail, f"max: {spec.min}")
        for field, amount in (("price", spec.price), ("budget", spec.budget)):
            if amount is not None and amount.currency != proposal.currency:
                detail = f"{ref} says {amount}, and the stack is priced in {proposal.currency}; Weyr has no rates."
                yield Finding(ref, (field,), Severity.FATAL, "A price in another currency", detail)
        if spec.budget is not None and spec.price is None:
            detail = f"What a node of {ref} costs is not known, so its budget would hold nothing back."
            yield Finding(ref, ("budget",), Severity.FATAL, "A budget without a price", detail, "price: 1.20 USD")
        if spec.price is None and spec.accelerators:
            detail = f"What a node of {ref} costs is not known: its hours are counted, and shown without a price."
            yield Finding(ref, ("price",), Severity.WARN, "A pool without a price", detail, "price: 12.50 USD")
