"""What is unwise or impossible in a pool, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.engine import LOCAL
from weyr.core.ref import Ref
from weyr.kinds.compute.pool.spec import PoolSpec

MADE = "the cluster has its nodes, and Weyr neither makes nor ends any"
SEEN = "what its nodes have is seen of them"
NOT_SAID = {
    "cpu": SEEN,
    "memory": SEEN,
    "accelerators": f"{SEEN}; ask for a model with labels: {{gpu: MODEL}}",
    "accelerator_memory": SEEN,
    "mig": SEEN,
    "detect": SEEN,
    "market": "how a cluster's nodes are paid for is not known to Weyr; preemptible ones are asked for by a job's spot",
    "min": MADE,
    "max": MADE,
    "idle_after": MADE,
    "cool_down": MADE,
    "budget": MADE,
    "calendar": MADE,
}
"""What may not be said of a cluster's nodes, each with the reason."""


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Numbers that contradict one another, and prices that the books do not keep."""
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, PoolSpec):
            continue
        if spec.on != LOCAL:
            yield from _of_a_cluster(ref, spec)
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


def _of_a_cluster(ref: Ref, spec: PoolSpec) -> Iterator[Finding]:
    """What is written down although it can have no effect is refused, also where it says what is so by default."""
    for field in sorted(spec.model_fields_set & NOT_SAID.keys()):
        detail = f"{field}: {ref} is on {spec.on}: {NOT_SAID[field]}, and a setting is never ignored."
        yield Finding(ref, (field,), Severity.FATAL, "Nodes that are there already", detail)
