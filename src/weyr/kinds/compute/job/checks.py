"""What is unwise in a job, though each of its fields is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.task_usage import planned_quantities
from weyr.core.units import Money, duration_text, money_text
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
        if isinstance(spec, JobSpec) and spec.max_cost is not None:
            yield from _of_bound(ref, spec, spec.max_cost, proposal)
        if isinstance(spec, JobSpec) and spec.produces is not None:
            model = spec.produces.ref(ref.stack)
            if (first := producers.setdefault(model, ref)) != ref:
                detail = f"{first} and {ref} both produce {model}; whichever ends last gives its newest version."
                yield Finding(ref, ("produces",), Severity.WARN, "Two writers of one object", detail)


def _of_bound(ref: Ref, spec: JobSpec, bound: Money, proposal: Proposal) -> Iterator[Finding]:
    """A bound on the cost that nothing would hold it to, or that it would run into before it is done."""
    if not planned_quantities(spec):
        detail = (
            f"{ref} runs on a pool's nodes, which are paid for used or idle: what it costs by itself is not counted."
        )
        yield _never_held(ref, detail, "Bound the pool instead: budget.")
        return
    if bound.currency != proposal.currency:
        detail = f"{ref} may cost {bound}, and the stack is priced in {proposal.currency}; Weyr has no rates."
        yield _never_held(ref, detail, "")
        return
    costs = proposal.costs.get(ref)
    if costs is None:
        return
    if costs.unpriced:
        detail = f"What {ref} costs is not known, as nothing says what an hour of {' or '.join(costs.unpriced)} does."
        severity = Severity.WARN if costs.monthly_micros else Severity.FATAL
        yield _never_held(ref, detail, "price_as: aws/fargate", severity)
    run_micros = costs.run_micros or 0
    if spec.expected_duration is not None and run_micros > bound.micros:
        detail = (
            f"A run of {ref} takes {duration_text(spec.expected_duration)} and costs {money_text(run_micros)} "
            f"{bound.currency}; at {bound} it would be stopped before it is done."
        )
        yield Finding(ref, ("max_cost",), Severity.FATAL, "It can never be done", detail)
    elif run_micros > bound.micros:
        detail = (
            f"The plan reckons with {money_text(run_micros)} {bound.currency} for a run of {ref}; it is stopped "
            f"once it has cost {bound}, and costs no more than that."
        )
        yield Finding(ref, ("max_cost",), Severity.INFO, "A run is stopped at its bound", detail)


def _never_held(ref: Ref, detail: str, suggestion: str, severity: Severity = Severity.FATAL) -> Finding:
    return Finding(ref, ("max_cost",), severity, "A bound on what nobody counts", detail, suggestion)
