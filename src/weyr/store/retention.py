"""How much of the past is kept? The newest part of the story, and the plans somebody may still ask for.

By number and not by age: a clock that was set a year forward would else take the whole story along. The ledger's
journal and the audit trail are no part of this: they are kept for good.
"""

from sqlalchemy import Connection, delete, func, select

from weyr.store.tables.kernel import events, plans, stacks

EVENTS_KEPT = 200_000
"""About 40 MB. A job that comes, fails once and succeeds leaves ten."""

PLANS_KEPT = 200
"""A plan of 10,000 objects is several megabytes."""

EVENTS_AT_ONCE = 20_000
"""What one call drops, so that no writer waits for more than a moment."""


def drop_oldest(
    connection: Connection,
    events_kept: int = EVENTS_KEPT,
    plans_kept: int = PLANS_KEPT,
    events_at_once: int = EVENTS_AT_ONCE,
) -> int:
    """Drops the oldest events beyond those kept, and plans that are neither new nor what a stack is now.

    Gives how many rows went. Called again and again: what one call leaves, the next ones take.
    """
    newest, oldest = connection.execute(select(func.max(events.c.id), func.min(events.c.id))).one()
    dropped = 0
    if newest is not None and oldest <= newest - events_kept:
        last = min(newest - events_kept, oldest + events_at_once - 1)
        dropped += connection.execute(delete(events).where(events.c.id <= last)).rowcount
    if connection.execute(select(func.count()).select_from(plans)).scalar_one() > plans_kept:
        fresh = select(plans.c.id).order_by(plans.c.made_at.desc(), plans.c.id).limit(plans_kept)
        old = plans.c.id.not_in(fresh) & plans.c.id.not_in(select(stacks.c.plan_id))
        dropped += connection.execute(delete(plans).where(old)).rowcount
    return dropped
