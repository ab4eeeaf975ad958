"""What is unwise in a job, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.kinds.compute.job.spec import JobSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Jobs that an interruption would throw back to their beginning, and jobs that write what another one writes."""
    producers: dict[Ref, Ref] = {}
    for ref, spec in proposal.specs.items():
        if isinstance(spec, JobSpec) and spec.spot and spec.checkpoint is None:
            detail = f"Each time its node is reclaimed, {ref} begins again from nothing, and that is paid for."
            suggestion = "checkpoint: {bucket: lake, every: 30s}"
            yield Finding(ref, ("spot",), Severity.WARN, "Spot without a checkpoint", detail, suggestion)
        if isinstance(spec, JobSpec) and spec.image and (spec.sandbox or spec.python.requirements):
            field = "sandbox" if spec.sandbox else "python"
            detail = "A container is a sandbox, and the packages of its programs are those of its image."
            yield Finding(ref, (field,), Severity.FATAL, f"An image and {field}", detail, f"Leave {field} out.")
        if isinstance(spec, JobSpec) and spec.produces is not None:
            model = spec.produces.ref(ref.stack)
            if (first := producers.setdefault(model, ref)) != ref:
                detail = f"{first} and {ref} both produce {model}; whichever ends last gives its newest version."
                yield Finding(ref, ("produces",), Severity.WARN, "Two writers of one object", detail)
