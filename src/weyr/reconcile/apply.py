"""How does a plan become what is wanted? In one transaction, and only in the world it was made for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from weyr.core.decision import Phase
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.engine import On
from weyr.core.kind import Kinds
from weyr.core.reach import QUEUE, labels_of
from weyr.core.ref import Ref
from weyr.core.schema import from_plain, references_of, to_json
from weyr.reconcile.labelling import labels_by_kind
from weyr.reconcile.world import World
from weyr.stack.plan import check_applicable
from weyr.stack.steps import Action, Plan, Step
from weyr.stack.world import Existing
from weyr.stack.world import World as PlanWorld
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, ObjectRow, StackRow


def planning_world(world: World, db: Database, stack: str) -> PlanWorld:
    """What stands of a stack, for `make_plan`. Drift is what the story tells since the last plan was applied."""
    row = world.stacks.get(stack)
    drift: dict[str, list[str]] = {}
    if row is not None:
        with db.read() as connection:
            for event in kernel.events_after(connection, stack=stack, event="drift", since=row.applied_at):
                drift.setdefault(event.ref, []).append(event.message)
    return PlanWorld(
        stack=stack,
        parent=row.plan_id if row else "",
        objects={
            ref: Existing(
                spec=_plain(world.objects[ref]),
                generation=world.objects[ref].generation,
                phase=_phase(world, ref),
                drift=tuple(dict.fromkeys(drift.get(str(ref), []))),
                outputs=world.objects[ref].status.outputs,
            )
            for ref in world.of_stack(stack)
        },
        on=On.from_json(row.on_json) if row else On(),
    )


def apply_plan(
    world: World,
    db: Database,
    kinds: Kinds,
    plan: Plan,
    file: str,
    folder: str,
    now: float,
    owner: str = "",
    team: str = "",
    refusals: Callable[[Plan, Sequence[ObjectRow]], Sequence[Diagnostic]] = lambda _plan, _rows: (),
) -> None:
    """Takes the plan as what is wanted from now on. What it makes or changes is `owner`'s, "" for nobody's, and counts
    as the cost of that person's `team`. `refusals` are of whoever knows what may not be brought up.

    Raises: WorldMoved where the stack is not in the state the plan was made for, UserError where
    the plan has fatal findings or something of it is refused; nothing is changed then.
    """
    check_applicable(plan, planning_world(world, db, plan.stack))
    objects = rows_after(world, kinds, plan, folder, now, owner, team)
    if refused := refusals(plan, objects):
        raise UserError(*refused)
    stack = StackRow(plan.stack, plan.id, plan.price_as, file, plan.is_removal, now, plan.on.to_json())
    # Where nothing is left to be seen leaving, nobody else will ever find that the stack is gone.
    is_over = plan.is_removal and not world.of_stack(plan.stack)
    try:
        _store(db, plan, stack, objects, is_over)
    except Exception:
        # Nobody knows whether a commit that failed was kept, and a loop with an older memory would undo it.
        world.is_stale = True
        raise
    if is_over:
        del world.stacks[plan.stack]
        return
    world.stacks[plan.stack] = stack
    for row in objects:
        world.put(row)
    world.wake(world.of_stack(plan.stack))


def rows_after(
    world: World, kinds: Kinds, plan: Plan, folder: str, now: float, owner: str = "", team: str = ""
) -> list[ObjectRow]:
    """The objects that a plan touches, as it would leave them. It has to fit the world."""
    return [_owned(_applied(world, kinds, plan, step, folder, now), owner, team) for step in plan.steps]


def _store(db: Database, plan: Plan, stack: StackRow, objects: Sequence[ObjectRow], is_over: bool) -> None:
    now = stack.applied_at
    with db.write() as connection:
        kernel.put_objects(connection, [kernel.plain_object(row) for row in objects])
        kernel.put_stack(connection, stack)
        kernel.mark_applied(connection, plan.id, now)
        steps = [
            EventRow(now, plan.stack, str(step.ref), plan.id, f"plan.{step.action.value}", step.reason)
            for step in plan.steps
        ]
        kernel.add_events(connection, [EventRow(now, plan.stack, "", plan.id, "plan.applied", ""), *steps])
        if is_over:
            kernel.drop_stack(connection, plan.stack)
            gone = EventRow(now, plan.stack, "", plan.id, "stack.removed", "nothing was left of it")
            kernel.add_events(connection, [gone])


def _applied(world: World, kinds: Kinds, plan: Plan, step: Step, folder: str, now: float) -> ObjectRow:
    before = world.objects.get(step.ref)
    if step.spec is None:
        assert before is not None, f"a plan destroys {step.ref}, which is not there"
        return replace(before, spec=None, next_spec=None, generation=step.generation, changed_at=now)
    kind = kinds[step.ref.kind]
    spec = from_plain(kind.spec, step.spec)
    text = to_json(kind.spec, spec)
    needs = tuple(dict.fromkeys(reference.ref(plan.stack) for _, reference in references_of(spec)))
    if before is None:
        return ObjectRow(step.ref, text, step.generation, folder, needs, changed_at=now)
    if before.spec is None or before.next_spec is not None or step.action is Action.REPLACE:
        # The old one first has to be proved gone; only then is it made anew.
        old = before.spec or text
        return replace(
            before, spec=old, next_spec=text, generation=step.generation, folder=folder, needs=needs, changed_at=now
        )
    return replace(before, spec=text, generation=step.generation, folder=folder, needs=needs, changed_at=now)


def _owned(row: ObjectRow, owner: str, team: str) -> ObjectRow:
    """With whose it is, and what its cost counts under from now on. What is to go keeps what it counted under."""
    text = row.next_spec or row.spec
    if text is None:
        return replace(row, owner=owner)
    queue = next((need.absolute for need in row.needs if need.kind == QUEUE), "")
    written = json.loads(text)
    tags: dict[str, str] = {**labels_by_kind(row.ref, written), **written.get("tags", {})}
    return replace(row, owner=owner, labels=labels_of(owner, team, queue, tags))


def _phase(world: World, ref: Ref) -> Phase:
    """For a plan an object that is being replaced stands, and only what is to be nothing is leaving."""
    return Phase.WORKING if world.objects[ref].next_spec is not None else world.phase(ref)


def _plain(row: ObjectRow) -> dict[str, object]:
    text = row.next_spec or row.spec or "{}"
    plain: dict[str, object] = json.loads(text)
    return plain
