"""Is a plan sound in itself? What must hold of the steps of any plan, whoever made it.

`weyr.stack.checks` judges what a user wrote; this judges what was made of it. A finding here is a fault of Weyr, and it
is fatal: a plan that would take a bucket from under a job is not carried out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.ref import Ref
from weyr.stack.steps import Action, Step

_REPORT = "This is a fault in Weyr and not in your file: please report it with the output of `weyr plan --json`."


def lint(steps: Sequence[Step], needs: Mapping[Ref, Collection[Ref]]) -> Iterator[Diagnostic]:
    """Everything that is wrong with the order and the generations of a plan's steps.

    Takes: `needs` of every object of the stack as it will be, also of those that no step touches.
    """
    position = {step.ref: number for number, step in enumerate(steps)}
    by_ref = {step.ref: step for step in steps}
    for number, step in enumerate(steps):
        if position[step.ref] != number:
            yield _finding("Two writers of one object", step, f"Two steps of this plan would write {step.ref}.")
        if step.generation <= step.from_generation:
            detail = f"{step.ref} would go from generation {step.from_generation} to {step.generation}."
            yield _finding("A generation that does not grow", step, detail)
        for need in step.needs:
            if need in by_ref:
                yield from _misplaced(step, by_ref[need], number < position[need])
    for ref, needed in needs.items():
        for need in needed:
            if ref not in by_ref and need in by_ref and by_ref[need].action is Action.DESTROY:
                yield _finding("A release before its users", by_ref[need], f"{ref} stays and refers to {need}.")


def _misplaced(step: Step, need: Step, is_before: bool) -> Iterator[Diagnostic]:
    """Two steps of which the first refers to the object of the second: makers after, removers before it."""
    if step.action is Action.DESTROY:
        if need.action is Action.DESTROY and not is_before:
            detail = f"{need.ref} would be removed before {step.ref}, which still refers to it."
            yield _finding("A release before its users", need, detail)
    elif need.action is Action.DESTROY:
        yield _finding("A release before its users", need, f"{step.ref} is to refer to {need.ref}.")
    elif is_before:
        yield _finding("A start before its needs", step, f"{step.ref} would begin before {need.ref}, which it needs.")


def _finding(summary: str, step: Step, detail: str) -> Diagnostic:
    return Diagnostic(summary, f"{detail} {_REPORT}", Severity.FATAL, step.place, str(step.ref), "weyr plan --json")
