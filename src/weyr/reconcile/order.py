"""How does an order by hand reach an object? Written down: its kind carries it out once, whatever dies meanwhile."""

from dataclasses import replace

from weyr.core.decision import Order
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.kind import Kinds
from weyr.core.ref import Ref
from weyr.core.schema import from_json
from weyr.reconcile.world import World
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, ObjectRow


def give_order(world: World, db: Database, kinds: Kinds, ref: Ref, verb: str, now: float) -> None:
    """Has the kind of an object carry `verb` out at its next look. Its caller holds the loop's lock.

    Raises: LookupError where there is no such object, UserError where its kind cannot do that, or not now.
    """
    row = world.objects[ref]
    refusal = _refusal(kinds, row, verb)
    if refusal:
        detail = f"{ref}: {refusal}."
        raise UserError(Diagnostic("An order that cannot be carried out", detail, suggestion=f"weyr describe {ref}"))
    fresh = replace(row, order=Order(verb, (row.order.number if row.order else 0) + 1), changed_at=now)
    stack = world.stacks.get(ref.stack)
    try:
        with db.write() as connection:
            kernel.put_objects(connection, [kernel.plain_object(fresh)])
            plan = stack.plan_id if stack else ""
            kernel.add_events(connection, [EventRow(now, ref.stack, str(ref), plan, f"order.{verb}", "by hand")])
    except Exception:
        # Nobody knows whether a commit that failed was kept.
        world.is_stale = True
        raise
    world.put(fresh)
    world.wake([ref])


def _refusal(kinds: Kinds, row: ObjectRow, verb: str) -> str:
    kind = kinds.get(row.ref.kind)
    if kind is None or verb not in kind.orders:
        return f"an object of kind {row.ref.kind} takes no order to {verb}"
    if row.spec is None or row.next_spec is not None:
        return "it is being removed"
    memory = from_json(kind.memory, row.memory) if kind.memory and row.memory else None
    return kind.refuses(memory, verb) if kind.refuses else ""
