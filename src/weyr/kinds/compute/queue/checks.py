"""What is impossible in a queue, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.scale_fields import Scale
from weyr.kinds.compute.queue.spec import QueueSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Queues that grant fewer replicas than their endpoints and services are to keep. Those of other stacks are not
    seen here: they say of themselves that they lack some."""
    for ref, spec in proposal.specs.items():
        if not isinstance(spec, QueueSpec) or spec.replicas is None:
            continue
        kept = {other: scale.min for other, _ in proposal.references_to(ref) if (scale := _scale(proposal, other))}
        if sum(kept.values()) > spec.replicas:
            names = ", ".join(f"{other} {count}" for other, count in sorted(kept.items(), key=str) if count)
            detail = f"{ref} grants {spec.replicas} replicas, and by their `scale.min` {names} are to be kept at rest."
            suggestion = f"replicas: {sum(kept.values())}"
            yield Finding(ref, ("replicas",), Severity.FATAL, "A quota below what is kept", detail, suggestion)


def _scale(proposal: Proposal, ref: Ref) -> Scale | None:
    scale = getattr(proposal.specs[ref], "scale", None)
    return scale if isinstance(scale, Scale) else None
