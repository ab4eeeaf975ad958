"""Why does a task wait? The short sentence of its condition, the same for as long as it waits for the same."""

from weyr.core.priorities import classes_of
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.groups import Group, Stage
from weyr.reconcile.scheduler.shapes import is_pooled, need_text
from weyr.scheduling.queueing import Behind, NoQueue, OverLimit


def waits_text(board: Board, group: Group) -> str:
    """No place in line and no time in it: told anew at each step, they would be a flood."""
    if group.stage is Stage.GATHERING:
        return f"it waits until all {group.size} of its gang are there"
    if group.stage is Stage.CHOSEN:
        makers = sorted({board.groups[id].ref.absolute for id in group.after if id in board.groups})
        return f"it has its room, and starts when {', '.join(makers)} has ended"
    body = group.body
    needs = need_text(body) + (f" on each of {group.size} places at once" if group.size > 1 else "")
    if board.class_of(body) is None:
        known = classes_of(board.queues[body.queue].priority_classes if body.queue in board.queues else {})
        return f"{body.queue or 'its queue'} has no priority class {body.priority_class!r}, only {', '.join(known)}"
    if not (is_pooled(body) or body.queue):
        return f"it waits its turn for {needs} of the {board.cpu:g} CPU here"
    match board.queueing.lanes.lane_of(group.id).verdict:
        case NoQueue():
            return f"there is no {body.queue}"
        case OverLimit(names=names):
            return f"{body.queue or 'its queue'} has no more {' and '.join(sorted(names))} to give; it needs {needs}"
        case Behind(head=head):
            first = board.groups[head].ref.absolute if head in board.groups else head
            return f"it waits behind {first} for {needs}"
        case _:
            where = body.pool or ("a pool" if is_pooled(body) else "this machine")
            return f"it waits for {needs} in {where}"
