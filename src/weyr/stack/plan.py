"""What would have to happen so that the world is as the stack says? An immutable `Plan`, and nothing is done."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from weyr.core.assumptions import NO_PAST, Origin
from weyr.core.capability import Capability
from weyr.core.commitments import Coverage
from weyr.core.decision import Phase
from weyr.core.diagnostic import Diagnostic, Severity, UserError, WorldMoved
from weyr.core.kind import AnyKind, Kinds, Layer
from weyr.core.ref import Ref
from weyr.core.schema import Spec, ValidationError, from_plain, references_of, to_json, to_plain
from weyr.stack.candidates import candidates_of
from weyr.stack.checks import findings_of
from weyr.stack.costs import NOTHING_KNOWN, Known, Months, Prices, Pricing, object_cost
from weyr.stack.coverage import Covered, with_commitments
from weyr.stack.diff import Plain, differences
from weyr.stack.fields import shape_of
from weyr.stack.lint import lint
from weyr.stack.machines import machines_for, machines_of_tasks
from weyr.stack.order import ordered
from weyr.stack.stack import Stack, StackObject
from weyr.stack.steps import Action, Amount, BudgetLeft, Drift, FieldChange, ObjectCost, Plan, Step, part_of, total_of
from weyr.stack.world import Existing, World


@dataclass(frozen=True, slots=True)
class Stands:
    """An existing object as today's kinds understand it; `spec` is None where they no longer do."""

    ref: Ref
    existing: Existing
    spec: Spec | None
    plain: Plain

    @property
    def is_leaving(self) -> bool:
        return self.existing.phase is Phase.REMOVING


COMPARED_MAX, COVERED_MAX = 50, 100
"""Objects whose other ways are looked at: each is priced at every book there is; and how many there may be where
commitments pay for some, for then each way is one of the whole plan."""

Objects = Mapping[Ref, StackObject]
Standing = Mapping[Ref, Stands]


def make_plan(
    stack: Stack | None,
    world: World,
    kinds: Kinds,
    prices: Prices,
    *,
    made_at: str = "",
    extra: Sequence[Diagnostic] = (),
    known: Known = NOTHING_KNOWN,
) -> Plan:
    """The steps from `world` to `stack`, with their cost and what there is to say about them.

    Takes: `stack` None to remove everything; `made_at` as it will be shown; `extra` findings of
    whoever knows more, such as fields that no engine can honour; `known` what is known of its cost.
    Promises: pure; the same stack and world give the same plan under the same id.
    """
    assert stack is None or stack.name == world.stack, "a plan is for the world of its own stack"
    standing = {ref: _known(kinds, ref, existing) for ref, existing in world.objects.items()}
    wanted = stack.objects if stack else {}
    steps = [
        *_forward(wanted, standing, world, kinds),
        *_backward(wanted, standing, world),
    ]
    costs = _costs(wanted, standing, kinds, prices, known)
    findings = [
        *_protected(steps, standing),
        *_emptied(steps, kinds),
        *_failed(wanted, standing, steps),
        *lint(steps, {ref: item.needs for ref, item in wanted.items()}),
        *extra,
    ]
    if stack:
        findings += findings_of(stack, world, kinds, costs, prices.currency, known.may_pass)
    on = stack.on if stack else world.on
    plan = Plan(
        id="",
        stack=world.stack,
        parent=world.parent,
        on=on,
        price_as=prices.name,
        is_removal=stack is None,
        steps=tuple(steps),
        costs=costs,
        currency=prices.currency,
        drift=tuple(Drift(ref, text) for ref in sorted(world.objects) for text in world.objects[ref].drift),
        findings=tuple(sorted(findings, key=_worst_first)),
        seen=_generations(world),
        made_at=made_at,
        budgets=_budgets(wanted, kinds, costs, known),
        may_pass=known.may_pass,
        prices_version=known.prices_version,
        was_on=world.on if world.parent and world.on != on else None,
    )
    return replace(plan, id=_id_of(plan))


def check_applicable(plan: Plan, world: World) -> None:
    """Whether a plan still fits the world it was made for.

    Raises: UserError where a finding forbids it; WorldMoved, saying what moved, where it is out of date.
    """
    if plan.fatal:
        raise UserError(*plan.fatal)
    moved = [*_moved_parent(plan, world), *_moved_objects(plan, world)]
    if moved:
        raise WorldMoved(*moved)


def _known(kinds: Kinds, ref: Ref, existing: Existing) -> Stands:
    """Reads a stored spec again, so that a field which is new since then has its default on both sides."""
    if ref.kind not in kinds:
        return Stands(ref, existing, None, existing.spec)
    kind = kinds[ref.kind]
    try:
        spec = from_plain(kind.spec, existing.spec)
    except ValidationError:
        return Stands(ref, existing, None, existing.spec)
    return Stands(ref, existing, spec, to_plain(kind.spec, spec))


def _forward(wanted: Objects, standing: Standing, world: World, kinds: Kinds) -> Iterable[Step]:
    """What is to be made or changed: each after what it needs."""
    for ref in ordered({ref: item.needs for ref, item in wanted.items()}):
        step = _step(wanted[ref], standing.get(ref), kinds[ref.kind], world.past.get(ref, 0))
        if step:
            yield step


def _step(item: StackObject, was: Stands | None, kind: AnyKind, past: int) -> Step | None:
    plain = to_plain(kind.spec, item.spec)
    shape = shape_of(kind.spec)
    if was is None or was.is_leaving:
        fields = differences(shape, None, plain)
        before = was.existing.generation if was else past
        reason = "once its removal has ended" if was else ""
        return _made(item, Action.CREATE, before + 1, 0, plain, fields, reason)
    generation = was.existing.generation
    fields = differences(shape, was.plain, plain, kind.replaces)
    if any(field.is_replacing for field in fields):
        return _made(item, Action.REPLACE, generation + 1, generation, plain, fields)
    if fields:
        return _made(item, Action.CHANGE, generation + 1, generation, plain, fields)
    if was.existing.phase is Phase.FAILED and Capability.TASKS in kind.capabilities:
        return _made(item, Action.RETRY, generation + 1, generation, plain, (), "it failed and is tried again")
    if was.existing.phase is Phase.DONE and kind.begins_again:
        return _made(item, Action.RETRY, generation + 1, generation, plain, (), "it ended and begins again")
    return None


def _made(
    item: StackObject,
    action: Action,
    generation: int,
    from_generation: int,
    plain: Plain,
    fields: tuple[FieldChange, ...],
    reason: str = "",
) -> Step:
    needs = tuple(sorted(item.needs))
    return Step(action, item.ref, generation, from_generation, plain, fields, needs, reason, item.place)


def _backward(wanted: Objects, standing: Standing, world: World) -> Iterable[Step]:
    """What is to go away: each before what it needs."""
    leaving = {ref: _needs(was) for ref, was in standing.items() if ref not in wanted and not was.is_leaving}
    in_order = ordered(leaving)
    # A stored spec that no longer parses has no known needs, and a cycle cannot have been applied.
    assert len(in_order) == len(leaving)
    for ref in reversed(in_order):
        generation = world.objects[ref].generation
        yield Step(Action.DESTROY, ref, generation + 1, generation, needs=tuple(sorted(leaving[ref])))


def _needs(was: Stands) -> set[Ref]:
    return {reference.ref(was.ref.stack) for _path, reference in references_of(was.spec)} if was.spec else set()


def _costs(wanted: Objects, standing: Standing, kinds: Kinds, prices: Prices, known: Known) -> tuple[ObjectCost, ...]:
    found, months = [], Months()
    for ref in sorted({*wanted, *standing}):
        if ref.kind in kinds:
            before = standing[ref].spec if ref in standing else None
            after = wanted[ref].spec if ref in wanted else None
            cost = object_cost(ref, kinds[ref.kind], before, after, prices, known, months)
            found += [cost] if cost else []
    stands = _commitments(kinds, {ref: item.spec for ref, item in wanted.items()})
    covered = Covered({cost.ref: cost.lines for cost in found}, stands, known.shared, prices)
    found = _covered(found, wanted, standing, kinds, prices, known, stands)
    if covered.is_any and len(found) > COVERED_MAX:
        return tuple(found)
    compared = [_compared(cost, wanted, kinds, prices, known, covered) for cost in found[:COMPARED_MAX]]
    return (*compared, *found[COMPARED_MAX:])


def _covered(
    costs: Sequence[ObjectCost],
    wanted: Objects,
    standing: Standing,
    kinds: Kinds,
    prices: Prices,
    known: Known,
    stands: Mapping[Ref, Coverage],
) -> list[ObjectCost]:
    """With what commitments pay of them, before and after: the stack's own, and what others leave of theirs."""
    stood = _commitments(kinds, {ref: was.spec for ref, was in standing.items() if was.spec is not None})
    before = {}
    for ref, was in standing.items() if stood or known.shared else ():
        if ref.kind in kinds and kinds[ref.kind].estimate is not None:
            past, told = known.past.get(ref, NO_PAST), known.usage.get(ref, {})
            before[ref] = Pricing(kinds[ref.kind], prices, known, past, told).of(was.spec).lines
    return with_commitments(costs, before, stood, stands, prices, known.shared)


def _commitments(kinds: Kinds, specs: Mapping[Ref, Spec]) -> dict[Ref, Coverage]:
    return {
        ref: commits(ref, spec)
        for ref, spec in specs.items()
        if ref.kind in kinds and (commits := kinds[ref.kind].commits)
    }


def _compared(
    cost: ObjectCost, wanted: Objects, kinds: Kinds, prices: Prices, known: Known, covered: Covered
) -> ObjectCost:
    """With the ways in which it could be had as well, where it is new or its cost changes."""
    is_same = cost.before.micros == cost.after.micros and not cost.after.unpriced
    if not known.others or cost.ref not in wanted or is_same:
        return cost
    kind, spec = kinds[cost.ref.kind], wanted[cost.ref].spec
    wish = kind.wishes(spec) if kind.wishes else None
    if wish is not None and not kind.markets:
        hours = sum(line.hours for line in cost.lines)
        return replace(cost, candidates=machines_for(wish, hours, cost.after, known.offers()))
    pricing = Pricing(kind, prices, known, known.past.get(cost.ref, NO_PAST), known.usage.get(cost.ref, {}))
    instead = partial(covered.instead, cost.ref) if covered.is_any else None
    machines = (
        machines_of_tasks(wish, cost.lines, cost.after, known.offers_here(), prices.name, instead) if wish else ()
    )
    ways = candidates_of(kind, spec, pricing, cost.after, known.others, instead, machines)
    return replace(cost, candidates=ways)


def _budgets(wanted: Objects, kinds: Kinds, costs: Sequence[ObjectCost], known: Known) -> tuple[BudgetLeft, ...]:
    """Each budget of the stack beside what it is expected to cost."""
    found = []
    month = total_of(cost.after for cost in costs)
    for ref in sorted(wanted):
        limits = kinds[ref.kind].limits
        limit = limits(ref, wanted[ref].spec) if limits else None
        if limit is not None:
            expected = None if limit.reach.labels else part_of(month, limit.every.months)
            spend = known.spends.get(ref)
            spent, now = (spend.micros + spend.reserved_micros, spend.period) if spend else (None, "")
            found.append(BudgetLeft(ref, limit.micros, limit.every.value, expected, spent, now))
    return tuple(found)


def _protected(steps: Iterable[Step], standing: Standing) -> Iterable[Diagnostic]:
    """The standing spec decides, not the new one: taking the protection off is a plan of its own."""
    for step in steps:
        if step.action not in (Action.DESTROY, Action.REPLACE) or not standing[step.ref].plain.get("protect"):
            continue
        verb = "remove" if step.action is Action.DESTROY else "replace"
        detail = f"This plan would {verb} {step.ref}, and it is protected. Apply `protect: false` for it first."
        yield Diagnostic("A protected object", detail, Severity.FATAL, step.place, str(step.ref), "protect: false")


def _emptied(steps: Iterable[Step], kinds: Kinds) -> Iterable[Diagnostic]:
    """Whatever stores data takes it along, also when it is made anew at once."""
    for step in steps:
        stores = step.ref.kind in kinds and kinds[step.ref.kind].layer is Layer.STORAGE
        if stores and step.action in (Action.DESTROY, Action.REPLACE):
            detail = f"{step.ref} is removed with everything in it. To keep its data, copy it elsewhere first."
            yield Diagnostic("Stored data goes away", detail, Severity.WARN, step.place, str(step.ref))


def _failed(wanted: Objects, standing: Standing, steps: Iterable[Step]) -> Iterable[Diagnostic]:
    """What has failed and runs nothing that could be tried again, such as a model that did not pass its gate."""
    touched = {step.ref for step in steps}
    for ref, item in wanted.items():
        if ref in standing and ref not in touched and standing[ref].existing.phase is Phase.FAILED:
            detail = f"{ref} has failed, and nothing in this plan changes that."
            suggestion = f"weyr describe {ref}"
            yield Diagnostic("A failed object stays as it is", detail, Severity.WARN, item.place, str(ref), suggestion)


def _moved_parent(plan: Plan, world: World) -> Iterable[Diagnostic]:
    if plan.parent == world.parent:
        return
    if plan.id == world.parent:
        detail = f"Plan {plan.id} was applied already; nothing is left of it to do."
    else:
        detail = f"Plan {world.parent or 'none'} was applied since; this one follows {plan.parent or 'none'}."
    yield Diagnostic("The plan is out of date", detail, suggestion="weyr plan")


def _moved_objects(plan: Plan, world: World) -> Iterable[Diagnostic]:
    now = _generations(world)
    for name in sorted({*plan.seen, *now}):
        was, is_now = plan.seen.get(name), now.get(name)
        if was == is_now:
            continue
        if is_now is None:
            detail = f"{name} was there when this plan was made, and is gone or going."
        elif was is None:
            detail = f"{name} was made since this plan."
        else:
            detail = f"{name} is at generation {is_now}; this plan was made for {was}."
        yield Diagnostic("The world has moved", detail, ref=name, suggestion="weyr plan")


def _generations(world: World) -> dict[str, int]:
    """The generations of what stands. Objects on their way out may end at any moment, and matter to no plan."""
    objects = sorted(world.objects.items())
    return {str(ref): existing.generation for ref, existing in objects if existing.phase is not Phase.REMOVING}


def _id_of(plan: Plan) -> str:
    """A hash of everything that is done and why it may be, with the prices and the figures that somebody gave, but not
    of when and where it was written, nor of what changes by itself from one minute to the next: what was spent, and
    what the meters say of use."""
    steps = tuple(replace(step, place=None) for step in plan.steps)
    costs = tuple(_said(cost) if _is_measured(cost) else cost for cost in plan.costs)
    text = to_json(Plan, replace(plan, steps=steps, findings=(), made_at="", costs=costs, budgets=()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _said(cost: ObjectCost) -> ObjectCost:
    """What of a measured cost does not move by itself: the figures that somebody gave."""
    said = tuple(one for one in cost.assumptions if one.origin is not Origin.MEASURED)
    return ObjectCost(cost.ref, Amount(), Amount(), assumptions=said)


def _is_measured(cost: ObjectCost) -> bool:
    return any(one.origin is Origin.MEASURED for one in cost.assumptions)


def _worst_first(finding: Diagnostic) -> tuple[int, int, str]:
    return (list(Severity).index(finding.severity), finding.place.line if finding.place else 0, finding.ref)
