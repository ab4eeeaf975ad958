"""What is unwise or impossible in a stack, though each field is right? Findings, each with its line."""

from collections.abc import Iterator, Sequence

from weyr.core.checking import Costs, Finding, Proposal
from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.kind import Kinds
from weyr.stack.masking import is_sensitive
from weyr.stack.stack import Path, Stack, StackObject, path_text
from weyr.stack.steps import ObjectCost
from weyr.stack.world import World

NO_BUDGET = "No budget"


def findings_of(
    stack: Stack,
    world: World,
    kinds: Kinds,
    costs: Sequence[ObjectCost] = (),
    currency: str = "USD",
    may_pass: bool = False,
) -> list[Diagnostic]:
    """Everything there is to say: what holds for any stack, then what each kind knows of its own objects."""
    after = {
        cost.ref: Costs(cost.after.micros, cost.after.unpriced, cost.run.micros if cost.run else None) for cost in costs
    }
    proposal = Proposal(
        specs={ref: item.spec for ref, item in stack.objects.items()},
        outputs={ref: existing.outputs for ref, existing in world.objects.items()},
        monthly_micros=sum(cost.monthly_micros for cost in after.values()),
        currency=currency,
        costs=after,
        before_micros=sum(cost.before.micros for cost in costs),
        may_pass=may_pass,
    )
    found = [*_without_budget(stack, kinds), *_without_memory_limit(stack), *_secrets_in_the_open(stack)]
    for kind in kinds.values():
        found += [_placed(stack, finding) for finding in (kind.checks(proposal) if kind.checks else ())]
    return found


def _placed(stack: Stack, finding: Finding) -> Diagnostic:
    place = stack.objects[finding.ref].place_of(*finding.path)
    return Diagnostic(finding.summary, finding.detail, finding.severity, place, str(finding.ref), finding.suggestion)


def _without_budget(stack: Stack, kinds: Kinds) -> Iterator[Diagnostic]:
    """Money is spent and nobody watches: the surprise at the end of the month that Weyr is there to spare people."""
    if any(kinds[ref.kind].limits for ref in stack.objects):
        return
    spending = sorted(str(ref) for ref, item in stack.objects.items() if _spends(kinds, item))
    if spending:
        shown = ", ".join(spending[:3]) + (f" and {len(spending) - 3} more" if len(spending) > 3 else "")
        detail = f"{shown} will cost money, and nothing in this stack watches what it costs."
        suggestion = "budgets: {month: {limit: 50 USD, then: alert}}"
        yield Diagnostic(NO_BUDGET, detail, Severity.WARN, stack.place, suggestion=suggestion)


def _spends(kinds: Kinds, item: StackObject) -> bool:
    return bool(kinds[item.ref.kind].expected(item.spec))


def _without_memory_limit(stack: Stack) -> Iterator[Diagnostic]:
    """One task that takes all the memory there is takes the machine's other tasks with it."""
    for ref, item in stack.objects.items():
        plain = item.spec.model_dump(mode="json")
        if "memory" in (limits := plain.get("resources") or {}) and limits["memory"] is None:
            detail = f"{ref} may take all the memory of its machine, and the plan's price leaves its memory out."
            place = item.place_of("resources")
            yield Diagnostic("No memory limit", detail, Severity.INFO, place, str(ref), "resources: {memory: 1GiB}")


def _secrets_in_the_open(stack: Stack) -> Iterator[Diagnostic]:
    for item in stack.objects.values():
        for path, text in _texts((), item.spec.model_dump(mode="json", exclude_defaults=True)):
            if text and is_sensitive(path) and path[0] == "env":
                detail = f"{path_text(path)} looks like a secret, and stands in the file for everybody to read."
                name = str(path[-1])
                suggestion = f"secrets: {{{name}: secret/{name.lower().replace('_', '-')}}}"
                place = item.place_of(*path)
                yield Diagnostic("A secret in the open", detail, Severity.WARN, place, str(item.ref), suggestion)


def _texts(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _texts((*path, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _texts((*path, index), item)
        case _:
            return
